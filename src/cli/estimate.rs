//! `rcar-iss estimate`: cycles without input data, on one machine, on several side by side, or on all that a
//! sweep makes.

use std::path::Path;
use std::sync::Arc;

use super::args::{EstimateArgs, ModelArgs};
use super::model::DEFAULT_MACHINE;
use super::{Report, effect, machines, model, places, source};
use crate::compiler::{self, CompileOptions};
use crate::document;
use crate::explain::Failure;
use crate::explore::{self, Axis};
use crate::graph::Graph;
use crate::machine::{Machine, MachineError};
use crate::profile::{self, Energy, Lifetime, Picojoules, Profile};
use crate::program::{FileKind, Program};
use crate::report::{EstimateReport, SweepReport, lifetimes_plot, roofline};
use crate::sim::{Decoded, Limits, LoadError, Loaded};

pub(super) fn run(args: &EstimateArgs) -> Result<Report, Failure> {
    let is_model = source::kind_of(&args.file)? == FileKind::Model;
    check(args, is_model)?;
    for (option, path) in [("--plot", &args.plot), ("--csv", &args.csv), ("--lifetimes", &args.lifetimes)] {
        if let Some(path) = path {
            places::writes(option, path)?;
        }
    }
    if !args.sweep.is_empty() {
        return sweep(args);
    }
    let machines = given(args)?;
    let (found, advice) = if is_model { of_model(args, &machines)? } else { (of_program(args)?, None) };
    let (energy, lifetimes) = match found.as_slice() {
        [one] => details(args, one)?,
        _ => (None, None),
    };
    let profiles: Vec<Profile> = found.into_iter().map(|f| f.profile).collect();
    if let Some(path) = &args.plot {
        let plot = roofline(&profiles).map_err(|e| Failure::file(path, &e))?;
        places::write(path, plot.as_bytes())?;
    }
    let report = EstimateReport { profiles, advice, energy, lifetimes };
    Ok(Report::fine(if args.json { document::pretty(&report) } else { report.text() }))
}

/// A program and its profile on a machine.
struct Found {
    profile: Profile,
    program: Arc<Program>,
    machine: Machine,
}

/// What is asked for besides the profile of one program.
fn details(args: &EstimateArgs, found: &Found) -> Result<(Option<Energy>, Option<Vec<Lifetime>>), Failure> {
    if args.energy.is_none() && args.lifetimes.is_none() {
        return Ok((None, None));
    }
    let decoded = Decoded::new(Arc::clone(&found.program), &found.machine, Limits::default())
        .map_err(|e| Failure::load(&args.file, &e))?;
    let fault = |fault| Failure::load(&args.file, &LoadError::Fault(fault));
    let energy = match args.energy.as_deref() {
        None => None,
        Some(name) => {
            let table = if name == Picojoules::EXAMPLE {
                Picojoules::example()
            } else {
                Picojoules::parse(&super::given::read_text(Path::new(name))?)
            };
            let table = table.map_err(|e| Failure::file(Path::new(name), &e))?;
            Some(profile::energy(&decoded, &table).map_err(fault)?)
        }
    };
    let Some(path) = &args.lifetimes else { return Ok((energy, None)) };
    let list = profile::lifetimes(&decoded).map_err(fault)?;
    let title = format!("{} on {}", found.profile.program, found.profile.machine);
    let plot = lifetimes_plot(&title, &list, found.machine.spm.bytes, found.profile.cycles);
    places::write(path, plot.map_err(|e| Failure::file(path, &e))?.as_bytes())?;
    Ok((energy, Some(list)))
}

fn check(args: &EstimateArgs, model: bool) -> Result<(), Failure> {
    if !model {
        let of_models =
            [(!args.set.is_empty(), "--set"), (!args.sweep.is_empty(), "--sweep"), (args.advice, "--advice")];
        if let Some((_, option)) = of_models.into_iter().find(|(given, _)| *given) {
            return Err(effect::none(
                option,
                &"a program is for one machine; give the model that it was made of",
            ));
        }
    }
    if args.exact && !model {
        return Err(effect::none("--exact", &"the cycles of a program are always those of the clock"));
    }
    let of_one = [
        (args.advice, "--advice"),
        (args.energy.is_some(), "--energy"),
        (args.lifetimes.is_some(), "--lifetimes"),
    ];
    let several = args.machine.len() > 1 || args.machine.iter().any(|m| m == "all");
    if let Some((_, option)) = of_one.into_iter().find(|(given, _)| *given && several) {
        return Err(effect::none(option, &"it is about one machine"));
    }
    for (at, name) in args.machine.iter().enumerate() {
        if args.machine.len() > 1 && args.machine.iter().any(|m| m == "all") && name != "all" {
            return Err(effect::none(
                &format!("--machine {name}"),
                &"`--machine all` names every machine that is shipped",
            )
            .help("leave one of the two out; a machine file needs a call of its own, or names beside it"));
        }
        if args.machine[..at].contains(name) {
            return Err(effect::none(&format!("--machine {name}"), &"it is named before"));
        }
    }
    Ok(())
}

/// The machines of the command line; the default one without any.
fn given(args: &EstimateArgs) -> Result<Vec<Machine>, Failure> {
    let settings = machines::settings(&args.set)?;
    let names: Vec<&str> = match args.machine.as_slice() {
        [] => vec![DEFAULT_MACHINE],
        [all] if all == "all" => Machine::names(),
        list => list.iter().map(String::as_str).collect(),
    };
    let mut known: Vec<(&str, Machine)> = Vec::new();
    for name in names {
        let machine = machines::with(name, &settings)?;
        if let Some((before, _)) = known.iter().find(|(_, m)| *m == machine) {
            let why = format!("it is the same machine as --machine {before}");
            return Err(effect::none(&format!("--machine {name}"), &why));
        }
        known.push((name, machine));
    }
    Ok(known.into_iter().map(|(_, machine)| machine).collect())
}

/// A program on the machines given, of which at most one is that of the program.
fn of_program(args: &EstimateArgs) -> Result<Vec<Found>, Failure> {
    let machines: Vec<Option<String>> = if args.machine.is_empty() {
        vec![None]
    } else if args.machine.iter().any(|m| m == "all") {
        Machine::names().into_iter().map(|n| Some(n.to_string())).collect()
    } else {
        args.machine.iter().cloned().map(Some).collect()
    };
    let one = |machine| {
        let model = ModelArgs { machine, graph: args.graph.clone() };
        let (program, machine) = source::program(&args.file, &model)?;
        loaded(args, program, &machine)
    };
    machines.into_iter().map(one).collect()
}

fn loaded(args: &EstimateArgs, program: Program, machine: &Machine) -> Result<Found, Failure> {
    let program = Arc::new(program);
    let loaded = Loaded::new(Arc::clone(&program), machine, Limits::default());
    let profile = Profile::of(&loaded.map_err(|e| Failure::load(&args.file, &e))?);
    Ok(Found { profile, program, machine: machine.clone() })
}

/// A graph on a machine: without packed constants, or as `run` has it.
fn found(
    args: &EstimateArgs,
    graph: &Graph,
    options: &CompileOptions,
    machine: &Machine,
) -> Result<Found, Failure> {
    let refused = |e| Failure::compile(&args.file, &e);
    if args.exact {
        return loaded(args, compiler::compile(graph, machine, options).map_err(refused)?.program, machine);
    }
    let estimate = compiler::estimate::estimate(graph, machine, options).map_err(refused)?;
    let profile = Profile::estimated(machine, &estimate);
    Ok(Found { profile, program: Arc::new(estimate.program), machine: machine.clone() })
}

fn of_model(
    args: &EstimateArgs,
    machines: &[Machine],
) -> Result<(Vec<Found>, Option<explore::Advice>), Failure> {
    let (imported, options) = model::import(&args.file, &of_graph(args))?;
    let graph = &imported.graph;
    let all = machines.iter().map(|m| found(args, graph, &options, m));
    let all = all.collect::<Result<Vec<Found>, Failure>>()?;
    let advice = match (all.as_slice(), machines) {
        ([found], [machine]) if args.advice => {
            Some(explore::advise(graph, machine, &options, &found.profile))
        }
        _ => None,
    };
    Ok((all, advice))
}

fn of_graph(args: &EstimateArgs) -> ModelArgs {
    ModelArgs { machine: None, graph: args.graph.clone() }
}

fn sweep(args: &EstimateArgs) -> Result<Report, Failure> {
    let name = match args.machine.as_slice() {
        [] => DEFAULT_MACHINE,
        [one] if one != "all" => one,
        _ => return Err(effect::none("--sweep", &"its machines are made of one")),
    };
    let settings = machines::settings(&args.set)?;
    let axes = args.sweep.iter().map(|text| Axis::parse(text));
    let usage = |e: MachineError| Failure::usage(format!("--sweep: {e}"));
    let axes = axes.collect::<Result<Vec<Axis>, MachineError>>().map_err(usage)?;
    if let Some(axis) = axes.iter().find(|a| settings.iter().any(|s| s.field() == a.field())) {
        return Err(effect::none(&format!("--set {}", axis.field()), &"--sweep gives it several values"));
    }
    let text = machines::text(name)?;
    let base = machines::with(name, &settings)?;
    let (imported, options) = model::import(&args.file, &of_graph(args))?;
    let graph = &imported.graph;
    let swept = explore::sweep(
        &base.name,
        &axes,
        |values| {
            let all: Vec<_> = settings.iter().chain(values).cloned().collect();
            Machine::parse_with(&text, &all).map_err(|e| e.to_string())
        },
        |machine| {
            found(args, graph, &options, machine).map(|f| f.profile).map_err(|failure| failure.to_string())
        },
    );
    let sweep = swept.map_err(|e| Failure::usage(format!("--sweep: {e}")))?;
    if let Some(error) = sweep.points.iter().find_map(|p| p.error.as_ref())
        && sweep.points.iter().all(|p| p.error.is_some())
    {
        return Err(Failure::usage(format!("--sweep: none of its machines can run the network: {error}")));
    }
    let report = SweepReport { program: graph.name.clone(), sweep };
    if let Some(path) = &args.csv {
        places::write(path, report.csv().as_bytes())?;
    }
    if let Some(path) = &args.plot {
        let plot = report.plot().map_err(|e| Failure::file(path, &e))?;
        places::write(path, plot.as_bytes())?;
    }
    Ok(Report::fine(if args.json { document::pretty(&report) } else { report.text() }))
}

//! `rcar-iss estimate`: cycles without input data, on one machine or several side by side.

use std::sync::Arc;

use super::args::{EstimateArgs, ModelArgs};
use super::{Report, effect, machines, places, source};
use crate::document;
use crate::explain::Failure;
use crate::machine::Machine;
use crate::profile::Profile;
use crate::program::FileKind;
use crate::report::EstimateReport;
use crate::sim::{Limits, Loaded};

pub(super) fn run(args: &EstimateArgs) -> Result<Report, Failure> {
    let model = source::kind_of(&args.file)? == FileKind::Model;
    check(args, model)?;
    if let Some(path) = &args.plot {
        places::writes("--plot", path)?;
    }
    let machines: Vec<Option<String>> = if args.machine.is_empty() {
        vec![None]
    } else if args.machine.iter().any(|m| m == "all") {
        Machine::names().into_iter().map(|n| Some(n.to_string())).collect()
    } else {
        args.machine.iter().cloned().map(Some).collect()
    };
    distinct(&args.machine)?;
    let profiles = if !args.exact && model {
        quick(args, &machines)?
    } else {
        let mut profiles = Vec::new();
        for machine in machines {
            let model = ModelArgs { machine, graph: args.graph.clone() };
            let (program, machine) = source::program(&args.file, &model)?;
            let loaded = Loaded::new(Arc::new(program), &machine, Limits::default())
                .map_err(|e| Failure::load(&args.file, &e))?;
            profiles.push(Profile::of(&loaded));
        }
        profiles
    };
    if let Some(path) = &args.plot {
        let plot = crate::report::roofline(&profiles).map_err(|e| Failure::file(path, &e))?;
        places::write(path, plot.as_bytes())?;
    }
    let report = EstimateReport { profiles };
    Ok(Report::fine(if args.json { document::pretty(&report) } else { report.text() }))
}

fn check(args: &EstimateArgs, model: bool) -> Result<(), Failure> {
    if args.exact && !model {
        return Err(effect::none("--exact", &"the cycles of a program are always those of the clock"));
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

/// Refuses a machine that is given twice, by name or as a file.
fn distinct(names: &[String]) -> Result<(), Failure> {
    let mut known: Vec<(&str, Machine)> = Vec::new();
    for name in names.iter().filter(|name| names.len() > 1 && *name != "all") {
        let machine = machines::named(name)?;
        if let Some((before, _)) = known.iter().find(|(_, m)| *m == machine) {
            let why = format!("it is the same machine as --machine {before}");
            return Err(effect::none(&format!("--machine {name}"), &why));
        }
        known.push((name, machine));
    }
    Ok(())
}

/// Without packing constants.
fn quick(args: &EstimateArgs, machines: &[Option<String>]) -> Result<Vec<Profile>, Failure> {
    let named = machines.iter().map(|m| machines::named(m.as_deref().unwrap_or("rcn-m")));
    let machines = named.collect::<Result<Vec<Machine>, Failure>>()?;
    let model = ModelArgs { machine: None, graph: args.graph.clone() };
    let estimates = super::model::estimate(&args.file, &model, &machines)?;
    let rows = machines.iter().zip(&estimates);
    Ok(rows.map(|(machine, estimate)| Profile::estimated(machine, estimate)).collect())
}

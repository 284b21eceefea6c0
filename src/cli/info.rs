//! `rcar-iss info`: the contents of a program file or a model, and the capabilities of this computer.

use std::path::Path;
use std::sync::Arc;

use super::args::InfoArgs;
use super::widths::{self, Widths};
use super::{Report, effect, machines, model, source};
use crate::document;
use crate::explain::Failure;
use crate::onnx::Description;
use crate::profile::Picojoules;
use crate::program::{FileKind, Program};
use crate::report::{self, HostReport, MachineReport, ProgramReport, Tables};
use crate::sim::{Limits, Loaded};

pub(super) fn run(args: &InfoArgs) -> Result<Report, Failure> {
    let Some(file) = &args.program else {
        if args.energy {
            return Ok(Report::fine(Picojoules::EXAMPLE_TEXT.into()));
        }
        if let Some(name) = &args.machine {
            return about_machine(name, args);
        }
        let here = HostReport::here();
        return Ok(Report::fine(if args.json { document::pretty(&here) } else { here.text() }));
    };
    if source::kind_of(file)? == FileKind::Model {
        return about_model(file, args);
    }
    if args.json {
        let lists =
            [(args.layers, "--layers"), (args.tensors, "--tensors"), (args.provenance, "--provenance")];
        if let Some((_, option)) = lists.into_iter().find(|(typed, _)| *typed) {
            return Err(effect::none(option, &"--json has all tables"));
        }
    }
    let program = source::read_program(file)?;
    let widths = executed(&program, args, file)?;
    let status = widths.as_ref().map_or(0, Widths::status);
    let report = ProgramReport::new(&program, widths.map(|w| (w.layers, w.wrong)));
    let tables = Tables { layers: args.layers, tensors: args.tensors, provenance: args.provenance };
    Ok(Report { text: if args.json { document::pretty(&report) } else { report.text(tables) }, status })
}

/// A machine: its file, or its fields as JSON.
fn about_machine(name: &str, args: &InfoArgs) -> Result<Report, Failure> {
    let machine = machines::named(name)?;
    Ok(Report::fine(if args.json {
        document::pretty(&MachineReport { machine })
    } else {
        machines::text(name)?
    }))
}

/// The description of a model, which has no layers yet.
fn about_model(file: &Path, args: &InfoArgs) -> Result<Report, Failure> {
    let asked = [
        ("--layers", args.layers),
        ("--tensors", args.tensors),
        ("--provenance", args.provenance),
        ("--machine", args.machine.is_some()),
        ("--expect-bits", !args.widths.expect_bits.is_empty()),
    ];
    if let Some((option, _)) = asked.into_iter().find(|(_, given)| *given) {
        return Err(Failure::usage(format!("{option} is for program files, '{}' is none", file.display()))
            .help("compile the model, and ask the program: `rcar-iss compile MODEL.onnx -o P.rcn`"));
    }
    let found = Description::of(&model::load(file)?.model);
    Ok(Report::fine(if args.json { document::pretty(&found) } else { report::description(&found) }))
}

/// The widths that the program executes; the reason, if it cannot be loaded here.
fn executed(program: &Program, args: &InfoArgs, file: &Path) -> Result<Result<Widths, String>, Failure> {
    let machine = match machines::of(program, args.machine.as_deref()) {
        Ok(machine) => machine,
        Err(failure) if args.machine.is_some() || !args.widths.expect_bits.is_empty() => return Err(failure),
        Err(_) => return Ok(Err("its machine is not shipped; give --machine FILE".into())),
    };
    match Loaded::new(Arc::new(program.clone()), &machine, Limits::default()) {
        Ok(loaded) => widths::of(&loaded, &args.widths).map(Ok),
        Err(error) if !args.widths.expect_bits.is_empty() => Err(Failure::load(file, &error)),
        Err(error) => Ok(Err(error.to_string())),
    }
}

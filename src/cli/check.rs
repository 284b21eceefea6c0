//! `rcar-iss check`: reports everything that can be known about a file before it runs.

use std::sync::Arc;

use super::args::CheckArgs;
use super::{Report, effect, model, source};
use crate::document;
use crate::explain::{Failure, UNSUPPORTED};
use crate::host;
use crate::onnx::{self, ImportError, NodeStatus, Opset};
use crate::program::FileKind;
use crate::report::{ModelCheck, ProgramCheck, host_layers};
use crate::sim::{Limits, Loaded};

pub(super) fn run(args: &CheckArgs) -> Result<Report, Failure> {
    if source::kind_of(&args.file)? == FileKind::Model { check_model(args) } else { check_program(args) }
}

fn check_program(args: &CheckArgs) -> Result<Report, Failure> {
    if args.all {
        return Err(effect::none(
            "--all",
            &"a program has no ONNX nodes; `rcar-iss info --layers` lists its layers",
        ));
    }
    let (program, machine) = source::program(&args.file, &args.model)?;
    host::prepare(&program)?;
    let loaded = Loaded::new(Arc::new(program), &machine, Limits::default())
        .map_err(|e| Failure::load(&args.file, &e))?;
    let found = ProgramCheck::new(&args.file, &loaded, machine.clock_mhz);
    Ok(Report::fine(if args.json { document::pretty(&found) } else { found.text() }))
}

fn check_model(args: &CheckArgs) -> Result<Report, Failure> {
    let loaded = model::load(&args.file)?;
    let options = model::import_options(&args.model)?;
    effect::extents(loaded.graph(), &options)?;
    let (rows, hosts) = match onnx::import(&loaded, &options) {
        Ok(imported) => (imported.rows, host_layers(&imported.graph)),
        Err(ImportError::Unsupported { rows }) => (rows, String::new()),
        Err(other) => return Err(Failure::import(&args.file, loaded.graph(), &other)),
    };
    // A model that imports may still not fit the machine.
    let compiled = match rows.iter().any(|r| r.status == NodeStatus::Unsupported) {
        true => None,
        false => Some(model::compile(&args.file, &args.model)),
    };
    let status = match &compiled {
        None => UNSUPPORTED,
        Some(Err(failure)) => failure.status,
        Some(Ok(_)) => 0,
    };
    let program = compiled.as_ref().map(|c| c.as_ref().map(|m| &m.compiled.program).map_err(Failure::render));
    let found = ModelCheck::new(rows, program, Opset::of(&loaded.model), hosts);
    let text = if args.json { document::pretty(&found) } else { found.text(args.all) };
    Ok(Report { text, status })
}

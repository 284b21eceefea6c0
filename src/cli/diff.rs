//! `rcar-iss diff`: two programs, or two traces, layer by layer.

use std::sync::Arc;

use super::args::{DiffArgs, GraphArgs, ModelArgs};
use super::{Report, effect, given, machines, source};
use crate::document;
use crate::explain::{Failure, NO};
use crate::files;
use crate::program::{FileKind, Program};
use crate::report::{Difference, Side};
use crate::sim::{Limits, Loaded};
use crate::trace::{MAGIC, TraceReader};

pub(super) fn run(args: &DiffArgs) -> Result<Report, Failure> {
    let files = [&args.a, &args.b];
    let mut traces = Vec::new();
    for path in files {
        if is_trace(path)? {
            traces.push(TraceReader::open(files::system_path(path)).map_err(|e| Failure::trace(path, &e))?);
        }
    }
    let difference = match traces.as_mut_slice() {
        [] => {
            let models = [source::kind_of(&args.a)?, source::kind_of(&args.b)?].map(|k| k == FileKind::Model);
            if models == [false; 2] {
                effect::for_models(&args.graph, &args.a, "a program")?;
                check_machines(args)?;
            }
            if args.machine.len() > 2 {
                return Err(Failure::usage("--machine is given more than twice")
                    .help("once for both files, or once for each"));
            }
            Difference::of_programs(program(args, &args.a, 0)?, program(args, &args.b, 1)?)
        }
        [a, b] => {
            let why = "traces are of programs that have run; this is for ONNX models";
            if let Some(option) = args.machine.iter().map(|_| "--machine").chain(args.graph.typed()).next() {
                return Err(effect::none(option, &why));
            }
            Difference::of_traces(a, b).map_err(|e| Failure::trace(&args.a, &e))?
        }
        _ => {
            return Err(Failure::usage("one of the files is a trace, the other is not")
                .help("compare two traces, or two programs or models"));
        }
    };
    let text = if args.json { document::pretty(&difference) } else { difference.text() };
    Ok(Report { text, status: if difference.differs && args.exit_code { NO } else { 0 } })
}

fn is_trace(path: &std::path::Path) -> Result<bool, Failure> {
    Ok(given::head(path, MAGIC.len())? == MAGIC)
}

fn read(path: &std::path::Path) -> Result<Program, Failure> {
    match source::kind_of(path)? {
        FileKind::Assembly => super::asm::assemble(path),
        _ => source::read_program(path),
    }
}

/// For two programs, each `--machine` applies to one of them.
fn check_machines(args: &DiffArgs) -> Result<(), Failure> {
    if args.machine.is_empty() {
        return Ok(());
    }
    let programs = [read(&args.a)?, read(&args.b)?];
    let other = args.machine.iter().find(|m| programs.iter().all(|p| machines::of(p, Some(m)).is_err()));
    other.map_or(Ok(()), |machine| {
        let of = programs.map(|p| p.meta.machine.name);
        let why = format!("the programs are for {} and {}", of[0], of[1]);
        Err(effect::none(&format!("--machine {machine}"), &why))
    })
}

/// The machine of one of the two files: for a model the option at its position; for a program the machine
/// that it was made for, whichever option names it.
fn machine_of(args: &DiffArgs, path: &std::path::Path, at: usize) -> Result<Option<String>, Failure> {
    let given = args.machine.get(at).or(args.machine.first());
    if source::kind_of(path)? == FileKind::Model {
        return Ok(given.cloned());
    }
    let program = read(path)?;
    let fits = args.machine.iter().find(|m| machines::of(&program, Some(m)).is_ok());
    // A shipped machine needs no option; for others the message says what is missing.
    let shipped = machines::of(&program, None).is_ok();
    Ok(fits.or(given.filter(|_| !shipped)).cloned())
}

/// One side; options for models apply to the sides that are models.
fn program(args: &DiffArgs, path: &std::path::Path, at: usize) -> Result<Side, Failure> {
    let is_model = source::kind_of(path)? == FileKind::Model;
    let engine = args.graph.engine.clone();
    let graph = if is_model { args.graph.clone() } else { GraphArgs { engine, ..GraphArgs::default() } };
    let model = ModelArgs { machine: machine_of(args, path, at)?, graph };
    let (program, machine) = source::program(path, &model)?;
    let loaded =
        Loaded::new(Arc::new(program), &machine, Limits::default()).map_err(|e| Failure::load(path, &e))?;
    Ok(Side::of_program(&path.display().to_string(), &loaded))
}

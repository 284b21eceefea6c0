//! Sources of programs: a program file, an ONNX model or assembly text.

use std::path::Path;

use super::args::ModelArgs;
use super::{effect, engine, given, machines};
use crate::explain::Failure;
use crate::files;
use crate::machine::Machine;
use crate::program::{FileKind, Program};

/// Reads a program file.
pub(super) fn read_program(path: &Path) -> Result<Program, Failure> {
    Program::from_bytes(&given::read(path)?).map_err(|e| Failure::program(path, e))
}

/// The kind of a file, told by its first bytes.
pub(super) fn kind_of(path: &Path) -> Result<FileKind, Failure> {
    let name = Some(path).filter(|p| !files::is_stdin(p));
    Ok(FileKind::of(name, &given::head(path, FileKind::HEAD)?))
}

/// A program to be executed, from any source, and its machine. The library for its host layers is loaded.
pub(super) fn executed(path: &Path, args: &ModelArgs) -> Result<(Program, Machine), Failure> {
    let (program, machine) = program(path, args)?;
    engine::for_hosts(path, &program, &args.graph.engine)?;
    Ok((program, machine))
}

/// A program from any source, and its machine.
pub(super) fn program(path: &Path, args: &ModelArgs) -> Result<(Program, Machine), Failure> {
    match kind_of(path)? {
        FileKind::Program => {
            effect::for_models(&args.graph, path, "a program file")?;
            let program = read_program(path)?;
            let machine = machines::of(&program, args.machine.as_deref())?;
            Ok((program, machine))
        }
        FileKind::Assembly => {
            effect::for_models(&args.graph, path, "assembly text")?;
            let program = super::asm::assemble(path)?;
            let machine = machines::of(&program, args.machine.as_deref())?;
            Ok((program, machine))
        }
        FileKind::Model => {
            let model = super::model::compile(path, args)?;
            Ok((model.compiled.program, model.machine))
        }
    }
}

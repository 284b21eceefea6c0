//! Where a program comes from: a program file, an ONNX model or assembly text, told apart by content.

use std::path::Path;

use super::args::ModelArgs;
use super::{effect, engine, given, machines};
use crate::explain::Failure;
use crate::files;
use crate::machine::Machine;
use crate::program::{Program, elf};

/// Reads a program file.
pub(super) fn read_program(path: &Path) -> Result<Program, Failure> {
    Program::from_bytes(&given::read(path)?).map_err(|e| Failure::program(path, e))
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Program,
    Assembly,
    Model,
}

/// Tells by content, and by name where content says nothing: ELF is a program, `.s` text assembly, the rest ONNX. Standard
/// input has no name: text that comes from it is assembly.
pub(super) fn kind(path: &Path, bytes: &[u8]) -> Kind {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    if bytes.starts_with(b"\x7fELF") || extension == "rcn" || elf::is_program_file(bytes) {
        Kind::Program
    } else if matches!(extension, "s" | "S" | "asm") || files::is_stdin(path) && is_text(bytes) {
        Kind::Assembly
    } else {
        Kind::Model
    }
}

/// Whether a file begins as text does. ONNX models begin with a small number.
fn is_text(bytes: &[u8]) -> bool {
    let plain = |b: &u8| (b' '..=b'~').contains(b) || matches!(b, b'\n' | b'\r' | b'\t') || *b >= 0x80;
    !bytes.is_empty() && bytes.iter().all(plain)
}

/// The first bytes of a file; what it is can be told from them.
pub(super) fn kind_of(path: &Path) -> Result<Kind, Failure> {
    Ok(kind(path, &given::head(path, 64)?))
}

/// A program that will be executed, whatever it was made from, and the machine it is for. What runs its host layers is
/// loaded.
pub(super) fn executed(path: &Path, args: &ModelArgs) -> Result<(Program, Machine), Failure> {
    let (program, machine) = program(path, args)?;
    engine::for_hosts(path, &program, &args.graph.engine)?;
    Ok((program, machine))
}

/// A program, whatever it was made from, and the machine it is for.
pub(super) fn program(path: &Path, args: &ModelArgs) -> Result<(Program, Machine), Failure> {
    match kind_of(path)? {
        Kind::Program => {
            effect::for_models(&args.graph, path, "a program file")?;
            let program = read_program(path)?;
            let machine = machines::of(&program, args.machine.as_deref())?;
            Ok((program, machine))
        }
        Kind::Assembly => {
            effect::for_models(&args.graph, path, "assembly text")?;
            let program = super::asm::assemble(path)?;
            let machine = machines::of(&program, args.machine.as_deref())?;
            Ok((program, machine))
        }
        Kind::Model => {
            let model = super::model::compile(path, args)?;
            Ok((model.compiled.program, model.machine))
        }
    }
}

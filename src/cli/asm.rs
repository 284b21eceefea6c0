//! `rcar-iss asm`.

use std::path::Path;

use super::args::AsmArgs;
use super::{Report, given, places};
use crate::explain::Failure;
use crate::files;
use crate::program::{Program, text};
use crate::readable;

/// Assembles a file.
pub(super) fn assemble(path: &Path) -> Result<Program, Failure> {
    let source = given::read_text(path)?;
    let mut program = text::assemble(&source).map_err(|e| Failure::assembly(path, &source, &e))?;
    if program.meta.name.is_empty() {
        program.meta.name = files::stem(path);
    }
    Ok(program)
}

pub(super) fn run(args: &AsmArgs) -> Result<Report, Failure> {
    places::writes("--output", &args.output)?;
    let program = assemble(&args.source)?;
    let bytes = program.to_bytes().map_err(|e| Failure::program(&args.source, e))?;
    places::write(&args.output, &bytes)?;
    Ok(Report::fine(format!(
        "{}: {} instructions, {} of constants, for {}\n",
        args.output.display(),
        readable::grouped(program.code.len() as u64),
        readable::bytes(program.constants.len() as u64),
        program.meta.machine.name
    )))
}

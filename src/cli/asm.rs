//! `rcar-iss asm`.

use std::path::Path;

use super::args::AsmArgs;
use super::{Report, given, places};
use crate::explain::{Failure, INPUT};
use crate::files;
use crate::program::{Program, text};
use crate::readable;

/// Assembles a file.
pub(super) fn assemble(path: &Path) -> Result<Program, Failure> {
    let source = given::read_text(path)?;
    let mut program = text::assemble(&source).map_err(|e| {
        let n = e.0.len();
        let what = format!("'{}' has {n} error{}", path.display(), if n == 1 { "" } else { "s" });
        Failure::new(INPUT, what).why(&e.render(&source, &path.display().to_string()))
    })?;
    if program.meta.name.is_empty() {
        let stem = path.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
        program.meta.name = if files::is_stdin(path) { "stdin".into() } else { stem };
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

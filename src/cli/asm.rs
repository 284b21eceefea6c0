//! `rcar-iss asm`.

use super::Report;
use super::args::AsmArgs;
use super::failure::Failure;

pub(super) fn run(args: &AsmArgs) -> Result<Report, Failure> {
    Err(Failure::file(&args.source, &"the assembler is not merged yet"))
}

/// Assembles a file.
pub(super) fn assemble(path: &std::path::Path) -> Result<crate::program::Program, Failure> {
    Err(Failure::file(path, &"the assembler is not merged yet"))
}

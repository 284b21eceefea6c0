//! `rcar-iss disasm`.

use super::Report;
use super::args::DisasmArgs;
use super::failure::Failure;

pub(super) fn run(args: &DisasmArgs) -> Result<Report, Failure> {
    Err(Failure::file(&args.program, &"the disassembler is not merged yet"))
}

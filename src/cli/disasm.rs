//! `rcar-iss disasm`.

use super::args::DisasmArgs;
use super::{Report, places, source};
use crate::explain::Failure;
use crate::program::text;

pub(super) fn run(args: &DisasmArgs) -> Result<Report, Failure> {
    if let Some(path) = &args.output {
        places::writes("--output", path)?;
    }
    let program = source::read_program(&args.program)?;
    let listing = match &args.layer {
        Some(name) => text::disassemble_layer(&program, name).ok_or_else(|| {
            Failure::usage(format!("no layer is named '{name}'"))
                .help("`rcar-iss info --layers` lists them")
                .nearest(name, program.meta.layers.iter().map(|l| l.name.as_str()))
        })?,
        None => text::disassemble(&program),
    };
    match &args.output {
        Some(path) => {
            places::write(path, listing.as_bytes())?;
            Ok(Report::fine(String::new()))
        }
        None => Ok(Report::fine(listing)),
    }
}

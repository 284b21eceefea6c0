//! `rcar-iss disasm`.

use super::args::DisasmArgs;
use super::{Report, places, source};
use crate::explain::Failure;
use crate::isa::{Insn, disasm};
use crate::program::{Program, text};

pub(super) fn run(args: &DisasmArgs) -> Result<Report, Failure> {
    if let Some(path) = &args.output {
        places::writes("--output", path)?;
    }
    let program = source::read_program(&args.program)?;
    let listing = match &args.layer {
        Some(name) => layer(&program, name)?,
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

/// The instructions of a layer, with their places.
fn layer(program: &Program, name: &str) -> Result<String, Failure> {
    let meta = &program.meta;
    let Some(id) = meta.layers.iter().position(|l| l.name == name) else {
        return Err(Failure::usage(format!("no layer is named '{name}'"))
            .help("`rcar-iss info --layers` lists them")
            .nearest(name, meta.layers.iter().map(|l| l.name.as_str())));
    };
    let ranges = meta.provenance.iter().filter(|r| r.layer as usize == id);
    let lines = ranges.flat_map(|r| r.start..r.end).map(|pc| {
        let word = program.code.get(pc as usize).copied().unwrap_or_default();
        match Insn::decode(word) {
            Ok(insn) => {
                format!("{pc:>6}  {}\n", disasm::disassemble_with(&insn, &|words| format!("{words:+}")))
            }
            Err(e) => format!("{pc:>6}  {word:#034x}  ; {e}\n"),
        }
    });
    Ok(lines.collect())
}

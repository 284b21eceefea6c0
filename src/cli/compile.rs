//! `rcar-iss compile`.

use std::fmt::Write;
use std::path::Path;

use serde_json::json;

use super::args::CompileArgs;
use super::failure::Failure;
use super::model::{self, Model};
use super::{Report, effect, format, source};
use crate::compiler;
use crate::files;
use crate::graph::text;

pub(super) fn run(args: &CompileArgs) -> Result<Report, Failure> {
    if source::kind_of(&args.model_file)? != source::Kind::Model {
        return Err(Failure::usage(format!("'{}' is no ONNX model", args.model_file.display()))
            .help("`rcar-iss asm` assembles text; a program file is compiled already"));
    }
    effect::apart(&[
        ("--output", Some(args.output.as_path())),
        ("--emit-asm", args.emit_asm.as_deref()),
        ("--emit-graph", args.emit_graph.as_deref()),
        ("--emit-tiles", args.emit_tiles.as_deref()),
    ])?;
    let model = model::compile(&args.model_file, &args.model)?;
    let program = &model.compiled.program;
    if let Some(path) = &args.emit_graph {
        files::replace(path, text::print(&model.imported.graph).as_bytes())?;
    }
    if let Some(path) = &args.emit_tiles {
        files::replace(path, compiler::tile::print(&model.compiled.layers).as_bytes())?;
    }
    if let Some(path) = &args.emit_asm {
        let text = crate::program::text::disassemble_with_comments(program, &model.compiled.comments);
        files::replace(path, text.as_bytes())?;
    }
    program.write_file(&args.output).map_err(|e| Failure::program(&args.output, e))?;
    let text = if args.json { json(&model, &args.output) } else { summary(&model, &args.output) };
    Ok(Report::fine(text))
}

fn json(model: &Model, output: &Path) -> String {
    let meta = &model.compiled.program.meta;
    let value = json!({
        "program": output,
        "machine": meta.machine,
        "instructions": model.compiled.program.code.len(),
        "constant_bytes": model.compiled.program.constants.len(),
        "dram_bytes": meta.dram_bytes,
        "layers": meta.layers,
        "hosts": meta.hosts,
        "removed": meta.removed,
    });
    format!("{value:#}\n")
}

fn summary(model: &Model, output: &Path) -> String {
    let program = &model.compiled.program;
    let macs: u64 = program.meta.layers.iter().map(|l| l.macs).sum();
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{}: {} layers, {} MACs, {} instructions, {} of constants, for {}",
        output.display(),
        program.meta.layers.len(),
        format::short(macs),
        format::grouped(program.code.len() as u64),
        format::bytes(program.constants.len() as u64),
        model.machine.name
    );
    text.push_str(&model::hosts(&model.imported.graph));
    if !model.imported.graph.removed.is_empty() {
        let n = model.imported.graph.removed.len();
        let _ = writeln!(
            text,
            "{n} ONNX tensors have no tensor in the program (`rcar-iss info --tensors` says why)"
        );
    }
    text
}

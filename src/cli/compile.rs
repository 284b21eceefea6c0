//! `rcar-iss compile`.

use std::fmt::Write;
use std::path::Path;

use super::args::CompileArgs;
use super::model::{self, Model};
use super::tiles::{self, Tiles};
use super::{Report, places, source};
use crate::compiler;
use crate::document;
use crate::explain::Failure;
use crate::files::Batch;
use crate::graph::text;
use crate::readable;
use crate::report::CompileReport;

pub(super) fn run(args: &CompileArgs) -> Result<Report, Failure> {
    let tiles = match args.emit_tiles.as_deref().map(tiles::asked).transpose()? {
        Some(Tiles::List) => return Ok(Report::fine(tiles::list())),
        Some(Tiles::After(passes, path)) => Some((passes, path)),
        None => None,
    };
    places::writes("--output", &args.output)?;
    let emitted = [
        ("--emit-graph", args.emit_graph.as_deref()),
        ("--emit-tiles", tiles.as_ref().map(|(_, path)| path.as_path())),
        ("--emit-asm", args.emit_asm.as_deref()),
    ];
    for (option, path) in emitted {
        path.iter().try_for_each(|path| places::writes(option, path))?;
    }
    if source::kind_of(&args.model_file)? != source::Kind::Model {
        return Err(Failure::usage(format!("'{}' is no ONNX model", args.model_file.display()))
            .help("`rcar-iss asm` assembles text; a program file is compiled already"));
    }
    let model = model::compile(&args.model_file, &args.model)?;
    let program = &model.compiled.program;
    let mut written = Batch::new();
    if let Some(path) = &args.emit_graph {
        places::stage(&mut written, path, text::print(&model.imported.graph).as_bytes())?;
    }
    if let Some((passes, path)) = &tiles {
        let layers = model::tiles(&args.model_file, &model, passes)?;
        places::stage(&mut written, path, compiler::tile::print(&layers).as_bytes())?;
    }
    if let Some(path) = &args.emit_asm {
        let text = crate::program::text::disassemble_with_comments(program, &model.compiled.comments);
        places::stage(&mut written, path, text.as_bytes())?;
    }
    let bytes = program.to_bytes().map_err(|e| Failure::program(&args.output, e))?;
    places::stage(&mut written, &args.output, &bytes)?;
    written.finish()?;
    let text = if args.json {
        document::pretty(&CompileReport::of(program, &args.output))
    } else {
        summary(&model, &args.output)
    };
    Ok(Report::fine(text))
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
        readable::short(macs),
        readable::grouped(program.code.len() as u64),
        readable::bytes(program.constants.len() as u64),
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

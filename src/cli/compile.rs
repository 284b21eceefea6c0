//! `rcar-iss compile`.

use super::args::CompileArgs;
use super::model;
use super::tiles::{self, Tiles};
use super::{Report, places, source};
use crate::compiler;
use crate::document;
use crate::explain::Failure;
use crate::files::Batch;
use crate::graph::text;
use crate::program::FileKind;
use crate::report::CompileReport;

pub(super) fn run(args: &CompileArgs) -> Result<Report, Failure> {
    let tiles = match args.emit_tiles.as_deref().map(tiles::asked).transpose()? {
        Some(Tiles::List) => return Ok(Report::fine(tiles::list())),
        Some(Tiles::After(passes, path)) => Some((passes, path)),
        None => None,
    };
    let Some(output) = &args.output else {
        return Err(Failure::usage("--output is missing")
            .help("say with -o P.rcn where the program is to be written"));
    };
    places::writes("--output", output)?;
    let emitted = [
        ("--emit-graph", args.emit_graph.as_deref()),
        ("--emit-tiles", tiles.as_ref().map(|(_, path)| path.as_path())),
        ("--emit-asm", args.emit_asm.as_deref()),
    ];
    for (option, path) in emitted {
        path.iter().try_for_each(|path| places::writes(option, path))?;
    }
    if source::kind_of(&args.model_file)? != FileKind::Model {
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
    let bytes = program.to_bytes().map_err(|e| Failure::program(output, e))?;
    places::stage(&mut written, output, &bytes)?;
    written.finish()?;
    let done = CompileReport::new(output, &model.imported.graph, program);
    Ok(Report::fine(if args.json { document::pretty(&done) } else { done.text() }))
}

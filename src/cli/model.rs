//! ONNX models: read, imported and compiled in memory, for every command that takes one.

use std::collections::BTreeMap;
use std::path::Path;

use super::args::{CalibrationArgs, ModelArgs, ShapeArgs};
use super::{effect, engine, given, inputs, machines, places};
use crate::compiler::pipeline::Pass;
use crate::compiler::tile::TileLayer;
use crate::compiler::{self, CompileOptions, Compiled};
use crate::explain::Failure;
use crate::files;
use crate::host;
use crate::isa::Profile;
use crate::machine::Machine;
use crate::onnx::{self, ImportOptions, Imported, LoadedModel, Observe};

/// The machine of a model, unless another is named.
pub(super) const DEFAULT_MACHINE: &str = "rcn-m";

/// A model, imported and compiled.
pub(super) struct Model {
    pub(super) imported: Imported,
    pub(super) options: CompileOptions,
    pub(super) compiled: Compiled,
    pub(super) machine: Machine,
}

fn profile(args: &ModelArgs) -> Profile {
    let named = args.graph.numeric.as_deref();
    Profile::ALL.into_iter().find(|p| Some(p.name()) == named).unwrap_or_default()
}

/// Import options of the command line.
pub(super) fn import_options(args: &ModelArgs) -> Result<ImportOptions, Failure> {
    let observe = if args.graph.observe.iter().any(|o| o == "all") {
        if let Some(other) = args.graph.observe.iter().find(|o| *o != "all") {
            return Err(effect::none(&format!("--observe {other}"), &"--observe all keeps every tensor"));
        }
        Observe::All
    } else if args.graph.observe.is_empty() {
        Observe::Nothing
    } else {
        Observe::Named(args.graph.observe.iter().cloned().collect())
    };
    let extents = ShapeArgs { shape: args.graph.shape.clone(), dim: args.graph.dim.clone() };
    let given = graph_options(&extents)?;
    let engine = engine::of_models(&args.graph.engine)?;
    Ok(ImportOptions { observe, host: !args.graph.no_host, engine, profile: profile(args), ..given })
}

/// Import options with open extents only.
pub(super) fn graph_options(args: &ShapeArgs) -> Result<ImportOptions, Failure> {
    let (mut shapes, mut symbols) = (BTreeMap::new(), BTreeMap::new());
    for option in &args.shape {
        let (name, dims) = onnx::given_shape(option)?;
        effect::once(&mut shapes, "--shape", name, dims)?;
    }
    for option in &args.dim {
        let (name, extent) = onnx::given_extent(option)?;
        effect::once(&mut symbols, "--dim", name, extent)?;
    }
    Ok(ImportOptions { shapes, symbols, ..ImportOptions::default() })
}

/// Import options of a network that was just quantized.
pub(super) fn calibrated_options(args: &CalibrationArgs) -> Result<ImportOptions, Failure> {
    Ok(ImportOptions { engine: engine::of_models(&args.engine)?, ..graph_options(&args.shapes)? })
}

/// Reads an ONNX file.
pub(super) fn load(path: &Path) -> Result<LoadedModel, Failure> {
    let loaded = LoadedModel::at(path, given::read(path)?).map_err(|e| Failure::onnx(path, e))?;
    loaded.data.iter().try_for_each(|file| places::reads(file))?;
    Ok(loaded)
}

/// Imports an ONNX file; also returns the options to compile it with.
pub(super) fn import(path: &Path, args: &ModelArgs) -> Result<(Imported, CompileOptions), Failure> {
    let options = import_options(args)?;
    let model = load(path)?;
    effect::extents(model.graph(), &options)?;
    let mut imported =
        onnx::import(&model, &options).map_err(|e| Failure::import(path, model.graph(), &e))?;
    let graph = &mut imported.graph;
    if graph.name.is_empty() {
        graph.name = files::stem(path);
    }
    let names: Vec<&str> = graph.inputs.iter().map(|id| graph.tensor(*id).name.as_str()).collect();
    let side = inputs::sidecar(path, &names)?;
    let options = CompileOptions {
        preprocess: side.preprocess,
        labels: side.classes,
        dense_weights: args.graph.dense_weights,
        profile: profile(args),
    };
    options.check(graph).map_err(|e| Failure::preprocess(side.path.as_deref().unwrap_or(path), &e))?;
    Ok((imported, options))
}

/// Compiles an ONNX file in memory. Host layers are loaded once, so that one that cannot run is reported now.
pub(super) fn compile(path: &Path, args: &ModelArgs) -> Result<Model, Failure> {
    let machine = machines::named(args.machine.as_deref().unwrap_or(DEFAULT_MACHINE))?;
    let (imported, options) = import(path, args)?;
    let compiled =
        compiler::compile(&imported.graph, &machine, &options).map_err(|e| Failure::compile(path, &e))?;
    host::prepare(&compiled.program)?;
    tracing::info!(layers = compiled.layers.len(), instructions = compiled.program.code.len(), "compiled");
    Ok(Model { imported, options, compiled, machine })
}

/// The tiled operations of a model after some of the passes.
pub(super) fn tiles(path: &Path, model: &Model, passes: &[Pass]) -> Result<Vec<TileLayer>, Failure> {
    compiler::tiles(&model.imported.graph, &model.machine, &model.options, passes)
        .map_err(|e| Failure::compile(path, &e))
}

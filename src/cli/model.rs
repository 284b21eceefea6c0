//! ONNX models: read, imported and compiled in memory, for every command that takes one.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use super::args::{CalibrationArgs, ModelArgs, ShapeArgs};
use super::{effect, engine, given, inputs, machines, places};
use crate::compiler::estimate::Estimate;
use crate::compiler::pipeline::Pass;
use crate::compiler::tile::TileLayer;
use crate::compiler::{self, CompileError, CompileOptions, Compiled};
use crate::explain::{Failure, UNSUPPORTED};
use crate::files;
use crate::graph::Graph;
use crate::host::FloatHost;
use crate::isa::Profile;
use crate::machine::Machine;
use crate::onnx::proto::GraphProto;
use crate::onnx::{self, ImportError, ImportOptions, Imported, LoadedModel, NodeRow, NodeStatus, Observe};
use crate::program::Program;
use crate::readable;

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

/// Import options from what was typed.
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

/// Import options that give open extents.
pub(super) fn graph_options(args: &ShapeArgs) -> Result<ImportOptions, Failure> {
    let mut shapes = BTreeMap::new();
    for option in &args.shape {
        let parsed = option.rsplit_once('=').and_then(|(name, dims)| {
            let dims: Option<Vec<usize>> = dims.split(['x', ',']).map(|d| d.trim().parse().ok()).collect();
            Some((name.to_string(), dims?))
        });
        let Some((name, dims)) = parsed else {
            return Err(Failure::usage(format!("--shape {option}")).help("write NAME=1x3x224x224"));
        };
        if dims.contains(&0) {
            return Err(effect::wrong("--shape", option, "an extent is at least 1"));
        }
        effect::once(&mut shapes, "--shape", name, dims)?;
    }
    let mut symbols = BTreeMap::new();
    for option in &args.dim {
        let parsed =
            option.rsplit_once('=').and_then(|(name, n)| Some((name.to_string(), n.trim().parse().ok()?)));
        let Some((name, extent)) = parsed.filter(|(_, n)| *n > 0) else {
            return Err(Failure::usage(format!("--dim {option}")).help("write NAME=NUMBER, like height=320"));
        };
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
    let loaded = LoadedModel::at(path, given::read(path)?).map_err(|e| match e {
        onnx::LoadError::File(e) => e.into(),
        other => Failure::file(path, &other).help("an ONNX model or a program file of this tool is expected"),
    })?;
    loaded.data.iter().try_for_each(|file| places::reads(file))?;
    Ok(loaded)
}

/// The failure of the import of a graph.
pub(super) fn import_failure(path: &Path, graph: &GraphProto, error: &ImportError) -> Failure {
    match error {
        ImportError::Malformed { .. } => Failure::file(path, error),
        ImportError::NoSuchTensor { name } => {
            let tensors = graph.node.iter().flat_map(|n| &n.output).map(String::as_str);
            Failure::usage(error.to_string())
                .help("`rcar-iss check MODEL --all` lists the nodes")
                .nearest(name, tensors.chain(graph.input.iter().map(|i| i.name())))
        }
        ImportError::Unsupported { rows } => Failure::new(UNSUPPORTED, format!("'{}'", path.display()))
            .why(&format!("{error}\n{}", unsupported(rows)))
            .help("`rcar-iss check MODEL` shows what is supported"),
    }
}

fn compile_failure(path: &Path, error: &CompileError) -> Failure {
    Failure::new(UNSUPPORTED, format!("'{}' cannot be compiled", path.display())).why(error)
}

/// Imports an ONNX file, and says how it is to be compiled.
pub(super) fn import(path: &Path, args: &ModelArgs) -> Result<(Imported, CompileOptions), Failure> {
    let options = import_options(args)?;
    let model = load(path)?;
    effect::extents(model.graph(), &options)?;
    let mut imported = onnx::import(&model, &options).map_err(|e| import_failure(path, model.graph(), &e))?;
    if imported.graph.name.is_empty() {
        let stem = path.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
        imported.graph.name = if files::is_stdin(path) { "stdin".into() } else { stem };
    }
    let names: Vec<&str> =
        imported.graph.inputs.iter().map(|id| imported.graph.tensor(*id).name.as_str()).collect();
    let side = inputs::sidecar(path, &names)?;
    for (name, how) in &side.preprocess {
        let input =
            imported.graph.inputs.iter().map(|id| imported.graph.tensor(*id)).find(|t| t.name == *name);
        let Some([_, second, .., last]) = input.map(|t| t.shape.as_slice()) else { continue };
        for (key, values) in [("mean", &how.mean), ("std", &how.std)] {
            if ![1, *second, *last].contains(&values.len()) {
                let file = side.path.as_deref().unwrap_or(path);
                let n = values.len();
                let why = format!("{key} of input '{name}' has {n} values, the input {second} channels");
                return Err(Failure::file(file, &why).help("write one number, or one for each channel"));
            }
        }
    }
    let options = CompileOptions {
        preprocess: side.preprocess,
        labels: side.classes,
        dense_weights: args.graph.dense_weights,
        profile: profile(args),
    };
    Ok((imported, options))
}

/// The closed form of a model's cycles on some machines.
pub(super) fn estimate(
    path: &Path,
    args: &ModelArgs,
    machines: &[Machine],
) -> Result<Vec<(String, Estimate)>, Failure> {
    let (imported, options) = import(path, args)?;
    let one = |machine: &Machine| {
        let estimate = compiler::estimate::estimate(&imported.graph, machine, &options);
        estimate.map(|e| (imported.graph.name.clone(), e)).map_err(|e| compile_failure(path, &e))
    };
    machines.iter().map(one).collect()
}

/// Compiles an ONNX file in memory. Host layers are loaded once, so that one that cannot run is found now.
pub(super) fn compile(path: &Path, args: &ModelArgs) -> Result<Model, Failure> {
    let machine = machines::named(args.machine.as_deref().unwrap_or("rcn-m"))?;
    let (imported, options) = import(path, args)?;
    let compiled =
        compiler::compile(&imported.graph, &machine, &options).map_err(|e| compile_failure(path, &e))?;
    prepare_hosts(&compiled.program)?;
    tracing::info!(layers = compiled.layers.len(), instructions = compiled.program.code.len(), "compiled");
    Ok(Model { imported, options, compiled, machine })
}

/// The tiled operations of a model after some of the passes.
pub(super) fn tiles(path: &Path, model: &Model, passes: &[Pass]) -> Result<Vec<TileLayer>, Failure> {
    compiler::tiles(&model.imported.graph, &model.machine, &model.options, passes)
        .map_err(|e| compile_failure(path, &e))
}

/// Loads every host layer's model, so that an operator which the host cannot run is found before the program runs.
pub(super) fn prepare_hosts(program: &Program) -> Result<(), Failure> {
    let mut host = FloatHost::new();
    for (model, entry) in program.host_models.iter().zip(&program.meta.hosts) {
        host.prepare(entry, model).map_err(|why| {
            let layer = program.meta.layers.get(entry.layer as usize);
            let name = layer.map_or("?", |l| l.name.as_str());
            let what = format!("host layer \"{name}\" with {} cannot run", entry.op_types.join(", "));
            let nodes = layer.map(|l| l.onnx_nodes.join(", ")).unwrap_or_default();
            Failure::new(UNSUPPORTED, what).why(&format!("{why} (ONNX nodes {nodes})"))
        })?;
    }
    Ok(())
}

/// The unsupported nodes as a table.
pub(super) fn unsupported(rows: &[NodeRow]) -> String {
    let cells = rows
        .iter()
        .filter(|r| r.status == NodeStatus::Unsupported)
        .map(|r| vec![r.name.clone(), r.op_type.clone(), r.detail.clone()]);
    readable::table(&["unsupported node", "type", "reason"], &[], cells.collect())
}

/// One line for each host layer.
pub(super) fn hosts(graph: &Graph) -> String {
    let mut text = String::new();
    for node in &graph.nodes {
        if let crate::graph::Op::Host(h) = &node.op {
            let _ = writeln!(
                text,
                "host layer \"{}\": {} run on the host, outside bit-exactness ({})",
                node.name,
                h.op_types.join(", "),
                h.reason
            );
        }
    }
    text
}

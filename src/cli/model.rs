//! ONNX models: read, imported and compiled in memory, for every command that takes one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use super::args::{ModelArgs, ShapeArgs};
use super::failure::{Failure, UNSUPPORTED};
use super::{format, given, machines, sidecar};
use crate::compiler::estimate::Estimate;
use crate::compiler::{self, CompileError, CompileOptions, Compiled};
use crate::graph::Graph;
use crate::host::RtenHost;
use crate::isa::Profile;
use crate::machine::Machine;
use crate::onnx::proto::GraphProto;
use crate::onnx::{self, ImportError, ImportOptions, Imported, LoadedModel, NodeRow, NodeStatus, Observe};
use crate::program::Program;

/// A model, imported and compiled.
pub(super) struct Model {
    pub(super) imported: Imported,
    pub(super) compiled: Compiled,
    pub(super) machine: Machine,
}

fn profile(args: &ModelArgs) -> Profile {
    Profile::ALL.into_iter().find(|p| p.name() == args.graph.numeric).unwrap_or_default()
}

/// Import options from what was typed.
pub(super) fn import_options(args: &ModelArgs) -> Result<ImportOptions, Failure> {
    let observe = if args.graph.observe.iter().any(|o| o == "all") {
        Observe::All
    } else if args.graph.observe.is_empty() {
        Observe::Nothing
    } else {
        Observe::Named(args.graph.observe.iter().cloned().collect())
    };
    let extents = ShapeArgs { shape: args.graph.shape.clone(), dim: args.graph.dim.clone() };
    let given = graph_options(&extents)?;
    Ok(ImportOptions { observe, host: !args.graph.no_host, profile: profile(args), ..given })
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
        shapes.insert(name, dims);
    }
    let mut symbols = BTreeMap::new();
    for option in &args.dim {
        let parsed =
            option.rsplit_once('=').and_then(|(name, n)| Some((name.to_string(), n.trim().parse().ok()?)));
        let Some((name, extent)) = parsed.filter(|(_, n)| *n > 0) else {
            return Err(Failure::usage(format!("--dim {option}")).help("write NAME=NUMBER, like height=320"));
        };
        symbols.insert(name, extent);
    }
    Ok(ImportOptions { shapes, symbols, ..ImportOptions::default() })
}

/// Whether the extents that were given are of inputs and of names that the model has.
pub(super) fn check_extents(graph: &GraphProto, options: &ImportOptions) -> Result<(), Failure> {
    let inputs = onnx::given_inputs(graph);
    let known = || inputs.iter().map(String::as_str);
    if let Some(name) = options.shapes.keys().find(|name| !inputs.contains(name)) {
        return Err(Failure::usage(format!("--shape {name}=…: the model has no input '{name}'"))
            .help(format!("its inputs are {}", known().collect::<Vec<_>>().join(", ")))
            .nearest(name, known()));
    }
    let infos = graph.input.iter().chain(&graph.output).chain(&graph.value_info);
    let symbols: BTreeSet<&str> = infos.flat_map(onnx::named_extents).collect();
    if let Some(name) = options.symbols.keys().find(|name| !symbols.contains(name.as_str())) {
        let list = symbols.iter().copied().collect::<Vec<_>>().join(", ");
        let help = if list.is_empty() {
            "it names none; --shape gives the shape of an input".to_string()
        } else {
            format!("it names {list}")
        };
        return Err(Failure::usage(format!("--dim {name}=…: the model names no extent '{name}'"))
            .help(help)
            .nearest(name, symbols));
    }
    Ok(())
}

/// Reads an ONNX file.
pub(super) fn load(path: &Path) -> Result<LoadedModel, Failure> {
    LoadedModel::at(path, given::read(path)?).map_err(|e| match e {
        onnx::LoadError::File(e) => e.into(),
        other => Failure::file(path, &other).help("an ONNX model or a program file of this tool is expected"),
    })
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
    check_extents(model.graph(), &options)?;
    let mut imported = onnx::import(&model, &options).map_err(|e| import_failure(path, model.graph(), &e))?;
    if imported.graph.name.is_empty() {
        let stem = path.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
        imported.graph.name = if given::is_stdin(path) { "stdin".into() } else { stem };
    }
    let inputs: Vec<&str> =
        imported.graph.inputs.iter().map(|id| imported.graph.tensor(*id).name.as_str()).collect();
    let side = sidecar::find(path).about(&inputs);
    let options = CompileOptions {
        preprocess: side.preprocess,
        labels: side.labels,
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
    Ok(Model { imported, compiled, machine })
}

/// Loads every host layer's model, so that an operator which the host cannot run is found before the program runs.
pub(super) fn prepare_hosts(program: &Program) -> Result<(), Failure> {
    let mut host = RtenHost::new();
    for (model, entry) in program.host_models.iter().zip(&program.meta.hosts) {
        host.prepare(model).map_err(|why| {
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
    format::table(&["unsupported node", "type", "reason"], &[], cells.collect())
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

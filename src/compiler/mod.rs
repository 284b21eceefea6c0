//! Integer graph → program.
//!
//! Two levels: `lower` turns each node into a [`TileLayer`], loops of tiled operations with
//! addresses and extents but without registers; emission turns those into instruction words with conditions between
//! the queues. Before that, [`storage`] decides how every tensor lies in DRAM and [`memory`] where.
//!
//! The compiler knows nothing of simulation: the machine file is all it has of the machine.

mod bounds;
mod buffers;
mod constants;
mod cost;
mod emit;
mod error;
pub mod estimate;
mod forward;
mod lower;
pub mod memory;
mod profile;
pub mod storage;
mod sync;
pub mod tile;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::verify::verify;
use crate::graph::{DType, Graph, Node, Op, TensorId};
use crate::isa::{ISA_VERSION, Profile};
use crate::machine::Machine;
use crate::program::{
    Bits, HostEntry, HostTensor, Layer, Least, MachineId, Meta, Preprocess, Program, RemovedEntry, Role,
    TensorEntry,
};
use constants::Constants;
pub use error::CompileError;
use lower::Lowering;
use storage::{Storage, TENSOR_BASE, next_multiple};
use tile::{Stmt, TileLayer};

/// What a user can say beside the graph.
#[derive(Debug, Clone, Default)]
pub struct CompileOptions {
    /// How pictures become inputs, by input name.
    pub preprocess: BTreeMap<String, Preprocess>,
    /// Class names, for every output whose last extent has as many.
    pub labels: Vec<String>,
    /// Keep zero blocks of weights, even where leaving them out saves cycles or bytes.
    pub dense_weights: bool,
    /// How requantizations, sums and products round: one of the machine's profiles.
    pub profile: Profile,
}

/// A compiled program and its first level.
#[derive(Debug, Clone, PartialEq)]
pub struct Compiled {
    /// The program.
    pub program: Program,
    /// The tiled operations that it came from.
    pub layers: Vec<TileLayer>,
    /// Comments for a listing, by instruction.
    pub comments: Vec<(usize, String)>,
}

/// Compiles a graph for a machine.
///
/// # Errors
/// [`CompileError`] names the layer and the reason.
pub fn compile(graph: &Graph, machine: &Machine, options: &CompileOptions) -> Result<Compiled, CompileError> {
    let Tiled { plan, mut constants, mut layers, least } = tiled(graph, machine, options, Constants::new)?;
    let hosts: Vec<(usize, &Node)> =
        graph.nodes.iter().enumerate().filter(|(_, n)| matches!(n.op, Op::Host(_))).collect();
    let models = hosts.iter().filter_map(|(_, n)| match &n.op {
        Op::Host(model) => Some(model.model.clone()),
        _ => None,
    });
    let host_models = models.collect();

    // Tensors lie behind the constants, whose size only the descriptors still change; they are counted here.
    let records: usize = layers.iter().map(|l| record_bytes(&l.body)).sum();
    let base = next_multiple((constants.len() + records + 8) as i64, 4096);
    let delta = base - TENSOR_BASE;
    layers.iter_mut().for_each(|l| relocate(&mut l.body, delta));
    let code = emit::emit(&layers, &mut constants)?;

    let dram_bytes = (base + plan.bytes) as u64;
    if dram_bytes > machine.dram.bytes {
        return Err(CompileError::Dram { need: dram_bytes, have: machine.dram.bytes });
    }
    let place = |id: TensorId| {
        let mut s = plan.storage[&id].clone();
        if s.address >= TENSOR_BASE {
            s.address += delta;
        }
        s
    };
    let meta = Meta {
        name: graph.name.clone(),
        isa_version: ISA_VERSION,
        machine: MachineId { name: machine.name.clone(), hash: format!("{:016x}", machine.hash()) },
        dram_bytes,
        layers: graph.nodes.iter().zip(least).map(|(n, l)| layer_entry(graph, n, l)).collect(),
        provenance: code.provenance,
        tensors: tensor_entries(graph, options, &place),
        hosts: hosts.iter().map(|(i, n)| host_entry(graph, *i, n, &place)).collect(),
        removed: graph
            .removed
            .iter()
            .map(|r| RemovedEntry { tensor: r.tensor.clone(), reason: r.reason.clone() })
            .collect(),
    };
    let program = Program {
        meta,
        code: code.insns.iter().map(crate::isa::Insn::encode).collect(),
        constants: constants.finish(base as usize).into(),
        host_models,
    };
    Ok(Compiled { program, layers, comments: code.comments })
}

/// All nodes as tiled operations that have their places in the scratchpad.
struct Tiled {
    plan: memory::Plan,
    constants: Constants,
    layers: Vec<TileLayer>,
    least: Vec<Least>,
}

/// Lowers a graph and arranges its buffers.
fn tiled(
    graph: &Graph,
    machine: &Machine,
    options: &CompileOptions,
    constants: fn(u32) -> Constants,
) -> Result<Tiled, CompileError> {
    if let Err(errors) = verify(graph) {
        // One of them is enough: graphs of the importer have none.
        let first = errors.into_iter().next();
        let (node, reason) = first.map_or_else(Default::default, |e| (e.place, e.reason));
        return Err(CompileError::Malformed { node, reason });
    }
    let profile = options.profile.name();
    if !machine.profiles.iter().any(|p| p == profile) {
        return Err(CompileError::Profile {
            profile,
            machine: machine.name.clone(),
            known: machine.profiles.join(", "),
        });
    }
    // A layer whose smallest tile does not fit beside resident tensors gets the scratchpad for itself.
    let mut crowded = BTreeSet::new();
    let mut tiled = loop {
        match lower_all(graph, machine, options, &crowded, constants(machine.dram.grant_bytes)) {
            Err((node, CompileError::DoesNotFit { .. })) if crowded.insert(node) => {}
            Err((_, error)) => return Err(error),
            Ok(tiled) => break tiled,
        }
    };
    profile::apply(&mut tiled.layers, options.profile)?;
    for layer in &mut tiled.layers {
        forward::forward(&mut layer.body);
        walk::along_dram(&mut layer.body);
    }
    buffers::arrange(&mut tiled.layers, &tiled.plan.room, machine)?;
    Ok(tiled)
}

/// Lowers all nodes; an error comes with the node's index.
fn lower_all(
    graph: &Graph,
    machine: &Machine,
    options: &CompileOptions,
    crowded: &BTreeSet<usize>,
    mut constants: Constants,
) -> Result<Tiled, (usize, CompileError)> {
    let mut plan = memory::plan(graph, machine, crowded);
    for (id, data) in &graph.constants {
        let address = constants.append_loaded(data);
        plan.storage.insert(*id, Storage::row_major(graph.tensor(*id), address));
    }
    let mut lowering = Lowering {
        graph,
        machine,
        storage: &plan.storage,
        constants,
        dense_weights: options.dense_weights,
        profile: options.profile,
        room: 0,
    };
    let (mut layers, mut least, mut hosts) = (Vec::new(), Vec::new(), 0);
    for (index, node) in graph.nodes.iter().enumerate() {
        lowering.room = plan.room[index];
        let before = lowering.constants.len();
        layers.push(lowering.layer(node, hosts).map_err(|e| (index, e))?);
        hosts += u32::from(matches!(node.op, Op::Host(_)));
        let constants = (lowering.constants.len() - before) as u64;
        least.push(bounds::least(graph, node, &plan, machine, constants));
    }
    let constants = lowering.constants;
    Ok(Tiled { plan, constants, layers, least })
}

/// Upper bound of the descriptor records of some statements.
fn record_bytes(body: &[Stmt]) -> usize {
    body.iter()
        .map(|s| match s {
            Stmt::Loop { body, .. } => record_bytes(body),
            Stmt::Op(op) => {
                op.views.len() * crate::isa::TensorDesc::BYTES
                    + usize::from(op.quant.is_some()) * crate::isa::QuantDesc::BYTES
                    + usize::from(op.window.is_some()) * crate::isa::WindowDesc::BYTES
            }
            Stmt::Host(_) => 0,
        })
        .sum()
}

/// Moves all tensor addresses (not those of constants) by `delta`.
fn relocate(body: &mut [Stmt], delta: i64) {
    for s in body {
        match s {
            Stmt::Loop { body, .. } => relocate(body, delta),
            Stmt::Op(op) => {
                for view in op.views.iter_mut().filter(|v| v.buffer.start >= TENSOR_BASE) {
                    view.base = view.base.clone() + delta;
                    view.buffer.start += delta;
                }
            }
            Stmt::Host(_) => {}
        }
    }
}

fn layer_entry(graph: &Graph, node: &Node, least: Least) -> Layer {
    let elements = |id: &TensorId| graph.tensor(*id).shape.iter().map(|d| *d as u64).product::<u64>();
    let macs = match &node.op {
        Op::Conv { weights, .. } | Op::Gemm { weights, .. } => {
            let per_output: u64 = weights.shape[1..].iter().map(|d| *d as u64).product();
            node.outputs.first().map_or(0, elements) * per_output
        }
        Op::ConvTranspose { weights, .. } => {
            let per_input: u64 = [0, 2, 3].map(|i| weights.shape[i] as u64).iter().product();
            node.inputs.first().map_or(0, elements) * per_input
        }
        Op::Host(host) => host.macs,
        Op::MatMul { .. } => {
            let depth = node.inputs.first().and_then(|id| graph.tensor(*id).shape.last());
            node.outputs.first().map_or(0, elements) * depth.map_or(0, |k| *k as u64)
        }
        _ => 0,
    };
    let weights = match &node.op {
        Op::Conv { weights, .. } | Op::Gemm { weights, .. } | Op::ConvTranspose { weights, .. } => {
            Some(weights)
        }
        _ => None,
    };
    Layer {
        name: node.name.clone(),
        kind: node.op.kind().into(),
        onnx_nodes: node.onnx_nodes.clone(),
        macs,
        host: matches!(node.op, Op::Host(_)),
        weights: weights.map_or(0, |w| w.shape.iter().map(|d| *d as u64).product()),
        zero_weights: weights.map_or(0, constants::zeros),
        least,
        reads: node
            .inputs
            .iter()
            .filter(|id| !graph.constants.contains_key(id))
            .map(|id| graph.tensor(*id).name.clone())
            .collect(),
        asked: asked_bits(graph, node),
    }
}

/// The widths that the graph's types ask for.
fn asked_bits(graph: &Graph, node: &Node) -> Option<Bits> {
    let bits = |types: BTreeSet<DType>| -> String {
        let integers: BTreeSet<usize> =
            types.iter().filter(|t| **t != DType::F32).map(|t| t.bytes() * 8).collect();
        if integers.is_empty() {
            return Bits::FLOAT.into();
        }
        integers.iter().map(ToString::to_string).collect::<Vec<_>>().join("+")
    };
    let dtype = |id: &TensorId| graph.tensor(*id).dtype;
    let input = |at: usize| node.inputs.get(at).map(|id| dtype(id).bytes() * 8);
    let operands = match &node.op {
        Op::Host(_) => return None,
        Op::Conv { weights, .. } | Op::Gemm { weights, .. } | Op::ConvTranspose { weights, .. } => {
            format!("{}x{}", input(0)?, weights.dtype.bytes() * 8)
        }
        Op::MatMul { .. } => format!("{}x{}", input(0)?, input(1)?),
        _ => bits(node.inputs.iter().map(dtype).collect()),
    };
    Some(Bits { operands, result: bits(node.outputs.iter().map(dtype).collect()) })
}

fn tensor_entries(
    graph: &Graph,
    options: &CompileOptions,
    place: &impl Fn(TensorId) -> Storage,
) -> Vec<TensorEntry> {
    let links = graph.links();
    // Outputs stand in the order of the model's outputs, which scripts rely on.
    let mut outputs = graph.outputs.iter();
    let ids = (0..graph.tensors.len() as u32).map(TensorId);
    ids.filter(|id| !graph.constants.contains_key(id))
        .map(|id| if graph.outputs.contains(&id) { outputs.next().copied().unwrap_or(id) } else { id })
        .map(|id| {
            let t = graph.tensor(id);
            let input = graph.inputs.contains(&id);
            let output = graph.outputs.contains(&id);
            let classes = t.shape.last().copied().unwrap_or(0);
            TensorEntry {
                name: t.name.clone(),
                role: if input {
                    Role::Input
                } else if output {
                    Role::Output
                } else {
                    Role::Layer
                },
                layer: links.maker(id).and_then(|i| u32::try_from(i).ok()),
                dtype: t.dtype,
                shape: t.shape.iter().map(|d| *d as u64).collect(),
                scale: t.quant.map(|q| q.scale),
                zero_point: t.quant.map(|q| q.zero_point),
                place: place(id).place(),
                preprocess: if input { options.preprocess.get(&t.name).cloned() } else { None },
                labels: if output && classes == options.labels.len() {
                    options.labels.clone()
                } else {
                    Vec::new()
                },
            }
        })
        .collect()
}

fn host_entry(graph: &Graph, index: usize, node: &Node, place: &impl Fn(TensorId) -> Storage) -> HostEntry {
    let tensor = |id: &TensorId| {
        let t = graph.tensor(*id);
        HostTensor {
            name: t.name.clone(),
            dtype: t.dtype,
            shape: t.shape.iter().map(|d| *d as u64).collect(),
            address: place(*id).address as u64,
        }
    };
    let (op_types, reason, onnxruntime) = match &node.op {
        Op::Host(h) => (h.op_types.clone(), h.reason.clone(), h.onnxruntime),
        _ => (Vec::new(), String::new(), false),
    };
    HostEntry {
        layer: index as u32,
        op_types,
        reason,
        onnxruntime,
        inputs: node.inputs.iter().map(tensor).collect(),
        outputs: node.outputs.iter().map(tensor).collect(),
    }
}

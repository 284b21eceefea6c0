//! The tables of a program: layers, tensors, host layers, with their names.

use std::collections::BTreeSet;

use super::constants;
use super::options::CompileOptions;
use super::storage::Storage;
use crate::graph::{DType, Graph, Node, Op, TensorId};
use crate::program::{Bits, HostEntry, HostTensor, Layer, Least, RemovedEntry, Role, TensorEntry};

/// A layer's entry: what it computes, and its least cycles.
pub(super) fn layer_entry(graph: &Graph, node: &Node, least: Least) -> Layer {
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

/// The widths implied by the graph's types.
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

/// Entries of all tensors but constants, with the storage that `place` returns.
pub(super) fn tensor_entries(
    graph: &Graph,
    options: &CompileOptions,
    place: &impl Fn(TensorId) -> Storage,
) -> Vec<TensorEntry> {
    let links = graph.links();
    // Outputs are in the order of the model's outputs, which scripts rely on.
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

/// The entry of a host layer, the node at `index`.
pub(super) fn host_entry(
    graph: &Graph,
    index: usize,
    node: &Node,
    place: &impl Fn(TensorId) -> Storage,
) -> HostEntry {
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

/// Tensors of the model that the program does not have, and why.
pub(super) fn removed_entries(graph: &Graph) -> Vec<RemovedEntry> {
    let entry =
        |r: &crate::graph::Removed| RemovedEntry { tensor: r.tensor.clone(), reason: r.reason.clone() };
    graph.removed.iter().map(entry).collect()
}

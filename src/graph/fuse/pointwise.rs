//! Element-wise operators that together are a function of one 8-bit tensor become one table.
//!
//! A hard swish, written as a sum, a clamp, a product and a quotient, is such a function although it reads
//! its input twice. Starting from an operator, producers are added, the latest first, as long as nothing else
//! reads what they produce; whenever a single input tensor remains, the operators are a function of it. The
//! table holds what they compute in order, each with its own rounding.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::work::Work;
use crate::graph::{DType, Graph, Lut, Op, TensorId};
use crate::isa::Profile;
use crate::numeric::{self, AddCoefficients, MulCoefficients};

pub(super) fn fuse(work: &mut Work<'_, '_>) {
    // From the end, so that the last operator of a chain absorbs all of it.
    for at in (0..work.graph.nodes.len()).rev() {
        if let Some(cone) = cone(work, at) {
            merge(work, &cone);
        }
    }
}

/// Operators that compute one tensor from another.
struct Cone {
    root: TensorId,
    /// In graph order; the last one computes the result.
    nodes: Vec<usize>,
}

/// Whether a node is element-wise on 8-bit tensors of one shape.
fn pointwise(graph: &Graph, at: usize, profile: Profile) -> bool {
    let node = &graph.nodes[at];
    let known = match node.op {
        Op::Table(_) => true,
        Op::Add { .. } | Op::Mul { .. } => profile == Profile::Onnx,
        _ => false,
    };
    let shape = |id: &TensorId| &graph.tensor(*id).shape;
    let small = |id: &TensorId| {
        let t = graph.tensor(*id);
        t.dtype.bytes() == 1 && t.quant.is_some()
    };
    known
        && node.inputs.iter().chain(&node.outputs).all(small)
        && node.inputs.iter().all(|id| shape(id) == shape(&node.outputs[0]))
}

fn cone(work: &Work<'_, '_>, at: usize) -> Option<Cone> {
    let (graph, profile) = (&*work.graph, work.options.profile);
    if !work.nodes[at] || !pointwise(graph, at, profile) {
        return None;
    }
    let mut nodes = BTreeSet::from([at]);
    // In the order in which they were added: the best cone is a prefix of this list.
    let mut taken = vec![at];
    let mut open: BTreeSet<TensorId> = graph.nodes[at].inputs.iter().copied().collect();
    let mut best: Option<(TensorId, usize)> = None;
    loop {
        if let (1, Some(root)) = (open.len(), open.first()) {
            // A single table already is one.
            if nodes.len() > 1 || !matches!(graph.nodes[at].op, Op::Table(_)) {
                best = Some((*root, taken.len()));
            }
        }
        // The tensor computed last cannot be the function's argument unless it is the only one: nothing
        // before depends on it.
        let latest = open.iter().filter_map(|id| Some((work.links.maker(*id)?, *id))).max();
        let Some((producer, id)) = latest.filter(|(producer, id)| {
            work.removable(*id)
                && pointwise(graph, *producer, profile)
                && work.links.readers(*id).iter().all(|n| nodes.contains(n))
        }) else {
            return best.map(|(root, count)| {
                taken.truncate(count);
                taken.sort_unstable();
                Cone { root, nodes: taken }
            });
        };
        open.remove(&id);
        open.extend(&graph.nodes[producer].inputs);
        nodes.insert(producer);
        taken.push(producer);
    }
}

/// The integer value of a byte of a tensor.
fn value(byte: u8, dtype: DType) -> i32 {
    if dtype == DType::S8 { i32::from(byte as i8) } else { i32::from(byte) }
}

/// The result of the operators for one byte of the root tensor.
fn evaluate(graph: &Graph, cone: &Cone, byte: u8) -> Option<u8> {
    let mut bytes: BTreeMap<TensorId, u8> = BTreeMap::from([(cone.root, byte)]);
    let mut last = None;
    for &n in &cone.nodes {
        let node = &graph.nodes[n];
        let operand = |i: usize| {
            let id = node.inputs.get(i)?;
            let t = graph.tensor(*id);
            Some((value(*bytes.get(id)?, t.dtype), t.quant?))
        };
        let y = graph.tensor(node.outputs[0]);
        let quant = y.quant?;
        let (a, qa) = operand(0)?;
        let result = match &node.op {
            Op::Table(lut) => lut.table[usize::from(a as u8)],
            Op::Add { clamp } => {
                let (b, qb) = operand(1)?;
                let k = AddCoefficients::new(
                    qa.scale,
                    qa.zero_point,
                    qb.scale,
                    qb.zero_point,
                    quant.scale,
                    quant.zero_point,
                );
                numeric::add(a, b, k.ra, k.rb, k.c, *clamp) as u8
            }
            Op::Mul { clamp } => {
                let (b, qb) = operand(1)?;
                let k = MulCoefficients::new(qa.scale, qb.scale, quant.scale);
                let product = i64::from(a - qa.zero_point) * i64::from(b - qb.zero_point);
                numeric::mul(product, k.m, quant.zero_point, *clamp) as u8
            }
            _ => return None,
        };
        bytes.insert(node.outputs[0], result);
        last = Some(result);
    }
    last
}

fn merge(work: &mut Work<'_, '_>, cone: &Cone) {
    let mut table = [0; 256];
    for byte in 0..=255 {
        match evaluate(work.graph, cone, byte) {
            Some(result) => table[usize::from(byte)] = result,
            None => return,
        }
    }
    let Some((last, inner)) = cone.nodes.split_last() else { return };
    let absorbed: Vec<String> =
        cone.nodes.iter().flat_map(|n| std::mem::take(&mut work.graph.nodes[*n].onnx_nodes)).collect();
    let what = match cone.nodes.len() {
        1 => work.graph.nodes[*last].op.kind().to_string(),
        n => format!("{n} operators"),
    };
    let node = &mut work.graph.nodes[*last];
    node.op = Op::Table(Lut { what, table: Arc::new(table) });
    node.inputs = vec![cone.root];
    node.onnx_nodes = absorbed;
    let name = node.name.clone();
    work.links.read_by(cone.root, *last, &cone.nodes);
    // Latest first, the order in which removed tensors are listed.
    let mut gone: Vec<usize> = inner.to_vec();
    gone.sort_by_key(|n| std::cmp::Reverse(work.graph.nodes[*n].outputs[0]));
    for n in gone {
        let (id, layer) = (work.graph.nodes[n].outputs[0], work.graph.nodes[n].name.clone());
        work.nodes[n] = false;
        work.fused.note(&layer, &name);
        let reason =
            format!("computed inside layer \"{name}\", one table for {} operators", cone.nodes.len());
        work.remove(id, reason);
    }
}

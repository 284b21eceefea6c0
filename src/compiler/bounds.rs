//! A lower bound of the cycles of each layer on a machine, whatever its tiles: the reference of `--profile`.
//!
//! MAC: steps of the array with the machine's lanes, partial ones counted whole, or what its operands take to
//! pass its ports, without fill and drain. VEC: vectors of all results (of element-wise operators as if they
//! lay without padding), without latency. DRAM: constants once; network inputs, outputs and operands of host
//! layers once; of all other operands what exceeds the scratchpad, since that part cannot be there at the
//! same time.

use super::constants::{kept_blocks, may_prune};
use super::memory::Plan;
use super::storage::lane_block;
use crate::graph::{Graph, LaneStep, Node, Op, TensorId, Weights};
use crate::isa::Space;
use crate::isa::blocks::BLOCK;
use crate::machine::Machine;
use crate::machine::timing::Product;
use crate::program::Least;

fn up(n: usize, by: u32) -> u64 {
    (n as u64).div_ceil(by.into())
}

/// The least cycles of a node; `constants` is the size of its weights and tables in bytes.
pub(super) fn least(graph: &Graph, node: &Node, plan: &Plan, machine: &Machine, constants: u64) -> Least {
    if matches!(node.op, Op::Host(_)) {
        return Least::default();
    }
    Least {
        mac_cycles: mac(graph, node, machine),
        vec_cycles: vector(graph, node, machine),
        dram_bytes: constants + activations(graph, node, plan, machine),
    }
}

/// Extents `[N, C, H·W]` of a tensor.
fn extents(graph: &Graph, id: TensorId) -> [usize; 3] {
    match graph.tensor(id).shape.as_slice() {
        [] => [1, 1, 1],
        [c] => [1, *c, 1],
        [n, c, rest @ ..] if rest.len() == 2 => [*n, *c, rest.iter().product()],
        [rest @ .., c] => [1, *c, rest.iter().product()],
    }
}

/// Bytes of an activation, a weight and a sum.
fn bytes(graph: &Graph, input: TensorId, weight: usize) -> [u64; 3] {
    let activation = graph.tensor(input).dtype.bytes();
    [activation, weight, if activation == 1 && weight == 1 { 4 } else { 8 }].map(|n| n as u64)
}

fn mac(graph: &Graph, node: &Node, m: &Machine) -> u64 {
    let (Some(input), Some(output)) = (node.inputs.first(), node.outputs.first()) else { return 0 };
    let [batch, _, pixels] = extents(graph, *output).map(|n| n as u64);
    let product = |w: &Weights, pixels: u64, channels: usize, taps: usize, reduction: usize| Product {
        pixels,
        channels: channels as u64,
        taps: taps as u64,
        reduction: reduction as u64,
        bytes: bytes(graph, *input, w.dtype.bytes()),
    };
    match &node.op {
        Op::Conv { groups, weights, window, .. } => {
            let [oc, ic, kh, kw] = weights.shape;
            if *groups > 1 && ic == 1 && oc == *groups {
                // What tiles have in common passes once for each, so at least once.
                let each = |axis: usize| window.kernel[axis].min(window.stride[axis]) as u64;
                let demand =
                    product(weights, pixels, oc, kh * kw, 1).depthwise(m, pixels * each(0) * each(1));
                return batch * demand.busy(m);
            }
            let tap_by_tap = product(weights, pixels, oc / groups, kh * kw, ic).dense(m).busy(m);
            // Kernel columns may be part of the reduction.
            let lanes = lane_block(ic as i64) as usize;
            let folded = product(weights, pixels, oc / groups, kh, kw * ic.next_multiple_of(lanes));
            let dense = tap_by_tap.min(folded.dense(m).busy(m));
            let whole = product(weights, pixels, oc / groups, kh * kw, ic);
            batch * *groups as u64 * pruned(&whole, weights, *groups, m).map_or(dense, |p| p.min(dense))
        }
        Op::Gemm { weights, .. } => {
            let [oc, ic, ..] = weights.shape;
            let rows: usize = graph.tensor(*output).shape.iter().product::<usize>() / oc;
            // Behind a Flatten the kernel is the whole image, which takes as many steps.
            let whole = product(weights, rows as u64, oc, 1, ic);
            let dense = whole.dense(m).busy(m);
            pruned(&whole, weights, 1, m).map_or(dense, |p| p.min(dense))
        }
        Op::ConvTranspose { groups, weights, .. } => {
            // Every weight is multiplied with every input pixel once.
            let [n, _, pixels] = extents(graph, *input);
            let [ic, oc, kh, kw] = weights.shape;
            let product = product(weights, pixels as u64, oc, 1, ic / groups);
            (n * groups * kh * kw) as u64 * product.dense(m).steps
        }
        Op::MatMul { .. } => {
            let a = &graph.tensor(*input).shape;
            let y = &graph.tensor(*output).shape;
            let (Some(k), [batch @ .., rows, columns]) = (a.last(), y.as_slice()) else { return 0 };
            let b = node.inputs.get(1).map_or(1, |b| graph.tensor(*b).dtype.bytes());
            let product = Product {
                pixels: *rows as u64,
                channels: *columns as u64,
                taps: 1,
                reduction: *k as u64,
                bytes: bytes(graph, *input, b),
            };
            batch.iter().product::<usize>() as u64 * product.dense(m).busy(m)
        }
        _ => 0,
    }
}

/// The least steps if zero blocks are skipped; none if the weights are stored whole in any case. Blocks are
/// smaller than the array's: one step takes several that lie beside each other.
fn pruned(whole: &Product, weights: &Weights, groups: usize, m: &Machine) -> Option<u64> {
    if groups > 1 || !may_prune(weights) {
        return None;
    }
    let at_once = |lanes: u32| u64::from(lanes).div_ceil(BLOCK as u64);
    let blocks = kept_blocks(weights).div_ceil(at_once(m.mac.oc_lanes) * at_once(m.mac.ic_lanes));
    Some(whole.pruned(m, blocks, 0).steps)
}

fn vector(graph: &Graph, node: &Node, m: &Machine) -> u64 {
    let vectors = |id: Option<&TensorId>| {
        id.map_or(0, |id| {
            let [n, c, pixels] = extents(graph, *id);
            (n * pixels) as u64 * up(c, m.vec.lanes)
        })
    };
    let output = vectors(node.outputs.first());
    // Element-wise operations walk along any axis.
    let full =
        |id: Option<&TensorId>| up(id.map_or(1, |id| graph.tensor(*id).shape.iter().product()), m.vec.lanes);
    match &node.op {
        Op::Concat { tables, .. } => {
            let moved = tables.iter().zip(&node.inputs).filter(|(t, _)| t.is_some());
            moved.map(|(_, id)| full(Some(id))).sum()
        }
        Op::Reshape | Op::Transpose { .. } | Op::Move { .. } | Op::Gather | Op::Host(_) => 0,
        Op::MaxPool { window } | Op::AvgPool { window, .. } => {
            output * (window.kernel[0] * window.kernel[1]) as u64
        }
        Op::GlobalAvgPool => vectors(node.inputs.first()) + output,
        Op::Softmax { .. } => 3 * output,
        Op::Resize { .. } => 4 * output,
        Op::Lane { steps } => {
            let operations = steps.iter().filter(|s| !matches!(s, LaneStep::Number(_))).count() as u64;
            full(node.outputs.first()) * operations
        }
        Op::Add { .. } | Op::Mul { .. } | Op::Table(_) | Op::Quantize | Op::Dequantize => {
            full(node.outputs.first())
        }
        Op::Conv { epilogue, .. } | Op::Gemm { epilogue, .. } | Op::ConvTranspose { epilogue, .. } => {
            output + if epilogue.tail.is_some() { full(node.outputs.first()) } else { 0 }
        }
        _ => output,
    }
}

fn activations(graph: &Graph, node: &Node, plan: &Plan, m: &Machine) -> u64 {
    let outside = |id: &TensorId| {
        let with_host =
            |n: &Node| matches!(n.op, Op::Host(_)) && (n.inputs.contains(id) || n.outputs.contains(id));
        graph.inputs.contains(id) || graph.outputs.contains(id) || graph.nodes.iter().any(with_host)
    };
    let (mut compulsory, mut inside) = (0, 0);
    let mut seen = Vec::new();
    let alias = matches!(node.op, Op::Reshape)
        && node.inputs.first().and_then(|i| plan.storage.get(i)).map(|s| (s.space, s.address))
            == node.outputs.first().and_then(|o| plan.storage.get(o)).map(|s| (s.space, s.address));
    for id in node.inputs.iter().chain(&node.outputs) {
        let Some(storage) = plan.storage.get(id) else { continue };
        if alias || seen.contains(&id) || graph.constants.contains_key(id) {
            continue;
        }
        seen.push(id);
        if outside(id) && storage.space == Space::Dram {
            compulsory += storage.bytes as u64;
        } else {
            inside += storage.bytes as u64;
        }
    }
    // Of a table, the rows that ids choose.
    let rows = match (&node.op, node.outputs.first()) {
        (Op::Gather, Some(y)) => {
            let y = graph.tensor(*y);
            (y.shape.iter().product::<usize>() * y.dtype.bytes()) as u64
        }
        _ => 0,
    };
    rows + compulsory + inside.saturating_sub(m.spm.bytes)
}

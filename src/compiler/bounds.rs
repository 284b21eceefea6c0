//! A lower bound of the cycles of each layer on a machine, whatever its tiles: the reference of `--profile`.
//!
//! MAC: steps of the array with the machine's lanes, partial ones counted whole, without fill and drain. VEC:
//! vectors of all results (of element-wise operators as if they lay without padding), without latency. DRAM:
//! constants once; network inputs, outputs and operands of host layers once; of all other operands what
//! exceeds the scratchpad, since that part cannot be there at the same time.

use super::memory::Plan;
use crate::graph::{Graph, LaneStep, Node, Op, TensorId, Weights};
use crate::isa::Space;
use crate::machine::Machine;
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

/// Steps of the array for one product: each operand of 16 bits doubles them.
fn width(graph: &Graph, id: TensorId, weights: usize) -> u64 {
    (graph.tensor(id).dtype.bytes() * weights) as u64
}

fn mac(graph: &Graph, node: &Node, m: &Machine) -> u64 {
    let (Some(input), Some(output)) = (node.inputs.first(), node.outputs.first()) else { return 0 };
    let [batch, _, pixels] = extents(graph, *output);
    let tiles = |channels: usize, pixels: usize| up(channels, m.mac.oc_lanes) * up(pixels, m.mac.pixel_lanes);
    let product = |w: &Weights, groups: usize, pixels: usize, taps: usize| -> u64 {
        let [oc, ic, ..] = w.shape;
        let width = width(graph, *input, w.dtype.bytes());
        if groups > 1 && ic == 1 && oc == groups {
            return width * tiles(oc, pixels) * up(taps, m.mac.ic_lanes);
        }
        width * (groups * taps) as u64 * tiles(oc / groups, pixels) * up(ic, m.mac.ic_lanes)
    };
    match &node.op {
        Op::Conv { groups, weights, .. } => {
            batch as u64 * product(weights, *groups, pixels, weights.shape[2] * weights.shape[3])
        }
        Op::Gemm { weights, .. } => {
            let rows: usize = graph.tensor(*output).shape.iter().product::<usize>() / weights.shape[0];
            // Behind a Flatten the kernel is the whole image, which takes as many steps.
            product(weights, 1, rows, 1)
        }
        Op::ConvTranspose { groups, weights, .. } => {
            // Every weight is multiplied with every input pixel once.
            let [n, _, pixels] = extents(graph, *input);
            let [ic, oc, kh, kw] = weights.shape;
            let width = width(graph, *input, weights.dtype.bytes());
            let steps = tiles(oc, pixels) * up(ic / groups, m.mac.ic_lanes);
            width * (n * groups * kh * kw) as u64 * steps
        }
        Op::MatMul { .. } => {
            let a = &graph.tensor(*input).shape;
            let y = &graph.tensor(*output).shape;
            let (Some(k), [batch @ .., rows, columns]) = (a.last(), y.as_slice()) else { return 0 };
            let b = node.inputs.get(1).map_or(1, |b| graph.tensor(*b).dtype.bytes());
            let steps = tiles(*columns, *rows) * up(*k, m.mac.ic_lanes);
            width(graph, *input, b) * batch.iter().product::<usize>() as u64 * steps
        }
        _ => 0,
    }
}

fn vector(graph: &Graph, node: &Node, m: &Machine) -> u64 {
    let vectors = |id: Option<&TensorId>| {
        id.map_or(0, |id| {
            let [n, c, pixels] = extents(graph, *id);
            (n * pixels) as u64 * up(c, m.vec.lanes)
        })
    };
    let output = vectors(node.outputs.first());
    match &node.op {
        Op::Concat { tables, .. } => {
            let moved = tables.iter().zip(&node.inputs).filter(|(t, _)| t.is_some());
            moved.map(|(_, id)| vectors(Some(id))).sum()
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
            output * operations
        }
        Op::Add { .. } | Op::Mul { .. } | Op::Table(_) | Op::Quantize | Op::Dequantize => {
            let elements = node.outputs.first().map_or(1, |id| graph.tensor(*id).shape.iter().product());
            up(elements, m.vec.lanes)
        }
        Op::Conv { epilogue, .. } | Op::Gemm { epilogue, .. } | Op::ConvTranspose { epilogue, .. } => {
            output * if epilogue.tail.is_some() { 2 } else { 1 }
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

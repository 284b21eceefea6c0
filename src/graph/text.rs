//! The graph as text, for people: one line for each tensor and node, constants by shape and digest.
//!
//! ```text
//! graph "net"
//! input %0 "x" f32 [1, 1, 28, 28]
//! %1 "x_quantized" u8 [1, 1, 28, 28] scale 0.0127 zp 33 = quantize(%0) as "x_QuantizeLinear"
//! %2 "conv_o" u8 [1, 32, 28, 28] scale 0.02 zp 0 = conv(%1) kernel [3, 3] … as "conv" from "conv", "relu"
//! output %2
//! removed "t": its clamp to 0…255 is fused into layer "conv"
//! ```

use std::fmt::Write;

use super::{Graph, LaneStep, MacEpilogue, Node, Op, TensorId, Weights, Window};

/// The text of a graph.
#[must_use]
pub fn print(graph: &Graph) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "graph {:?}", graph.name);
    for id in &graph.inputs {
        let _ = writeln!(out, "input {}", tensor(graph, *id));
    }
    for (id, data) in &graph.constants {
        let _ = writeln!(out, "constant {} {}", tensor(graph, *id), digest(data));
    }
    for node in &graph.nodes {
        let outputs: Vec<String> = node.outputs.iter().map(|id| tensor(graph, *id)).collect();
        let inputs: Vec<String> = node.inputs.iter().map(|id| format!("%{}", id.0)).collect();
        let _ = write!(
            out,
            "{} = {}({}){} as {:?}",
            outputs.join("; "),
            node.op.kind(),
            inputs.join(", "),
            operator(&node.op),
            node.name
        );
        out.push_str(&origin(node));
        out.push('\n');
    }
    for id in &graph.outputs {
        let _ = writeln!(out, "output %{}", id.0);
    }
    for r in &graph.removed {
        let _ = writeln!(out, "removed {:?}: {}", r.tensor, r.reason);
    }
    out
}

fn tensor(graph: &Graph, id: TensorId) -> String {
    let t = graph.tensor(id);
    let quant = t.quant.map_or_else(String::new, |q| format!(" scale {} zp {}", q.scale, q.zero_point));
    format!("%{} {:?} {} {:?}{quant}", id.0, t.name, t.dtype.name(), t.shape)
}

/// The ONNX nodes of a layer, if there are others than the one that names it.
fn origin(node: &Node) -> String {
    if node.onnx_nodes.len() == 1 && node.onnx_nodes[0] == node.name {
        return String::new();
    }
    let names: Vec<String> = node.onnx_nodes.iter().map(|n| format!("{n:?}")).collect();
    format!(" from {}", names.join(", "))
}

fn operator(op: &Op) -> String {
    match op {
        Op::Conv { window: w, groups, weights: k, epilogue } => {
            format!("{} groups {groups} {}{}", window(w), weights(k), finish(epilogue))
        }
        Op::Gemm { weights: k, epilogue } => format!(" {}{}", weights(k), finish(epilogue)),
        Op::Add { clamp } | Op::Mul { clamp } => format!(" clamp {clamp:?}"),
        Op::MaxPool { window: w } => window(w),
        Op::AvgPool { window: w, count_include_pad } => {
            format!("{}{}", window(w), if *count_include_pad { " include_pad" } else { "" })
        }
        Op::Concat { axis, tables } => {
            let requantized = tables.iter().filter(|t| t.is_some()).count();
            format!(" axis {axis}, {requantized} of {} inputs requantized", tables.len())
        }
        Op::Table(lut) => format!(" {} {}", lut.what, digest(&*lut.table)),
        Op::Transpose { perm } => format!(" perm {perm:?}"),
        Op::Host(h) => format!(" {} ({})", h.op_types.join(", "), h.reason),
        Op::Lane { steps } => format!(" {}", expression(steps)),
        Op::Move { what, boxes, fill } => {
            let fill = fill.map_or_else(String::new, |f| format!(" fill {f}"));
            format!(" {what} of {} boxes{fill}", boxes.len())
        }
        Op::Softmax { axis } => format!(" axis {axis}"),
        Op::Resize { rows, cols } => format!(" to {} × {}", rows.len(), cols.len()),
        Op::MatMul { multiplier, clamp } => format!(" multiplier {multiplier} clamp {clamp:?}"),
        Op::ConvTranspose { window: w, groups, weights: k, epilogue } => {
            format!("{} groups {groups} {}{}", window(w), weights(k), finish(epilogue))
        }
        Op::Quantize | Op::Dequantize | Op::GlobalAvgPool | Op::Reshape | Op::Gather => String::new(),
    }
}

/// The steps of an expression as one formula.
fn expression(steps: &[LaneStep]) -> String {
    let mut texts: Vec<String> = Vec::new();
    for step in steps {
        let at = |i: &usize| texts.get(*i).cloned().unwrap_or_default();
        texts.push(match step {
            LaneStep::Input(i) => format!("x{i}"),
            LaneStep::Number(x) => format!("{x:?}"),
            LaneStep::One(f, a) => format!("{}({})", f.name(), at(a)),
            LaneStep::Two(f, a, b) => format!("{}({}, {})", f.name(), at(a), at(b)),
        });
        if texts.last().is_some_and(|t| t.len() > 400) {
            return format!("{} steps", steps.len());
        }
    }
    texts.pop().unwrap_or_default()
}

fn window(w: &Window) -> String {
    format!(" kernel {:?} stride {:?} dilation {:?} pads {:?}", w.kernel, w.stride, w.dilation, w.pads)
}

fn weights(w: &Weights) -> String {
    let scales = match w.scale.as_slice() {
        [one] => format!("scale {one}"),
        many => format!("{} scales", many.len()),
    };
    format!(
        "weights {:?} {} {:?} {scales} zp {} {}",
        w.name,
        w.dtype.name(),
        w.shape,
        w.zero_point,
        digest(&w.data)
    )
}

fn finish(e: &MacEpilogue) -> String {
    let bias = e.bias.as_ref().map_or_else(String::new, |b| {
        let bytes: Vec<u8> = b.iter().flat_map(|v| v.to_le_bytes()).collect();
        format!(" bias {}", digest(&bytes))
    });
    let multipliers = match e.multiplier.as_slice() {
        [one] => format!("multiplier {one}"),
        many => format!("{} multipliers", many.len()),
    };
    let tail = e.tail.as_ref().map_or_else(String::new, |t| {
        let digest = digest(t.lut.table.as_slice());
        format!(" as {} zp {} then {} {digest}", t.dtype.name(), t.zero_point, t.lut.what)
    });
    format!(" {multipliers}{bias} clamp {:?}{tail}", e.clamp)
}

fn digest(bytes: &[u8]) -> String {
    format!("#{:016x}", xxhash_rust::xxh3::xxh3_64(bytes))
}

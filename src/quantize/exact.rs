//! Values that must stay exact: floats that are used as extents, positions and counts, or only compared.
//! Rounding to 8 bits would change them, and with them shapes and decisions: next to a mask of −10³⁸ a one is
//! nothing.

use std::collections::BTreeSet;

use super::network::Network;
use crate::onnx::proto::NodeProto;

/// Whether a node computes such values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exact {
    /// No: it computes values of the network.
    No,
    /// Its results depend on constants and shapes alone.
    Fixed,
    /// Its results are read only as extents, positions, counts or sides of a comparison, directly or after
    /// conversion to integers.
    Steers,
}

/// By node, in the order of the graph.
pub(super) fn exact(network: &Network) -> Vec<Exact> {
    let nodes = &network.graph.node;
    let mut moving: BTreeSet<&str> = network.graph.input.iter().map(|i| i.name()).collect();
    let mut found = vec![Exact::No; nodes.len()];
    for (at, node) in nodes.iter().enumerate() {
        let own = match node.op_type() {
            "Shape" | "Size" => false,
            // Its results are arbitrary, including those of inner graphs.
            op if op.starts_with("Random") => true,
            "Bernoulli" | "Multinomial" | "If" | "Loop" | "Scan" => true,
            _ => node.input.iter().any(|i| moving.contains(i.as_str())),
        };
        if own {
            moving.extend(node.output.iter().filter(|o| !o.is_empty()).map(String::as_str));
        } else {
            found[at] = Exact::Fixed;
        }
    }
    for (at, node) in nodes.iter().enumerate().rev() {
        if found[at] != Exact::No || !passes(node) {
            continue;
        }
        let read: Vec<&String> = node.output.iter().filter(|o| !network.readers(o).is_empty()).collect();
        let steers = |name: &&String| {
            network.readers(name).iter().all(|reader| {
                let node = &nodes[*reader];
                let mut places = node.input.iter().enumerate().filter(|(_, i)| i == name).peekable();
                // An inner graph reads it without conversion.
                let captured = places.peek().is_none();
                found[*reader] == Exact::Steers
                    || (!captured
                        && places.all(|(place, _)| is_steering(node, place) || decides(node, place)))
            })
        };
        let is_output = node.output.iter().any(|o| network.is_output(o));
        if !is_output && !read.is_empty() && read.iter().all(steers) {
            found[at] = Exact::Steers;
        }
    }
    found
}

/// Operators through which a number stays a number. What others compute (a convolution, the index of a
/// maximum) may be rounded to 8 bits even if an extent is derived from it.
fn passes(node: &NodeProto) -> bool {
    const ARITHMETIC: &[&str] = &[
        "Abs",
        "Add",
        "Cast",
        "Ceil",
        "Clip",
        "Concat",
        "Div",
        "Exp",
        "Expand",
        "Flatten",
        "Floor",
        "Gather",
        "Identity",
        "Log",
        "Max",
        "Min",
        "Mod",
        "Mul",
        "Neg",
        "Pow",
        "Range",
        "Reciprocal",
        "ReduceMax",
        "ReduceMin",
        "ReduceProd",
        "ReduceSum",
        "Relu",
        "Reshape",
        "Round",
        "Sign",
        "Slice",
        "Split",
        "Sqrt",
        "Squeeze",
        "Sub",
        "Sum",
        "Tile",
        "Transpose",
        "Unsqueeze",
        "Where",
    ];
    ARITHMETIC.contains(&node.op_type())
}

/// Whether a node decides something by this input. Where another node needs the rounded value, it decides by
/// that, too.
fn decides(node: &NodeProto, place: usize) -> bool {
    let compares = ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "IsNaN", "IsInf"];
    let joins = ["And", "Or", "Xor", "Not"];
    compares.iter().chain(&joins).any(|op| *op == node.op_type()) || node.op_type() == "Where" && place == 0
}

/// Whether a node reads this input as an extent, a position, a count or a bound.
pub(super) fn is_steering(node: &NodeProto, place: usize) -> bool {
    match (node.op_type(), place) {
        ("Range" | "ConstantOfShape", _)
        | ("Resize" | "Slice" | "NonMaxSuppression" | "Clip" | "Dropout" | "RoiAlign" | "MaxRoiPool", 1..)
        | (
            "Reshape" | "Expand" | "Tile" | "Pad" | "Upsample" | "Gather" | "GatherElements" | "GatherND",
            1..,
        )
        | (
            "Squeeze" | "Unsqueeze" | "Split" | "TopK" | "CumSum" | "Trilu" | "Compress" | "CenterCropPad",
            1..,
        )
        | ("ScatterElements" | "ScatterND" | "Scatter" | "GridSample" | "ReverseSequence", 1)
        | ("OneHot", 0 | 1)
        | ("LSTM" | "GRU" | "RNN", 4)
        | ("If" | "Loop", 0) => true,
        (op, 1..) if op.starts_with("Reduce") => true,
        _ => false,
    }
}

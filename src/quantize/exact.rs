//! Values that must stay what they are: floats that stand for extents, positions and counts. One step of 8 bits makes them
//! other numbers, and a tensor of another shape.

use std::collections::BTreeSet;

use super::network::Network;
use crate::onnx::proto::NodeProto;

/// Which nodes compute such values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exact {
    /// No: it computes with what flows through the network.
    No,
    /// Its results depend on constants and shapes alone.
    Fixed,
    /// Its results are read as extents, positions or counts only, integers that they become included.
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
            // What such a node computes is anybody's guess, branches included.
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
                // A branch inside a node reads it as what it is.
                let captured = places.peek().is_none();
                found[*reader] == Exact::Steers
                    || (!captured && places.all(|(place, _)| is_steering(node, place)))
            })
        };
        let is_output = node.output.iter().any(|o| network.is_output(o));
        if !is_output && !read.is_empty() && read.iter().all(steers) {
            found[at] = Exact::Steers;
        }
    }
    found
}

/// Operators through which a number stays a number. What others compute (a convolution, the place of a maximum) is worth
/// 8 bits even if an extent is made of it.
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

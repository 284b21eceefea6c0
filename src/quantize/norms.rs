//! Norms as sums of squares or magnitudes, which the accelerator computes, instead of operators of their own,
//! which it does not have.

use super::network::Network;
use crate::onnx::Names;
use crate::onnx::proto::{AttributeProto, GraphProto, NodeProto, TensorProto, tensor_proto::DataType};

/// `ReduceL1`, `ReduceL2` and `ReduceSumSquare` of floats → `ReduceSum` of `Abs(x)` or `x · x`, and the
/// root. The model's opset is 13 at least: there `ReduceSum` has its axes as an operand.
pub(super) fn sums(graph: &mut GraphProto, names: &mut Names) {
    let network = Network::of(graph);
    let norm = |n: &NodeProto| {
        matches!(n.op_type(), "ReduceL1" | "ReduceL2" | "ReduceSumSquare")
            && matches!(n.domain(), "" | "ai.onnx")
            && n.input.first().is_some_and(|x| network.is_float(x))
            && n.output.len() == 1
    };
    let found: Vec<bool> = graph.node.iter().map(norm).collect();
    let mut nodes = Vec::with_capacity(graph.node.len());
    for (node, found) in std::mem::take(&mut graph.node).into_iter().zip(found) {
        if found {
            taken_apart(node, names, &mut nodes, &mut graph.initializer);
        } else {
            nodes.push(node);
        }
    }
    graph.node = nodes;
}

fn taken_apart(node: NodeProto, names: &mut Names, nodes: &mut Vec<NodeProto>, made: &mut Vec<TensorProto>) {
    let (x, y) = (node.input[0].clone(), node.output[0].clone());
    let [terms, total, own_axes] = ["terms", "sum", "axes"].map(|part| names.own(&format!("{y}.{part}")));
    let mut part = |op: &str, input: Vec<String>, output: &String, attribute: Vec<AttributeProto>| {
        nodes.push(NodeProto {
            name: Some(names.own(&format!("{}.{op}", node.name()))),
            op_type: Some(op.into()),
            input,
            output: vec![output.clone()],
            attribute,
            ..NodeProto::default()
        });
    };
    match node.op_type() {
        "ReduceL1" => part("Abs", vec![x], &terms, vec![]),
        _ => part("Mul", vec![x.clone(), x], &terms, vec![]),
    }
    let mut input = vec![terms];
    input.extend(node.input.iter().skip(1).cloned());
    // Before opset 18 these operators have their axes as an attribute, unlike ReduceSum.
    let (axes, rest): (Vec<_>, Vec<_>) = node.attribute.iter().cloned().partition(|a| a.name() == "axes");
    if let Some(axes) = axes.into_iter().next() {
        made.push(TensorProto {
            name: Some(own_axes.clone()),
            data_type: Some(DataType::Int64 as i32),
            dims: vec![axes.ints.len() as i64],
            int64_data: axes.ints,
            ..TensorProto::default()
        });
        input.push(own_axes);
    }
    if node.op_type() == "ReduceL2" {
        part("ReduceSum", input, &total, rest);
        part("Sqrt", vec![total], &y, vec![]);
    } else {
        part("ReduceSum", input, &y, rest);
    }
}

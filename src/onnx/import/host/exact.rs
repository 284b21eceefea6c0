//! Nodes as the float library takes them to mean what ONNX says: it reads every opset as the newest.

use super::super::super::proto::{AttributeProto, NodeProto, attribute_proto::AttributeType};

/// The node, or the nodes that compute the same.
pub(super) fn rewritten(mut node: NodeProto, opset: i64) -> Vec<NodeProto> {
    if !matches!(node.domain(), "" | "ai.onnx") {
        return vec![node];
    }
    // ONNX Runtime takes any number but 1 for no.
    for a in &mut node.attribute {
        if matches!(a.name(), "keepdims" | "ceil_mode" | "noop_with_empty_axes" | "allowzero")
            && let Some(i) = &mut a.i
        {
            *i = i64::from(*i == 1);
        }
    }
    match node.op_type() {
        "Softmax" | "LogSoftmax" | "Hardmax" if opset < 13 => rows(node),
        _ => vec![node],
    }
}

/// Before opset 13 all axes from `axis` on are one row.
fn rows(mut node: NodeProto) -> Vec<NodeProto> {
    let (Some(x), Some(y)) = (node.input.first().cloned(), node.output.first().cloned()) else {
        return vec![node];
    };
    let axis = node.attribute.iter().find(|a| a.name() == "axis").and_then(|a| a.i).unwrap_or(1);
    let [flat, made, shape] = ["rows", "made", "shape"].map(|what| format!("{y}.{what}"));
    let op = |op: &str, inputs: &[&str], output: &str| NodeProto {
        name: Some(format!("{}.{op}", node.name())),
        op_type: Some(op.into()),
        input: inputs.iter().map(ToString::to_string).collect(),
        output: vec![output.into()],
        ..NodeProto::default()
    };
    let mut flatten = op("Flatten", &[&x], &flat);
    flatten.attribute.push(integer("axis", axis));
    let (extents, back) = (op("Shape", &[&x], &shape), op("Reshape", &[&made, &shape], &y));
    node.input = vec![flat];
    node.output = vec![made];
    node.attribute = vec![integer("axis", 1)];
    vec![flatten, node, extents, back]
}

fn integer(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        i: Some(value),
        r#type: Some(AttributeType::Int as i32),
        ..AttributeProto::default()
    }
}

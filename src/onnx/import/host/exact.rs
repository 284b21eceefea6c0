//! Nodes as the float library takes them to mean what ONNX says: it reads every opset as the newest.

use super::super::node::OnnxNode;
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
        "ArgMax" | "ArgMin" => first_of_equal(node),
        "Sign" => sign(node),
        _ => vec![node],
    }
}

/// Why the library would compute something else than ONNX says; none if it does not.
pub(super) fn deviates(n: &OnnxNode) -> Option<String> {
    let recurrent = matches!(n.op_type(), "LSTM" | "GRU" | "RNN");
    let what = match n.op_type() {
        "Resize" | "Upsample" if n.string("mode").as_deref() == Some("cubic") => "cubic interpolation",
        "Resize" if n.int("antialias", 0) != 0 => "antialiasing",
        "ConvTranspose" if n.has("output_shape") => "output_shape",
        "AveragePool" if n.string("auto_pad").is_some_and(|a| a.starts_with("SAME")) => "auto_pad",
        "BatchNormalization" if n.flag("training_mode", false) => "training_mode",
        _ if recurrent && n.input(4).is_some() => "sequence_lens",
        _ if recurrent && ["clip", "input_forget", "activations", "layout"].iter().any(|a| n.has(a)) => {
            "clip, input_forget, activations or layout"
        }
        _ => return None,
    };
    Some(format!("the host library has no {} with {what}", n.op_type()))
}

/// Of equal extremes the first counts, or the last if `select_last_index` says so; the library always takes the last.
fn first_of_equal(mut node: NodeProto) -> Vec<NodeProto> {
    let last = node.attribute.iter().any(|a| a.name() == "select_last_index" && a.i() != 0);
    node.attribute.retain(|a| a.name() != "select_last_index");
    let (Some(x), Some(y)) = (node.input.first().cloned(), node.output.first().cloned()) else {
        return vec![node];
    };
    if last {
        return vec![node];
    }
    let axis = node.attribute.iter().find(|a| a.name() == "axis").and_then(|a| a.i).unwrap_or(0);
    let part = |what: &str| format!("{y}.{what}");
    let op = |op: &str, inputs: &[&str], output: &str| NodeProto {
        name: Some(format!("{}.{output}", node.name())),
        op_type: Some(op.into()),
        input: inputs.iter().map(ToString::to_string).collect(),
        output: vec![output.into()],
        ..NodeProto::default()
    };
    let list = |name: &str, value: i64| {
        let mut constant = op("Constant", &[], name);
        constant.attribute.push(AttributeProto {
            name: Some("value_ints".into()),
            ints: vec![value],
            r#type: Some(AttributeType::Ints as i32),
            ..AttributeProto::default()
        });
        constant
    };
    let [start, end, axes, turned, found] = ["start", "end", "axes", "turned", "found"].map(part);
    let [shape, extent, back] = ["shape", "extent", "back"].map(part);
    let keep = node.attribute.iter().find(|a| a.name() == "keepdims").and_then(|a| a.i).unwrap_or(1);
    let mut made = vec![
        list(&start, -1),
        list(&end, i64::from(i32::MIN)),
        list(&axes, axis),
        op("Slice", &[&x, &start, &end, &axes, &start], &turned),
    ];
    // The index from the back, in an array of one that broadcasts.
    let extents = [op("Shape", &[&x], &shape), op("Gather", &[&shape, &axes], &extent)];
    let rest = [op("Add", &[&extent, &start], &back), op("Sub", &[&back, &found], &y)];
    node.input = vec![turned];
    node.output = vec![found];
    node.attribute.retain(|a| a.name() != "keepdims");
    node.attribute.push(integer("keepdims", keep));
    made.push(node);
    made.extend(extents);
    made.extend(rest);
    made
}

/// `Sign` of zero is zero: the library gives the sign of the zero. `x − x` is a zero of any type.
fn sign(mut node: NodeProto) -> Vec<NodeProto> {
    let (Some(x), Some(y)) = (node.input.first().cloned(), node.output.first().cloned()) else {
        return vec![node];
    };
    let [zero, equal, signs] = ["zero", "equal", "signs"].map(|what| format!("{y}.{what}"));
    let op = |op: &str, inputs: &[&str], output: &str| NodeProto {
        name: Some(format!("{}.{output}", node.name())),
        op_type: Some(op.into()),
        input: inputs.iter().map(ToString::to_string).collect(),
        output: vec![output.into()],
        ..NodeProto::default()
    };
    let before = [op("Sub", &[&x, &x], &zero), op("Equal", &[&x, &zero], &equal)];
    let after = op("Where", &[&equal, &zero, &signs], &y);
    node.output = vec![signs];
    before.into_iter().chain([node, after]).collect()
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

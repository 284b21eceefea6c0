//! Conversion of Gemm to the form with weights and one bias for each output channel.

use super::network::{Floats, attribute, float, int};
use crate::onnx::Names;
use crate::onnx::proto::{GraphProto, NodeProto};

/// Converts each Gemm to `x · W + b` with one `b` for each column, where its operands are constant: `alpha`
/// and `beta` become part of them, and a scalar becomes a row. A bias that differs between rows is added
/// behind.
pub(super) fn plain(graph: &mut GraphProto, names: &mut Names) {
    for node in graph.node.iter_mut().filter(|n| n.op_type() == "Gemm") {
        for (attribute, index) in [("alpha", 1), ("beta", 2)] {
            let factor = float(node, attribute, 1.0);
            let constant = node
                .input
                .get(index)
                .and_then(|i| graph.initializer.iter().find(|t| t.name() == i))
                .and_then(Floats::read);
            let Some(mut constant) = constant.filter(|_| factor != 1.0) else { continue };
            constant.values.iter_mut().for_each(|v| *v *= factor);
            let name = names.own(&format!("{}.{attribute}", node.input[index]));
            graph.initializer.push(constant.to_proto(&name));
            node.input[index] = name;
            node.attribute.retain(|a| a.name() != attribute);
        }
    }
    let mut written = Vec::with_capacity(graph.node.len());
    for mut node in std::mem::take(&mut graph.node) {
        let form = form(graph, &node);
        match form {
            Form::Fine => {}
            Form::Row(row) => {
                let name = names.own(&format!("{}.row", node.input[2]));
                graph.initializer.push(row.to_proto(&name));
                node.input[2] = name;
            }
            Form::Behind => {
                let product = names.own(&format!("{}.product", node.output[0]));
                let add = NodeProto {
                    input: vec![product.clone(), node.input[2].clone()],
                    output: vec![std::mem::replace(&mut node.output[0], product)],
                    name: Some(names.own(&format!("{}.bias", node.name()))),
                    op_type: Some("Add".into()),
                    ..NodeProto::default()
                };
                node.input.truncate(2);
                written.extend([node, add]);
                continue;
            }
        }
        written.push(node);
    }
    graph.node = written;
}

/// The form of a Gemm's bias.
enum Form {
    /// As required, or not constant.
    Fine,
    /// One for each column, after conversion.
    Row(Floats),
    /// Another for each row.
    Behind,
}

fn form(graph: &GraphProto, node: &NodeProto) -> Form {
    if node.op_type() != "Gemm" || attribute(node, "beta").is_some_and(|a| a.f() != 1.0) {
        return Form::Fine;
    }
    let constant = |at: usize| {
        let name = node.input.get(at).filter(|i| !i.is_empty())?;
        graph.initializer.iter().find(|t| t.name() == name)
    };
    let (Some(weights), Some(bias)) = (constant(1), constant(2).and_then(Floats::read)) else {
        return Form::Fine;
    };
    let [rows, columns] = weights.dims[..] else { return Form::Fine };
    let channels = if int(node, "transB", 0) == 0 { columns } else { rows };
    let Ok(channels) = usize::try_from(channels) else { return Form::Fine };
    // By shape, not by count: with as many rows as columns both would fit.
    match bias.shape.as_slice() {
        [n] if *n == channels => Form::Fine,
        [] | [1] | [1, 1] => {
            Form::Row(Floats { shape: vec![channels], values: vec![bias.values[0]; channels] })
        }
        [1, n] if *n == channels => Form::Row(Floats { shape: vec![channels], values: bias.values }),
        _ => Form::Behind,
    }
}

//! Networks of opsets 10 to 12, in the words of opset 13, which quantizers need.

use super::network::attribute;
use crate::onnx::Names;
use crate::onnx::proto::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto};
use crate::onnx::proto::{attribute_proto::AttributeType, tensor_proto::DataType};

/// Versions that are rewritten, and what they become.
const FROM: std::ops::RangeInclusive<i64> = 10..=12;
const TO: i64 = 13;

/// Brings a network to opset 13: attributes that became operands, and Softmax over all axes from one on.
/// Networks of other versions stay, and so do those with graphs inside nodes.
pub(super) fn upgrade(model: &mut ModelProto, graph: &mut GraphProto) {
    let own = model.opset_import.iter_mut().find(|o| matches!(o.domain(), "" | "ai.onnx"));
    let Some(opset) = own.filter(|o| FROM.contains(&o.version())) else { return };
    if graph.node.iter().flat_map(|n| &n.attribute).any(|a| a.g.is_some() || !a.graphs.is_empty()) {
        return;
    }
    let from = opset.version();
    opset.version = Some(TO);
    let names = Names::of(graph);
    let mut writer = Writer { names, made: Vec::new(), nodes: Vec::with_capacity(graph.node.len()) };
    let ranks = |name: &str| rank(graph, name);
    let flat: Vec<Option<usize>> =
        graph.node.iter().map(|n| n.input.first().and_then(|name| ranks(name))).collect();
    for (node, rank) in std::mem::take(&mut graph.node).into_iter().zip(flat) {
        writer.node(node, from, rank);
    }
    graph.node = writer.nodes;
    graph.initializer.extend(writer.made);
}

/// The number of axes of a value, where the model or the operator before says it.
pub(super) fn rank(graph: &GraphProto, name: &str) -> Option<usize> {
    use crate::onnx::proto::type_proto::Value;
    if let Some(node) = graph.node.iter().find(|n| n.output.first().is_some_and(|o| o == name))
        && matches!(node.op_type(), "Gemm" | "Flatten")
    {
        return Some(2);
    }
    let info = graph.input.iter().chain(&graph.value_info).chain(&graph.output).find(|i| i.name() == name)?;
    match info.r#type.as_ref()?.value.as_ref()? {
        Value::TensorType(t) => t.shape.as_ref().map(|s| s.dim.len()),
        _ => None,
    }
}

struct Writer {
    names: Names,
    made: Vec<TensorProto>,
    nodes: Vec<NodeProto>,
}

impl Writer {
    fn node(&mut self, mut node: NodeProto, from: i64, rank: Option<usize>) {
        if !matches!(node.domain(), "" | "ai.onnx") {
            self.nodes.push(node);
            return;
        }
        match node.op_type() {
            "Squeeze" | "Unsqueeze" | "ReduceSum" => self.operand(&mut node, "axes", 1),
            "Split" => self.operand(&mut node, "split", 1),
            "Clip" if from < 11 => {
                for (name, at) in [("min", 1), ("max", 2)] {
                    if let Some(bound) = taken(&mut node, name).and_then(|a| a.f) {
                        let tensor = self.single(&format!("{}.{name}", node.name()), bound);
                        put(&mut node, at, tensor);
                    }
                }
            }
            "Pad" if from < 11 => {
                let value = taken(&mut node, "value").and_then(|a| a.f).filter(|v| *v != 0.0);
                self.operand(&mut node, "pads", 1);
                if let Some(value) = value {
                    let tensor = self.single(&format!("{}.value", node.name()), value);
                    put(&mut node, 2, tensor);
                }
            }
            // What was left of a ratio has no effect on inference.
            "Dropout" => drop(taken(&mut node, "ratio")),
            "Resize" if from < 11 && node.input.len() == 2 => {
                let scales = std::mem::take(&mut node.input[1]);
                put(&mut node, 2, scales);
                node.attribute.push(text("coordinate_transformation_mode", "asymmetric"));
                node.attribute.push(text("nearest_mode", "floor"));
            }
            "Softmax" | "LogSoftmax" | "Hardmax" => return self.rows(node, rank),
            _ => {}
        }
        self.nodes.push(node);
    }

    /// An attribute of integers as an operand.
    fn operand(&mut self, node: &mut NodeProto, name: &str, at: usize) {
        let Some(list) = taken(node, name) else { return };
        let own = self.names.own(&format!("{}.{name}", node.name()));
        self.made.push(TensorProto {
            name: Some(own.clone()),
            data_type: Some(DataType::Int64 as i32),
            dims: vec![list.ints.len() as i64],
            int64_data: list.ints,
            ..TensorProto::default()
        });
        put(node, at, own);
    }

    fn single(&mut self, wish: &str, value: f32) -> String {
        let own = self.names.own(wish);
        self.made.push(TensorProto {
            name: Some(own.clone()),
            data_type: Some(DataType::Float as i32),
            float_data: vec![value],
            ..TensorProto::default()
        });
        own
    }

    /// Softmax of rows that are all axes from one on: the same along the last axis, else of a matrix.
    fn rows(&mut self, mut node: NodeProto, rank: Option<usize>) {
        let axis = attribute(&node, "axis").map_or(1, |a| a.i());
        let last = axis == -1 || rank.is_some_and(|rank| axis + 1 == rank as i64);
        taken(&mut node, "axis");
        node.attribute.push(number("axis", -1));
        let ([x], [y], false) = (&node.input[..], &node.output[..], last) else {
            self.nodes.push(node);
            return;
        };
        let (x, y) = (x.clone(), y.clone());
        let [matrix, result, shape] =
            ["matrix", "rows", "shape"].map(|w| self.names.own(&format!("{y}.{w}")));
        let step = |op: &str, input: Vec<String>, output: &str, attribute: Vec<AttributeProto>| NodeProto {
            name: Some(format!("{}.{op}", node.name())),
            op_type: Some(op.into()),
            input,
            output: vec![output.into()],
            attribute,
            ..NodeProto::default()
        };
        self.nodes.push(step("Shape", vec![x.clone()], &shape, Vec::new()));
        self.nodes.push(step("Flatten", vec![x], &matrix, vec![number("axis", axis)]));
        let back = step("Reshape", vec![result.clone(), shape], &y, Vec::new());
        self.nodes.push(NodeProto { input: vec![matrix], output: vec![result], ..node });
        self.nodes.push(back);
    }
}

/// Takes an attribute off a node.
fn taken(node: &mut NodeProto, name: &str) -> Option<AttributeProto> {
    let at = node.attribute.iter().position(|a| a.name() == name)?;
    Some(node.attribute.remove(at))
}

/// Gives a node an operand at this place; those between are left out.
fn put(node: &mut NodeProto, at: usize, name: String) {
    if node.input.len() <= at {
        node.input.resize(at + 1, String::new());
    }
    node.input[at] = name;
}

fn number(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        r#type: Some(AttributeType::Int as i32),
        i: Some(value),
        ..AttributeProto::default()
    }
}

fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        r#type: Some(AttributeType::String as i32),
        s: Some(value.as_bytes().to_vec()),
        ..AttributeProto::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::proto::OperatorSetIdProto;

    #[test]
    fn attributes_become_operands() {
        let ints = |name: &str, ints: Vec<i64>| AttributeProto {
            name: Some(name.into()),
            ints,
            ..AttributeProto::default()
        };
        let node = |op: &str, attribute: Vec<AttributeProto>| NodeProto {
            name: Some(op.into()),
            op_type: Some(op.into()),
            input: vec!["x".into()],
            output: vec![format!("{op}.y")],
            attribute,
            ..NodeProto::default()
        };
        let high = AttributeProto { name: Some("max".into()), f: Some(6.0), ..AttributeProto::default() };
        let mut graph = GraphProto {
            node: vec![
                node("Squeeze", vec![ints("axes", vec![0])]),
                node("Clip", vec![high]),
                node("Softmax", vec![]),
            ],
            ..GraphProto::default()
        };
        let opset = OperatorSetIdProto { domain: None, version: Some(10) };
        let mut model = ModelProto { opset_import: vec![opset], ..ModelProto::default() };
        upgrade(&mut model, &mut graph);
        let types: Vec<&str> = graph.node.iter().map(|n| n.op_type()).collect();
        assert_eq!(types, ["Squeeze", "Clip", "Shape", "Flatten", "Softmax", "Reshape"]);
        assert_eq!(graph.node[0].input, ["x", "Squeeze.axes"]);
        assert_eq!(graph.node[1].input, ["x", "", "Clip.max"]);
        assert_eq!(graph.node[5].output, ["Softmax.y"]);
        assert_eq!(model.opset_import[0].version(), 13);
    }
}

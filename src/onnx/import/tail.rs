//! The float tail: operators from which no quantizer is reachable run on the host, as one layer at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use prost::Message;

use super::super::load::LoadedModel;
use super::super::proto::{GraphProto, ModelProto, TensorShapeProto, TypeProto, ValueInfoProto};
use super::super::proto::{tensor_proto::DataType, tensor_shape_proto, type_proto};
use super::node::OnnxNode;
use super::value::{Real, Value};
use super::{Fate, Importer, declared, dtype_of};
use crate::graph::{DType, HostGraph, Node, Op, Tensor, TensorId};

/// Whether a node's type says that it works on quantized values.
fn is_quantized(n: &OnnxNode) -> bool {
    let t = n.op_type();
    t.contains("QuantizeLinear")
        || t.starts_with("QLinear")
        || t.starts_with("QGemm")
        || t.ends_with("Integer")
}

/// For each node: no quantized operator depends on it, and it is none itself.
pub(super) fn ends_in_float(nodes: &[OnnxNode]) -> Vec<bool> {
    let mut leads_to_quantized: BTreeSet<&str> = BTreeSet::new();
    let mut ends = vec![false; nodes.len()];
    for n in nodes.iter().rev() {
        let leads = n.proto.output.iter().any(|o| leads_to_quantized.contains(o.as_str()));
        ends[n.index] = !leads && !is_quantized(n);
        if leads || is_quantized(n) && n.op_type() != "DequantizeLinear" {
            leads_to_quantized.extend(n.proto.input.iter().map(String::as_str));
        }
    }
    ends
}

impl<'a> Importer<'a> {
    /// Whether a node can be part of the host layer.
    pub(super) fn can_host(&self, n: &OnnxNode<'a>) -> bool {
        let fits = |name: &String| match self.values.get(name.as_str()) {
            Some(Value::Tensor(id)) => {
                self.graph.tensor(*id).dtype == DType::F32 && !self.graph.inputs.contains(id)
            }
            Some(Value::Failed(_)) | None => false,
            Some(_) => true,
        };
        let feeds = |name: &String| {
            matches!(self.values.get(name.as_str()), Some(Value::Real(_) | Value::Pending(_) | Value::Host))
        };
        let inputs: Vec<&String> = n.proto.input.iter().filter(|i| !i.is_empty()).collect();
        self.ends_in_float[n.index] && inputs.iter().all(|i| fits(i)) && inputs.iter().any(|i| feeds(i))
    }

    /// Makes a node part of the host layer, and what its inputs wait for.
    pub(super) fn move_to_host(&mut self, index: usize) {
        if !self.host.insert(index) {
            return;
        }
        self.mark(index, Fate::Host);
        let inputs: Vec<&str> = self.nodes[index].proto.input.iter().map(String::as_str).collect();
        for name in inputs {
            if let Some(value) = self.values.get(name).cloned() {
                self.value_to_host(&value);
            }
        }
    }

    /// A float value that no quantizer completes: its nodes run on the host.
    pub(super) fn value_to_host(&mut self, value: &Value) {
        let nodes = match value {
            Value::Pending(p) => p.nodes.clone(),
            Value::Real(r) if !r.functions.is_empty() => r.nodes.clone(),
            _ => return,
        };
        if self.host_reason.is_empty() {
            self.host_reason = "its result stays float".into();
        }
        let of_type = |i: &usize| self.nodes[*i].op_type() != "DequantizeLinear";
        for i in nodes.into_iter().filter(of_type).collect::<Vec<_>>() {
            self.move_to_host(i);
        }
    }

    /// The f32 tensor of a float view, made by a Dequantize layer on first use.
    pub(super) fn float_view(&mut self, name: &str, real: &Real) -> TensorId {
        if let Some(id) = self.floats.get(name) {
            return *id;
        }
        let shape = self.graph.tensor(real.tensor).shape.clone();
        let output = Tensor { name: name.into(), shape, dtype: DType::F32, quant: None };
        // A tensor that was moved in the float view has no quantizer to name it; the name belongs to the float one.
        let own = real.nodes.last().copied().unwrap_or_else(|| self.producer_of(name));
        if real.unnamed && self.graph.tensor(real.tensor).name == name {
            self.graph.tensors[real.tensor.0 as usize].name = format!("{name}.quantized");
        }
        let id = self.layer(own, Op::Dequantize, vec![real.tensor], output, &real.nodes);
        self.floats.insert(name.into(), id);
        id
    }

    fn producer_of(&self, name: &str) -> usize {
        self.nodes.iter().position(|n| n.proto.output.iter().any(|o| o == name)).unwrap_or(0)
    }

    /// Adds the host layer, if there is one.
    pub(super) fn host_layer(&mut self, model: &LoadedModel) {
        if self.host.is_empty() {
            return;
        }
        let proto = self.proto;
        let members: Vec<usize> = self.host.iter().copied().collect();
        let made: BTreeSet<&str> =
            members.iter().flat_map(|i| &self.nodes[*i].proto.output).map(String::as_str).collect();
        let read: BTreeSet<&'a str> = members
            .iter()
            .flat_map(|i| &self.nodes[*i].proto.input)
            .map(String::as_str)
            .filter(|s| !s.is_empty() && !made.contains(s))
            .collect();
        let mut constants: BTreeSet<&str> = BTreeSet::new();
        let mut constant_nodes = BTreeSet::new();
        let mut inputs: Vec<(String, TensorId)> = Vec::new();
        for name in read {
            match self.values.get(name).cloned() {
                Some(Value::Real(real)) => inputs.push((name.into(), self.float_view(name, &real))),
                Some(Value::Tensor(id)) => inputs.push((name.into(), id)),
                Some(_) => self.constant_sources(name, &mut constants, &mut constant_nodes),
                None => {}
            }
        }
        let mut outputs = Vec::new();
        for info in proto.output.iter().filter(|o| made.contains(o.name())) {
            let checked = declared(info, None).and_then(|(shape, elem)| {
                dtype_of(elem).map(|d| (shape, d)).ok_or_else(|| "its element type is not supported".into())
            });
            match checked {
                Ok((shape, dtype)) => {
                    let name = info.name().to_string();
                    outputs.push(self.tensor(Tensor { name, shape, dtype, quant: None }));
                }
                Err(reason) => {
                    let node = self.producer_of(info.name());
                    let text =
                        format!("its output \"{}\" leaves the model from the host: {reason}", info.name());
                    self.fates[node] = Fate::Unsupported(text);
                }
            }
        }
        let nodes: BTreeSet<usize> = self.host.iter().copied().chain(constant_nodes).collect();
        let graph = GraphProto {
            name: Some(format!("{}.host", proto.name())),
            node: nodes.iter().map(|i| self.nodes[*i].proto.clone()).collect(),
            initializer: proto.initializer.iter().filter(|t| constants.contains(t.name())).cloned().collect(),
            input: inputs.iter().map(|(name, id)| value_info(name, self.graph.tensor(*id))).collect(),
            output: outputs
                .iter()
                .map(|id| value_info(&self.graph.tensor(*id).name, self.graph.tensor(*id)))
                .collect(),
            ..GraphProto::default()
        };
        let host = ModelProto {
            ir_version: model.model.ir_version,
            opset_import: model.model.opset_import.clone(),
            producer_name: Some("rcar-iss".into()),
            graph: Some(graph),
            ..ModelProto::default()
        };
        let first = members[0];
        let name = self.layer_name(first);
        let node = Node {
            op: Op::Host(HostGraph {
                model: Arc::from(host.encode_to_vec()),
                op_types: members.iter().map(|i| self.nodes[*i].qualified_type()).collect(),
                reason: self.host_reason.clone(),
            }),
            inputs: inputs.iter().map(|(_, id)| *id).collect(),
            outputs: outputs.clone(),
            onnx_nodes: members.iter().map(|i| self.nodes[*i].name.clone()).collect(),
            name,
        };
        self.graph.nodes.push(node);
        // Outputs in the model's order.
        self.graph.outputs.extend(outputs);
        let order: BTreeMap<&str, usize> =
            proto.output.iter().enumerate().map(|(i, o)| (o.name(), i)).collect();
        let tensors = &self.graph.tensors;
        self.graph.outputs.sort_by_key(|id| order.get(tensors[id.0 as usize].name.as_str()).copied());
    }

    /// Initializers and nodes that a constant comes from.
    fn constant_sources(
        &self,
        name: &'a str,
        initializers: &mut BTreeSet<&'a str>,
        nodes: &mut BTreeSet<usize>,
    ) {
        match self.nodes.iter().find(|n| n.proto.output.iter().any(|o| o == name)) {
            None => {
                initializers.insert(name);
            }
            Some(n) => {
                if nodes.insert(n.index) {
                    for input in n.proto.input.iter().filter(|i| !i.is_empty()) {
                        self.constant_sources(input, initializers, nodes);
                    }
                }
            }
        }
    }
}

fn value_info(name: &str, tensor: &Tensor) -> ValueInfoProto {
    let elem = match tensor.dtype {
        DType::F32 => DataType::Float,
        DType::U8 => DataType::Uint8,
        DType::S8 => DataType::Int8,
        DType::S32 => DataType::Int32,
        _ => DataType::Int64,
    };
    let dim = |d: &usize| tensor_shape_proto::Dimension {
        value: Some(tensor_shape_proto::dimension::Value::DimValue(*d as i64)),
        ..Default::default()
    };
    let tensor = type_proto::Tensor {
        elem_type: Some(elem as i32),
        shape: Some(TensorShapeProto { dim: tensor.shape.iter().map(dim).collect() }),
    };
    ValueInfoProto {
        name: Some(name.into()),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(tensor)),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    }
}

//! The end of an import: names of outputs, removed values with reasons, and one row for each node.

use std::collections::BTreeSet;

use super::super::constant::Constant;
use super::importer::{Fate, Importer};
use super::node::OnnxNode;
use super::outcome::{NodeRow, NodeStatus};
use super::value::{Refusal, Value};
use crate::graph::fuse::Fused;
use crate::graph::{DType, Node, Op, Removed, Tensor, TensorId};

impl Importer<'_> {
    /// Refuses a model without quantized parts, instead of silently making it one host layer.
    pub(super) fn refuse_floats(&mut self) {
        let accelerated = |n: &Node| !matches!(n.op, Op::Host(_));
        // A Clip without bounds only limits infinities: a network of such nodes is practically a copy.
        let copies = |i: &usize| {
            self.nodes[*i].op_type() == "Clip"
                && self.nodes[*i].proto.input.iter().skip(1).all(String::is_empty)
                && self.nodes[*i].proto.attribute.is_empty()
        };
        // Weights that are quantized alone save memory, and the products stay float.
        let quantized = self.nodes.iter().any(|n| n.op_type() == "DequantizeLinear");
        if quantized || self.host.keys().all(copies) || self.graph.nodes.iter().any(accelerated) {
            return;
        }
        for (i, n) in self.nodes.iter().enumerate().filter(|(i, _)| self.host.contains_key(i)) {
            self.fates[i] = Fate::Unsupported(self.not_quantized(n));
        }
    }

    /// Names integers that were moved in the float view and have no quantizer of their own: the ONNX name is
    /// that of the floats.
    pub(super) fn name_moved(&mut self) {
        for (name, value) in &self.values {
            if let Value::Real(r) = value
                && let Some(id) = r.plain()
            {
                let t = &mut self.graph.tensors[id.0 as usize];
                if t.name == *name && t.dtype != DType::F32 {
                    t.name = format!("{name}.quantized");
                }
            }
        }
    }

    /// Tensors used by a layer, and the graph's inputs and outputs.
    fn named_tensors(&self) -> BTreeSet<TensorId> {
        let layers = self.graph.nodes.iter().flat_map(|n| n.inputs.iter().chain(&n.outputs));
        layers.chain(&self.graph.inputs).chain(&self.graph.outputs).copied().collect()
    }

    /// Removes tensors that nothing uses.
    pub(super) fn forget_unwritten(&mut self) {
        let written = self.named_tensors();
        let kept: Vec<bool> =
            (0..self.graph.tensors.len() as u32).map(|i| written.contains(&TensorId(i))).collect();
        self.graph.keep(&kept);
    }

    /// Names the graph's outputs; returns a row for each that is unsupported.
    pub(super) fn outputs(&mut self) -> Vec<NodeRow> {
        let mut rows = Vec::new();
        let proto = self.proto;
        // A tensor that is listed twice is one output.
        let mut listed = BTreeSet::new();
        for info in proto.output.iter().filter(|info| listed.insert(info.name())) {
            let name = info.name();
            let failed = |detail: &str| NodeRow {
                name: name.into(),
                op_type: "graph output".into(),
                status: NodeStatus::Unsupported,
                detail: detail.into(),
            };
            match self.values.get(name).cloned() {
                Some(Value::Tensor(id)) => {
                    let t = self.graph.tensor(id).clone();
                    let made = self.producers.get(name).copied();
                    match made {
                        _ if t.name == name && self.made_by.contains_key(&id) => self.graph.outputs.push(id),
                        // Another name of a tensor: the output is a copy, or shares its memory.
                        Some(own) if t.name != name => {
                            let output = Tensor { name: name.into(), ..t };
                            let id = self.layer(own, Op::Reshape, vec![id], output, &[]);
                            self.graph.outputs.push(id);
                        }
                        _ => rows.push(failed("it is only another name of an input; nothing computes it")),
                    }
                }
                Some(Value::Real(real)) if real.plain().is_some() => match self.float_view(name, &real) {
                    Some(id) if self.made_by.contains_key(&id) => self.graph.outputs.push(id),
                    Some(id) if self.graph.tensor(id).name != name => self.copied_output(id, name),
                    _ => rows.push(failed("it is only another name of an input; nothing computes it")),
                },
                Some(value @ (Value::Real(_) | Value::Pending(_))) if self.of_array(name, &value) => {
                    match self.float_tensor(name, &value) {
                        Ok(id) if self.graph.tensor(id).name == name => self.graph.outputs.push(id),
                        Ok(id) => self.copied_output(id, name),
                        Err(Refusal::Malformed(why) | Refusal::Unsupported(why)) => rows.push(failed(&why)),
                        Err(Refusal::Unreached) => {}
                    }
                }
                Some(value @ (Value::Host | Value::Real(_) | Value::Pending(_))) => {
                    if !matches!(value, Value::Host) && !self.options.host {
                        rows.push(failed("it stays float, and --no-host forbids host layers"));
                        continue;
                    }
                    self.value_to_host(name, &value, "its result stays float");
                    match self.host_tensor(name) {
                        Ok(id) => self.graph.outputs.push(id),
                        Err(Refusal::Malformed(why) | Refusal::Unsupported(why)) => rows.push(failed(&why)),
                        Err(Refusal::Unreached) => {}
                    }
                }
                Some(Value::Failed(_)) => {}
                Some(Value::Constant(c)) => match self.constant_output(&c, name) {
                    Ok(()) => {}
                    Err(Refusal::Malformed(why) | Refusal::Unsupported(why)) => rows.push(failed(&why)),
                    Err(Refusal::Unreached) => {}
                },
                Some(Value::ConstantReal(c)) => match self.constant_output(&c.dequantized(), name) {
                    Ok(()) => {}
                    Err(Refusal::Malformed(why) | Refusal::Unsupported(why)) => rows.push(failed(&why)),
                    Err(Refusal::Unreached) => {}
                },
                Some(Value::Centred(_)) => {
                    rows.push(failed(
                        "integers with a zero point for each channel have no form in which they leave",
                    ));
                }
                Some(Value::Exotic(reason)) => rows.push(failed(&reason)),
                None => rows.push(failed("no node computes it")),
            }
        }
        rows
    }

    /// An output that is a copy of a constant.
    fn constant_output(&mut self, c: &Constant, name: &str) -> Result<(), Refusal> {
        let c = Constant { name: format!("{name}.constant"), ..c.clone() };
        let id = self.constant_tensor(&c, None)?;
        self.copied_output(id, name);
        Ok(())
    }

    /// An output that is a copy of a tensor, with a layer that has no node.
    fn copied_output(&mut self, id: TensorId, name: &str) {
        let t = self.graph.tensor(id).clone();
        let output = self.tensor(Tensor { name: name.into(), ..t });
        let level = self.level_of(id);
        self.levels.insert(output, level);
        let layer = self.unique_layer(format!("{name}.output"));
        let node = Node {
            name: layer,
            op: Op::Reshape,
            inputs: vec![id],
            outputs: vec![output],
            onnx_nodes: Vec::new(),
        };
        self.graph.nodes.push(node);
        self.graph.outputs.push(output);
    }

    /// Every ONNX value that has no tensor in the graph, with its reason.
    pub(super) fn list_removed(&mut self) {
        let named = self.named_tensors();
        let kept: BTreeSet<&str> = named.iter().map(|id| self.graph.tensor(*id).name.as_str()).collect();
        let mut removed = Vec::new();
        for n in self.nodes {
            for output in n.proto.output.iter().filter(|o| !o.is_empty() && !kept.contains(o.as_str())) {
                let reason = match self.values.get(output.as_str()) {
                    Some(Value::Constant(_) | Value::ConstantReal(_)) => continue,
                    Some(Value::Tensor(id)) => format!("the same bytes as \"{}\"", self.graph.tensor(*id).name),
                    Some(Value::Real(r)) => match r.plain() {
                        Some(id) => format!("a float view of \"{}\", which is kept", self.graph.tensor(id).name),
                        None => "a float value between two quantizers".into(),
                    },
                    Some(Value::Pending(_)) => {
                        "a float value between two quantizers; the accelerator computes the operator in integers".into()
                    }
                    Some(Value::Host) => "a value inside a host layer".into(),
                    _ => continue,
                };
                removed.push(Removed { tensor: output.clone(), reason });
            }
        }
        self.graph.removed = removed;
    }

    /// One row for each node; layers may have been fused in the meantime.
    pub(super) fn rows(&self, fused: &Fused) -> Vec<NodeRow> {
        let now = |layer: &String| fused.into_layer(layer).unwrap_or(layer).to_string();
        let row = |n: &OnnxNode| {
            let (status, detail) = match &self.fates[n.index] {
                Fate::Layer(layer) if fused.into_layer(layer).is_none() => (NodeStatus::Layer, layer.clone()),
                Fate::Layer(layer) | Fate::Fused(layer) => (NodeStatus::Fused, now(layer)),
                Fate::Folded(how) => (NodeStatus::Folded, how.clone()),
                Fate::Pending => (NodeStatus::Folded, "nothing that is kept depends on it".into()),
                Fate::Host(reason) => (NodeStatus::Host, reason.clone()),
                Fate::Unsupported(reason) => (NodeStatus::Unsupported, reason.clone()),
                Fate::Unreached => (NodeStatus::Unreached, "an unsupported node feeds it".into()),
            };
            NodeRow { name: n.name.clone(), op_type: n.qualified_type(), status, detail }
        };
        self.nodes.iter().map(row).collect()
    }
}

//! Host nodes: what the accelerator cannot compute runs on the host, anywhere in the graph.
//!
//! A host node reads floats: dequantized tensors, or results of other host nodes. Connected host nodes form
//! an *island*, a layer of its own with an ONNX model inside. A node's level counts the islands on the way to
//! it; nodes of one level never depend on accelerated layers that depend on the same level, so islands can be
//! run as a whole. Long chains are cut: the library plans a model recursively, on the caller's stack.

mod measure;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use prost::Message;

use super::super::constant::Constant;
use super::super::load::LoadedModel;
use super::super::portable::portable;
use super::super::proto::{GraphProto, ModelProto, TensorShapeProto, TypeProto, ValueInfoProto};
use super::super::proto::{tensor_proto::DataType, tensor_shape_proto, type_proto};
use super::super::role::is_quantized;
use super::declared::{declared, dtype_of};
use super::importer::{Fate, Guest, Importer};
use super::node::OnnxNode;
use super::order::topological;
use super::value::{Real, Refusal, Value, unsupported};
use crate::float::Engine;
use crate::graph::{DType, HostGraph, Node, Op, Tensor, TensorId};

/// The longest chain of nodes in an island. Unoptimized, the library takes 1.3 KiB of stack for each.
const DEEPEST: u32 = 1000;

impl<'a> Importer<'a> {
    /// Whether a node can run on the host: it is a float operator whose inputs are available there.
    pub(super) fn can_host(&self, n: &OnnxNode<'a>) -> bool {
        let fits = |name: &str| match self.values.get(name) {
            Some(Value::Tensor(id)) => {
                let t = self.graph.tensor(*id);
                t.quant.is_none()
            }
            Some(Value::Failed(_) | Value::Exotic(_)) | None => false,
            Some(_) => true,
        };
        let moving =
            |name: &str| !matches!(self.values.get(name), Some(Value::Constant(_) | Value::ConstantReal(_)));
        let inputs: Vec<&str> = n.proto.input.iter().map(String::as_str).filter(|i| !i.is_empty()).collect();
        self.options.host
            && !is_quantized(n.op_type())
            && !n.has_graphs()
            && inputs.iter().all(|i| fits(i))
            && inputs.iter().any(|i| moving(i))
    }

    /// Makes a node a host node, and the operators that its inputs wait for.
    pub(super) fn move_to_host(&mut self, index: usize, reason: &str) {
        if self.host.contains_key(&index) {
            return;
        }
        self.mark(index, Fate::Host(reason.into()));
        self.host.insert(index, Guest { level: 0, depth: 1, reason: reason.into() });
        let inputs: Vec<&'a str> = self.nodes[index].proto.input.iter().map(String::as_str).collect();
        let mut place = (1, 1);
        for name in inputs.into_iter().filter(|n| !n.is_empty()) {
            let Some(value) = self.values.get(name).cloned() else { continue };
            self.value_to_host(name, &value, "its result stays float");
            place = place.max(self.place_for_host(name));
        }
        if let Some(guest) = self.host.get_mut(&index) {
            (guest.level, guest.depth) = place;
        }
    }

    /// A float value that no quantizer completes: its nodes run on the host, but for products of quantized
    /// operands, which leave the array as floats.
    pub(super) fn value_to_host(&mut self, name: &str, value: &Value, reason: &str) {
        if self.of_array(name, value) && self.float_tensor(name, value).is_ok() {
            return;
        }
        let nodes = match value {
            Value::Pending(p) => p.nodes.clone(),
            Value::Real(r) if r.plain().is_none() => r.nodes.clone(),
            _ => return,
        };
        // The float view of a tensor is a layer of its own, not a host node.
        let view = |name: &String| match self.values.get(name.as_str()) {
            Some(Value::Real(r)) => r.plain().is_some(),
            Some(product @ Value::Pending(_)) => self.of_array(name, product),
            _ => false,
        };
        let computes = |i: &usize| {
            let n = &self.nodes[*i];
            n.op_type() != "DequantizeLinear" && !n.proto.output.first().is_some_and(view)
        };
        for i in nodes.into_iter().filter(computes).collect::<Vec<_>>() {
            self.move_to_host(i, reason);
        }
    }

    /// Level and depth of a host node that reads this value.
    fn place_for_host(&self, name: &str) -> (u32, u32) {
        if let Some(guest) = self.producers.get(name).and_then(|i| self.host.get(i)) {
            let cut = guest.depth >= DEEPEST;
            return if cut { (guest.level + 1, 1) } else { (guest.level, guest.depth + 1) };
        }
        let level = match self.values.get(name) {
            Some(Value::Tensor(id)) => self.level_of(*id) + 1,
            Some(Value::Real(real)) => {
                real.tensors().into_iter().map(|id| self.level_of(id)).max().unwrap_or(0) + 1
            }
            Some(Value::Pending(p)) => p.inputs.iter().map(|id| self.level_of(*id)).max().unwrap_or(0) + 1,
            _ => 1,
        };
        (level, 1)
    }

    pub(super) fn level_of(&self, id: TensorId) -> u32 {
        self.levels.get(&id).copied().unwrap_or(0)
    }

    /// The f32 tensor of a float view, made by a Dequantize layer on first use.
    pub(super) fn float_view(&mut self, name: &str, real: &Real) -> Option<TensorId> {
        let tensor = real.plain()?;
        if self.graph.tensor(tensor).dtype == DType::F32 {
            return Some(tensor);
        }
        if let Some(id) = self.floats.get(name) {
            return Some(*id);
        }
        let shape = self.graph.tensor(tensor).shape.clone();
        let output = Tensor { name: name.into(), shape, dtype: DType::F32, quant: None };
        // A tensor that was moved in the float view has no quantizer to name it; the name belongs to the
        // float one.
        let own = real.nodes.last().copied().or_else(|| self.producers.get(name).copied()).unwrap_or(0);
        if real.unnamed && self.graph.tensor(tensor).name == name {
            self.graph.tensors[tensor.0 as usize].name = format!("{name}.quantized");
        }
        let id = self.layer(own, Op::Dequantize, vec![tensor], output, &real.nodes);
        self.floats.insert(name.into(), id);
        Some(id)
    }

    /// The tensor of a host value that the accelerator, another island or the graph's user reads.
    pub(super) fn host_tensor(&mut self, name: &'a str) -> Result<TensorId, Refusal> {
        if let Some(id) = self.host_tensors.get(name) {
            return Ok(*id);
        }
        let Some(&producer) = self.producers.get(name) else { return unsupported("nothing computes it") };
        let info = self.declared.get(name);
        let known = info.and_then(|i| declared(i, &self.options.dims(name)).ok());
        let (shape, dtype) = match known.and_then(|(shape, elem)| Some((shape, dtype_of(elem)?))) {
            Some(known) => known,
            None => self.infer(name)?,
        };
        if shape.contains(&0) {
            return unsupported(format!("the extents of \"{name}\" depend on data"));
        }
        let id = self.tensor(Tensor { name: name.into(), shape, dtype, quant: None });
        let level = self.host.get(&producer).map_or(1, |g| g.level);
        self.levels.insert(id, level);
        self.host_tensors.insert(name, id);
        Ok(id)
    }

    /// Adds the host layers, and puts all layers in order.
    pub(super) fn host_layers(&mut self, model: &LoadedModel) -> Result<(), (usize, Refusal)> {
        self.opsets.clone_from(&model.model.opset_import);
        let mut readers: BTreeMap<&'a str, Vec<usize>> = BTreeMap::new();
        for &i in self.host.keys() {
            for name in &self.nodes[i].proto.input {
                readers.entry(name).or_default().push(i);
            }
        }
        for members in self.islands() {
            let first = members.iter().next().copied().unwrap_or(0);
            self.host_layer(&members, &readers).map_err(|e| (first, e))?;
        }
        self.sort_layers();
        Ok(())
    }

    /// Host nodes by level; within a level, grouped by connection.
    fn islands(&self) -> Vec<BTreeSet<usize>> {
        // Union-find: each node points towards the first of its set.
        let mut first: BTreeMap<usize, usize> = self.host.keys().map(|i| (*i, *i)).collect();
        fn root(first: &mut BTreeMap<usize, usize>, mut i: usize) -> usize {
            while first[&i] != i {
                let above = first[&first[&i]];
                first.insert(i, above);
                i = above;
            }
            i
        }
        for (&i, guest) in &self.host {
            for name in &self.nodes[i].proto.input {
                let Some(&before) = self.producers.get(name.as_str()) else { continue };
                if self.host.get(&before).is_some_and(|g| g.level == guest.level) {
                    let (a, b) = (root(&mut first, i), root(&mut first, before));
                    first.insert(a.max(b), a.min(b));
                }
            }
        }
        let mut islands: BTreeMap<(u32, usize), BTreeSet<usize>> = BTreeMap::new();
        for (&i, guest) in &self.host {
            let own = root(&mut first, i);
            islands.entry((guest.level, own)).or_default().insert(i);
        }
        islands.into_values().collect()
    }

    fn host_layer(
        &mut self,
        members: &BTreeSet<usize>,
        readers: &BTreeMap<&'a str, Vec<usize>>,
    ) -> Result<(), Refusal> {
        let made: Vec<&'a str> = members
            .iter()
            .flat_map(|i| &self.nodes[*i].proto.output)
            .map(String::as_str)
            .filter(|s| !s.is_empty())
            .collect();
        let read_outside =
            |name: &str| readers.get(name).is_some_and(|list| list.iter().any(|i| !members.contains(i)));
        let leaves = |name: &&'a str| {
            self.host_tensors.contains_key(*name) || read_outside(name) || self.outputs.contains(*name)
        };
        let leaving: Vec<&'a str> = made.iter().copied().filter(leaves).collect();
        let outputs = leaving.iter().map(|name| self.host_tensor(name)).collect::<Result<Vec<_>, _>>()?;
        if outputs.is_empty() {
            return Ok(());
        }
        let macs = self.host_macs(members)?;
        let part = self.island(members)?;
        let infos = outputs
            .iter()
            .map(|id| value_info(&self.graph.tensor(*id).name, self.graph.tensor(*id)))
            .collect();
        let host = self.model_of(&part, infos)?;
        self.tried(&part, &host, &outputs)?;
        let first = members.iter().next().copied().unwrap_or(0);
        let reason = self.host.get(&first).map_or_else(String::new, |g| g.reason.clone());
        let name = self.layer_name(first);
        let node = Node {
            op: Op::Host(HostGraph {
                model: Arc::from(host.encode_to_vec()),
                op_types: repeats(members.iter().map(|i| self.nodes[*i].qualified_type())),
                reason,
                onnxruntime: matches!(self.options.engine, Engine::OnnxRuntime(_)),
                macs,
            }),
            inputs: part.inputs.iter().map(|(_, id)| *id).collect(),
            outputs,
            onnx_nodes: members.iter().map(|i| self.nodes[*i].name.clone()).collect(),
            name,
        };
        self.graph.nodes.push(node);
        Ok(())
    }

    /// The nodes of an island with the constants that they need, and the tensors that they read.
    fn island(&mut self, members: &BTreeSet<usize>) -> Result<Island<'a>, Refusal> {
        let made: BTreeSet<&str> =
            members.iter().flat_map(|i| &self.nodes[*i].proto.output).map(String::as_str).collect();
        let read: BTreeSet<&'a str> = members
            .iter()
            .flat_map(|i| &self.nodes[*i].proto.input)
            .map(String::as_str)
            .filter(|s| !s.is_empty() && !made.contains(s))
            .collect();
        let mut island = Island::default();
        island.nodes.extend(members);
        for name in read {
            match self.values.get(name).cloned() {
                Some(Value::Real(real)) if real.plain().is_some() => {
                    island.inputs.extend(self.float_view(name, &real).map(|id| (name.to_string(), id)));
                }
                Some(Value::Tensor(id)) => island.inputs.push((name.into(), id)),
                Some(value @ (Value::Real(_) | Value::Pending(_))) if self.of_array(name, &value) => {
                    island.inputs.push((name.into(), self.float_tensor(name, &value)?));
                }
                Some(Value::Host | Value::Real(_) | Value::Pending(_)) => {
                    island.inputs.push((name.into(), self.host_tensor(name)?));
                }
                Some(_) => self.constant_sources(name, &mut island),
                None => {}
            }
        }
        // Tensors are named in the island's model as they are in the graph.
        for (name, id) in &mut island.inputs {
            let tensor = &self.graph.tensor(*id).name;
            if name != tensor {
                island.renamed.push((name.clone(), tensor.clone()));
                name.clone_from(tensor);
            }
        }
        Ok(island)
    }

    /// The model of an island, rewritten so that the float library computes what ONNX defines.
    fn model_of(&self, island: &Island, outputs: Vec<ValueInfoProto>) -> Result<ModelProto, Refusal> {
        let mut model = self.written(island, outputs);
        self.in_words(&mut model)?;
        Ok(model)
    }

    /// Rewrites a model so that the library for host layers computes what ONNX defines. ONNX Runtime needs no
    /// rewriting.
    pub(super) fn in_words(&self, model: &mut ModelProto) -> Result<(), Refusal> {
        match self.options.engine {
            Engine::OnnxRuntime(_) => Ok(()),
            Engine::Rten => portable(model).map(|_| ()).map_err(Refusal::Unsupported),
        }
    }

    fn written(&self, island: &Island, outputs: Vec<ValueInfoProto>) -> ModelProto {
        let given = |t: &&super::super::proto::TensorProto| island.initializers.contains(t.name());
        let renamed: BTreeMap<&str, &str> =
            island.renamed.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
        let rename = |name: &mut String| {
            if let Some(to) = renamed.get(name.as_str()) {
                *name = (*to).to_string();
            }
        };
        let node = |i: &usize| {
            let mut node = self.nodes[*i].proto.clone();
            node.input.iter_mut().for_each(rename);
            // The library's errors name the node; nodes without a name get the one used elsewhere. Values
            // come first: the library has one list of names for both.
            let own = &self.nodes[*i].name;
            if node.name().is_empty() && !self.producers.contains_key(own.as_str()) {
                node.name = Some(own.clone());
            }
            node
        };
        let graph = GraphProto {
            name: Some(format!("{}.host", self.proto.name())),
            node: island.nodes.iter().map(node).collect(),
            initializer: self
                .proto
                .initializer
                .iter()
                .filter(given)
                .cloned()
                .chain(island.constants.iter().cloned())
                .collect(),
            input: island.inputs.iter().map(|(name, id)| value_info(name, self.graph.tensor(*id))).collect(),
            output: outputs,
            ..GraphProto::default()
        };
        ModelProto {
            ir_version: Some(9),
            opset_import: self.opsets.clone(),
            producer_name: Some("rcar-iss".into()),
            graph: Some(graph),
            ..ModelProto::default()
        }
    }

    /// Initializers, values computed at import, and nodes that a constant comes from.
    fn constant_sources(&self, name: &'a str, island: &mut Island<'a>) {
        match (self.producers.get(name), self.values.get(name)) {
            (None, _) => {
                island.initializers.insert(name);
            }
            // Computed at import, perhaps from the shape of a value that the island does not have.
            (Some(_), Some(Value::Constant(c))) => island.constant(name, c),
            (Some(_), Some(Value::ConstantReal(c))) => island.constant(name, &c.dequantized()),
            (Some(&i), _) => {
                if island.nodes.insert(i) {
                    for input in self.nodes[i].proto.input.iter().filter(|i| !i.is_empty()) {
                        self.constant_sources(input, island);
                    }
                }
            }
        }
    }

    /// Sorts layers topologically; those that can run early stay early.
    fn sort_layers(&mut self) {
        let mut producer: BTreeMap<TensorId, usize> = BTreeMap::new();
        for (i, n) in self.graph.nodes.iter().enumerate() {
            producer.extend(n.outputs.iter().map(|id| (*id, i)));
        }
        let needs =
            |i: usize| self.graph.nodes[i].inputs.iter().filter_map(|id| producer.get(id)).copied().collect();
        let order = topological(self.graph.nodes.len(), needs);
        let mut nodes: Vec<Option<Node>> =
            std::mem::take(&mut self.graph.nodes).into_iter().map(Some).collect();
        self.graph.nodes = order.into_iter().filter_map(|i| nodes[i].take()).collect();
    }
}

/// Parts of an island's model.
#[derive(Default)]
struct Island<'a> {
    nodes: BTreeSet<usize>,
    initializers: BTreeSet<&'a str>,
    /// Values that were computed at import.
    constants: Vec<super::super::proto::TensorProto>,
    inputs: Vec<(String, TensorId)>,
    /// Inputs whose tensor has another name.
    renamed: Vec<(String, String)>,
}

impl Island<'_> {
    fn constant(&mut self, name: &str, value: &Constant) {
        if self.constants.iter().all(|t| t.name() != name) {
            self.constants.push(value.to_proto(name));
        }
    }
}

/// Operator types in order, with consecutive ones counted: `Relu ×8000`.
fn repeats(types: impl Iterator<Item = String>) -> Vec<String> {
    let mut runs: Vec<(String, usize)> = Vec::new();
    for t in types {
        match runs.last_mut() {
            Some((last, count)) if *last == t => *count += 1,
            _ => runs.push((t, 1)),
        }
    }
    runs.into_iter().map(|(t, count)| if count == 1 { t } else { format!("{t} ×{count}") }).collect()
}

/// An output of which only the name is known.
pub(super) fn named(name: &str) -> ValueInfoProto {
    ValueInfoProto { name: Some(name.into()), ..ValueInfoProto::default() }
}

/// A tensor as the input or output of a model.
pub(super) fn value_info(name: &str, tensor: &Tensor) -> ValueInfoProto {
    let elem = match tensor.dtype {
        DType::F32 => DataType::Float,
        DType::U8 => DataType::Uint8,
        DType::S8 => DataType::Int8,
        DType::U16 => DataType::Uint16,
        DType::S16 => DataType::Int16,
        DType::S32 => DataType::Int32,
        DType::S64 => DataType::Int64,
        DType::Bool => DataType::Bool,
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

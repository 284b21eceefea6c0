//! ONNX → integer graph.
//!
//! One pass over the nodes in topological order. Every ONNX value becomes a `Value`: a constant, a tensor of the
//! integer graph, the float view of one (behind a DequantizeLinear), or an operator that waits for its quantizer.
//! QOperator nodes name their quantization themselves; in QDQ form `DequantizeLinear → operator → QuantizeLinear` is
//! one operator, completed by the last. Both ways meet in `complete.rs`, so both forms give the same integer operators.
//!
//! `operators.rs` lists what is understood. All unsupported nodes are reported at once. Float operators from which no
//! quantizer is reachable become one *host* layer (`tail.rs`); `clamp.rs` fuses tables that only clamp.

mod clamp;
mod complete;
mod constants;
mod elementwise;
mod function;
mod mac;
mod movement;
mod node;
mod operators;
mod pool;
mod quantizers;
mod tail;
mod unary;
mod value;
mod window;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::constant::Constant;
use super::load::LoadedModel;
use super::proto::{GraphProto, ValueInfoProto, tensor_proto::DataType, tensor_shape_proto, type_proto};
use crate::graph::{DType, Graph, Node, Op, Quant, Removed, Tensor, TensorId};
use node::OnnxNode;
pub use operators::supported;
use value::{Refusal, Value};

/// What the user can ask of the import.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// Tensors that no fusion may remove.
    pub observe: Observe,
    /// Shapes of graph inputs, where the model leaves them open.
    pub shapes: BTreeMap<String, Vec<usize>>,
}

/// Tensors to keep.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Observe {
    /// Fuse whatever can be fused.
    #[default]
    Nothing,
    /// Keep every integer tensor of the model.
    All,
    /// Keep these ONNX values.
    Named(BTreeSet<String>),
}

impl Observe {
    fn holds(&self, tensor: &str) -> bool {
        match self {
            Observe::Nothing => false,
            Observe::All => true,
            Observe::Named(names) => names.contains(tensor),
        }
    }
}

/// What became of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeStatus {
    /// It is a layer.
    Layer,
    /// It is part of a layer.
    Fused,
    /// It was computed at import: it depends on constants only, or changes nothing.
    Folded,
    /// It runs on the host.
    Host,
    /// It cannot be compiled.
    Unsupported,
    /// It may be fine, but an unsupported node feeds it.
    Unreached,
}

/// One ONNX node and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRow {
    /// Name; made from type and position where the model gives none.
    pub name: String,
    /// Operator type, with its domain if that is not ONNX's own.
    pub op_type: String,
    /// What became of it.
    pub status: NodeStatus,
    /// Layer, or reason.
    pub detail: String,
}

/// An imported model.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The integer graph.
    pub graph: Graph,
    /// One per node, in the model's order.
    pub rows: Vec<NodeRow>,
}

/// Why a model is not imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file breaks ONNX's own rules.
    #[error("{place}: {reason}")]
    Malformed {
        /// Node, initializer or input.
        place: String,
        /// Which rule.
        reason: String,
    },
    /// Nodes, inputs or outputs that cannot be compiled; all of them.
    #[error("{} of {} nodes cannot be compiled", .rows.iter().filter(|r| r.status == NodeStatus::Unsupported).count(), .rows.len())]
    Unsupported {
        /// One per node, in the model's order; inputs and outputs that cannot be compiled at the end.
        rows: Vec<NodeRow>,
    },
    /// A tensor to observe that the model does not have.
    #[error("the model has no tensor \"{name}\" to observe")]
    NoSuchTensor {
        /// As asked for.
        name: String,
    },
}

/// Brings a model to the integer graph.
///
/// # Errors
/// See [`ImportError`].
pub fn import(model: &LoadedModel, options: &ImportOptions) -> Result<Imported, ImportError> {
    let proto = model.graph();
    check_observed(proto, &options.observe)?;
    let nodes = node::sorted(proto)?;
    let mut importer = Importer::new(proto, &nodes, options)?;
    for n in &nodes {
        importer.node(n)?;
    }
    let failed_outputs = importer.outputs();
    importer.host_layer(model);
    importer.list_removed();
    clamp::fuse(&mut importer.graph, &options.observe);
    let mut rows = importer.rows();
    rows.extend(failed_outputs);
    if rows.iter().any(|r| r.status == NodeStatus::Unsupported) {
        return Err(ImportError::Unsupported { rows });
    }
    Ok(Imported { graph: importer.graph, rows })
}

fn check_observed(proto: &GraphProto, observe: &Observe) -> Result<(), ImportError> {
    let Observe::Named(names) = observe else { return Ok(()) };
    let known: BTreeSet<&str> = proto
        .node
        .iter()
        .flat_map(|n| &n.output)
        .map(String::as_str)
        .chain(proto.input.iter().map(|i| i.name()))
        .collect();
    match names.iter().find(|n| !known.contains(n.as_str())) {
        Some(name) => Err(ImportError::NoSuchTensor { name: name.clone() }),
        None => Ok(()),
    }
}

/// What happened to a node so far.
#[derive(Debug, Clone)]
enum Fate {
    Pending,
    Layer(String),
    Fused(String),
    Folded(String),
    Host,
    Unsupported(String),
    Unreached,
}

/// The state of an import.
pub(super) struct Importer<'a> {
    proto: &'a GraphProto,
    nodes: &'a [OnnxNode<'a>],
    options: &'a ImportOptions,
    values: BTreeMap<&'a str, Value>,
    graph: Graph,
    fates: Vec<Fate>,
    /// Whether no quantizer can be reached from the node.
    ends_in_float: Vec<bool>,
    /// Nodes of the host layer.
    host: BTreeSet<usize>,
    /// Why a node runs on the host.
    host_reason: String,
    layer_names: BTreeSet<String>,
    /// How often a layer's name was wanted again.
    repeats: BTreeMap<String, u32>,
    /// Float tensors that were made on demand, by ONNX name.
    floats: BTreeMap<String, TensorId>,
}

impl<'a> Importer<'a> {
    fn new(
        proto: &'a GraphProto,
        nodes: &'a [OnnxNode<'a>],
        options: &'a ImportOptions,
    ) -> Result<Importer<'a>, ImportError> {
        let mut importer = Importer {
            proto,
            nodes,
            options,
            values: BTreeMap::new(),
            graph: Graph { name: proto.name().to_string(), ..Graph::default() },
            fates: vec![Fate::Pending; nodes.len()],
            ends_in_float: tail::ends_in_float(nodes),
            host: BTreeSet::new(),
            host_reason: String::new(),
            layer_names: BTreeSet::new(),
            repeats: BTreeMap::new(),
            floats: BTreeMap::new(),
        };
        for t in &proto.initializer {
            let constant = Constant::read(t).map_err(|reason| ImportError::Malformed {
                place: format!("initializer \"{}\"", t.name()),
                reason,
            });
            // An initializer of an exotic type matters only to the node that reads it.
            let value = match constant {
                Ok(c) => Value::Constant(Rc::new(c)),
                Err(ImportError::Malformed { reason, .. }) if reason.contains("is not supported") => {
                    Value::Exotic(reason)
                }
                Err(e) => return Err(e),
            };
            importer.values.insert(t.name(), value);
        }
        for input in &proto.input {
            if !importer.values.contains_key(input.name()) {
                importer.input(input)?;
            }
        }
        Ok(importer)
    }

    fn input(&mut self, info: &'a ValueInfoProto) -> Result<(), ImportError> {
        let malformed =
            |reason: String| ImportError::Malformed { place: format!("input \"{}\"", info.name()), reason };
        let (shape, elem) =
            declared(info, self.options.shapes.get(info.name()).map(Vec::as_slice)).map_err(malformed)?;
        let dtype = dtype_of(elem).filter(|d| matches!(d, DType::F32 | DType::U8 | DType::S8));
        let Some(dtype) = dtype else {
            return Err(malformed(format!(
                "its element type is {}; float, uint8 and int8 are supported",
                DataType::try_from(elem).map_or("unknown", |d| d.as_str_name())
            )));
        };
        let id = self.tensor(Tensor { name: info.name().into(), shape, dtype, quant: None });
        self.graph.inputs.push(id);
        self.values.insert(info.name(), Value::Tensor(id));
        Ok(())
    }

    /// Adds a tensor without a producer.
    fn tensor(&mut self, tensor: Tensor) -> TensorId {
        let id = TensorId(self.graph.tensors.len() as u32);
        self.graph.tensors.push(tensor);
        id
    }

    /// Adds a layer with one output. `nodes` are the ONNX nodes that it absorbs, `own` the one that names it.
    fn layer(
        &mut self,
        own: usize,
        op: Op,
        inputs: Vec<TensorId>,
        output: Tensor,
        nodes: &[usize],
    ) -> TensorId {
        let id = self.tensor(output);
        let name = self.layer_name(own);
        let mut absorbed: Vec<usize> = nodes.to_vec();
        absorbed.push(own);
        absorbed.sort_unstable();
        absorbed.dedup();
        for &i in &absorbed {
            self.mark(i, if i == own { Fate::Layer(name.clone()) } else { Fate::Fused(name.clone()) });
        }
        let onnx_nodes = absorbed.iter().map(|i| self.nodes[*i].name.clone()).collect();
        self.graph.nodes.push(Node { name, op, inputs, outputs: vec![id], onnx_nodes });
        id
    }

    /// The name of the node, with a number if a layer has it already.
    fn layer_name(&mut self, own: usize) -> String {
        let base = self.nodes[own].name.clone();
        let mut name = base.clone();
        while !self.layer_names.insert(name.clone()) {
            let number = self.repeats.entry(base.clone()).or_insert(1);
            *number += 1;
            name = format!("{base}#{number}");
        }
        name
    }

    fn mark(&mut self, index: usize, fate: Fate) {
        // A node may be part of several layers; the first says enough, and being a layer says most.
        let stronger =
            matches!(fate, Fate::Layer(_) | Fate::Host) || matches!(self.fates[index], Fate::Pending);
        if stronger {
            self.fates[index] = fate;
        }
    }

    fn node(&mut self, n: &'a OnnxNode<'a>) -> Result<(), ImportError> {
        let result = operators::find(n).map_or_else(
            || Err(Refusal::Unsupported(format!("operator {} is not implemented", n.op_type()))),
            |op| (op.import)(self, n),
        );
        let refused = match result {
            Ok(value) => {
                if let Some(output) = n.output() {
                    if let Value::Constant(_) | Value::ConstantReal(_) = value {
                        self.mark(n.index, Fate::Folded("a constant".into()));
                    }
                    self.values.insert(output, value);
                }
                return Ok(());
            }
            Err(refusal) => refusal,
        };
        let value = match refused {
            Refusal::Malformed(reason) => {
                return Err(ImportError::Malformed { place: format!("node \"{}\"", n.name), reason });
            }
            Refusal::Unsupported(reason) if self.can_host(n) => {
                self.move_to_host(n.index);
                if self.host_reason.is_empty() {
                    self.host_reason = reason;
                }
                Value::Host
            }
            Refusal::Unsupported(reason) => {
                self.fates[n.index] = Fate::Unsupported(reason);
                Value::Failed(None)
            }
            Refusal::Unreached => {
                self.fates[n.index] = match self.value(n, 1) {
                    Ok(Value::Constant(c))
                        if c.floats().is_some() && matches!(n.op_type(), "Conv" | "Gemm" | "MatMul") =>
                    {
                        Fate::Unsupported(format!("a float {}: quantize the model first", n.op_type()))
                    }
                    _ => Fate::Unreached,
                };
                Value::Failed(None)
            }
        };
        for output in n.proto.output.iter().filter(|o| !o.is_empty()) {
            let mut value = value.clone();
            if let Value::Failed(shape) = &mut value {
                let info = self.proto.value_info.iter().find(|i| i.name() == output);
                *shape = info.and_then(|i| declared(i, None).ok()).map(|(shape, _)| shape);
            }
            self.values.insert(output, value);
        }
        Ok(())
    }

    /// Names the graph's outputs; returns a row for each that cannot be one.
    fn outputs(&mut self) -> Vec<NodeRow> {
        let mut rows = Vec::new();
        let proto = self.proto;
        for info in &proto.output {
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
                    let made = self.nodes.iter().position(|n| n.proto.output.iter().any(|o| o == name));
                    match made {
                        _ if t.name == name && self.graph.producer(id).is_some() => {
                            self.graph.outputs.push(id)
                        }
                        // Only another name of a tensor: the output is a copy, or lies in the same place.
                        Some(own) if t.dtype.int_range().is_some() => {
                            let output = Tensor { name: name.into(), ..t };
                            let id = self.layer(own, Op::Reshape, vec![id], output, &[]);
                            self.graph.outputs.push(id);
                        }
                        _ => rows.push(failed("it is only another name of an input; nothing computes it")),
                    }
                }
                Some(Value::Real(real)) if real.functions.is_empty() => {
                    let id = self.float_view(name, &real);
                    self.graph.outputs.push(id);
                }
                Some(value @ (Value::Real(_) | Value::Pending(_))) => self.value_to_host(&value),
                Some(Value::Host | Value::Failed(_)) => {}
                Some(Value::Constant(_) | Value::ConstantReal(_)) => rows.push(failed("it is a constant")),
                Some(Value::Exotic(reason)) => rows.push(failed(&reason)),
                None => rows.push(failed("no node computes it")),
            }
        }
        rows
    }

    /// Every ONNX value that has no tensor in the graph, with its reason.
    fn list_removed(&mut self) {
        let kept: BTreeSet<&str> = self.graph.tensors.iter().map(|t| t.name.as_str()).collect();
        let mut removed = Vec::new();
        for n in self.nodes {
            for output in n.proto.output.iter().filter(|o| !o.is_empty() && !kept.contains(o.as_str())) {
                let reason = match self.values.get(output.as_str()) {
                    Some(Value::Constant(_) | Value::ConstantReal(_)) => continue,
                    Some(Value::Tensor(id)) => format!("the same bytes as \"{}\"", self.graph.tensor(*id).name),
                    Some(Value::Real(r)) => {
                        format!("a float view of \"{}\", which is kept", self.graph.tensor(r.tensor).name)
                    }
                    Some(Value::Pending(_)) => {
                        "a float value between two quantizers; the accelerator computes the operator in integers".into()
                    }
                    Some(Value::Host) => "a value inside the host layer".into(),
                    _ => continue,
                };
                removed.push(Removed { tensor: output.clone(), reason });
            }
        }
        self.graph.removed = removed;
    }

    fn rows(&self) -> Vec<NodeRow> {
        let row = |n: &OnnxNode| {
            let (status, detail) = match &self.fates[n.index] {
                Fate::Layer(layer) => (NodeStatus::Layer, layer.clone()),
                Fate::Fused(layer) => (NodeStatus::Fused, layer.clone()),
                Fate::Folded(how) => (NodeStatus::Folded, how.clone()),
                Fate::Pending => (NodeStatus::Folded, "nothing that is kept depends on it".into()),
                Fate::Host => (NodeStatus::Host, "runs on the host".into()),
                Fate::Unsupported(reason) => (NodeStatus::Unsupported, reason.clone()),
                Fate::Unreached => (NodeStatus::Unreached, "an unsupported node feeds it".into()),
            };
            NodeRow { name: n.name.clone(), op_type: n.qualified_type(), status, detail }
        };
        self.nodes.iter().map(row).collect()
    }

    /// Sets the quantization of a tensor, or checks it bit for bit.
    fn quantized(&mut self, id: TensorId, quant: Quant) -> Result<(), Refusal> {
        let tensor = &mut self.graph.tensors[id.0 as usize];
        match tensor.quant {
            None if tensor.dtype.int_range().is_some() => {
                tensor.quant = Some(quant);
                Ok(())
            }
            Some(known) if same_quant(known, quant) => Ok(()),
            Some(known) => Err(Refusal::Unsupported(format!(
                "it reads \"{}\" with scale {} and zero point {}, which was written with {} and {}",
                tensor.name, quant.scale, quant.zero_point, known.scale, known.zero_point
            ))),
            None => Err(Refusal::Unsupported(format!(
                "it reads the float tensor \"{}\" as integers",
                tensor.name
            ))),
        }
    }
}

fn same_quant(a: Quant, b: Quant) -> bool {
    a.scale.to_bits() == b.scale.to_bits() && a.zero_point == b.zero_point
}

fn dtype_of(elem: i32) -> Option<DType> {
    Some(match DataType::try_from(elem).ok()? {
        DataType::Float => DType::F32,
        DataType::Uint8 => DType::U8,
        DataType::Int8 => DType::S8,
        DataType::Int32 => DType::S32,
        DataType::Int64 => DType::S64,
        _ => return None,
    })
}

/// Shape and element type that a graph input or output declares. A leading extent without a number is the batch: 1.
fn declared(info: &ValueInfoProto, given: Option<&[usize]>) -> Result<(Vec<usize>, i32), String> {
    let Some(type_proto::Value::TensorType(t)) = info.r#type.as_ref().and_then(|t| t.value.as_ref()) else {
        return Err("it is no tensor".into());
    };
    let elem = t.elem_type();
    if let Some(given) = given {
        return if given.contains(&0) { Err("an extent is 0".into()) } else { Ok((given.to_vec(), elem)) };
    }
    let Some(shape) = &t.shape else {
        return Err("the model gives it no shape; name one with --shape".into());
    };
    let mut dims = Vec::new();
    for (axis, d) in shape.dim.iter().enumerate() {
        use tensor_shape_proto::dimension::Value as Dim;
        match &d.value {
            Some(Dim::DimValue(n)) => match usize::try_from(*n) {
                Ok(n) if n > 0 && n < 1 << 40 => dims.push(n),
                _ if axis == 0 && *n <= 0 => dims.push(1),
                _ => return Err(format!("axis {axis} has the extent {n}")),
            },
            _ if axis == 0 => dims.push(1),
            Some(Dim::DimParam(p)) => {
                return Err(format!(
                    "axis {axis} has the open extent \"{p}\"; fix it with --shape {}=…",
                    info.name()
                ));
            }
            None => return Err(format!("axis {axis} has no extent; fix it with --shape {}=…", info.name())),
        }
    }
    match dims.iter().try_fold(1_usize, |n, d| n.checked_mul(*d)) {
        Some(n) if n < 1 << 40 => Ok((dims, elem)),
        _ => Err(format!("its shape {dims:?} is absurdly large")),
    }
}

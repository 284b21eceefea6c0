//! ONNX → integer graph.
//!
//! One pass over the nodes in topological order. Every ONNX value becomes a `Value`: a constant, a tensor of the
//! integer graph, the float view of one (behind a DequantizeLinear), or an operator that waits for its quantizer.
//! QOperator nodes name their quantization themselves; in QDQ form `DequantizeLinear → operator → QuantizeLinear` is
//! one operator, completed by the last. Both ways meet in `complete.rs`, so both forms give the same integer operators.
//!
//! `operators.rs` lists what is understood. All unsupported nodes are reported at once. What depends on constants alone is
//! computed here (`fold.rs`); operators that stay float become *host* layers (`host.rs`); at the end the graph is
//! [fused](fuse).

mod branch;
mod complete;
mod constants;
mod elementwise;
mod expr;
mod finish;
mod fold;
mod host;
mod inputs;
mod layers;
mod mac;
mod matmul;
mod movement;
mod node;
mod operators;
mod order;
mod pick;
mod pool;
mod quantizers;
mod resize;
mod roundings;
mod select;
mod unary;
mod value;
mod window;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::constant::Constant;
use super::load::LoadedModel;
use super::proto::tensor_proto::DataType;
use super::proto::{GraphProto, ModelProto, NodeProto, OperatorSetIdProto, ValueInfoProto};
use super::schema;
use crate::float::Engine;
use crate::graph::fuse::{self, FuseOptions};
use crate::graph::{Graph, Quant, TensorId};
use crate::isa::Profile;
use inputs::{declared, dtype_of};
use node::OnnxNode;
pub(crate) use node::defect;
pub use operators::supported;
use value::{Refusal, Value, unsupported};

/// What the user can ask of the import.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// Tensors that no fusion may remove.
    pub observe: Observe,
    /// Shapes of graph inputs, where the model leaves them open.
    pub shapes: BTreeMap<String, Vec<usize>>,
    /// Extents that the model names instead of giving a number (`batch`, `height`).
    pub symbols: BTreeMap<String, usize>,
    /// Whether operators that the accelerator does not have may run on the host.
    pub host: bool,
    /// What runs host layers.
    pub engine: Engine,
    /// How the machine will round, which decides what can be fused.
    pub profile: Profile,
}

impl Default for ImportOptions {
    fn default() -> ImportOptions {
        ImportOptions {
            observe: Observe::default(),
            shapes: BTreeMap::new(),
            symbols: BTreeMap::new(),
            host: true,
            engine: Engine::default(),
            profile: Profile::default(),
        }
    }
}

impl ImportOptions {
    /// The extents of a graph input: as given, else as the model declares them. An open batch is 1.
    ///
    /// # Errors
    /// An extent is open and not given, or absurd.
    pub fn shape_of(&self, input: &ValueInfoProto) -> Result<Vec<usize>, String> {
        declared(input, &self.dims(input.name())).map(|(shape, _)| shape)
    }

    /// What is said about the extents of a value.
    fn dims(&self, name: &str) -> Given<'_> {
        Given { shape: self.shapes.get(name).map(Vec::as_slice), symbols: &self.symbols }
    }
}

/// Extents that the user gives.
struct Given<'a> {
    shape: Option<&'a [usize]>,
    symbols: &'a BTreeMap<String, usize>,
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
    check_observed(model.graph(), &options.observe)?;
    let mut flat: Option<LoadedModel> = None;
    loop {
        let model = flat.as_ref().unwrap_or(model);
        match pass(model, options)? {
            Pass::Done(imported) => return Ok(imported),
            Pass::Branches(branches) => {
                let graph = Some(branch::inlined(model.graph(), &branches)?);
                flat = Some(LoadedModel {
                    model: ModelProto { graph, ..model.model.clone() },
                    data: Vec::new(),
                });
            }
        }
    }
}

/// What one pass over a graph gives.
enum Pass {
    Done(Imported),
    /// If nodes stand in the way, and it is known which branch they take.
    Branches(branch::Branches),
}

fn pass(model: &LoadedModel, options: &ImportOptions) -> Result<Pass, ImportError> {
    let proto = model.graph();
    let nodes = node::sorted(proto)?;
    let mut importer = Importer::new(model, &nodes, options)?;
    let types = schema::check_types(proto, &model.model.opset_import);
    importer.element_types = types.values;
    let contradictions: BTreeMap<*const NodeProto, String> =
        types.reports.into_iter().map(|(i, why)| (std::ptr::from_ref(&proto.node[i]), why)).collect();
    for n in &nodes {
        match contradictions.get(&std::ptr::from_ref(n.proto)) {
            Some(why) => importer.refuse(n, why),
            None => importer.node(n)?,
        }
    }
    if !importer.branches.is_empty() {
        return Ok(Pass::Branches(importer.branches));
    }
    let failed_outputs = importer.outputs();
    if let Err((node, refusal)) = importer.host_layers(model) {
        importer.fates[node] = Fate::Unsupported(match refusal {
            Refusal::Malformed(reason) | Refusal::Unsupported(reason) => reason,
            Refusal::Unreached => "an unsupported node feeds it".into(),
        });
    }
    importer.refuse_floats();
    importer.name_moved();
    importer.list_removed();
    importer.forget_unwritten();
    let keep = |tensor: &str| options.observe.holds(tensor);
    let fused = fuse::fuse(&mut importer.graph, &FuseOptions { keep: &keep, profile: options.profile });
    let mut rows = importer.rows(&fused);
    rows.extend(failed_outputs);
    if rows.iter().any(|r| r.status == NodeStatus::Unsupported) {
        return Err(ImportError::Unsupported { rows });
    }
    Ok(Pass::Done(Imported { graph: importer.graph, rows }))
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
    Host(String),
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
    /// Which layer makes a tensor, as long as layers are only added.
    made_by: BTreeMap<TensorId, usize>,
    /// Names that tensors have or had.
    tensor_names: BTreeSet<String>,
    /// Constants that are tensors, by name and quantization (scale, by its bits, and zero point).
    constants: BTreeMap<(String, Option<(u32, i32)>), TensorId>,
    /// What the model declares of its values and outputs.
    declared: BTreeMap<&'a str, &'a ValueInfoProto>,
    /// Which node computes a value.
    producers: BTreeMap<&'a str, usize>,
    opsets: Vec<OperatorSetIdProto>,
    /// The version of ONNX's own operators.
    opset: i64,
    /// Nodes that run on the host.
    host: BTreeMap<usize, host::Guest>,
    /// Tensors that hold values of host nodes.
    host_tensors: BTreeMap<&'a str, TensorId>,
    /// How many islands of host nodes lie on the way to a tensor.
    levels: BTreeMap<TensorId, u32>,
    layer_names: BTreeSet<String>,
    /// How often a layer's name was wanted again.
    repeats: BTreeMap<String, u32>,
    /// If nodes whose condition is known.
    branches: branch::Branches,
    /// Float tensors that were made on demand, by ONNX name.
    floats: BTreeMap<String, TensorId>,
    /// Tensors that are read under another quantization than their own: scale, by its bits, and zero point.
    readings: BTreeMap<(TensorId, u32, i32), TensorId>,
    /// Element types of values, as far as the operators' signatures tell.
    element_types: BTreeMap<String, DataType>,
    /// Names of the graph's outputs.
    outputs: BTreeSet<&'a str>,
    /// Values that some node or the graph's user reads.
    read: BTreeSet<&'a str>,
    /// Sums of 32 bits that operators give out, and how they were made: a Cast makes floats of them at once.
    sums: BTreeMap<TensorId, Rc<value::Pending>>,
}

impl<'a> Importer<'a> {
    fn new(
        model: &'a LoadedModel,
        nodes: &'a [OnnxNode<'a>],
        options: &'a ImportOptions,
    ) -> Result<Importer<'a>, ImportError> {
        let proto = model.graph();
        let outputs = |n: &'a OnnxNode<'a>| {
            n.proto.output.iter().filter(|o| !o.is_empty()).map(|o| (o.as_str(), n.index))
        };
        let opsets = model.model.opset_import.clone();
        let own = opsets.iter().find(|o| matches!(o.domain(), "" | "ai.onnx"));
        let mut importer = Importer {
            proto,
            nodes,
            options,
            values: BTreeMap::new(),
            graph: Graph { name: proto.name().to_string(), ..Graph::default() },
            fates: vec![Fate::Pending; nodes.len()],
            made_by: BTreeMap::new(),
            tensor_names: BTreeSet::new(),
            constants: BTreeMap::new(),
            declared: proto.value_info.iter().chain(&proto.output).map(|v| (v.name(), v)).collect(),
            producers: nodes.iter().flat_map(outputs).collect(),
            opset: own.map_or(17, |o| o.version()),
            opsets,
            host: BTreeMap::new(),
            host_tensors: BTreeMap::new(),
            levels: BTreeMap::new(),
            layer_names: BTreeSet::new(),
            repeats: BTreeMap::new(),
            branches: BTreeMap::new(),
            floats: BTreeMap::new(),
            readings: BTreeMap::new(),
            element_types: BTreeMap::new(),
            outputs: proto.output.iter().map(|o| o.name()).collect(),
            read: read_values(proto),
            sums: BTreeMap::new(),
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

    fn mark(&mut self, index: usize, fate: Fate) {
        // A node may be part of several layers; the first says enough, and being a layer says most.
        let stronger =
            matches!(fate, Fate::Layer(_) | Fate::Host(_)) || matches!(self.fates[index], Fate::Pending);
        if stronger {
            self.fates[index] = fate;
        }
    }

    fn node(&mut self, n: &'a OnnxNode<'a>) -> Result<(), ImportError> {
        let refused = match self.values_of(n) {
            Ok(values) => {
                for (output, value) in n.proto.output.iter().zip(values).filter(|(o, _)| !o.is_empty()) {
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
                self.move_to_host(n.index, &reason);
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
                let info = self.declared.get(output.as_str());
                *shape =
                    info.and_then(|i| declared(i, &self.options.dims(output)).ok()).map(|(shape, _)| shape);
            }
            self.values.insert(output, value);
        }
        Ok(())
    }

    /// A node whose operands have types that its operator does not take.
    fn refuse(&mut self, n: &'a OnnxNode<'a>, why: &str) {
        self.fates[n.index] = Fate::Unsupported(why.to_string());
        for output in n.proto.output.iter().filter(|o| !o.is_empty()) {
            self.values.insert(output, Value::Failed(None));
        }
    }

    /// The values of a node's outputs.
    fn values_of(&mut self, n: &'a OnnxNode<'a>) -> Result<Vec<Value>, Refusal> {
        if let Some(values) = self.folded(n)? {
            return Ok(values);
        }
        if n.op_type() == "If" {
            return self.branch(n);
        }
        match operators::find(n) {
            Some(operator) => operator.run(self, n),
            None if n.op_type() == "DynamicQuantizeLinear" => unsupported(
                "its scale is known only when it runs; quantize the model statically, with calibration images",
            ),
            None => Err(Refusal::Unsupported(format!("operator {} is not implemented", n.op_type()))),
        }
    }
}

/// Values that a node, a branch of one, or the graph's user reads.
fn read_values(proto: &GraphProto) -> BTreeSet<&str> {
    fn collect<'a>(graph: &'a GraphProto, into: &mut BTreeSet<&'a str>) {
        into.extend(graph.output.iter().map(|o| o.name()));
        for n in &graph.node {
            into.extend(n.input.iter().map(String::as_str));
            n.attribute.iter().flat_map(|a| a.g.iter().chain(&a.graphs)).for_each(|g| collect(g, into));
        }
    }
    let mut read = BTreeSet::new();
    collect(proto, &mut read);
    read
}

fn same_quant(a: Quant, b: Quant) -> bool {
    a.scale.to_bits() == b.scale.to_bits() && a.zero_point == b.zero_point
}

//! ONNX → integer graph.
//!
//! One pass over the nodes in topological order. Every ONNX value becomes a `Value`: a constant, a tensor of
//! the integer graph, the float view of one (behind a DequantizeLinear), or an operator that waits for its
//! quantizer. QOperator nodes name their quantization themselves; in QDQ form
//! `DequantizeLinear → operator → QuantizeLinear` is one operator, completed by the last. Both are completed
//! in `complete.rs`, so both forms give the same integer operators.
//!
//! `operators.rs` lists the supported operators. All unsupported nodes are reported at once. What depends on
//! constants alone is computed here (`fold.rs`); operators that stay float become *host* layers (`host.rs`);
//! at the end the graph is [fused](fuse).

mod branch;
mod centred;
mod channels;
mod complete;
mod constant_real;
mod constants;
mod declared;
mod elementwise;
mod expr;
mod finish;
mod floats;
mod fold;
mod gemm;
mod host;
mod importer;
mod inputs;
mod layers;
mod lookup;
mod mac;
mod matmul;
mod movement;
mod node;
mod operators;
mod options;
mod order;
mod outcome;
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

use super::halves;
use super::load::LoadedModel;
use super::proto::{GraphProto, ModelProto, NodeProto};
use super::schema;
use crate::graph::fuse::{self, FuseOptions};
use declared::declared;
use importer::{Branches, Fate, Importer};
use node::OnnxNode;
pub(crate) use node::defect;
pub use operators::operators;
pub(crate) use operators::role;
pub use options::{ImportOptions, Observe};
pub use outcome::{ImportError, Imported, NodeRow, NodeStatus};
use value::{Refusal, Value, unsupported};

/// Imports a model as an integer graph.
///
/// # Errors
/// See [`ImportError`].
pub fn import(model: &LoadedModel, options: &ImportOptions) -> Result<Imported, ImportError> {
    check_observed(model.graph(), &options.observe)?;
    match imported(model, options) {
        // What computes with halves where it stands is exact; what cannot may have quantizers around it.
        Err(refused @ ImportError::Unsupported { .. }) => match halves::singles(&model.model) {
            Some(model) => imported(&LoadedModel { model, data: Vec::new() }, options),
            None => Err(refused),
        },
        done => done,
    }
}

/// Imports a model, and once more for each `If` whose condition became known.
fn imported(model: &LoadedModel, options: &ImportOptions) -> Result<Imported, ImportError> {
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

/// The result of one pass over a graph.
enum Pass {
    Done(Imported),
    /// There are If nodes whose condition is now known.
    Branches(Branches),
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

impl<'a> Importer<'a> {
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

    /// Refuses a node whose operands have types that its operator does not take.
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

//! The element types that operators take and return.
//!
//! ONNX gives every operator a signature for each version of its operator set: an input has element types
//! that it allows, and inputs that share a *type variable* must have the same. ONNX Runtime refuses a model
//! that breaks this before it looks for a kernel, so an importer that only checks the values it needs would
//! compile models that no other tool runs. `generated.rs` is the table of all signatures, from ONNX Runtime's
//! own registry (`tools/golden/schema.py` writes it); [`check`] compares one node with it, [`output_types`]
//! says what the node's outputs then are, and [`check_types`] follows the types through a whole graph.
//! Operators without a signature here, and values of unknown type, pass.

mod find;
#[rustfmt::skip]
mod generated;
mod given;
mod graph;
mod outputs;
mod signature;
#[cfg(test)]
mod tests;

use super::proto::{NodeProto, tensor_proto::DataType};
use find::find;
pub(crate) use given::Given;
pub(crate) use graph::check_types;
use outputs::{element, output_types};
pub(crate) use signature::short;
use signature::{Kind, Parameter, TypeSet, at, counts};

/// How a node violates its operator's signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Mismatch {
    /// An element type that the operator does not take.
    #[error("input \"{input}\" is {}, but {operator} takes {allowed} there", short(*.found))]
    NotAllowed {
        /// Operator.
        operator: String,
        /// Name in the operator's definition.
        input: String,
        /// Its type.
        found: DataType,
        /// Allowed types.
        allowed: TypeSet,
    },
    /// Two inputs that must have the same type differ.
    #[error("input \"{input}\" is {}, but \"{other}\" is {}: {operator} wants one type for both", short(*.found), short(*.bound))]
    Contradiction {
        /// Operator.
        operator: String,
        /// The later of the two.
        input: String,
        /// Its type.
        found: DataType,
        /// The earlier of the two.
        other: String,
        /// Its type.
        bound: DataType,
    },
    /// A required input or output is omitted.
    #[error("{side} \"{name}\" is left out, which {operator} does not allow")]
    LeftOut {
        /// Operator.
        operator: String,
        /// `input` or `output`.
        side: &'static str,
        /// Name in the operator's definition.
        name: String,
    },
    /// Too few or too many inputs or outputs.
    #[error("it has {found} {side}s, but {operator} has {}", range(*.least, *.most))]
    Count {
        /// Operator.
        operator: String,
        /// `input` or `output`.
        side: &'static str,
        /// Number of them.
        found: usize,
        /// Least number.
        least: usize,
        /// Largest number; `None` for no limit.
        most: Option<usize>,
    },
    /// The attribute with the quantized type differs from the type of the zero point.
    #[error("its zero point is {}, but its output_dtype is {}", short(*.zero_point), short(*.asked))]
    ZeroPoint {
        /// Type of the zero point.
        zero_point: DataType,
        /// Type of the attribute.
        asked: DataType,
    },
    /// An output is declared with another type.
    #[error("output \"{name}\" is {}, but the model declares it as {}", short(*.found), short(*.declared))]
    Declared {
        /// Name of the value.
        name: String,
        /// Type that the operator returns.
        found: DataType,
        /// Type that the model declares.
        declared: DataType,
    },
}

fn range(least: usize, most: Option<usize>) -> String {
    match most {
        Some(most) if most == least => format!("{least}"),
        Some(most) => format!("{least} to {most}"),
        None => format!("at least {least}"),
    }
}

/// How many of an operator's last outputs may be left out; 0 if it is not in the table, or if the number of
/// its outputs means something.
pub(crate) fn optional_outputs(domain: &str, operator: &str, opset: i64) -> usize {
    let Some(signature) = find(domain, operator, opset) else { return 0 };
    let (least, most) = counts(signature.outputs);
    most.map_or(0, |most| most - least)
}

/// Compares the inputs of a node with the operator's signature in this version of its operator set. Operators
/// that are not in the table pass, and so do unknown inputs.
///
/// # Errors
/// The first input, by position, that the signature does not allow.
pub(crate) fn check(domain: &str, operator: &str, opset: i64, inputs: &[Given]) -> Result<(), Mismatch> {
    let Some(signature) = find(domain, operator, opset) else { return Ok(()) };
    check_list(operator, "input", signature.inputs, inputs.iter().map(|g| *g != Given::LeftOut))?;
    let name = |i: usize| name_of(signature.inputs, i);
    let operator = || operator.to_string();
    // Type variables with the input that bound each.
    let mut bound: Vec<(&str, usize, DataType)> = Vec::new();
    for (i, given) in inputs.iter().enumerate() {
        let (Given::Tensor(found), Some(p)) = (*given, at(signature.inputs, i)) else { continue };
        if !p.types.holds(found) {
            let (operator, input, allowed) = (operator(), name(i), p.types);
            return Err(Mismatch::NotAllowed { operator, input, found, allowed });
        }
        if p.mixed {
            continue;
        }
        match bound.iter().find(|(variable, ..)| *variable == p.variable) {
            None => bound.push((p.variable, i, found)),
            Some((.., same)) if *same == found => {}
            Some(&(_, other, bound)) => {
                let (operator, input, other) = (operator(), name(i), name(other));
                return Err(Mismatch::Contradiction { operator, input, found, other, bound });
            }
        }
    }
    Ok(())
}

/// Compares the number and the types of a node's outputs with the operator's signature.
fn check_outputs(node: &NodeProto, opset: i64, inputs: &[Given]) -> Result<(), Mismatch> {
    let Some(signature) = find(node.domain(), node.op_type(), opset) else { return Ok(()) };
    check_list(node.op_type(), "output", signature.outputs, node.output.iter().map(|o| !o.is_empty()))?;
    match (node.op_type(), inputs.get(2), element(node, "output_dtype")) {
        ("QuantizeLinear", Some(Given::Tensor(zero_point)), Some(asked)) if *zero_point != asked => {
            Err(Mismatch::ZeroPoint { zero_point: *zero_point, asked })
        }
        _ => Ok(()),
    }
}

/// Whether a list of inputs or outputs has all required ones, and not too many.
fn check_list(
    operator: &str,
    side: &'static str,
    parameters: &'static [Parameter],
    there: impl ExactSizeIterator<Item = bool>,
) -> Result<(), Mismatch> {
    let (least, most) = counts(parameters);
    let found = there.len();
    if found < least || most.is_some_and(|most| found > most) {
        return Err(Mismatch::Count { operator: operator.into(), side, found, least, most });
    }
    match parameters.iter().zip(there).find(|(p, there)| p.kind == Kind::One && !there) {
        Some((p, _)) => Err(Mismatch::LeftOut { operator: operator.into(), side, name: p.name.into() }),
        None => Ok(()),
    }
}

/// `A`, or `inputs[2]` where one parameter is variadic.
fn name_of(parameters: &'static [Parameter], index: usize) -> String {
    match at(parameters, index) {
        Some(p) if matches!(p.kind, Kind::Many { .. }) => {
            format!("{}[{}]", p.name, (index + 1).saturating_sub(parameters.len()))
        }
        Some(p) => p.name.into(),
        None => index.to_string(),
    }
}

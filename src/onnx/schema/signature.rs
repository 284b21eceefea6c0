//! Signatures of operators.

use std::fmt;

use super::super::proto::tensor_proto::DataType;

/// A set of element types: bit `n` stands for ONNX's type number `n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TypeSet(pub(super) u32);

impl TypeSet {
    pub(super) fn holds(self, element: DataType) -> bool {
        self.0 >> element as u32 & 1 == 1
    }

    /// The only element type in it; `None` if there are several.
    pub(super) fn only(self) -> Option<DataType> {
        self.0.is_power_of_two().then(|| DataType::try_from(self.0.trailing_zeros() as i32).ok()).flatten()
    }
}

impl fmt::Display for TypeSet {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let names: Vec<&str> = (0..32)
            .filter(|i| self.0 >> i & 1 == 1)
            .filter_map(|i| DataType::try_from(i).ok())
            .map(short)
            .collect();
        match names.as_slice() {
            [] => Ok(()),
            [one] => f.write_str(one),
            [most @ .., last] => write!(f, "{} or {last}", most.join(", ")),
        }
    }
}

/// The short name of an element type, as elsewhere in the program.
pub(crate) fn short(element: DataType) -> &'static str {
    match element {
        DataType::Undefined => "undefined",
        DataType::Float => "f32",
        DataType::Uint8 => "u8",
        DataType::Int8 => "s8",
        DataType::Uint16 => "u16",
        DataType::Int16 => "s16",
        DataType::Int32 => "s32",
        DataType::Int64 => "s64",
        DataType::String => "string",
        DataType::Bool => "bool",
        DataType::Float16 => "f16",
        DataType::Double => "f64",
        DataType::Uint32 => "u32",
        DataType::Uint64 => "u64",
        DataType::Complex64 => "complex64",
        DataType::Complex128 => "complex128",
        DataType::Bfloat16 => "bf16",
        DataType::Float8e4m3fn => "f8e4m3fn",
        DataType::Float8e4m3fnuz => "f8e4m3fnuz",
        DataType::Float8e5m2 => "f8e5m2",
        DataType::Float8e5m2fnuz => "f8e5m2fnuz",
        DataType::Uint4 => "u4",
        DataType::Int4 => "s4",
        DataType::Float4e2m1 => "f4e2m1",
        DataType::Float8e8m0 => "f8e8m0",
        DataType::Uint2 => "u2",
        DataType::Int2 => "s2",
        DataType::Float6e2m3 => "f6e2m3",
        DataType::Float6e3m2 => "f6e3m2",
    }
}

/// How often a parameter may occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Once.
    One,
    /// Once or not at all.
    Optional,
    /// Any number of times from `least` on, at the end.
    Many { least: usize },
}

/// An input or output in the operator's definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    /// Its type variable: parameters with the same one have the same element type.
    pub(super) variable: &'static str,
    pub(super) types: TypeSet,
    pub(super) kind: Kind,
    /// Whether each variadic element may have another type.
    pub(super) mixed: bool,
}

/// An operator as of a version.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signature {
    pub(super) operator: &'static str,
    pub(super) since: i64,
    /// Whether it was removed from the operator set.
    pub(super) gone: bool,
    pub(super) inputs: &'static [Parameter],
    pub(super) outputs: &'static [Parameter],
}

const fn parameter(name: &'static str, variable: &'static str, types: TypeSet, kind: Kind) -> Parameter {
    Parameter { name, variable, types, kind, mixed: false }
}

pub(super) const fn one(name: &'static str, variable: &'static str, types: TypeSet) -> Parameter {
    parameter(name, variable, types, Kind::One)
}

pub(super) const fn optional(name: &'static str, variable: &'static str, types: TypeSet) -> Parameter {
    parameter(name, variable, types, Kind::Optional)
}

pub(super) const fn many(
    name: &'static str,
    variable: &'static str,
    types: TypeSet,
    least: usize,
) -> Parameter {
    parameter(name, variable, types, Kind::Many { least })
}

pub(super) const fn mixed(
    name: &'static str,
    variable: &'static str,
    types: TypeSet,
    least: usize,
) -> Parameter {
    Parameter { mixed: true, ..many(name, variable, types, least) }
}

pub(super) const fn operator(
    operator: &'static str,
    since: i64,
    inputs: &'static [Parameter],
    outputs: &'static [Parameter],
) -> Signature {
    Signature { operator, since, gone: false, inputs, outputs }
}

pub(super) const fn gone(operator: &'static str, since: i64) -> Signature {
    Signature { operator, since, gone: true, inputs: &[], outputs: &[] }
}

/// The parameter at an index of the node's list: the last may be variadic.
pub(super) fn at(parameters: &'static [Parameter], index: usize) -> Option<&'static Parameter> {
    parameters.get(index).or_else(|| parameters.last().filter(|p| matches!(p.kind, Kind::Many { .. })))
}

/// The least and the largest number of parameters; no largest if the last is variadic.
pub(super) fn counts(parameters: &[Parameter]) -> (usize, Option<usize>) {
    let needs = |(i, p): (usize, &Parameter)| match p.kind {
        Kind::One => Some(i + 1),
        Kind::Optional => None,
        Kind::Many { least } => Some(i + least),
    };
    let least = parameters.iter().enumerate().filter_map(needs).max().unwrap_or(0);
    let open = matches!(parameters.last(), Some(Parameter { kind: Kind::Many { .. }, .. }));
    (least, (!open).then_some(parameters.len()))
}

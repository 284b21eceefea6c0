//! A row of the table of tested operators.

use std::collections::BTreeSet;

use super::attributes::attribute;
use super::types::ALL;
use crate::onnx::proto::attribute_proto::AttributeType;
use crate::onnx::proto::tensor_proto::DataType;
use crate::onnx::proto::{AttributeProto, NodeProto};
use crate::onnx::schema::short;

/// The element types of a set: bit `n` stands for ONNX's type number `n`.
fn each(types: u32) -> impl Iterator<Item = DataType> {
    (0..32).filter(move |i| types >> i & 1 == 1).filter_map(|i| DataType::try_from(i).ok())
}

/// Allowed values of an attribute.
#[derive(Debug, Clone, Copy)]
pub(super) enum Values {
    /// Its value changes numbers only.
    Any,
    Ints(&'static [i64]),
    Words(&'static [&'static str]),
}

/// An allowed attribute.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowed {
    name: &'static str,
    values: Values,
    /// Whether it must be given.
    needed: bool,
}

pub(super) const fn any(name: &'static str) -> Allowed {
    Allowed { name, values: Values::Any, needed: false }
}

pub(super) const fn needed(name: &'static str) -> Allowed {
    Allowed { needed: true, ..any(name) }
}

pub(super) const fn of(name: &'static str, values: &'static [i64]) -> Allowed {
    Allowed { name, values: Values::Ints(values), needed: false }
}

pub(super) const fn must(name: &'static str, values: &'static [i64]) -> Allowed {
    Allowed { needed: true, ..of(name, values) }
}

pub(super) const fn words(name: &'static str, values: &'static [&'static str]) -> Allowed {
    Allowed { name, values: Values::Words(values), needed: false }
}

pub(super) const fn word(name: &'static str, values: &'static [&'static str]) -> Allowed {
    Allowed { needed: true, ..words(name, values) }
}

/// A tested part of an operator.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) domain: &'static str,
    pub(super) operator: &'static str,
    /// Versions of the operator set with a new definition, among those that the row covers.
    definitions: &'static [i64],
    /// The last version of the operator set.
    until: i64,
    /// Types of the first input.
    first: u32,
    /// Types of the others; `None` for those of the first.
    rest: Option<u32>,
    attributes: &'static [Allowed],
    /// Inputs that must be omitted.
    without: &'static [usize],
    /// Most outputs that may be requested.
    outputs: usize,
    /// Whether more of them are computed like those: their number is a parameter of the operator.
    more: bool,
}

/// The newest version of the operator set that was tested.
pub(super) const NEWEST: i64 = 26;

pub(super) const fn on(operator: &'static str, definitions: &'static [i64], first: u32) -> Row {
    Row {
        domain: "",
        operator,
        definitions,
        until: NEWEST,
        first,
        rest: None,
        attributes: &[],
        without: &[],
        outputs: 1,
        more: false,
    }
}

impl Row {
    pub(super) const fn microsoft(self) -> Row {
        Row { domain: "com.microsoft", until: 1, ..self }
    }

    pub(super) const fn rest(self, rest: u32) -> Row {
        Row { rest: Some(rest), ..self }
    }

    pub(super) const fn with(self, attributes: &'static [Allowed]) -> Row {
        Row { attributes, ..self }
    }

    pub(super) const fn without(self, without: &'static [usize]) -> Row {
        Row { without, ..self }
    }

    pub(super) const fn outputs(self, outputs: usize) -> Row {
        Row { outputs, ..self }
    }

    /// Tested with so many outputs, which stand for any larger number.
    pub(super) const fn outputs_from(self, outputs: usize) -> Row {
        Row { outputs, more: true, ..self }
    }

    fn name(&self) -> String {
        let first = self.definitions.first().copied().unwrap_or(0);
        let domain = if self.domain.is_empty() { String::new() } else { format!("{}.", self.domain) };
        format!("{domain}{}-{first}", self.operator)
    }

    pub(super) fn definition(&self, opset: i64) -> Option<i64> {
        self.definitions.iter().copied().rfind(|d| *d <= opset && opset <= self.until)
    }

    fn types(&self, input: usize) -> u32 {
        if input == 0 { self.first } else { self.rest.unwrap_or(self.first) }
    }

    /// Why the row does not accept a node; else its lines that the node needs.
    pub(super) fn judge(&self, asked: &Asked) -> Result<BTreeSet<String>, String> {
        let (node, name) = (asked.node, self.name());
        let Some(definition) = self.definition(asked.opset) else {
            return Err(format!("as of version {} of its operator set", asked.opset));
        };
        let mut lines = BTreeSet::from([format!("{name} of {definition}")]);
        if let Some(i) = self.without.iter().find(|i| node.input.get(**i).is_some_and(|n| !n.is_empty())) {
            return Err(format!("with its input {i}"));
        }
        for (i, found) in asked.types.iter().enumerate() {
            let Some(found) = *found else { continue };
            if self.types(i) >> found as u32 & 1 == 0 {
                return Err(format!("of {}", short(found)));
            }
            let place = if i == 0 { "first" } else { "other" };
            lines.insert(format!("{name} {place} input {}", short(found)));
        }
        if let Some(other) = asked.made.iter().flatten().find(|t| ALL >> **t as u32 & 1 == 0) {
            return Err(format!("that gives {}", short(*other)));
        }
        for a in &node.attribute {
            let Some(allowed) = self.attributes.iter().find(|known| known.name == a.name()) else {
                return Err(format!("with {}", written(a)));
            };
            lines.insert(match allowed.values {
                Values::Any => format!("{name} with {}", a.name()),
                Values::Ints(some) if some.contains(&a.i()) => format!("{name} with {}", written(a)),
                Values::Words(some) if some.iter().any(|w| w.as_bytes() == a.s()) => {
                    format!("{name} with {}", written(a))
                }
                _ => return Err(format!("with {}", written(a))),
            });
        }
        for allowed in self.attributes.iter().filter(|a| attribute(node, a.name).is_none()) {
            if allowed.needed {
                return Err(format!("without {}", allowed.name));
            }
            lines.insert(format!("{name} without {}", allowed.name));
        }
        let outputs = node.output.iter().rposition(|o| !o.is_empty()).map_or(0, |last| last + 1);
        if outputs > self.outputs && !self.more {
            return Err(format!("with {outputs} outputs"));
        }
        if outputs >= self.outputs {
            lines.insert(format!("{name} outputs {}", self.outputs));
        }
        Ok(lines)
    }

    /// All lines, each of which a test must have run.
    pub(super) fn lines(&self) -> Vec<String> {
        let name = self.name();
        let mut lines: Vec<String> = self.definitions.iter().map(|d| format!("{name} of {d}")).collect();
        let typed = |place: &str, types: u32| -> Vec<String> {
            each(types).map(|t| format!("{name} {place} input {}", short(t))).collect()
        };
        lines.extend(typed("first", self.first));
        lines.extend(self.rest.into_iter().flat_map(|rest| typed("other", rest)));
        for a in self.attributes {
            match a.values {
                Values::Any => lines.push(format!("{name} with {}", a.name)),
                Values::Ints(some) => {
                    lines.extend(some.iter().map(|v| format!("{name} with {}={v}", a.name)))
                }
                Values::Words(some) => {
                    lines.extend(some.iter().map(|v| format!("{name} with {}={v}", a.name)))
                }
            }
            if !a.needed {
                lines.push(format!("{name} without {}", a.name));
            }
        }
        lines.push(format!("{name} outputs {}", self.outputs));
        lines
    }
}

/// An attribute as text.
fn written(a: &AttributeProto) -> String {
    let value = match AttributeType::try_from(a.r#type.unwrap_or(0)) {
        Ok(AttributeType::Int) => a.i().to_string(),
        Ok(AttributeType::Float) => a.f().to_string(),
        Ok(AttributeType::String) => String::from_utf8_lossy(a.s()).into_owned(),
        Ok(AttributeType::Ints) => format!("{:?}", a.ints),
        Ok(AttributeType::Floats) => format!("{:?}", a.floats),
        Ok(AttributeType::Strings) => {
            let all: Vec<_> = a.strings.iter().map(|s| String::from_utf8_lossy(s)).collect();
            all.join(",")
        }
        _ => return a.name().to_string(),
    };
    format!("{}={value}", a.name())
}

/// A node, and what is known about it.
pub(super) struct Asked<'a> {
    pub(super) node: &'a NodeProto,
    /// Version of its operator set.
    pub(super) opset: i64,
    /// Element types of its inputs, where they are known.
    pub(super) types: Vec<Option<DataType>>,
    /// Element types of its outputs.
    pub(super) made: Vec<Option<DataType>>,
}

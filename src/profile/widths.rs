//! The widths that every layer asked for, and those that it was executed with.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::program::Bits;
use crate::sim::Loaded;

/// The widths of one layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct LayerWidths {
    /// Its name.
    pub layer: String,
    /// The widths that the model, or the user, asks for; none for host layers and assembly.
    pub asked: Option<Bits>,
    /// The widths of the executed instructions; none without instructions.
    pub executed: Option<Bits>,
}

impl LayerWidths {
    /// Whether it was executed with other widths than asked for.
    #[must_use]
    pub fn differs(&self) -> bool {
        matches!((&self.asked, &self.executed), (Some(a), Some(e)) if a != e)
    }
}

/// Widths of all layers of a loaded program, counted in its control pass, and so the same in every run.
#[must_use]
pub fn widths(loaded: &Loaded) -> Vec<LayerWidths> {
    let layers = loaded.program().meta.layers.iter().zip(loaded.widths());
    layers
        .map(|(l, w)| LayerWidths { layer: l.name.clone(), asked: l.asked.clone(), executed: w.bits() })
        .collect()
}

/// A layer that was executed with other widths than it should have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongWidths {
    /// Than the model asks for.
    #[error("layer \"{layer}\" was executed with {executed}, the model asks for {asked}")]
    Asked {
        /// Its name.
        layer: String,
        /// What the model asks for.
        asked: Bits,
        /// What its instructions had.
        executed: Bits,
    },
    /// Than the user expects.
    #[error("layer \"{layer}\" was executed with {}, {expected} was expected", or_none(.executed.as_ref()))]
    Expected {
        /// Its name.
        layer: String,
        /// As expected.
        expected: String,
        /// What its instructions had; none without instructions.
        executed: Option<Bits>,
    },
}

/// Widths in words, or that nothing was executed.
#[must_use]
pub fn or_none(executed: Option<&Bits>) -> String {
    executed.map_or_else(|| "no instruction".into(), ToString::to_string)
}

/// Layers whose widths differ from those that the model asks for.
#[must_use]
pub fn unlike_asked(layers: &[LayerWidths]) -> Vec<WrongWidths> {
    let wrong = layers.iter().filter(|l| l.differs()).filter_map(|l| {
        let (asked, executed) = (l.asked.clone()?, l.executed.clone()?);
        Some(WrongWidths::Asked { layer: l.layer.clone(), asked, executed })
    });
    wrong.collect()
}

/// An expectation that cannot be checked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpectError {
    /// No layer has this name.
    #[error("there is no layer \"{name}\"")]
    NoLayer {
        /// As given.
        name: String,
        /// What was expected of it.
        bits: String,
        /// Names of all layers.
        known: Vec<String>,
    },
    /// No layer can have such widths.
    #[error("\"{bits}\" of layer \"{layer}\": no layer can be executed with such bits")]
    NotBits {
        /// Its name.
        layer: String,
        /// As given.
        bits: String,
    },
}

/// Layers whose widths differ from the expected ones, given by name of the layer and bits of operands such as
/// `16x8`, with or without those of the result.
///
/// # Errors
/// See [`ExpectError`].
pub fn unlike_expected(
    layers: &[LayerWidths],
    expected: &BTreeMap<String, String>,
) -> Result<Vec<WrongWidths>, ExpectError> {
    let mut wrong = Vec::new();
    for (name, bits) in expected {
        let Some(layer) = layers.iter().find(|l| l.layer == *name) else {
            let known = layers.iter().map(|l| l.layer.clone()).collect();
            return Err(ExpectError::NoLayer { name: name.clone(), bits: bits.clone(), known });
        };
        if !are_bits(bits) {
            return Err(ExpectError::NotBits { layer: name.clone(), bits: bits.clone() });
        }
        if !layer.executed.as_ref().is_some_and(|e| e.operands == *bits || e.to_string() == *bits) {
            let (layer, executed) = (name.clone(), layer.executed.clone());
            wrong.push(WrongWidths::Expected { layer, expected: bits.clone(), executed });
        }
    }
    Ok(wrong)
}

/// Whether a text has the form of [`Bits`], with or without the result.
fn are_bits(text: &str) -> bool {
    let one = |part: &str| part == Bits::FLOAT || matches!(part, "8" | "16" | "32" | "64");
    let (operands, result) = text.split_once(" to ").unwrap_or((text, "8"));
    operands.split(['x', '+']).all(one) && one(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executed_widths_are_held_against_what_is_asked_and_expected() {
        let bits = |operands: &str| Bits { operands: operands.into(), result: "8".into() };
        let layer = |name: &str, asked: Option<Bits>, executed: Option<Bits>| LayerWidths {
            layer: name.into(),
            asked,
            executed,
        };
        let layers = [
            layer("a", Some(bits("16x8")), Some(bits("8x8"))),
            layer("b", None, Some(bits("16x8"))),
            layer("h", None, None),
        ];
        let asked = unlike_asked(&layers);
        assert!(matches!(&asked[..], [WrongWidths::Asked { layer, .. }] if layer == "a"));
        let expect = |name: &str, bits: &str| {
            unlike_expected(&layers, &BTreeMap::from([(name.to_string(), bits.to_string())]))
        };
        assert_eq!(expect("b", "16x8"), Ok(Vec::new()));
        assert_eq!(expect("b", &bits("16x8").to_string()), Ok(Vec::new()));
        let wrong = expect("h", "8").unwrap();
        assert_eq!(wrong[0].to_string(), "layer \"h\" was executed with no instruction, 8 was expected");
        assert!(matches!(expect("c", "8"), Err(ExpectError::NoLayer { .. })));
        assert!(matches!(expect("b", "7x8"), Err(ExpectError::NotBits { .. })));
    }
}

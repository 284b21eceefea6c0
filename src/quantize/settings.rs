//! Settings of a quantization, and their TOML form.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::choose::{Choice, Width};
use super::parameters::{ActivationFormat, WeightFormat};
use super::range::Method;

/// Settings of a quantization. In TOML:
///
/// ```toml
/// method = "mse"            # minmax, percentile, percentile:99.9, entropy, mse
/// activations = "u8"        # u8 or s8
/// symmetric = false         # zero in the middle of the range
/// bits = 8                  # of activations: 8 or 16
/// weight_bits = 8
/// per_channel = true        # weights: one scale for each output channel
/// equalize = false          # scale channels of consecutive convolutions alike
/// bias_correction = false   # compensate the mean error of rounded weights in the biases
/// skip = ["/head/MatMul"]   # nodes that stay float
///
/// [layers]                  # by node
/// "/conv1/Conv" = "a16w8"   # or a16w16, a8w8
///
/// [tensors]                 # by tensor
/// "/conv1/Relu_output_0" = { bits = 16, method = "entropy" }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Name of a [`Method`].
    pub method: String,
    /// `u8` or `s8`.
    pub activations: String,
    /// Whether zero is in the middle of the range.
    pub symmetric: bool,
    /// Bits of activations.
    pub bits: u8,
    /// Bits of weights.
    pub weight_bits: u8,
    /// Whether each output channel of weights has its own scale.
    pub per_channel: bool,
    /// Whether to equalize channels of consecutive convolutions before calibration
    /// ([`equalize`](super::equalize())).
    pub equalize: bool,
    /// Whether to compensate the mean error of rounded weights in the biases
    /// ([`correct_biases`](super::correct_biases)).
    pub bias_correction: bool,
    /// Nodes that stay float.
    pub skip: BTreeSet<String>,
    /// Names of [`Width`]s by node.
    pub layers: BTreeMap<String, String>,
    /// Settings of single tensors.
    pub tensors: BTreeMap<String, TensorSettings>,
}

/// Settings of one tensor.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TensorSettings {
    /// 8 or 16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits: Option<u8>,
    /// Name of a [`Method`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            method: "minmax".into(),
            activations: "u8".into(),
            symmetric: false,
            bits: 8,
            weight_bits: 8,
            per_channel: true,
            equalize: false,
            bias_correction: false,
            skip: BTreeSet::new(),
            layers: BTreeMap::new(),
            tensors: BTreeMap::new(),
        }
    }
}

/// The width of a layer that has no effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("width \"{width}\" of layer \"{node}\" changes nothing: {}", if *.skipped { "it stays in float" } else { "all layers have it" })]
pub struct IdleWidth {
    /// The layer's node.
    pub node: String,
    /// Name of the [`Width`].
    pub width: String,
    /// Whether the node stays float; otherwise all layers have this width.
    pub skipped: bool,
}

/// An invalid setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} \"{found}\": it must be {expected}")]
pub struct SettingError {
    what: String,
    found: String,
    expected: &'static str,
    known: &'static [&'static str],
}

impl SettingError {
    /// What was set.
    #[must_use]
    pub fn found(&self) -> &str {
        &self.found
    }

    /// Valid names; empty for numbers.
    #[must_use]
    pub fn known(&self) -> &'static [&'static str] {
        self.known
    }
}

fn wrong(
    what: impl Into<String>,
    found: impl ToString,
    expected: &'static str,
    known: &'static [&'static str],
) -> SettingError {
    SettingError { what: what.into(), found: found.to_string(), expected, known }
}

fn method(name: &str) -> Result<Method, SettingError> {
    Method::from_name(name).ok_or_else(|| {
        let expected = "minmax, percentile, percentile:P with P above 50, entropy or mse";
        wrong("method", name, expected, &["minmax", "percentile", "entropy", "mse"])
    })
}

fn bits(what: &str, bits: u8) -> Result<u8, SettingError> {
    if matches!(bits, 8 | 16) { Ok(bits) } else { Err(wrong(what, bits, "8 or 16", &[])) }
}

impl Settings {
    /// Reads settings from TOML; missing ones have their defaults.
    ///
    /// # Errors
    /// It is not TOML, or has an unknown key.
    pub fn from_toml(text: &str) -> Result<Settings, toml::de::Error> {
        toml::from_str(text)
    }

    /// The settings as TOML.
    ///
    /// # Errors
    /// None is known: all settings have a form in TOML.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }

    /// The name of the width of layers without an entry.
    #[must_use]
    pub fn plain_width(&self) -> String {
        format!("a{}w{}", self.bits, self.weight_bits)
    }

    /// Sets the width of a layer, or removes its entry if that is the width of all layers.
    pub fn set_layer(&mut self, node: &str, width: &str) {
        let taken_back = width == self.plain_width() && self.layers.get(node).is_some_and(|own| own != width);
        if taken_back {
            self.layers.remove(node);
        } else {
            self.layers.insert(node.into(), width.into());
        }
    }

    /// Checks that the width of every layer has an effect.
    ///
    /// # Errors
    /// The first layer whose width has none.
    pub fn check_layers(&self) -> Result<(), IdleWidth> {
        let plain = self.plain_width();
        let idle = |node: &String, width: &String| self.skip.contains(node) || *width == plain;
        match self.layers.iter().find(|(node, width)| idle(node, width)) {
            Some((node, width)) => {
                Err(IdleWidth { node: node.clone(), width: width.clone(), skipped: self.skip.contains(node) })
            }
            None => Ok(()),
        }
    }

    /// The choice that these settings make.
    ///
    /// # Errors
    /// A name or a number is invalid.
    pub fn choice(&self) -> Result<Choice, SettingError> {
        let signed = match self.activations.as_str() {
            "u8" | "u16" => false,
            "s8" | "s16" => true,
            other => return Err(wrong("activations", other, "u8 or s8", &["u8", "s8"])),
        };
        let mut choice = Choice {
            method: method(&self.method)?,
            format: ActivationFormat { bits: bits("bits", self.bits)?, signed, symmetric: self.symmetric },
            weights: WeightFormat {
                bits: bits("weight_bits", self.weight_bits)?,
                per_channel: self.per_channel,
            },
            ..Choice::default()
        };
        for (layer, width) in &self.layers {
            let width = Width::from_name(width).ok_or_else(|| {
                let what = format!("width of layer {layer}");
                wrong(what, width, "a8w8, a16w8 or a16w16", &["a8w8", "a16w8", "a16w16"])
            })?;
            choice.layers.insert(layer.clone(), width);
        }
        for (tensor, settings) in &self.tensors {
            if let Some(b) = settings.bits {
                choice.bits.insert(tensor.clone(), bits("bits of a tensor", b)?);
            }
            if let Some(m) = &settings.method {
                choice.methods.insert(tensor.clone(), method(m)?);
            }
        }
        Ok(choice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_that_change_nothing_are_found_and_those_of_a_file_can_be_taken_back() {
        let mut settings = Settings::from_toml("skip = [\"s\"]\n[layers]\nx = \"a16w8\"").unwrap();
        assert_eq!(settings.check_layers(), Ok(()));
        settings.set_layer("x", "a8w8");
        assert!(settings.layers.is_empty());
        settings.set_layer("x", "a8w8");
        assert!(!settings.check_layers().unwrap_err().skipped);
        settings.layers.clear();
        settings.set_layer("s", "a16w16");
        assert!(settings.check_layers().unwrap_err().skipped);
    }

    #[test]
    fn settings_go_through_toml_and_wrong_ones_are_named() {
        let text = "method = \"mse\"\n[layers]\n\"a/b\" = \"a16w8\"\n[tensors]\n\"t\" = { bits = 16 }";
        let settings: Settings = toml::from_str(text).unwrap();
        let choice = settings.choice().unwrap();
        assert_eq!((choice.method, choice.layers["a/b"], choice.bits["t"]), (Method::Mse, Width::A16w8, 16));
        assert_eq!(toml::from_str::<Settings>(&toml::to_string(&settings).unwrap()).unwrap(), settings);
        let bad: Settings = toml::from_str("[layers]\nx = \"a4w4\"").unwrap();
        assert!(bad.choice().unwrap_err().to_string().contains("a4w4"));
        assert!(toml::from_str::<Settings>("metod = \"mse\"").is_err());
    }
}

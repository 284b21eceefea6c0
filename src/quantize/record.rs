//! `calibration.json`: the record of a calibration, beside the model.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::parameters::Parameters;
use super::places::Places;
use super::statistics::Statistics;
use crate::document::{self, DocumentError, Kind};
use crate::graph::DType;
use crate::program::Preprocess;

/// The statistics of a calibration, and the parameters chosen from them. Equal runs give equal texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The library that ran the float network.
    #[serde(default)]
    pub float_engine: String,
    /// Whether the network was [equalized](super::equalize()) before, which changes the ranges of its
    /// tensors.
    #[serde(default)]
    pub equalized: bool,
    /// Preprocessing of pictures, by input.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pictures: BTreeMap<String, Pictures>,
    /// Calibration inputs by number: file names, with the index in files that hold several.
    pub inputs: Vec<String>,
    /// By name of the float value.
    pub tensors: BTreeMap<String, TensorRecord>,
}

impl Kind for Record {
    const KIND: &'static str = "calibration";
}

/// Preprocessing of pictures for an input: `(pixel − mean) / std` of values 0…255.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Pictures {
    /// Length of the short side before the centre was cropped; none: directly to H × W.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize: Option<u32>,
    /// One for each channel, or one for all.
    pub mean: Vec<f32>,
    /// One for each channel, or one for all.
    pub std: Vec<f32>,
    /// Whether channels were in the order blue, green, red.
    #[serde(default)]
    pub bgr: bool,
}

/// Statistics of one tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TensorRecord {
    /// Extremes, the inputs that set them, and the histogram.
    pub statistics: Statistics,
    /// Calibration method of its range.
    pub method: String,
    /// Its integer format, if it was quantized.
    pub quantized: Option<Quantized>,
    /// Tensors that share its parameters, because their values come from it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_by: Vec<String>,
}

/// Parameters of a tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Quantized {
    /// `u8`, `s8`, `u16`, `s16`.
    pub dtype: DType,
    /// Real value of one step.
    pub scale: f32,
    /// Zero point.
    pub zero_point: i32,
    /// Real values of the lowest and the highest integer.
    pub range: [f32; 2],
}

impl Record {
    /// The record of a calibration.
    #[must_use]
    pub fn of(
        (float_engine, equalized): (&str, bool),
        inputs: Vec<String>,
        places: &Places,
        seen: &BTreeMap<String, Statistics>,
        choice: &super::Choice,
        parameters: &Parameters,
    ) -> Record {
        let tensors = seen.iter().map(|(name, statistics)| {
            let quantized = parameters.activations.get(name).map(|a| Quantized {
                dtype: a.dtype,
                scale: a.scale,
                zero_point: a.zero_point,
                range: a.range(),
            });
            let shared = places.tensors.iter().filter(|(t, of)| of == name && t != name);
            let record = TensorRecord {
                statistics: statistics.clone(),
                method: choice.methods.get(name).copied().unwrap_or(choice.method).name(),
                quantized,
                shared_by: shared.map(|(t, _)| t.clone()).collect(),
            };
            (name.clone(), record)
        });
        Record {
            float_engine: float_engine.into(),
            equalized,
            pictures: BTreeMap::new(),
            inputs,
            tensors: tensors.collect(),
        }
    }

    /// The record with the preprocessing of pictures.
    #[must_use]
    pub fn with_pictures(mut self, pictures: &BTreeMap<String, Preprocess>) -> Record {
        let one = |p: &Preprocess| Pictures {
            resize: p.resize,
            mean: p.mean.clone(),
            std: p.std.clone(),
            bgr: p.bgr,
        };
        self.pictures = pictures.iter().map(|(name, p)| (name.clone(), one(p))).collect();
        self
    }

    /// Preprocessing of pictures, by input.
    #[must_use]
    pub fn preprocess(&self) -> BTreeMap<String, Preprocess> {
        let one = |p: &Pictures| Preprocess {
            resize: p.resize,
            mean: p.mean.clone(),
            std: p.std.clone(),
            bgr: p.bgr,
        };
        self.pictures.iter().map(|(name, p)| (name.clone(), one(p))).collect()
    }

    /// The text of `calibration.json`.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Names and numbers always have a JSON form.
        document::line(self)
    }

    /// Reads what [`Record::to_json`] wrote.
    ///
    /// # Errors
    /// It is not such a text.
    pub fn from_json(text: &str) -> Result<Record, DocumentError> {
        document::read(text)
    }

    /// The statistics by tensor, to choose parameters again.
    #[must_use]
    pub fn statistics(&self) -> BTreeMap<String, Statistics> {
        self.tensors.iter().map(|(n, t)| (n.clone(), t.statistics.clone())).collect()
    }

    /// The parameters that were chosen.
    #[must_use]
    pub fn parameters(&self) -> BTreeMap<String, super::Activation> {
        let of =
            |q: &Quantized| super::Activation { dtype: q.dtype, scale: q.scale, zero_point: q.zero_point };
        self.tensors.iter().filter_map(|(n, t)| Some((n.clone(), of(t.quantized.as_ref()?)))).collect()
    }
}

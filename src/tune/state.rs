//! Measurements of a search.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::item::Item;
use crate::document::Kind;

/// Measurements, kept between runs. Valid only for the task with the same key.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Digest of everything that the measurements depend on.
    pub key: String,
    /// Noise of each item in 8 bits, by its text and the name of the calibration method.
    pub noise: BTreeMap<String, f64>,
    /// Cycles of the model with one item raised, by its text; none if that moves a layer to the host.
    pub cycles: BTreeMap<String, Option<u64>>,
    /// Whole models, by the items that were raised.
    pub points: BTreeMap<String, Point>,
}

impl Kind for State {
    const KIND: &'static str = "tune-state";
}

/// A model that was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// Description of the model.
    pub what: String,
    /// Items in 16 bits.
    pub raised: Vec<Item>,
    /// Signal-to-noise ratio at the outputs, in dB.
    pub sqnr: f64,
    /// Share of labelled inputs whose largest output is the label; none without labels.
    pub top1: Option<f64>,
    /// Cycles of one run.
    pub cycles: u64,
}

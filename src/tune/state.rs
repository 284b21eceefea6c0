//! What was measured so far.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::item::Item;
use crate::document::Kind;

/// Results of measurements, kept between runs. Only valid for the task whose key it has.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Digest of everything that the results depend on.
    pub key: String,
    /// Noise of each item in 8 bits, by its text and the method's name.
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
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// What it is.
    pub what: String,
    /// What has 16 bits.
    pub raised: Vec<Item>,
    /// Signal-to-noise ratio at the outputs, in dB.
    pub sqnr: f64,
    /// Share of labelled inputs whose largest output is the label; none without labels.
    pub top1: Option<f64>,
    /// Cycles of one run.
    pub cycles: u64,
}

//! From statistics to parameters: the calibration method and the width of each tensor.

use std::collections::{BTreeMap, BTreeSet};

use super::calibrate::Calibration;
use super::divisors::divisors;
use super::network::{Floats, Network};
use super::parameters::{Activation, ActivationFormat, Parameters, WeightFormat};
use super::places::Places;
use super::range::{Method, range};
use super::{QuantizeError, masks};
use crate::onnx::proto::GraphProto;

/// Widths of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Width {
    /// Activations and weights of 8 bits.
    A8w8,
    /// Activations of 16 bits, weights of 8.
    A16w8,
    /// Activations and weights of 16 bits.
    A16w16,
}

impl Width {
    /// `a8w8`, `a16w8`, `a16w16`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Width::A8w8 => "a8w8",
            Width::A16w8 => "a16w8",
            Width::A16w16 => "a16w16",
        }
    }

    /// Inverse of [`Width::name`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Width> {
        [Width::A8w8, Width::A16w8, Width::A16w16].into_iter().find(|w| w.name() == name)
    }

    /// Bits of activations and of weights.
    #[must_use]
    pub fn bits(self) -> [u8; 2] {
        match self {
            Width::A8w8 => [8, 8],
            Width::A16w8 => [16, 8],
            Width::A16w16 => [16, 16],
        }
    }
}

/// Methods and widths for a network, and for parts of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// Method of all tensors without an entry below.
    pub method: Method,
    /// Signed, symmetric; its bits are those of tensors without an entry below.
    pub format: ActivationFormat,
    /// Bits of weights, and one scale or many.
    pub weights: WeightFormat,
    /// By node: all tensors that it reads and writes get at least these bits.
    pub layers: BTreeMap<String, Width>,
    /// By tensor: bits, overriding those of the layers beside it.
    pub bits: BTreeMap<String, u8>,
    /// By tensor.
    pub methods: BTreeMap<String, Method>,
}

impl Default for Choice {
    fn default() -> Choice {
        Choice {
            method: Method::MinMax,
            format: ActivationFormat::default(),
            weights: WeightFormat { bits: 8, per_channel: true },
            layers: BTreeMap::new(),
            bits: BTreeMap::new(),
            methods: BTreeMap::new(),
        }
    }
}

/// Parameters for all places of a [cleaned](super::clean) graph. Tensors without statistics (which the
/// network never computed) stay float. Divisors and what they are computed from have 16 bits, if the choice
/// does not name them.
///
/// # Errors
/// A layer or a tensor of the choice does not exist.
pub fn choose(
    graph: &GraphProto,
    places: &Places,
    seen: &Calibration,
    choice: &Choice,
) -> Result<Parameters, QuantizeError> {
    let source: BTreeMap<&str, &str> =
        places.tensors.iter().map(|(t, of)| (t.as_str(), of.as_str())).collect();
    if let Some(name) =
        choice.bits.keys().chain(choice.methods.keys()).find(|t| !source.contains_key(t.as_str()))
    {
        return Err(QuantizeError::NoSuchTensor(name.clone()));
    }
    // Bits by the tensor whose parameters are used.
    let mut bits: BTreeMap<&str, u8> = BTreeMap::new();
    for (layer, width) in &choice.layers {
        let Some(node) = graph.node.iter().find(|n| n.name() == layer) else {
            return Err(QuantizeError::NoSuchNode(layer.clone()));
        };
        for tensor in tensors_of(graph, &source, node.name()) {
            let b = bits.entry(source[tensor]).or_insert(0);
            *b = (*b).max(width.bits()[0]);
        }
    }
    for tensor in divisors(&Network::of(graph)) {
        if source.get(tensor) == Some(&tensor) {
            bits.insert(tensor, 16);
        }
    }
    for (tensor, b) in &choice.bits {
        bits.insert(source[tensor.as_str()], *b);
    }
    let mut parameters = Parameters::default();
    let mut given = masks::Given::new();
    for tensor in places.own() {
        let Some(statistics) = seen.get(tensor) else { continue };
        let format = ActivationFormat {
            bits: bits.get(tensor).copied().unwrap_or(choice.format.bits),
            ..choice.format
        };
        let method = choice.methods.get(tensor).copied().unwrap_or(choice.method);
        let range = range(statistics, method, format.levels(), format.symmetric);
        parameters.activations.insert(tensor.into(), Activation::covering(range, format));
        given.insert(tensor, (range, format));
    }
    // Later ids may choose any row, so a table keeps its whole range.
    for (table, _, result) in &places.tables {
        let values = graph.initializer.iter().find(|t| t.name() == table).and_then(Floats::read);
        let range = values.map(|v| masks::extremes(&v.values)).filter(|r| r.iter().all(|x| x.is_finite()));
        if let (Some(range), Some((key, (_, format)))) = (range, given.get_key_value(result.as_str())) {
            parameters.activations.insert(result.clone(), Activation::covering(range, *format));
            given.insert(*key, (range, *format));
        }
    }
    masks::cut(graph, places, &given, &mut parameters);
    for place in &places.weights {
        let bits = choice.layers.get(&place.node).map_or(choice.weights.bits, |w| w.bits()[1]);
        parameters.weights.insert(place.node.clone(), WeightFormat { bits, ..choice.weights });
    }
    Ok(parameters)
}

/// The quantized tensors that a node reads and writes. Where a Relu or Clip follows the node's operator, its
/// result counts.
fn tensors_of<'g>(
    graph: &'g GraphProto,
    quantized: &BTreeMap<&'g str, &'g str>,
    name: &str,
) -> BTreeSet<&'g str> {
    let mut found = BTreeSet::new();
    let Some(node) = graph.node.iter().find(|n| n.name() == name) else { return found };
    found.extend(node.input.iter().map(String::as_str).filter(|i| quantized.contains_key(i)));
    let mut wanted: Vec<&str> = node.output.iter().map(String::as_str).collect();
    while let Some(value) = wanted.pop() {
        if let Some((known, _)) = quantized.get_key_value(value) {
            found.insert(*known);
        } else {
            let readers = graph.node.iter().filter(|n| n.input.iter().any(|i| i == value));
            wanted.extend(readers.flat_map(|n| &n.output).map(String::as_str));
        }
    }
    found
}

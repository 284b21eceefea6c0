//! Similarity of two sets of outputs.

use std::collections::{BTreeMap, BTreeSet};

use super::QuantizeError;
use crate::float::{Collected, Engine, Stream, Threads};
use crate::inputs::Samples;
use crate::onnx;
use crate::onnx::proto::ModelProto;
use crate::tensor_file::TensorData;

/// The float outputs of a network, by name, for each of some inputs.
pub type Outputs = Vec<BTreeMap<String, Vec<f32>>>;

/// Runs a float network on the first `count` inputs in `engine`.
///
/// # Errors
/// An input cannot be read, or the network cannot run.
pub fn float_outputs(
    model: &ModelProto,
    inputs: &dyn Samples,
    count: usize,
    engine: &Engine,
    step: &(dyn Fn() + Sync),
) -> Result<Outputs, QuantizeError> {
    let graph = model.graph.as_ref().ok_or_else(|| QuantizeError::Model("it has no graph".into()))?;
    let wanted: BTreeSet<String> = graph.output.iter().map(|o| o.name().to_string()).collect();
    let stream = Stream::load(engine, onnx::float_network(model), &wanted).map_err(QuantizeError::Float)?;
    let threads = Threads::new(std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    let mut all = Vec::new();
    for at in 0..count.min(inputs.count()) {
        let input = inputs.read(at).map_err(|e| QuantizeError::Input { at, why: e.to_string() })?;
        let values: Vec<(&str, &TensorData)> = input.iter().map(|(n, t)| (n.as_str(), t)).collect();
        let seen = stream
            .run(&threads, &values, Collected::default())
            .map_err(|why| QuantizeError::Input { at, why })?;
        all.push(seen.tensors.into_iter().map(|t| (t.name, t.values)).collect());
        step();
    }
    Ok(all)
}

/// Signal-to-quantization-noise ratio in dB over all outputs and inputs:
/// `10·log10(Σ reference² / Σ (reference − found)²)`. Each output of the network has the same weight: its
/// noise is relative to its own signal. Infinite if nothing differs, and NaN if there is nothing to compare.
#[must_use]
pub fn sqnr(reference: &Outputs, found: &Outputs) -> f64 {
    let mut signal: BTreeMap<&str, [f64; 2]> = BTreeMap::new();
    for (a, b) in reference.iter().zip(found) {
        for (name, values) in a {
            let Some(other) = b.get(name) else { continue };
            let sums = signal.entry(name).or_default();
            for (x, y) in values.iter().zip(other) {
                sums[0] += f64::from(*x).powi(2);
                sums[1] += (f64::from(*x) - f64::from(*y)).powi(2);
            }
        }
    }
    let ratios: Vec<f64> = signal.values().filter(|s| s[0] > 0.0).map(|[s, n]| n / s).collect();
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    -10.0 * mean.log10()
}

//! Bias correction: rounding the weights of a layer shifts the mean of each of its output channels; the bias
//! compensates the shift.
//!
//! With `x` the layer's input and `ΔW` the error of its rounded weights, channel `c` of the output has a mean
//! error of `E[(ΔW ∗ x)_c]` (Nagel, van Baalen, Blankevoort, Welling, "Data-Free Quantization Through Weight
//! Equalization and Bias Correction", ICCV 2019, section 4.2). Here the mean is measured: the float network
//! gets a second operator with the weights `ΔW` beside each layer, and runs on the calibration inputs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use super::QuantizeError;
use super::calibrate::FloatRuns;
use super::network::{Floats, Network};
use super::parameters::Parameters;
use super::places::{Places, WeightPlace};
use super::weights;
use crate::float::{Engine, Observer, Shown, Stream};
use crate::inputs::Samples;
use crate::onnx::proto::{GraphProto, ModelProto, NodeProto, TensorProto};
use crate::onnx::{self, Names};

/// Mean of each channel over positions and samples, by name of the value.
type Means = BTreeMap<String, Vec<f64>>;

/// Corrects the biases of all Conv, ConvTranspose and Gemm nodes of a [cleaned](super::clean) network that
/// will be quantized with these parameters, and returns how many were corrected. Nodes without a bias get
/// one, so [`Places`] must be found again; MatMul cannot have one. The result does not depend on the number
/// of threads. `step` is called after each input.
///
/// # Errors
/// An input cannot be read, or the network cannot be run.
pub fn correct_biases(
    clean: &ModelProto,
    (places, parameters): (&Places, &Parameters),
    inputs: &dyn Samples,
    engine: &Engine,
    threads: usize,
    step: &(dyn Fn() + Sync),
) -> Result<(ModelProto, usize), QuantizeError> {
    let mut model = clean.clone();
    let Some(graph) = &mut model.graph else { return Err(QuantizeError::Model("it has no graph".into())) };
    let errors = errors(graph, places, parameters);
    let wanted: BTreeSet<String> = errors.iter().map(|e| e.value.clone()).collect();
    if wanted.is_empty() {
        return Ok((model, 0));
    }
    let mut doubled = model.clone();
    if let Some(graph) = &mut doubled.graph {
        for error in &errors {
            graph.initializer.push(error.weights.clone());
            graph.node.push(error.node.clone());
        }
    }
    let stream =
        Stream::load(engine, onnx::float_network(&doubled), &wanted).map_err(QuantizeError::Float)?;
    let shifts = measured(&FloatRuns { stream: &stream, inputs, threads, step })?;
    let Some(graph) = &mut model.graph else { return Ok((model, 0)) };
    let mut corrected = 0;
    for error in &errors {
        if let Some(shift) = shifts.get(&error.value) {
            corrected += usize::from(subtract(graph, &error.of, shift));
        }
    }
    Ok((model, corrected))
}

/// The operator added beside a layer.
struct WeightError {
    /// Name of the layer's node.
    of: String,
    /// The value that it computes.
    value: String,
    node: NodeProto,
    weights: TensorProto,
}

fn errors(graph: &GraphProto, places: &Places, parameters: &Parameters) -> Vec<WeightError> {
    let network = Network::of(graph);
    let mut names = Names::of(graph);
    let one = |place: &WeightPlace| {
        let format = *parameters.weights.get(&place.node)?;
        let node = graph.node.iter().find(|n| n.name() == place.node && n.op_type() != "MatMul")?;
        let source = places.tensors.iter().find(|(t, _)| *t == place.input).map(|(_, of)| of)?;
        let input = parameters.activations.get(source)?;
        let values = network.floats(&place.weights)?;
        let bias = place.bias.as_ref().and_then(|b| network.floats(b));
        let fitting = bias.as_ref().map(|b| (b.values.as_slice(), input.scale));
        let rounded = weights::quantize(&values, format, place.axis, fitting).dequantized()?;
        let error = values.values.iter().zip(&rounded).map(|(w, r)| r - w).collect();
        let value = names.own(&format!("{}.weight_error", place.node));
        let name = names.own(&format!("{value}.weights"));
        let node = NodeProto {
            name: Some(value.clone()),
            input: vec![node.input[0].clone(), name.clone()],
            output: vec![value.clone()],
            ..node.clone()
        };
        let weights = Floats { shape: values.shape, values: error }.to_proto(&name);
        Some(WeightError { of: place.node.clone(), value, node, weights })
    };
    places.weights.iter().filter_map(one).collect()
}

/// Sums of one input.
#[derive(Default)]
struct Sums {
    means: Means,
}

impl Observer for Sums {
    fn see(&mut self, tensor: Shown<'_>) {
        let [_, channels, rest @ ..] = tensor.shape else { return };
        let inner = rest.iter().product::<usize>().max(1);
        let mut sums = vec![0.0; *channels];
        for (at, run) in tensor.values.chunks(inner).enumerate() {
            sums[at % channels] += run.iter().map(|v| f64::from(*v)).sum::<f64>();
        }
        let each = (tensor.values.len() / channels.max(&1)).max(1) as f64;
        sums.iter_mut().for_each(|s| *s /= each);
        self.means.insert(tensor.name.into(), sums);
    }
}

/// Adds up the results of inputs in their order: a sum of floats depends on it.
#[derive(Default)]
struct InOrder {
    next: usize,
    waiting: BTreeMap<usize, Means>,
    total: Means,
}

impl InOrder {
    fn take(&mut self, at: usize, means: Means) {
        self.waiting.insert(at, means);
        while let Some(means) = self.waiting.remove(&self.next) {
            self.next += 1;
            for (name, values) in means {
                let total = self.total.entry(name).or_insert_with(|| vec![0.0; values.len()]);
                total.iter_mut().zip(values).for_each(|(t, v)| *t += v);
            }
        }
    }
}

fn measured(runs: &FloatRuns<'_>) -> Result<Means, QuantizeError> {
    let ordered = Mutex::new(InOrder::default());
    runs.run(&Sums::default, &|_, _| (), &|at, sums: &mut Sums| {
        // A poisoned lock means that another worker panicked; that panic is propagated to the caller.
        if let Ok(mut ordered) = ordered.lock() {
            ordered.take(at, std::mem::take(&mut sums.means));
        }
        Ok(())
    })?;
    let InOrder { next, mut total, .. } = ordered.into_inner().unwrap_or_default();
    total.values_mut().flatten().for_each(|v| *v /= next.max(1) as f64);
    Ok(total)
}

/// Subtracts a shift from a node's bias. False if its bias has another form.
fn subtract(graph: &mut GraphProto, node: &str, shift: &[f64]) -> bool {
    let Some(at) = graph.node.iter().position(|n| n.name() == node) else { return false };
    let known = graph.node[at].input.get(2).filter(|b| !b.is_empty());
    let old = match known {
        None => Floats { shape: vec![shift.len()], values: vec![0.0; shift.len()] },
        Some(name) => {
            let Some(old) = graph.initializer.iter().find(|t| t.name() == name).and_then(Floats::read) else {
                return false;
            };
            match old.values.len() {
                n if n == shift.len() => old,
                1 => Floats { shape: vec![shift.len()], values: vec![old.values[0]; shift.len()] },
                _ => return false,
            }
        }
    };
    let values = old.values.iter().zip(shift).map(|(b, s)| (f64::from(*b) - s) as f32).collect();
    let name = Names::of(graph).own(&format!("{node}.corrected_bias"));
    graph.initializer.push(Floats { shape: old.shape, values }.to_proto(&name));
    let node = &mut graph.node[at];
    node.input.truncate(2);
    node.input.push(name);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_do_not_depend_on_who_is_first() {
        let means = |v: f64| Means::from([("t".into(), vec![v, 1.0])]);
        let of = |order: [usize; 3]| {
            let mut all = InOrder::default();
            order.iter().for_each(|at| all.take(*at, means([1e16, 1.0, -1e16][*at])));
            (all.next, all.total["t"].clone())
        };
        assert_eq!(of([0, 1, 2]), of([2, 1, 0]));
        assert_eq!(of([0, 1, 2]).0, 3);
    }
}

//! The noise that one tensor or one layer's weights in 8 bits cause at the outputs, with everything else in
//! float.
//!
//! In this regime noise is small, so its powers add: the noise of the whole network is nearly the sum over
//! all items in 8 bits, which gives the order of raising before anything is simulated.

use super::TuneError;
use super::item::Item;
use crate::float::{Collected, Engine, Stream, Threads};
use crate::inputs::Sample;
use crate::onnx;
use crate::onnx::proto::ModelProto;
use crate::quantize::{
    self, Activation, Calibration, Choice, Method, Outputs, Parameters, Places, WeightFormat,
};
use crate::tensor_file::TensorData;

/// The float network, and its outputs.
pub(super) struct Bench<'a> {
    pub(super) engine: &'a Engine,
    pub(super) clean: &'a ModelProto,
    pub(super) places: &'a Places,
    pub(super) seen: &'a Calibration,
    pub(super) choice: &'a Choice,
    /// A few inputs are enough here.
    pub(super) inputs: &'a [Sample],
    pub(super) reference: &'a Outputs,
}

impl Bench<'_> {
    /// Noise power over signal power at the outputs, with one item in 8 bits. The range of a tensor is chosen
    /// by `method`.
    pub(super) fn noise(&self, item: &Item, method: Method) -> Result<f64, TuneError> {
        let model = match item {
            Item::Tensor(name) => {
                let Some(seen) = self.seen.get(name) else { return Ok(0.0) };
                let format = quantize::ActivationFormat { bits: 8, ..self.choice.format };
                let range = quantize::range(seen, method, format.levels(), format.symmetric);
                let mut parameters = Parameters::default();
                parameters.activations.insert(name.clone(), Activation::covering(range, format));
                quantize::write(self.clean, self.places, &parameters)?
            }
            Item::Weights(node) => {
                let format = WeightFormat { bits: 8, ..self.choice.weights };
                quantize::rounded_weights(self.clean, self.places, node, format)
            }
        };
        let found = float_run(self.engine, &model, self.inputs)?;
        Ok(10.0_f64.powf(-quantize::sqnr(self.reference, &found) / 10.0))
    }
}

/// Float outputs on one thread.
pub(super) fn float_run(
    engine: &Engine,
    model: &ModelProto,
    inputs: &[Sample],
) -> Result<Outputs, TuneError> {
    let graph = model.graph.as_ref().ok_or_else(|| TuneError::Run("the model has no graph".into()))?;
    let wanted = graph.output.iter().map(|o| o.name().to_string()).collect();
    let stream = Stream::load(engine, onnx::float_network(model), &wanted).map_err(TuneError::Run)?;
    let threads = Threads::new(1);
    let one = |input: &Sample| {
        let values: Vec<(&str, &TensorData)> = input.iter().map(|(n, t)| (n.as_str(), t)).collect();
        let seen = stream.run(&threads, &values, Collected::default()).map_err(TuneError::Run)?;
        Ok(seen.tensors.into_iter().map(|t| (t.name, t.values)).collect())
    };
    inputs.iter().map(one).collect()
}

//! A float network run on successive inputs, showing each tensor to an observer.

use std::collections::BTreeSet;

use super::engine::Engine;
use super::network::{Network, Observer, Order};
use super::onnxruntime::Sessions;
use super::stretches::{Stretches, Threads};
use crate::tensor_file::TensorData;

/// A float network that shows selected tensors.
pub struct Stream {
    inputs: Vec<String>,
    by: By,
}

enum By {
    Rten(Box<Stretches>),
    OnnxRuntime(Box<Sessions>),
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.by {
            By::Rten(_) => f.write_str("Stream(rten)"),
            By::OnnxRuntime(_) => f.write_str("Stream(ONNX Runtime)"),
        }
    }
}

impl Stream {
    /// Loads a network into an engine. `wanted` are the values to be shown, which may include inputs of the
    /// network.
    ///
    /// # Errors
    /// The library cannot load the model, or no node computes one of the values.
    pub fn load(engine: &Engine, network: Network, wanted: &BTreeSet<String>) -> Result<Stream, String> {
        let order = Order::of(&network, wanted)?;
        let inputs = network.inputs.clone();
        let by = match engine {
            Engine::Rten => By::Rten(Box::new(Stretches::load(network, wanted)?)),
            Engine::OnnxRuntime(runtime) => {
                By::OnnxRuntime(Box::new(Sessions::load(runtime, network, order)?))
            }
        };
        Ok(Stream { inputs, by })
    }

    /// Runs the network on one set of inputs, shows every selected f32 tensor to the observer, and returns
    /// the observer. The same inputs show the same values, however many callers there are.
    ///
    /// # Errors
    /// An input is missing or of a wrong shape, or an operator fails.
    pub fn run<O: Observer>(
        &self,
        threads: &Threads,
        inputs: &[(&str, &TensorData)],
        mut observer: O,
    ) -> Result<O, String> {
        if let Some(missing) = self.inputs.iter().find(|i| inputs.iter().all(|(name, _)| name != i)) {
            return Err(format!("no value is given for input '{missing}'"));
        }
        match &self.by {
            By::Rten(stretches) => {
                stretches.run(threads, inputs, &mut observer)?;
                Ok(observer)
            }
            By::OnnxRuntime(sessions) => sessions.run(inputs, observer),
        }
    }
}

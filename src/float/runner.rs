//! Runs of whole models for their outputs.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use rten::{Model, ModelOptions, NodeId, RunOptions, ThreadPool, ValueOrView};

use super::convert::{Borrowed, borrowed, guarded, node, tensor};
use super::engine::Engine;
use super::whole::Whole;
use crate::tensor_file::TensorData;

/// Runs models. They are loaded once and kept.
#[derive(Default)]
pub struct FloatRunner {
    /// By xxh3-128 of their bytes.
    models: BTreeMap<u128, Model>,
    pool: Option<Arc<ThreadPool>>,
    /// The engine that is used instead of `rten`.
    instead: Option<Whole>,
}

impl std::fmt::Debug for FloatRunner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let models = self.instead.as_ref().map_or(self.models.len(), Whole::len);
        write!(f, "FloatRunner({models} models)")
    }
}

impl FloatRunner {
    /// A runner with `rten`, without models.
    #[must_use]
    pub fn new() -> FloatRunner {
        FloatRunner::default()
    }

    /// A runner with the given engine.
    #[must_use]
    pub fn by(engine: &Engine) -> FloatRunner {
        let instead = match engine {
            Engine::Rten => None,
            Engine::OnnxRuntime(runtime) => Some(Whole::new(runtime.clone())),
        };
        FloatRunner { instead, ..FloatRunner::default() }
    }

    /// Loads a model if it is not loaded yet, so that an unsupported operator is found before the program
    /// runs.
    ///
    /// # Errors
    /// The library's reason; it names the operator.
    pub fn prepare(&mut self, model: &[u8]) -> Result<(), String> {
        match &mut self.instead {
            Some(whole) => whole.loaded(model).map(|_| ()),
            None => self.loaded(model).map(|_| ()),
        }
    }

    /// Runs a model on named inputs and returns the named outputs in the order asked for.
    ///
    /// # Errors
    /// The model does not load, lacks an input or output of that name, or an operator fails.
    pub fn run(
        &mut self,
        model: &[u8],
        inputs: &[(&str, TensorData)],
        outputs: &[&str],
    ) -> Result<Vec<TensorData>, String> {
        let given: Vec<_> = inputs.iter().map(|(name, tensor)| (*name, Borrowed::of(tensor))).collect();
        self.run_borrowed(model, &given, outputs)
    }

    /// As [`run`](Self::run), with borrowed inputs.
    ///
    /// # Errors
    /// As [`run`](FloatRunner::run).
    pub fn run_borrowed(
        &mut self,
        model: &[u8],
        inputs: &[(&str, Borrowed<'_>)],
        outputs: &[&str],
    ) -> Result<Vec<TensorData>, String> {
        if let Some(whole) = &mut self.instead {
            return whole.run(model, inputs, outputs);
        }
        let results = self.results(model, inputs, outputs);
        if results.is_err() {
            // After a panic, neither the model nor its threads are used again.
            self.models.remove(&key(model));
            self.pool = None;
        }
        results
    }

    fn results(
        &mut self,
        model: &[u8],
        inputs: &[(&str, Borrowed<'_>)],
        outputs: &[&str],
    ) -> Result<Vec<TensorData>, String> {
        let pool = Arc::clone(self.pool.get_or_insert_with(|| Arc::new(ThreadPool::with_num_threads(1))));
        let model = self.loaded(model)?;
        let mut values: Vec<(NodeId, ValueOrView<'_>)> = Vec::with_capacity(inputs.len());
        for (name, tensor) in inputs {
            values.push((node(model, name)?, borrowed(name, tensor)?.into()));
        }
        let ids: Vec<NodeId> = outputs.iter().map(|n| node(model, n)).collect::<Result<_, _>>()?;
        let mut options = RunOptions::default();
        options.thread_pool = Some(pool);
        let results = guarded(|| model.run(values, &ids, Some(options)).map_err(|e| e.to_string()))?;
        results.into_iter().zip(outputs).map(|(v, name)| tensor(name, v)).collect()
    }

    fn loaded(&mut self, bytes: &[u8]) -> Result<&Model, String> {
        match self.models.entry(key(bytes)) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(place) => {
                // Operators are run one by one, as in the model: no optimization.
                let model = guarded(|| {
                    ModelOptions::with_all_ops()
                        .enable_optimization(false)
                        .load(bytes.to_vec())
                        .map_err(|e| format!("the host library cannot load it: {e}"))
                })?;
                Ok(place.insert(model))
            }
        }
    }
}

/// The key of a model.
fn key(model: &[u8]) -> u128 {
    xxhash_rust::xxh3::xxh3_128(model)
}

#[cfg(test)]
mod tests {
    use super::super::convert::chunks;
    use super::*;
    use crate::tensor_file::Element;

    /// `y = <op>(x)` as a serialized ModelProto, x and y f32 [1, 4]; written by hand from the protobuf wire
    /// format.
    fn unary(op: &str) -> Vec<u8> {
        fn field(number: u8, body: &[u8]) -> Vec<u8> {
            let mut out = vec![number << 3 | 2, u8::try_from(body.len()).unwrap()];
            out.extend_from_slice(body);
            out
        }
        let value = |name: &str| {
            let dims: Vec<u8> = [1, 4].iter().flat_map(|d| field(1, &[0x08, *d])).collect();
            let tensor = [vec![0x08, 1], field(2, &dims)].concat();
            [field(1, name.as_bytes()), field(2, &field(1, &tensor))].concat()
        };
        let node = [field(1, b"x"), field(2, b"y"), field(3, b"n"), field(4, op.as_bytes())].concat();
        let graph =
            [field(1, &node), field(2, b"g"), field(11, &value("x")), field(12, &value("y"))].concat();
        [vec![0x08, 8], field(7, &graph), field(8, &[0x10, 13])].concat()
    }

    fn input() -> TensorData {
        let bytes = [0.0_f32, 1.0, 2.0, 3.0].into_iter().flat_map(f32::to_le_bytes).collect();
        TensorData { element: Element::F32, shape: vec![1, 4], bytes }
    }

    #[test]
    fn a_softmax_sums_to_one_and_repeats_exactly() {
        let mut runner = FloatRunner::new();
        let first = runner.run(&unary("Softmax"), &[("x", input())], &["y"]).unwrap();
        let values = chunks(&first[0].bytes, f32::from_le_bytes);
        assert!((values.iter().sum::<f32>() - 1.0).abs() < 1e-6, "{values:?}");
        assert_eq!(first[0].shape, [1, 4]);
        let again = FloatRunner::new().run(&unary("Softmax"), &[("x", input())], &["y"]).unwrap();
        assert_eq!(first, again);
    }

    #[test]
    fn what_cannot_run_is_named() {
        let mut runner = FloatRunner::new();
        let error = runner.run(&unary("NoSuchOp"), &[("x", input())], &["y"]).unwrap_err();
        assert!(error.contains("NoSuchOp"), "{error}");
        let error = runner.run(&unary("Softmax"), &[("z", input())], &["y"]).unwrap_err();
        assert!(error.contains("'z'"), "{error}");
        assert!(runner.run(b"not a model", &[], &[]).is_err());
    }
}

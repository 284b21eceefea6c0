//! Calibration: running the float network on inputs and recording statistics of its tensors.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::QuantizeError;
use super::counters::Counters;
use super::masks::Masks;
use super::statistics::Statistics;
use crate::float::{Engine, Observer, Shown, Stream, Threads};
use crate::inputs::Samples;
use crate::onnx;
use crate::onnx::proto::ModelProto;
use crate::tensor_file::TensorData;

/// Statistics of tensors by name.
pub type Calibration = BTreeMap<String, Statistics>;

/// Runs a float network on all inputs in `engine`, `threads` at a time, and records statistics of the named
/// tensors. The result does not depend on the number of threads. `step` is called after each input.
///
/// # Errors
/// An input cannot be read, the network cannot run, a tensor holds values that are not finite, or there are
/// no inputs.
pub fn calibrate(
    model: &ModelProto,
    tensors: &BTreeSet<String>,
    inputs: &dyn Samples,
    engine: &Engine,
    threads: usize,
    step: &(dyn Fn() + Sync),
) -> Result<Calibration, QuantizeError> {
    if inputs.count() == 0 {
        return Err(QuantizeError::NoInputs);
    }
    let stream = Stream::load(engine, onnx::float_network(model), tensors).map_err(QuantizeError::Float)?;
    let runs = FloatRuns { stream: &stream, inputs, threads, step };
    let masks = Arc::new(Masks::of(model));
    let workers = runs.run(
        &|| Own { masks: Arc::clone(&masks), ..Own::default() },
        &|at, own: &mut Own| own.at = at,
        &|at, own: &mut Own| match own.odd.take() {
            Some(tensor) => Err(QuantizeError::NotFinite { tensor, at }),
            None => Ok(()),
        },
    )?;
    let mut merged = Calibration::new();
    for (name, statistics) in workers.into_iter().flat_map(|own| own.seen) {
        let Some(new) = statistics else { continue };
        let joined = match merged.remove(&name) {
            Some(old) => Statistics::merged(old, new),
            None => new,
        };
        merged.insert(name, joined);
    }
    Ok(merged)
}

/// Runs of a network on several threads.
pub(super) struct FloatRuns<'a> {
    pub(super) stream: &'a Stream,
    pub(super) inputs: &'a dyn Samples,
    pub(super) threads: usize,
    /// Called after each input.
    pub(super) step: &'a (dyn Fn() + Sync),
}

impl FloatRuns<'_> {
    /// Each thread has an observer of its own, made by `new`. `before` and `after` are called for each input.
    /// Of several errors, that of the first input is returned.
    pub(super) fn run<O: Observer>(
        &self,
        new: &(dyn Fn() -> O + Sync),
        before: &(dyn Fn(usize, &mut O) + Sync),
        after: &(dyn Fn(usize, &mut O) -> Result<(), QuantizeError> + Sync),
    ) -> Result<Vec<O>, QuantizeError> {
        let next = AtomicUsize::new(0);
        let failed: Mutex<BTreeMap<usize, QuantizeError>> = Mutex::default();
        let worker = || {
            let pool = Threads::new(1);
            let mut own = new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= self.inputs.count() {
                    return Some(own);
                }
                before(at, &mut own);
                match self.one(&pool, at, own).and_then(|mut own| after(at, &mut own).map(|()| own)) {
                    Ok(back) => own = back,
                    Err(error) => {
                        next.store(self.inputs.count(), Ordering::Relaxed);
                        // A poisoned lock means that another worker panicked; that panic is propagated to the
                        // caller.
                        if let Ok(mut failed) = failed.lock() {
                            failed.insert(at, error);
                        }
                        return None;
                    }
                }
                (self.step)();
            }
        };
        let found: Vec<Option<O>> = std::thread::scope(|scope| {
            let others: Vec<_> =
                (1..self.threads.clamp(1, self.inputs.count().max(1))).map(|_| scope.spawn(worker)).collect();
            let own = worker();
            others
                .into_iter()
                .map(|o| o.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .chain([own])
                .collect()
        });
        match failed.into_inner().unwrap_or_default().into_values().next() {
            Some(error) => Err(error),
            None => Ok(found.into_iter().flatten().collect()),
        }
    }

    fn one<O: Observer>(&self, pool: &Threads, at: usize, observer: O) -> Result<O, QuantizeError> {
        let input = self.inputs.read(at).map_err(|e| QuantizeError::Input { at, why: e.to_string() })?;
        let values: Vec<(&str, &TensorData)> = input.iter().map(|(n, t)| (n.as_str(), t)).collect();
        self.stream.run(pool, &values, observer).map_err(|why| QuantizeError::Input { at, why })
    }
}

/// Statistics of one thread.
#[derive(Default)]
struct Own {
    masks: Arc<Masks>,
    seen: BTreeMap<String, Option<Statistics>>,
    counters: Counters,
    /// The number of the input.
    at: usize,
    /// The first tensor with values that are not finite.
    odd: Option<String>,
}

impl Observer for Own {
    fn see(&mut self, tensor: Shown<'_>) {
        if !self.seen.contains_key(tensor.name) {
            self.seen.insert(tensor.name.into(), None);
        }
        let counted = self.masks.counted(tensor.name, tensor.shape, tensor.values);
        let values = counted.as_deref().unwrap_or(tensor.values);
        if let Some(into) = self.seen.get_mut(tensor.name)
            && !Statistics::add(into, values, self.at, &mut self.counters)
            && self.odd.is_none()
        {
            self.odd = Some(tensor.name.into());
        }
    }
}

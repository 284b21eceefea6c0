//! Running the float network over calibration inputs and watching its tensors.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::QuantizeError;
use super::statistics::{Counters, Statistics};
use crate::float::{Engine, Observer, Shown, Stream, Threads};
use crate::onnx;
use crate::onnx::proto::ModelProto;
use crate::tensor_file::TensorData;

/// One calibration input: a value for each input of the network, by name.
pub type Input = Vec<(String, TensorData)>;

/// Where calibration inputs come from. They are asked for one by one, from several threads, so that only a few are in
/// memory.
pub trait Inputs: Sync {
    /// How many there are.
    fn count(&self) -> usize;
    /// Reads one.
    ///
    /// # Errors
    /// Why it cannot be read, for the user.
    fn read(&self, at: usize) -> Result<Input, String>;
}

impl Inputs for Vec<Input> {
    fn count(&self) -> usize {
        self.len()
    }

    fn read(&self, at: usize) -> Result<Input, String> {
        self.get(at).cloned().ok_or_else(|| format!("there is no input {at}"))
    }
}

/// Statistics of tensors by name.
pub type Calibration = BTreeMap<String, Statistics>;

/// Runs a float network on all inputs by `engine`, `threads` at a time, and gathers statistics of the named tensors. The result does
/// not depend on the number of threads. `step` is called after each input.
///
/// # Errors
/// An input cannot be read, the network cannot run, a tensor holds values that are not finite, or there are no inputs.
pub fn calibrate(
    model: &ModelProto,
    tensors: &BTreeSet<String>,
    inputs: &dyn Inputs,
    engine: &Engine,
    threads: usize,
    step: &(dyn Fn() + Sync),
) -> Result<Calibration, QuantizeError> {
    if inputs.count() == 0 {
        return Err(QuantizeError::NoInputs);
    }
    let stream = Stream::load(engine, &onnx::float_network(model), tensors).map_err(QuantizeError::Float)?;
    let next = AtomicUsize::new(0);
    let failed: Mutex<BTreeMap<usize, QuantizeError>> = Mutex::default();
    let merged: Mutex<Calibration> = Mutex::default();
    let worker = || {
        let pool = Threads::new(1);
        let mut own = Own::default();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= inputs.count() {
                break;
            }
            own = match one(&stream, &pool, inputs, at, own) {
                Ok(own) => own,
                Err(error) => {
                    next.store(inputs.count(), Ordering::Relaxed);
                    if let Ok(mut failed) = failed.lock() {
                        failed.insert(at, error);
                    }
                    return;
                }
            };
            step();
        }
        // A poisoned lock means that another worker panicked: its panic is what the user sees.
        if let Ok(mut merged) = merged.lock() {
            for (name, statistics) in own.seen {
                let Some(new) = statistics else { continue };
                let joined = match merged.remove(&name) {
                    Some(old) => old.merged(new),
                    None => new,
                };
                merged.insert(name, joined);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.clamp(1, inputs.count()) {
            scope.spawn(worker);
        }
        worker();
    });
    match failed.into_inner().unwrap_or_default().into_values().next() {
        Some(error) => Err(error),
        None => Ok(merged.into_inner().unwrap_or_default()),
    }
}

/// What one thread has seen.
#[derive(Default)]
struct Own {
    seen: BTreeMap<String, Option<Statistics>>,
    counters: Counters,
    /// Which input this is.
    at: usize,
    /// The first tensor with values that are not finite.
    odd: Option<String>,
}

impl Observer for Own {
    fn see(&mut self, tensor: Shown<'_>) {
        if !self.seen.contains_key(tensor.name) {
            self.seen.insert(tensor.name.into(), None);
        }
        if let Some(into) = self.seen.get_mut(tensor.name)
            && !Statistics::add(into, tensor.values, self.at, &mut self.counters)
            && self.odd.is_none()
        {
            self.odd = Some(tensor.name.into());
        }
    }
}

fn one(
    stream: &Stream,
    pool: &Threads,
    inputs: &dyn Inputs,
    at: usize,
    own: Own,
) -> Result<Own, QuantizeError> {
    let input = inputs.read(at).map_err(|why| QuantizeError::Input { at, why })?;
    let values: Vec<(&str, &TensorData)> = input.iter().map(|(n, t)| (n.as_str(), t)).collect();
    let own = stream.run(pool, &values, Own { at, ..own }).map_err(|why| QuantizeError::Input { at, why })?;
    match own.odd {
        Some(tensor) => Err(QuantizeError::NotFinite { tensor, at }),
        None => Ok(own),
    }
}

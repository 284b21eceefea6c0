//! Running the float network over calibration inputs and watching its tensors.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use prost::Message;

use super::QuantizeError;
use super::statistics::Statistics;
use crate::float::{Stream, Threads};
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

/// Runs a float network on all inputs, `threads` at a time, and gathers statistics of the named tensors. The result does
/// not depend on the number of threads. `step` is called after each input.
///
/// # Errors
/// An input cannot be read, the network cannot run, a tensor holds values that are not finite, or there are no inputs.
pub fn calibrate(
    model: &ModelProto,
    tensors: &BTreeSet<String>,
    inputs: &dyn Inputs,
    threads: usize,
    step: &(dyn Fn() + Sync),
) -> Result<Calibration, QuantizeError> {
    if inputs.count() == 0 {
        return Err(QuantizeError::NoInputs);
    }
    let graph = model.graph.as_ref().ok_or_else(|| QuantizeError::Model("it has no graph".into()))?;
    let stream =
        Stream::load(&model.encode_to_vec(), &onnx::given_inputs(graph), &onnx::steps(graph), tensors)
            .map_err(QuantizeError::Float)?;
    let next = AtomicUsize::new(0);
    let failed: Mutex<BTreeMap<usize, QuantizeError>> = Mutex::default();
    let merged: Mutex<Calibration> = Mutex::default();
    let worker = || {
        let pool = Threads::new(1);
        let mut own: BTreeMap<String, Option<Statistics>> = BTreeMap::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= inputs.count() {
                break;
            }
            if let Err(error) = one(&stream, &pool, inputs, at, &mut own) {
                next.store(inputs.count(), Ordering::Relaxed);
                if let Ok(mut failed) = failed.lock() {
                    failed.insert(at, error);
                }
                return;
            }
            step();
        }
        // A poisoned lock means that another worker panicked: its panic is what the user sees.
        if let Ok(mut merged) = merged.lock() {
            for (name, statistics) in own {
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

fn one(
    stream: &Stream,
    pool: &Threads,
    inputs: &dyn Inputs,
    at: usize,
    own: &mut BTreeMap<String, Option<Statistics>>,
) -> Result<(), QuantizeError> {
    let input = inputs.read(at).map_err(|why| QuantizeError::Input { at, why })?;
    let values: Vec<(&str, &TensorData)> = input.iter().map(|(n, t)| (n.as_str(), t)).collect();
    let mut odd: Option<String> = None;
    let run = stream.run(pool, &values, &mut |shown| {
        if !own.contains_key(shown.name) {
            own.insert(shown.name.into(), None);
        }
        if let Some(into) = own.get_mut(shown.name)
            && !Statistics::add(into, shown.values, at)
            && odd.is_none()
        {
            odd = Some(shown.name.into());
        }
    });
    run.map_err(|why| QuantizeError::Input { at, why })?;
    match odd {
        Some(tensor) => Err(QuantizeError::NotFinite { tensor, at }),
        None => Ok(()),
    }
}

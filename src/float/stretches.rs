//! The network in `rten`, cut into short stretches. Between two of them only what later nodes read is kept,
//! so memory is bounded by the tensors that live at the same time, and not by all that are shown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rten::{Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value, ValueOrView};
use rten_tensor::{AsView, Layout};

use super::convert::{guarded, node, value};
use super::network::{Network, Observer, Shown};
use crate::tensor_file::TensorData;

/// Tensors shown in one stretch.
const STRETCH: usize = 6;

/// The threads of one caller, where the library can use more than one. Several callers, each with its own,
/// may share one [`Stream`](super::Stream).
#[derive(Clone)]
pub struct Threads(Arc<ThreadPool>);

impl Threads {
    /// A pool of `count` threads.
    #[must_use]
    pub fn new(count: usize) -> Threads {
        Threads(Arc::new(ThreadPool::with_num_threads(count)))
    }
}

impl std::fmt::Debug for Threads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Threads")
    }
}

/// A stretch of nodes that run together.
struct Stretch {
    /// Its results: name, id, and whether it is shown.
    outputs: Vec<(String, NodeId, bool)>,
    /// Values that no later stretch reads.
    done: Vec<NodeId>,
}

/// A network loaded by `rten`.
pub(super) struct Stretches {
    model: Model,
    stretches: Vec<Stretch>,
}

impl Stretches {
    pub(super) fn load(mut network: Network, wanted: &BTreeSet<String>) -> Result<Stretches, String> {
        if let Some(wrong) = network.wrong {
            return Err(wrong);
        }
        let bytes = network.portable.take().unwrap_or_else(|| std::mem::take(&mut network.model));
        let model = guarded(|| {
            ModelOptions::with_all_ops()
                .enable_optimization(false)
                .prepack_weights(true)
                .load(bytes)
                .map_err(|e| format!("the float library cannot load it: {e}"))
        })?;
        let stretches = stretches(&model, &network, wanted)?;
        Ok(Stretches { model, stretches })
    }

    pub(super) fn run(
        &self,
        threads: &Threads,
        inputs: &[(&str, &TensorData)],
        observer: &mut dyn Observer,
    ) -> Result<(), String> {
        let mut live: BTreeMap<u32, (NodeId, Value)> = BTreeMap::new();
        for (name, tensor) in inputs {
            let id = node(&self.model, name)?;
            live.insert(id.as_u32(), (id, value(name, tensor)?));
        }
        for stretch in &self.stretches {
            let new: Vec<NodeId> =
                stretch.outputs.iter().map(|o| o.1).filter(|id| !live.contains_key(&id.as_u32())).collect();
            if !new.is_empty() {
                let given: Vec<(NodeId, ValueOrView<'_>)> =
                    live.values().map(|(id, v)| (*id, v.as_view().into())).collect();
                let mut options = RunOptions::default();
                options.thread_pool = Some(Arc::clone(&threads.0));
                let run = || self.model.run(given, &new, Some(options)).map_err(|e| e.to_string());
                let results = guarded(run)?;
                live.extend(new.iter().zip(results).map(|(id, v)| (id.as_u32(), (*id, v))));
            }
            for (name, id, shown) in &stretch.outputs {
                if *shown && let Some((_, Value::FloatTensor(t))) = live.get(&id.as_u32()) {
                    let shape = t.shape();
                    match t.data() {
                        Some(values) => observer.see(Shown { name, shape, values }),
                        None => observer.see(Shown { name, shape, values: &t.to_vec() }),
                    }
                }
            }
            for id in &stretch.done {
                live.remove(&id.as_u32());
            }
        }
        Ok(())
    }
}

/// Cuts the nodes into stretches that each show a few tensors.
fn stretches(model: &Model, network: &Network, wanted: &BTreeSet<String>) -> Result<Vec<Stretch>, String> {
    let (inputs, steps) = (&network.inputs, &network.steps);
    let mut last_read: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, step) in steps.iter().enumerate() {
        last_read.extend(step.inputs.iter().map(|i| (i.as_str(), at)));
    }
    let last_wanted =
        steps.iter().rposition(|s| s.outputs.iter().any(|o| wanted.contains(o))).map_or(0, |at| at + 1);
    let read_after = |name: &str, at: usize| last_read.get(name).is_some_and(|l| *l >= at);
    let shown_inputs: Vec<&String> = inputs.iter().filter(|i| wanted.contains(*i)).collect();
    let mut made = Vec::new();
    let mut begin = 0;
    let mut alive: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let mut outputs = Vec::new();
    for name in shown_inputs {
        outputs.push((name.clone(), node(model, name)?, true));
    }
    let mut shown = 0;
    for at in 0..last_wanted {
        shown += steps[at].outputs.iter().filter(|o| wanted.contains(*o)).count();
        if shown < STRETCH && at + 1 < last_wanted {
            continue;
        }
        let written: Vec<&String> =
            steps[begin..=at].iter().flat_map(|s| &s.outputs).filter(|o| !o.is_empty()).collect();
        for name in written {
            let keep = read_after(name, at + 1);
            if keep || wanted.contains(name) {
                outputs.push((name.clone(), node(model, name)?, wanted.contains(name)));
                alive.push(name);
            }
        }
        let mut done = Vec::new();
        for name in alive.extract_if(.., |name| !read_after(name, at + 1)) {
            done.push(node(model, name)?);
        }
        made.push(Stretch { outputs: std::mem::take(&mut outputs), done });
        (begin, shown) = (at + 1, 0);
    }
    if !outputs.is_empty() {
        made.push(Stretch { outputs, done: Vec::new() });
    }
    Ok(made)
}

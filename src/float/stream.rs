//! A float network run on one input after the other, showing each tensor to a callback as soon as it is computed.
//!
//! The network runs in short stretches. Between two of them only what later nodes read is kept, so memory is bounded by
//! the tensors that live at once, not by all that are shown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rten::{Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value, ValueOrView};
use rten_tensor::{AsView, Layout};

use super::value;
use crate::tensor_file::TensorData;

/// Tensors shown in one stretch.
const STRETCH: usize = 6;

/// What one node reads and writes: names of values. Constants are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// Values read, also those that a branch inside the node captures.
    pub inputs: Vec<String>,
    /// Values written.
    pub outputs: Vec<String>,
}

/// A computed tensor, row-major.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// Name of the ONNX value.
    pub name: &'a str,
    /// Extents.
    pub shape: &'a [usize],
    /// `product(shape)` values.
    pub values: &'a [f32],
}

/// The threads that one caller computes on. Several callers, each with its own, may share one [`Stream`].
#[derive(Clone)]
pub struct Threads(Arc<ThreadPool>);

impl Threads {
    /// So many threads.
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
    /// What it hands out: name, id, and whether it is shown.
    outputs: Vec<(String, NodeId, bool)>,
    /// What no later stretch reads.
    done: Vec<NodeId>,
}

/// A float network that shows chosen tensors.
pub struct Stream {
    model: Model,
    inputs: BTreeSet<String>,
    stretches: Vec<Stretch>,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stream({} stretches)", self.stretches.len())
    }
}

impl Stream {
    /// Loads a model. `steps` are its nodes in an order in which they can run; `wanted` says which values will be shown.
    /// An input of the network may be among them.
    ///
    /// # Errors
    /// The library cannot load the model, or the model has no value of a wanted name.
    pub fn load(
        model: &[u8],
        inputs: &[String],
        steps: &[Step],
        wanted: &BTreeSet<String>,
    ) -> Result<Stream, String> {
        let model = ModelOptions::with_all_ops()
            .enable_optimization(false)
            .prepack_weights(true)
            .load(model.to_vec())
            .map_err(|e| format!("the float library cannot load it: {e}"))?;
        let inputs: BTreeSet<String> = inputs.iter().cloned().collect();
        let computed: BTreeSet<&String> = steps.iter().flat_map(|s| &s.outputs).collect();
        if let Some(name) = wanted.iter().find(|w| !computed.contains(w) && !inputs.contains(*w)) {
            return Err(format!("the model computes no value named '{name}'"));
        }
        let stretches = stretches(&model, &inputs, steps, wanted)?;
        Ok(Stream { model, inputs, stretches })
    }

    /// Runs the network on one set of inputs and calls `show` for every wanted f32 tensor in the order of the nodes.
    /// The same inputs show the same values, however many threads there are of callers.
    ///
    /// # Errors
    /// An input is missing or of a wrong shape, or an operator fails.
    pub fn run(
        &self,
        threads: &Threads,
        inputs: &[(&str, &TensorData)],
        show: &mut dyn FnMut(Shown<'_>),
    ) -> Result<(), String> {
        let mut live: BTreeMap<u32, (NodeId, Value)> = BTreeMap::new();
        for (name, tensor) in inputs {
            let id = super::node(&self.model, name)?;
            live.insert(id.as_u32(), (id, value(name, tensor)?));
        }
        if let Some(missing) = self.inputs.iter().find(|i| inputs.iter().all(|(name, _)| name != i)) {
            return Err(format!("no value is given for input '{missing}'"));
        }
        for stretch in &self.stretches {
            let new: Vec<NodeId> =
                stretch.outputs.iter().map(|o| o.1).filter(|id| !live.contains_key(&id.as_u32())).collect();
            if !new.is_empty() {
                let given: Vec<(NodeId, ValueOrView<'_>)> =
                    live.values().map(|(id, v)| (*id, v.as_view().into())).collect();
                let mut options = RunOptions::default();
                options.thread_pool = Some(Arc::clone(&threads.0));
                let results = self.model.run(given, &new, Some(options)).map_err(|e| e.to_string())?;
                live.extend(new.iter().zip(results).map(|(id, v)| (id.as_u32(), (*id, v))));
            }
            for (name, id, shown) in &stretch.outputs {
                if *shown && let Some((_, Value::FloatTensor(t))) = live.get(&id.as_u32()) {
                    let shape = t.shape();
                    match t.data() {
                        Some(values) => show(Shown { name, shape, values }),
                        None => show(Shown { name, shape, values: &t.to_vec() }),
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
fn stretches(
    model: &Model,
    inputs: &BTreeSet<String>,
    steps: &[Step],
    wanted: &BTreeSet<String>,
) -> Result<Vec<Stretch>, String> {
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
        outputs.push((name.clone(), super::node(model, name)?, true));
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
                outputs.push((name.clone(), super::node(model, name)?, wanted.contains(name)));
                alive.push(name);
            }
        }
        let mut done = Vec::new();
        for name in alive.extract_if(.., |name| !read_after(name, at + 1)) {
            done.push(super::node(model, name)?);
        }
        made.push(Stretch { outputs: std::mem::take(&mut outputs), done });
        (begin, shown) = (at + 1, 0);
    }
    if !outputs.is_empty() {
        made.push(Stretch { outputs, done: Vec::new() });
    }
    Ok(made)
}

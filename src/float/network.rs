//! The network that an engine runs, and the tensors that it shows.

use std::any::Any;
use std::collections::BTreeSet;

/// A float network in the form that an engine takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Network {
    /// The serialized `ModelProto`.
    pub model: Vec<u8>,
    /// The same model in operators that `rten` computes correctly, where it would compute `model`
    /// incorrectly. Each value of `steps` is in both.
    pub portable: Option<Vec<u8>>,
    /// What `rten` would compute incorrectly in either.
    pub wrong: Option<String>,
    /// Inputs that must be given.
    pub inputs: Vec<String>,
    /// Outputs that the model declares.
    pub outputs: Vec<String>,
    /// Its nodes in topological order.
    pub steps: Vec<Step>,
}

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

/// Receives the tensors of one run.
pub trait Observer: Any + Send {
    /// A requested tensor was computed. Each is shown once, after those that it is computed from.
    fn see(&mut self, tensor: Shown<'_>);
}

/// Keeps everything that it is shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Collected {
    /// In the order of computation.
    pub tensors: Vec<Kept>,
}

/// A tensor that was shown, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// Name of the ONNX value.
    pub name: String,
    /// Extents.
    pub shape: Vec<usize>,
    /// `product(shape)` values.
    pub values: Vec<f32>,
}

impl Observer for Collected {
    fn see(&mut self, t: Shown<'_>) {
        self.tensors.push(Kept { name: t.name.into(), shape: t.shape.to_vec(), values: t.values.to_vec() });
    }
}

/// The tensors to be shown.
pub(super) struct Order {
    /// Inputs of the network.
    pub(super) inputs: BTreeSet<String>,
    /// Computed values, in the order of the nodes.
    pub(super) computed: Vec<String>,
}

impl Order {
    /// Fails if no node computes one of the values.
    pub(super) fn of(network: &Network, wanted: &BTreeSet<String>) -> Result<Order, String> {
        let inputs: BTreeSet<String> =
            network.inputs.iter().filter(|i| wanted.contains(*i)).cloned().collect();
        let all = network.steps.iter().flat_map(|s| &s.outputs);
        let computed: Vec<String> = all.filter(|o| wanted.contains(*o)).cloned().collect();
        match wanted.iter().find(|w| !computed.contains(w) && !inputs.contains(*w)) {
            Some(name) => Err(format!("the model computes no value named '{name}'")),
            None => Ok(Order { inputs, computed }),
        }
    }
}

//! Options of an import.

use std::collections::{BTreeMap, BTreeSet};

use super::super::proto::ValueInfoProto;
use super::declared::{Given, declared};
use crate::float::Engine;
use crate::isa::Profile;

/// Options of an import.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// Tensors that no fusion may remove.
    pub observe: Observe,
    /// Shapes of graph inputs, where the model leaves them open.
    pub shapes: BTreeMap<String, Vec<usize>>,
    /// Extents that the model names instead of giving a number (`batch`, `height`).
    pub symbols: BTreeMap<String, usize>,
    /// Whether unsupported operators may run on the host.
    pub host: bool,
    /// The library that runs host layers.
    pub engine: Engine,
    /// The rounding profile, which determines what can be fused.
    pub profile: Profile,
}

impl Default for ImportOptions {
    fn default() -> ImportOptions {
        ImportOptions {
            observe: Observe::default(),
            shapes: BTreeMap::new(),
            symbols: BTreeMap::new(),
            host: true,
            engine: Engine::default(),
            profile: Profile::default(),
        }
    }
}

impl ImportOptions {
    /// The extents of a graph input: as given, else as the model declares them. An open batch is 1.
    ///
    /// # Errors
    /// An extent is open and not given, or too large.
    pub fn shape_of(&self, input: &ValueInfoProto) -> Result<Vec<usize>, String> {
        declared(input, &self.dims(input.name())).map(|(shape, _)| shape)
    }

    /// The extents given for a value.
    pub(super) fn dims(&self, name: &str) -> Given<'_> {
        Given { shape: self.shapes.get(name).map(Vec::as_slice), symbols: &self.symbols }
    }
}

/// Tensors to keep.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Observe {
    /// Fuse whatever can be fused.
    #[default]
    Nothing,
    /// Keep every integer tensor of the model.
    All,
    /// Keep these ONNX values.
    Named(BTreeSet<String>),
}

impl Observe {
    pub(super) fn holds(&self, tensor: &str) -> bool {
        match self {
            Observe::Nothing => false,
            Observe::All => true,
            Observe::Named(names) => names.contains(tensor),
        }
    }
}

//! What may be said about an import and a compilation.

use crate::float::Engine;
use crate::isa::Profile;
use crate::onnx::{ImportOptions, Observe};

/// How a model becomes a graph: as it stands, with an open batch of 1, unless told otherwise.
#[derive(Debug, Clone, Default)]
pub struct Import(pub(super) ImportOptions);

impl Import {
    /// The model as it stands.
    #[must_use]
    pub fn new() -> Import {
        Import::default()
    }

    /// The shape of an input that the model leaves open.
    #[must_use]
    pub fn shape(mut self, input: impl Into<String>, shape: &[usize]) -> Import {
        self.0.shapes.insert(input.into(), shape.to_vec());
        self
    }

    /// The number for an extent that the model names (`batch`, `height`).
    #[must_use]
    pub fn extent(mut self, name: impl Into<String>, extent: usize) -> Import {
        self.0.symbols.insert(name.into(), extent);
        self
    }

    /// Keeps a tensor that operators would otherwise be fused over, so that it can be looked at.
    #[must_use]
    pub fn keep(mut self, tensor: impl Into<String>) -> Import {
        match &mut self.0.observe {
            Observe::All => {}
            Observe::Named(names) => {
                names.insert(tensor.into());
            }
            Observe::Nothing => self.0.observe = Observe::Named([tensor.into()].into()),
        }
        self
    }

    /// Keeps every tensor.
    #[must_use]
    pub fn keep_all(mut self) -> Import {
        self.0.observe = Observe::All;
        self
    }

    /// Whether operators that the accelerator does not have may run on the host; they may, unless told.
    #[must_use]
    pub fn host(mut self, allowed: bool) -> Import {
        self.0.host = allowed;
        self
    }

    /// What runs host layers.
    #[must_use]
    pub fn float_engine(mut self, engine: Engine) -> Import {
        self.0.engine = engine;
        self
    }

    /// How the machine rounds: [`Profile::Onnx`] unless told.
    #[must_use]
    pub fn rounding(mut self, profile: Profile) -> Import {
        self.0.profile = profile;
        self
    }
}

/// How a graph becomes a program.
#[derive(Debug, Clone, Default)]
pub struct Compile {
    pub(super) dense_weights: bool,
}

impl Compile {
    /// As the compiler sees fit.
    #[must_use]
    pub fn new() -> Compile {
        Compile::default()
    }

    /// Whether zero blocks of weights are kept even where leaving them out saves cycles or bytes.
    #[must_use]
    pub fn dense_weights(mut self, dense: bool) -> Compile {
        self.dense_weights = dense;
        self
    }
}

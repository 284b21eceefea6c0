//! Options of import and compilation.

use crate::float::Engine;
use crate::isa::Profile;
use crate::onnx::{ImportOptions, Observe};

/// Options of the import; by default the model is taken as it is, with an open batch of 1.
#[derive(Debug, Clone, Default)]
pub struct Import(pub(super) ImportOptions);

impl Import {
    /// The default options.
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

    /// Keeps a tensor that fusion would remove, so that it can be read.
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

    /// Whether unsupported operators may run on the host; true by default.
    #[must_use]
    pub fn host(mut self, allowed: bool) -> Import {
        self.0.host = allowed;
        self
    }

    /// The library that runs host layers.
    #[must_use]
    pub fn float_engine(mut self, engine: Engine) -> Import {
        self.0.engine = engine;
        self
    }

    /// The rounding profile; [`Profile::Onnx`] by default.
    #[must_use]
    pub fn rounding(mut self, profile: Profile) -> Import {
        self.0.profile = profile;
        self
    }
}

/// Options of compilation.
#[derive(Debug, Clone, Default)]
pub struct Compile {
    pub(super) dense_weights: bool,
}

impl Compile {
    /// The default options.
    #[must_use]
    pub fn new() -> Compile {
        Compile::default()
    }

    /// Whether to keep zero blocks of weights even where omitting them saves cycles or bytes; false by
    /// default.
    #[must_use]
    pub fn dense_weights(mut self, dense: bool) -> Compile {
        self.dense_weights = dense;
        self
    }
}

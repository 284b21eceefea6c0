//! The choice of an engine.

use super::Engine;
use super::{fast, reference};
use crate::sim::load::Decoded;

/// The engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EngineKind {
    /// One element at a time, straight from the manual.
    Reference,
    /// By rows, with vector kernels: the default.
    #[default]
    Fast,
}

impl EngineKind {
    /// An engine for a program.
    #[must_use]
    pub fn make(self, decoded: &Decoded) -> Box<dyn Engine + Send> {
        match self {
            EngineKind::Reference => Box::new(reference::Reference::of(decoded)),
            EngineKind::Fast => Box::new(fast::Fast::new()),
        }
    }

    /// `reference` or `fast`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            EngineKind::Reference => "reference",
            EngineKind::Fast => "fast",
        }
    }
}

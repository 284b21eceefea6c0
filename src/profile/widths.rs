//! Which widths every layer asked for, and which it was executed with.

use schemars::JsonSchema;
use serde::Serialize;

use crate::program::Bits;
use crate::sim::Loaded;

/// The widths of one layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LayerWidths {
    /// Its name.
    pub layer: String,
    /// What the model, or the user, asks for; none where nothing does (host layers, assembly).
    pub asked: Option<Bits>,
    /// What the executed instructions had; none without instructions.
    pub executed: Option<Bits>,
}

impl LayerWidths {
    /// Whether it was executed with other widths than asked for.
    #[must_use]
    pub fn differs(&self) -> bool {
        matches!((&self.asked, &self.executed), (Some(a), Some(e)) if a != e)
    }
}

/// Widths of all layers of a loaded program, counted in its control pass: what every run executes.
#[must_use]
pub fn widths(loaded: &Loaded) -> Vec<LayerWidths> {
    let layers = loaded.program().meta.layers.iter().zip(loaded.widths());
    layers
        .map(|(l, w)| LayerWidths { layer: l.name.clone(), asked: l.asked.clone(), executed: w.bits() })
        .collect()
}

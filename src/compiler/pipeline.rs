//! The passes over tiled operations, in order, and the loop that runs them.
//!
//! After lowering, constants have DRAM addresses, tensors count from
//! [`TENSOR_BASE`](super::storage::TENSOR_BASE), and buffers have no addresses yet. Each pass takes all
//! layers and leaves them legal: where checks are on (debug builds and tests), the rules of `verify` are
//! applied after every pass.

use std::collections::BTreeSet;

use super::CompileError;
use super::passes::{buffer_placement, copy_elision, dma_order, rescale, tensor_placement, vector_order};
pub use super::surroundings::Surroundings;
use super::tile::TileLayer;
use super::verify::{self, Fact, Footprint, Scope};

/// A pass over the tiled operations.
pub struct Pass {
    /// Its name.
    pub name: &'static str,
    /// One line on what it does.
    pub does: &'static str,
    /// What holds from then on.
    makes: Option<Fact>,
    run: fn(&mut [TileLayer], &Surroundings<'_>) -> Result<(), CompileError>,
}

/// The name of lowering among the passes: it comes before all of them.
pub const LOWERING: &str = "lowering";

/// All passes, in the order in which they run.
pub const PASSES: &[Pass] = &[
    Pass {
        name: "rescale",
        does: "replaces f32 factors by integer multipliers and shifts, in the q31 profiles",
        makes: Some(Fact::Rescaled),
        run: |layers, around| rescale::apply(layers, around.profile),
    },
    Pass {
        name: "copy_elision",
        does: "removes copies between buffers and tensors in the scratchpad",
        makes: None,
        run: |layers, _| {
            layers.iter_mut().for_each(|l| copy_elision::elide(&mut l.body));
            Ok(())
        },
    },
    Pass {
        name: "dma_order",
        does: "orders the axes of transfers along DRAM",
        makes: None,
        run: |layers, _| {
            layers.iter_mut().for_each(|l| dma_order::along_dram(&mut l.body));
            Ok(())
        },
    },
    Pass {
        name: "vector_order",
        does: "orders the axes of element-wise operations so that vectors are full",
        makes: None,
        run: |layers, around| {
            let lanes = i64::from(around.machine.vec.lanes);
            layers.iter_mut().for_each(|l| vector_order::fill_lanes(&mut l.body, lanes));
            Ok(())
        },
    },
    Pass {
        name: "buffer_placement",
        does: "assigns addresses to buffers in scratchpad and accumulators, and makes them double where there is room",
        makes: Some(Fact::BuffersPlaced),
        run: |layers, around| buffer_placement::arrange(layers, &around.room, around.machine),
    },
    Pass {
        name: "tensor_placement",
        does: "moves tensors in DRAM behind the constants",
        makes: Some(Fact::TensorsPlaced),
        run: |layers, around| {
            tensor_placement::place(layers, around.constants);
            Ok(())
        },
    },
];

/// The passes up to and including the one with this name, none for [`LOWERING`]; `None` if there is no such
/// pass.
#[must_use]
pub fn up_to(name: &str) -> Option<&'static [Pass]> {
    if name == LOWERING {
        return Some(&[]);
    }
    PASSES.iter().position(|p| p.name == name).and_then(|at| PASSES.get(..=at))
}

/// Which rules are checked between passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checks {
    /// Nothing.
    None,
    /// The rules that hold for every network: debug builds.
    Sure,
    /// All rules: test cases.
    All,
}

/// Layers and the passes that they have been through.
pub struct Pipeline<'a> {
    around: Surroundings<'a>,
    layers: Vec<TileLayer>,
    facts: BTreeSet<Fact>,
    checks: Checks,
}

impl<'a> Pipeline<'a> {
    /// A pipeline at `after`, which is [`LOWERING`] or the name of a pass. `checks` are applied at every
    /// step.
    ///
    /// # Errors
    /// [`CompileError::Broken`]: they break a rule. [`CompileError::Internal`]: there is no such pass.
    pub fn new(
        layers: Vec<TileLayer>,
        after: &'static str,
        around: Surroundings<'a>,
        checks: Checks,
    ) -> Result<Pipeline<'a>, CompileError> {
        let done = up_to(after).ok_or(CompileError::Internal { what: "there is no such pass" })?;
        let facts = done.iter().filter_map(|p| p.makes).collect();
        let pipeline = Pipeline { around, layers, facts, checks };
        pipeline.verify(after)?;
        Ok(pipeline)
    }

    /// Runs passes.
    ///
    /// # Errors
    /// Those of the passes; [`CompileError::Broken`]: one has left what breaks a rule.
    pub fn run(&mut self, passes: &[Pass]) -> Result<(), CompileError> {
        for pass in passes {
            let before = self.footprints();
            (pass.run)(&mut self.layers, &self.around)?;
            self.after(pass, &before)?;
        }
        Ok(())
    }

    /// Continues with `layers` as if `pass` had made them, so that tests see which rule finds a wrong pass.
    ///
    /// # Errors
    /// [`CompileError::Broken`]: they break a rule.
    pub fn replace(&mut self, pass: &Pass, layers: Vec<TileLayer>) -> Result<(), CompileError> {
        let before = self.footprints();
        self.layers = layers;
        self.after(pass, &before)
    }

    /// The layers as they are now.
    #[must_use]
    pub fn layers(&self) -> &[TileLayer] {
        &self.layers
    }

    /// The layers.
    #[must_use]
    pub fn into_layers(self) -> Vec<TileLayer> {
        self.layers
    }

    fn after(&mut self, pass: &Pass, before: &[Footprint]) -> Result<(), CompileError> {
        self.facts.extend(pass.makes);
        self.verify(pass.name)?;
        if self.checks != Checks::None {
            verify::same_results(pass.name, &self.layers, before, &self.footprints())?;
        }
        Ok(())
    }

    fn verify(&self, pass: &'static str) -> Result<(), CompileError> {
        if self.checks == Checks::None {
            return Ok(());
        }
        Ok(verify::layers(pass, &self.layers, &self.scope(), self.checks == Checks::All)?)
    }

    fn footprints(&self) -> Vec<Footprint> {
        if self.checks == Checks::None { Vec::new() } else { verify::footprints(&self.layers, &self.scope()) }
    }

    fn scope(&self) -> Scope<'_> {
        let base = tensor_placement::base(&self.layers, self.around.constants);
        Scope { around: &self.around, facts: &self.facts, base }
    }
}

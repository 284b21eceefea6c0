//! What the rules know beside the layer.

use std::collections::{BTreeMap, BTreeSet};

use crate::compiler::storage::{TENSOR_BASE, WORK_BASE};
use crate::compiler::surroundings::Surroundings;
use crate::compiler::tile::{Buffer, Stmt, TileLayer, Var};
use crate::isa::Space;

/// Facts that passes establish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::compiler) enum Fact {
    /// Factors are in the form that the numeric profile asks for.
    Rescaled,
    /// Buffers have their places.
    BuffersPlaced,
    /// Tensors in DRAM have their places.
    TensorsPlaced,
}

/// Where in the pipeline the layers are.
pub(in crate::compiler) struct Scope<'a> {
    pub(in crate::compiler) around: &'a Surroundings<'a>,
    pub(in crate::compiler) facts: &'a BTreeSet<Fact>,
    /// Where tensors begin in DRAM once they are placed.
    pub(in crate::compiler) base: i64,
}

impl Scope<'_> {
    pub(super) fn has(&self, fact: Fact) -> bool {
        self.facts.contains(&fact)
    }

    /// Where tensors begin in DRAM.
    pub(super) fn tensors(&self) -> i64 {
        if self.has(Fact::TensorsPlaced) { self.base } else { TENSOR_BASE }
    }
}

/// A layer, and its position in the pipeline.
pub(super) struct At<'a> {
    pub(super) layer: &'a TileLayer,
    pub(super) scope: &'a Scope<'a>,
    /// Scratchpad bytes available for its buffers.
    pub(super) room: i64,
    /// The double buffers' variables, with the distances of the sides.
    sides: BTreeMap<Var, i64>,
}

impl<'a> At<'a> {
    pub(super) fn new(layer: &'a TileLayer, scope: &'a Scope<'a>, index: usize) -> At<'a> {
        let mut sides = BTreeMap::new();
        turned(&layer.body, &mut sides);
        At { layer, scope, room: scope.around.room.get(index).copied().unwrap_or(0), sides }
    }

    /// First bytes of the two sides of a buffer; equal for a single one.
    pub(super) fn sides(&self, buffer: &Buffer) -> [i64; 2] {
        let distance = buffer.slot.and_then(|v| self.sides.get(&v)).copied().unwrap_or(0);
        [buffer.start, buffer.start + distance]
    }

    /// Whether the bytes belong to the layer alone, and to no tensor.
    pub(super) fn is_buffer(&self, space: Space, buffer: &Buffer) -> bool {
        match space {
            Space::Dram => false,
            Space::Acc => true,
            Space::Spm if self.scope.has(Fact::BuffersPlaced) => buffer.start < self.room,
            Space::Spm => buffer.start >= WORK_BASE,
        }
    }
}

fn turned(body: &[Stmt], sides: &mut BTreeMap<Var, i64>) {
    for s in body {
        if let Stmt::Loop { slots, body, .. } = s {
            sides.extend(slots.iter().map(|s| (s.var, s.bytes)));
            turned(body, sides);
        }
    }
}

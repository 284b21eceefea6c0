//! What the control core executes between two hooks of its sink, and what it reads of the constants.

use std::ops::AddAssign;

use crate::isa::TensorDesc;

/// Control instructions executed one after the other, and what their loads found in the cache of constants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Executed {
    /// Instructions that read no constants.
    pub plain: u64,
    /// Instructions that read constants.
    pub loads: u64,
    /// Loads of up to [`Executed::MASK_BYTES`] each of the mask of a queue instruction that is issued next.
    pub mask_loads: u64,
    /// Lines that all these loads touched and that were not in the cache.
    pub misses: u64,
}

impl Executed {
    /// Most bytes that the control core loads at once: those of a tensor descriptor.
    pub const MASK_BYTES: usize = TensorDesc::BYTES;
}

impl AddAssign for Executed {
    fn add_assign(&mut self, other: Executed) {
        self.plain += other.plain;
        self.loads += other.loads;
        self.mask_loads += other.mask_loads;
        self.misses += other.misses;
    }
}

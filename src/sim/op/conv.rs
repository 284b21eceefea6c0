//! What convolutions of all kinds have in common.

use crate::isa::{TensorDesc, WindowDesc};

/// A convolution tile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConvOp {
    /// Accumulators.
    pub dst: TensorDesc,
    /// Activations.
    pub src: TensorDesc,
    /// Packed (dense) or strided (depthwise) weights.
    pub weights: TensorDesc,
    /// Start values; none: zero, or the present accumulators.
    pub bias: Option<TensorDesc>,
    /// Add to the present accumulators.
    pub accumulate: bool,
    /// Geometry.
    pub window: WindowDesc,
    /// Output row and column of the tile's first element.
    pub origin: [i64; 2],
    /// For weights whose zero blocks are absent.
    pub pruned: Option<Pruned>,
}

/// What the mask of pruned weights says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pruned {
    /// Address of the mask, in the constants.
    pub mask: i64,
    /// Its bytes.
    pub mask_bytes: usize,
    /// Blocks in the stream.
    pub blocks: u64,
    /// Steps of the array (its output lanes × its input lanes at one tap) that meet a block of the stream.
    pub steps: u64,
}

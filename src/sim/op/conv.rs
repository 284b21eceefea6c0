//! Operands that all kinds of convolutions share.

use crate::isa::{TensorDesc, WindowDesc};

/// One tile of a convolution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConvOp {
    /// Accumulators.
    pub dst: TensorDesc,
    /// Activations.
    pub src: TensorDesc,
    /// Weights: packed (dense) or strided (depthwise).
    pub weights: TensorDesc,
    /// Start values; `None` for zero or the present accumulators.
    pub bias: Option<TensorDesc>,
    /// Whether products are added to the present accumulators.
    pub accumulate: bool,
    /// Geometry.
    pub window: WindowDesc,
    /// Output row and column of the tile's first element.
    pub origin: [i64; 2],
    /// The mask, for pruned weights.
    pub pruned: Option<Pruned>,
}

/// The mask of pruned weights, as the control core has read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pruned {
    /// Address of the mask, in the constants.
    pub mask: i64,
    /// Bytes of the mask.
    pub mask_bytes: usize,
    /// Blocks present in the stream.
    pub blocks: u64,
    /// Steps of the array (its output lanes × its input lanes, at one tap) that contain a block of the
    /// stream.
    pub steps: u64,
}

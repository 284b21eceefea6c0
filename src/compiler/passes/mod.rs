//! The passes over tiled operations; [`pipeline`](super::pipeline) lists them in order.

pub(super) mod buffer_placement;
pub(super) mod copy_elision;
pub(super) mod dma_order;
pub(super) mod rescale;
pub(super) mod tensor_placement;
pub(super) mod vector_order;

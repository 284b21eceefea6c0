//! Products of 16-bit activations with 8-bit weights, on 512 bits.
//!
//! A dense product is two products of bytes, of the [planes](planes) of low and of high bytes. Depthwise
//! products multiply words, two taps at a time: [columns] for kernels of 3 × 3 and 5 × 5, [taps] for others.
//! Sums of 32 bits become accumulators of 64, or are requantized, in [sums].

pub(crate) mod columns;
pub(crate) mod planes;
pub(crate) mod sums;
pub(crate) mod taps;

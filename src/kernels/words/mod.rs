//! Products of activations of 16 bits with weights of 8, on 512 bits.
//!
//! A dense one is two products of bytes, of the [planes](planes) of low and of high ones. Depthwise ones
//! multiply words, two taps at a time: [columns] for kernels of 3 × 3 and 5 × 5, [taps] for others. Sums of
//! 32 bits become accumulators of 64, or the results of a requantization, in [sums].

pub(crate) mod columns;
pub(crate) mod planes;
pub(crate) mod sums;
pub(crate) mod taps;

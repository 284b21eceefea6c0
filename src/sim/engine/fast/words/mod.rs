//! Products of 16-bit activations with 8-bit weights, by the kernels of [`words`](crate::kernels::words).
//!
//! A dense product is two products of bytes: `a = 256·high + low`, both unsigned; two 32-bit sums make one of
//! 64 bits. A depthwise product multiplies words, two taps at a time. Sums go to the accumulators or, fused
//! with the requantization that alone reads them, become results at once; either way a few rows at a time, so
//! that they stay in the caches.

mod dense;
mod depthwise;
mod operands;
mod products;

pub(super) use dense::conv;
pub(super) use depthwise::depthwise;
pub(super) use products::Words;

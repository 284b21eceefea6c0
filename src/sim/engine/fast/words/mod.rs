//! Products of activations of 16 bits with weights of 8, for the kernels of [`words`](crate::kernels::words).
//!
//! Dense ones are two products of bytes: `a = 256·high + low`, both unsigned, whose sums of 32 bits make one
//! of 64. Depthwise ones multiply words, two taps at a time. Sums go to the accumulators, or, if a
//! requantization is given that alone reads them, become its results at once; either way a few rows at a
//! time, so that they stay in the caches.

mod dense;
mod depthwise;
mod operands;
mod products;

pub(super) use dense::conv;
pub(super) use depthwise::depthwise;
pub(super) use products::Words;

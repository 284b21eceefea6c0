//! Kernels on 256 bits, for CPUs without AVX-512: products of bytes, each with the requantization of its sums.
//!
//! With AVX-VNNI, VPDPBUSD adds four products of bytes to a sum. Without, bytes are widened to words and VPMADDWD adds two: the
//! instruction for bytes, VPMADDUBSW, saturates. Vectors are not masked here, so the last channels of a row go through a few
//! bytes on the stack. `dense` and `columns` are the products, `round` makes bytes of their sums.

#![expect(unsafe_code, reason = "vector kernels on raw pointers")]
#![expect(
    clippy::needless_range_loop,
    reason = "where iterators are not inlined, sums leave their registers"
)]

pub(in crate::sim::engine::fast) mod columns;
pub(super) mod dense;
mod round;

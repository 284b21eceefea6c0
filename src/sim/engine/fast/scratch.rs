//! Buffers for intermediate rows.

use crate::kernels::requantize::Multipliers;

/// Buffers that are kept from one operation to the next.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) activations: Vec<i16>,
    pub(super) weights: Vec<i16>,
    pub(super) offsets: Vec<[usize; 4]>,
    pub(super) a: Vec<i32>,
    pub(super) b: Vec<i32>,
    pub(super) sums: Vec<i64>,
    pub(super) floats: Vec<f32>,
    pub(super) multipliers: Vec<f32>,
    pub(super) bytes: Vec<u8>,
    pub(super) by: Multipliers,
}

//! Integers without their zero points.

use crate::graph::TensorId;

/// Integers from which the zero point of their channel has been taken.
#[derive(Debug, Clone)]
pub(super) struct Centred {
    pub(super) tensor: TensorId,
    /// One for each channel.
    pub(super) zero_point: Vec<i32>,
    pub(super) axis: usize,
}

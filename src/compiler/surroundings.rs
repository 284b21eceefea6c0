//! Inputs of the passes beside the tiled operations.

use crate::isa::Profile;
use crate::machine::Machine;

/// Inputs of the passes beside the tiled operations.
#[derive(Debug, Clone)]
pub struct Surroundings<'a> {
    /// The machine.
    pub machine: &'a Machine,
    /// The rounding profile of requantizations, sums and products.
    pub profile: Profile,
    /// Scratchpad bytes that each layer may use for its buffers, `[0, room)`.
    pub room: Vec<i64>,
    /// Bytes of constants without descriptors.
    pub constants: usize,
    /// Bytes of DRAM that tensors take.
    pub tensors: i64,
}

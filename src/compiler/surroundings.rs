//! What passes know beside the tiled operations.

use crate::isa::Profile;
use crate::machine::Machine;

/// What passes know beside the tiled operations.
#[derive(Debug, Clone)]
pub struct Surroundings<'a> {
    /// The machine.
    pub machine: &'a Machine,
    /// How requantizations, sums and products round.
    pub profile: Profile,
    /// Scratchpad bytes that each layer may use for its buffers, `[0, room)`.
    pub room: Vec<i64>,
    /// Bytes of constants, descriptors left out.
    pub constants: usize,
    /// Bytes of DRAM that tensors take.
    pub tensors: i64,
}

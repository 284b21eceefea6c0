//! The masks of pruned weights, as the control core reads them.

use std::collections::BTreeMap;

use super::fault::FaultKind;
use super::op::Pruned;
use crate::isa::blocks::{BlockGrid, Kept};
use crate::machine::Machine;

/// Most blocks that a mask may have: 2^32 weights.
const MAX_BLOCKS: u64 = 1 << 24;

/// Reads masks, each once: the tiles of a layer share theirs.
pub(super) struct Masks {
    /// Output and input channels that the MAC array takes in a step.
    lanes: [u32; 2],
    /// By address and extents of the weights.
    known: BTreeMap<(i64, [u32; 4]), Pruned>,
}

impl Masks {
    pub(super) fn new(machine: &Machine) -> Masks {
        Masks { lanes: [machine.mac.oc_lanes, machine.mac.ic_lanes], known: BTreeMap::new() }
    }

    /// The blocks that the mask of weights with these extents has, and the steps that the array takes for
    /// them.
    ///
    /// # Errors
    /// The mask does not lie in the constants, or has too many blocks.
    pub(super) fn read(
        &mut self,
        constants: &[u8],
        dims: [u32; 4],
        address: i64,
    ) -> Result<Pruned, FaultKind> {
        if let Some(known) = self.known.get(&(address, dims)) {
            return Ok(*known);
        }
        let grid = BlockGrid::of(dims);
        if grid.count().is_none_or(|n| n > MAX_BLOCKS) {
            return Err(FaultKind::IllegalOperand {
                reason: format!("weights of more than {MAX_BLOCKS} blocks"),
            });
        }
        let len = constants.len();
        let bytes = grid.mask_bytes().and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
        let bad = FaultKind::BadConstantLoad { address, bytes, len, align: 8 };
        let start = usize::try_from(address).ok().filter(|a| a.is_multiple_of(8)).ok_or(bad.clone())?;
        let end = start.checked_add(bytes).filter(|end| *end <= len).ok_or(bad)?;
        let Kept { blocks, steps } = grid.kept(&constants[start..end], dims, self.lanes);
        let pruned = Pruned { mask: address, mask_bytes: bytes, blocks, steps };
        self.known.insert((address, dims), pruned);
        Ok(pruned)
    }
}

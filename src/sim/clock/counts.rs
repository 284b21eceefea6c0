//! What a program does, counted as energy is: operations, and bytes at the ports of memories.

use std::ops::AddAssign;

use serde::Serialize;

use super::cost::{self, demand, padded_bytes, pass};
use crate::isa::Space;
use crate::isa::blocks::BLOCK_ELEMENTS;
use crate::machine::Machine;
use crate::sim::access::dram_bytes;
use crate::sim::op::{ConvOp, OpKind, dma_op, mac_op, vec_op};

/// Operations and bytes. Bytes of MAC and VEC are those of their streams (manual, *Time*: Streams): an
/// activation that passes the array's port twice counts twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Counts {
    /// Multiply-accumulates of 8 × 8 bits; those of taps in the padding included, skipped blocks not.
    pub macs_8x8: u64,
    /// Of 16 × 8 bits, whichever operand has 16.
    pub macs_16x8: u64,
    /// Of 16 × 16 bits.
    pub macs_16x16: u64,
    /// Elements of each step of the vector unit.
    pub vector_elements: u64,
    /// Bytes read from the scratchpad.
    pub spm_read: u64,
    /// Bytes written to it.
    pub spm_written: u64,
    /// Bytes read from the accumulator memory.
    pub acc_read: u64,
    /// Bytes written to it.
    pub acc_written: u64,
    /// Bytes read from DRAM by DMA.
    pub dram_read: u64,
    /// Bytes written to DRAM.
    pub dram_written: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.macs_8x8 += other.macs_8x8;
        self.macs_16x8 += other.macs_16x8;
        self.macs_16x16 += other.macs_16x16;
        self.vector_elements += other.vector_elements;
        self.spm_read += other.spm_read;
        self.spm_written += other.spm_written;
        self.acc_read += other.acc_read;
        self.acc_written += other.acc_written;
        self.dram_read += other.dram_read;
        self.dram_written += other.dram_written;
    }
}

impl Counts {
    /// What an operation does on a machine.
    #[must_use]
    pub fn of(kind: &OpKind, m: &Machine) -> Counts {
        let mut c = Counts::default();
        match kind {
            OpKind::Nop => {}
            OpKind::DmaIn { dst, .. } | OpKind::DmaPad { dst, .. } | OpKind::Gather { dst, .. } => {
                c.dram_read = dram_bytes(kind);
                c.spm_written = padded_bytes(dst);
            }
            OpKind::DmaOut { .. } => {
                c.dram_written = dram_bytes(kind);
                c.spm_read = c.dram_written;
            }
            OpKind::DmaFill { dst } => c.spm_written = padded_bytes(dst),
            OpKind::DmaCopy { dst, .. } => {
                c.spm_written = padded_bytes(dst);
                c.spm_read = c.spm_written;
            }
            mac_op!() => c.products(kind, m),
            vec_op!() => c.vectors(kind),
        }
        c
    }

    /// Sums are read before and written after each block that is added to them.
    fn products(&mut self, kind: &OpKind, m: &Machine) {
        let Some(demand) = demand(kind, m) else { return };
        let (operands, macs) = match kind {
            // Blocks that are zero are skipped.
            OpKind::Conv(ConvOp { src, weights, dst, pruned: Some(pruned), .. }) => {
                let pixels: u64 = dst.dims[..3].iter().map(|n| u64::from(*n)).product();
                let most = cost::macs(kind);
                ([src, weights], (pruned.blocks * BLOCK_ELEMENTS as u64 * pixels).min(most))
            }
            OpKind::Conv(ConvOp { src, weights, .. }) | OpKind::Depthwise(ConvOp { src, weights, .. }) => {
                ([src, weights], cost::macs(kind))
            }
            OpKind::Matmul { a, b, .. } => ([a, b], cost::macs(kind)),
            OpKind::Nop | dma_op!() | vec_op!() => return,
        };
        match operands.map(|d| d.etype.bytes()) {
            [1, 1] => self.macs_8x8 = macs,
            [1, _] | [_, 1] => self.macs_16x8 = macs,
            _ => self.macs_16x16 = macs,
        }
        self.spm_read = demand.activations + demand.weights;
        (self.acc_read, self.acc_written) = (demand.sums, demand.sums);
    }

    fn vectors(&mut self, kind: &OpKind) {
        let Some(pass) = pass(kind) else { return };
        self.vector_elements = pass.elements();
        for source in pass.sources.into_iter().flatten() {
            let bytes = pass.elements() * source.etype.bytes() as u64;
            match source.space {
                Space::Acc => self.acc_read += bytes,
                Space::Spm | Space::Dram => self.spm_read += bytes,
            }
        }
        match pass.dst.space {
            Space::Acc => self.acc_written = pass.results(),
            Space::Spm | Space::Dram => self.spm_written = pass.results(),
        }
    }
}

//! Limits on the work of a program.

use crate::sim::access::padded_dims;
use crate::sim::clock::cost::macs;
use crate::sim::fault::FaultKind;
use crate::sim::op::{OpKind, QueueOp, dma_op, mac_op};

/// Limits on the work of a program, so that a load of an endless one ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Instructions retired.
    pub instructions: u64,
    /// Multiply-accumulates, and taps of pools.
    pub macs: u64,
    /// Bytes read and written by all operations.
    pub bytes: u64,
    /// Queue instructions that are not yet ordered before everything issued later.
    pub unordered: u64,
    /// Pairs of queue instructions that the race checker compares.
    pub comparisons: u64,
}

impl Default for Limits {
    /// 10^9 instructions, 10^13 multiply-accumulates, 10^13 bytes; 2^17 instructions without order, 10^10
    /// comparisons.
    fn default() -> Limits {
        Limits {
            instructions: 1_000_000_000,
            macs: 10_000_000_000_000,
            bytes: 10_000_000_000_000,
            unordered: 1 << 17,
            comparisons: 10_000_000_000,
        }
    }
}

/// The work of a program up to an instruction.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::sim) struct Totals {
    macs: u64,
    bytes: u64,
}

impl Totals {
    /// Adds an operation.
    ///
    /// # Errors
    /// It is more than the limits allow.
    pub(in crate::sim) fn add(&mut self, op: &QueueOp, limits: &Limits) -> Result<(), FaultKind> {
        let elements = |dims: [u32; 4]| dims.iter().map(|n| u64::from(*n)).product::<u64>();
        self.macs += macs(&op.kind);
        if let Some(dst) = op.kind.dst() {
            self.bytes += elements(padded_dims(dst)) * dst.etype.bytes() as u64;
        }
        match &op.kind {
            OpKind::MaxPool { dst, window, .. } | OpKind::AvgPool { dst, window, .. } => {
                self.macs += elements(dst.dims) * u64::from(window.kernel[0]) * u64::from(window.kernel[1]);
            }
            OpKind::Rsum { src, .. } => self.bytes += elements(src.dims),
            // Their work is bounded by their products, or by the bytes that they write.
            OpKind::Nop
            | dma_op!()
            | mac_op!()
            | OpKind::Requant { .. }
            | OpKind::Store { .. }
            | OpKind::Add { .. }
            | OpKind::Mul { .. }
            | OpKind::Lut { .. }
            | OpKind::Quantize { .. }
            | OpKind::Dequantize { .. }
            | OpKind::F1 { .. }
            | OpKind::F2 { .. }
            | OpKind::Fold { .. }
            | OpKind::Softmax { .. }
            | OpKind::Resize { .. } => {}
        }
        if self.macs > limits.macs {
            return Err(FaultKind::Watchdog {
                what: "multiply-accumulates",
                limit: limits.macs,
                option: "--max-macs",
            });
        }
        if self.bytes > limits.bytes {
            return Err(FaultKind::Watchdog {
                what: "bytes moved",
                limit: limits.bytes,
                option: "--max-bytes",
            });
        }
        Ok(())
    }
}

//! The reference engine: one element at a time, every address computed from its descriptor.

mod access;
mod lane;
mod mac;
mod moves;
mod vector;

use super::Engine;
use crate::isa::Space;
use crate::sim::fault::FaultKind;
use crate::sim::memory::Memory;
use crate::sim::op::{OpKind, QueueOp};
use access::Access;
pub use access::Reference;

impl Engine for Reference {
    fn reset(&mut self) {
        self.written.iter_mut().for_each(|m| m.fill(false));
    }

    fn defined(&mut self, space: Space, start: i64, len: usize) {
        for address in start..start + len as i64 {
            self.mark(space, address);
        }
    }

    fn undefined(&self, space: Space, start: i64, len: usize) -> Option<i64> {
        (start..start + len as i64).find(|a| !self.is_written(space, *a))
    }

    fn execute(&mut self, op: &QueueOp, memory: &mut Memory) -> Result<u64, FaultKind> {
        let mut access = Access { engine: self, memory, lowest: None, wraps: 0, written: Vec::new() };
        let mut illegal = None;
        match &op.kind {
            OpKind::Nop => {}
            OpKind::DmaIn { dst, src } | OpKind::DmaCopy { dst, src } | OpKind::DmaOut { dst, src } => {
                moves::copy(&mut access, dst, src);
            }
            OpKind::Store { dst, src } => moves::copy(&mut access, dst, src),
            OpKind::DmaPad { dst, src, window } => moves::pad(&mut access, dst, src, window),
            OpKind::Gather { dst, src, ids } => illegal = moves::gather(&mut access, dst, src, ids).err(),
            OpKind::DmaFill { dst } => moves::fill(&mut access, dst),
            OpKind::Conv(c) => mac::conv(&mut access, c),
            OpKind::Depthwise(c) => mac::depthwise(&mut access, c),
            OpKind::Matmul { dst, a, b, bias, accumulate } => {
                mac::matmul(&mut access, dst, a, b, bias.as_ref(), *accumulate);
            }
            OpKind::Requant { dst, src, quant } => vector::requant(&mut access, dst, src, quant),
            OpKind::Add { dst, a, b, quant } => vector::add(&mut access, dst, [a, b], quant),
            OpKind::Mul { dst, a, b, quant } => vector::mul(&mut access, dst, [a, b], quant),
            OpKind::Lut { dst, src, table } => vector::lut(&mut access, dst, src, table),
            OpKind::MaxPool { dst, src, window, origin } => {
                vector::max_pool(&mut access, dst, src, window, *origin);
            }
            OpKind::AvgPool { dst, src, quant, window, origin, include_pad } => {
                vector::avg_pool(&mut access, dst, src, quant, window, *origin, *include_pad);
            }
            OpKind::Rsum { dst, src, accumulate } => vector::rsum(&mut access, dst, src, *accumulate),
            OpKind::Quantize { dst, src, quant } => vector::quantize(&mut access, dst, src, quant),
            OpKind::Dequantize { dst, src, quant } => vector::dequantize(&mut access, dst, src, quant),
            OpKind::F1 { dst, src, op } => lane::float1(&mut access, dst, src, *op),
            OpKind::F2 { dst, a, b, op } => lane::float2(&mut access, dst, [a, b], *op),
            OpKind::Fold { dst, src, op } => lane::fold(&mut access, dst, src, *op),
            OpKind::Softmax { dst, src, table, quant } => {
                lane::softmax(&mut access, dst, src, table, quant);
            }
            OpKind::Resize { dst, src, rows, cols } => lane::resize(&mut access, dst, src, rows, cols),
        }
        let (lowest, wraps, written) = (access.lowest, access.wraps, std::mem::take(&mut access.written));
        if let Some((space, address)) = lowest {
            return Err(FaultKind::UndefinedRead { space, address });
        }
        if let Some(kind) = illegal {
            return Err(kind);
        }
        for (space, address) in written {
            self.mark(space, address);
        }
        Ok(wraps)
    }
}

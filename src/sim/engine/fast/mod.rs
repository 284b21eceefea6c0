//! The fast engine: the same bytes as the [reference](super::reference), by rows instead of by elements.
//!
//! It turns descriptors into offsets, extents and strides, and calls the [`kernels`](crate::kernels) of the
//! level chosen when it was made. Kernels for tiles or rows of a memory are used where they exist (`bytes.rs`
//! and `words` for products, `vector.rs` and `lane.rs` for the vector unit); elsewhere operands are brought
//! into contiguous rows (`rows.rs`) and portable loops take those (`mac.rs`, `wide.rs`). Sums are two's
//! complement and bounded (manual, *Numbers*), so their order is free; float arithmetic is that of
//! [`numeric`](crate::numeric), element by element, in the reference's order.

mod bytes;
mod fused;
mod handled;
mod image;
mod lane;
mod mac;
mod moves;
mod multipliers;
mod rows;
mod scratch;
mod sides;
mod vector;
mod weights;
mod wide;
#[cfg(target_arch = "x86_64")]
mod words;

use self::fused::Fused;
use self::handled::Handled;
use self::scratch::Scratch;
use super::Engine;
use crate::isa::Space;
use crate::kernels::cpu::Level;
use crate::sim::access::{Region, padded_dims};
use crate::sim::fault::FaultKind;
use crate::sim::memory::Memory;
use crate::sim::op::{OpKind, QueueOp};
use crate::sim::plan::Unit;

/// The engine that works by rows and vectors. It tracks no definedness: that is decided at load.
#[derive(Debug)]
pub struct Fast {
    level: Level,
    scratch: Scratch,
    products: bytes::Products,
    #[cfg(target_arch = "x86_64")]
    words: words::Words,
}

impl Fast {
    /// An engine with the best kernels of this CPU.
    #[must_use]
    pub fn new() -> Fast {
        Fast::at(Level::detect())
    }

    /// An engine with the kernels of a level.
    #[must_use]
    pub fn at(level: Level) -> Fast {
        Fast {
            level,
            scratch: Scratch::default(),
            products: bytes::Products::default(),
            #[cfg(target_arch = "x86_64")]
            words: words::Words::default(),
        }
    }

    /// Products of 16 by 8 bits, or what the fused requantization makes of their sums; declined if the level
    /// has no kernels for them.
    fn words(&mut self, op: &QueueOp, memory: &mut Memory, fused: Option<Fused<'_>>) -> Handled {
        #[cfg(target_arch = "x86_64")]
        {
            let (level, words) = (self.level, &mut self.words);
            if let OpKind::Conv(c) = &op.kind {
                return words::conv(level, words, memory, c, fused);
            }
            if let OpKind::Depthwise(c) = &op.kind {
                return words::depthwise(level, words, memory, c, fused);
            }
        }
        let _ = (op, memory, fused);
        None
    }
}

impl Fast {
    /// A product and its requantization as one, without storing sums; declined if there is no kernel for the
    /// two, or if a sum wrapped.
    fn fused(&mut self, [product, requantization]: [&QueueOp; 2], memory: &mut Memory) -> Handled {
        if !self.level.requantizes() {
            return None;
        }
        let OpKind::Requant { dst, quant, .. } = &requantization.kind else { return None };
        let fused = Some(Fused { dst, quant });
        let wraps = if product.kind.dst().is_some_and(wide::is_wide) {
            self.words(product, memory, fused)?
        } else if let OpKind::Conv(c) = &product.kind {
            bytes::conv(self.level, &mut self.products, memory, c, fused)?
        } else if let OpKind::Depthwise(c) = &product.kind {
            bytes::depthwise(self.level, &mut self.products, memory, c, fused)?
        } else {
            return None;
        };
        self.changed(Region::Box(dst, padded_dims(dst)).span().unwrap_or_default());
        Some(wraps)
    }
}

impl Default for Fast {
    fn default() -> Fast {
        Fast::new()
    }
}

impl Engine for Fast {
    fn reset(&mut self) {
        self.products.reset();
        #[cfg(target_arch = "x86_64")]
        self.words.reset();
    }

    fn defined(&mut self, _: Space, _: i64, _: usize) {}

    fn optimizes(&self) -> bool {
        true
    }

    fn changed(&mut self, range: (i64, i64)) {
        self.products.changed(range);
        #[cfg(target_arch = "x86_64")]
        self.words.changed(range);
    }

    fn execute_unit(&mut self, unit: &Unit, memory: &mut Memory) -> Result<u64, FaultKind> {
        let fused = match unit.ops() {
            [product, requantization] => self.fused([product, requantization], memory),
            _ => None,
        };
        fused.map_or_else(|| self.execute_parts(unit, memory), Ok)
    }

    fn execute(&mut self, op: &QueueOp, memory: &mut Memory) -> Result<u64, FaultKind> {
        if let Some(d) = op.kind.dst().filter(|d| d.space == Space::Spm)
            && let Some(span) = Region::Box(d, padded_dims(d)).span()
        {
            self.changed(span);
        }
        let wide = op.kind.dst().is_some_and(wide::is_wide);
        if wide && let Some(wraps) = self.words(op, memory, None) {
            return Ok(wraps);
        }
        let (level, s) = (self.level, &mut self.scratch);
        let mut wraps = 0;
        match &op.kind {
            OpKind::Nop => {}
            OpKind::DmaIn { dst, src }
            | OpKind::DmaCopy { dst, src }
            | OpKind::DmaOut { dst, src }
            | OpKind::Store { dst, src } => moves::copy(level, s, memory, dst, src),
            OpKind::DmaPad { dst, src, window } => moves::pad(memory, dst, src, window),
            OpKind::Gather { dst, src, ids } => moves::gather(memory, dst, src, ids)?,
            OpKind::DmaFill { dst } => moves::fill(memory, dst),
            OpKind::Conv(c) if wide => wraps = wide::conv(level, s, memory, c),
            OpKind::Depthwise(c) if wide => wraps = wide::depthwise(level, s, memory, c),
            OpKind::Matmul { dst, a, b, bias, accumulate } if wide => {
                wraps = wide::matmul(level, s, memory, dst, [a, b], bias.as_ref(), *accumulate);
            }
            OpKind::Rsum { dst, src, accumulate } if wide => {
                wraps = wide::sum(level, s, memory, dst, src, *accumulate);
            }
            OpKind::Conv(c) => {
                wraps = bytes::conv(level, &mut self.products, memory, c, None)
                    .unwrap_or_else(|| mac::conv(level, s, memory, c));
            }
            OpKind::Depthwise(c) => {
                wraps = bytes::depthwise(level, &mut self.products, memory, c, None)
                    .unwrap_or_else(|| mac::depthwise(level, s, memory, c));
            }
            OpKind::Matmul { dst, a, b, bias, accumulate } => {
                wraps = mac::matmul(level, s, memory, dst, [a, b], bias.as_ref(), *accumulate);
            }
            OpKind::Requant { dst, src, quant } => vector::requant(level, s, memory, dst, src, quant),
            OpKind::Add { dst, a, b, quant } => vector::add(level, s, memory, dst, [a, b], quant),
            OpKind::Mul { dst, a, b, quant } => vector::mul(level, s, memory, dst, [a, b], quant),
            OpKind::Lut { dst, src, table } => vector::lut(level, s, memory, dst, src, table),
            OpKind::MaxPool { dst, src, window, origin } => {
                vector::max_pool(level, s, memory, dst, src, window, *origin);
            }
            OpKind::AvgPool { dst, src, quant, window, origin, include_pad } => {
                vector::avg_pool(
                    level,
                    s,
                    memory,
                    &vector::Pool { dst, src, quant, window, origin: *origin, include_pad: *include_pad },
                );
            }
            OpKind::Rsum { dst, src, accumulate } => {
                wraps = vector::rsum(level, s, memory, dst, src, *accumulate)
            }
            OpKind::Quantize { dst, src, quant } => vector::quantize(level, s, memory, dst, src, quant),
            OpKind::Dequantize { dst, src, quant } => vector::dequantize(level, s, memory, dst, src, quant),
            OpKind::F1 { dst, src, op } => lane::float1(level, s, memory, dst, src, *op),
            OpKind::F2 { dst, a, b, op } => lane::float2(level, s, memory, dst, [a, b], *op),
            OpKind::Fold { dst, src, op } => lane::fold(s, memory, dst, src, *op),
            OpKind::Softmax { dst, src, table, quant } => lane::softmax(s, memory, dst, src, table, quant),
            OpKind::Resize { dst, src, rows, cols } => lane::resize(s, memory, dst, src, rows, cols),
        }
        Ok(wraps)
    }
}

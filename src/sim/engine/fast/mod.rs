//! The fast engine: the same bytes as the [reference](super::reference), in rows instead of elements.
//!
//! Operands are brought into contiguous rows (`rows.rs`), kernels work on those, so they vectorize and need no care for
//! strides. Sums are two's complement and the compiler of a program bounds them (see the manual's numbers), so their
//! order is free; float arithmetic is [`numeric`](crate::numeric)'s, element by element, in the reference's order.
//!
//! Most kernels are safe code, compiled for several instruction sets (`level.rs`), of which one is chosen when the engine is
//! made. Products of bytes (`bytes.rs`) and of words with bytes (`words.rs`), and the roundings that follow them, have kernels
//! of their own in `simd`.

#![cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "what only kernels of x86-64 use so far"))]

mod aligned;
mod bytes;
mod kernels;
mod lane;
mod level;
mod mac;
mod moves;
mod rows;
mod sides;
mod simd;
mod vector;
mod weights;
mod wide;
#[cfg(target_arch = "x86_64")]
mod words;

pub use level::{Level, LevelError, Proof};

use super::Engine;
use crate::isa::Space;
use crate::sim::access::{Region, padded_dims};
use crate::sim::fault::FaultKind;
use crate::sim::memory::Memory;
use crate::sim::op::{OpKind, QueueOp};
use crate::sim::plan::Unit;

/// Rows and vectors. Tracks no definedness: that is decided at load.
#[derive(Debug)]
pub struct Fast {
    level: Level,
    scratch: Scratch,
    products: bytes::Products,
    #[cfg(target_arch = "x86_64")]
    words: words::Words,
}

/// Buffers that are kept from one operation to the next.
#[derive(Debug, Default)]
struct Scratch {
    activations: Vec<i16>,
    weights: Vec<i16>,
    offsets: Vec<[usize; 4]>,
    a: Vec<i32>,
    b: Vec<i32>,
    sums: Vec<i64>,
    floats: Vec<f32>,
    multipliers: Vec<f32>,
    bytes: Vec<u8>,
    #[cfg(target_arch = "x86_64")]
    words: simd::words::Multipliers,
}

impl Fast {
    /// An engine for this CPU.
    #[must_use]
    pub fn new() -> Fast {
        Fast::at(Level::detect())
    }

    /// An engine whose kernels use these instructions.
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

    /// Products of 16 by 8 bits, or what a requantization makes of their sums, by kernels of their own; none if there are none.
    fn words(&mut self, op: &QueueOp, memory: &mut Memory, then: Option<bytes::Then<'_>>) -> Option<u64> {
        #[cfg(target_arch = "x86_64")]
        match &op.kind {
            OpKind::Conv(c) => return words::conv(self.level, &mut self.words, memory, c, then),
            OpKind::Depthwise(c) => return words::depthwise(self.level, &mut self.words, memory, c, then),
            _ => {}
        }
        let _ = (op, memory, then);
        None
    }
}

impl Fast {
    /// A product and its requantization as one, without storing sums; none if there is no kernel for the two, or if a sum
    /// wrapped: what is written then, the two write again apart.
    fn fused(&mut self, [product, requantization]: [&QueueOp; 2], memory: &mut Memory) -> Option<u64> {
        if !self.level.requantizes() {
            return None;
        }
        let OpKind::Requant { dst, quant, .. } = &requantization.kind else { return None };
        let then = Some(bytes::Then { dst, quant });
        let (level, products) = (self.level, &mut self.products);
        let wraps = match &product.kind {
            kind if kind.dst().is_some_and(wide::is_wide) => self.words(product, memory, then)?,
            OpKind::Conv(c) => bytes::conv(level, products, memory, c, then)?,
            OpKind::Depthwise(c) => bytes::depthwise(level, products, memory, c, then)?,
            _ => return None,
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

//! Operands that depend on weights, biases and quantization only. A layer is many small tiles, so they are
//! kept until the scratchpad changes there.

use crate::isa::{EType, QuantDesc, QuantMode, TensorDesc};
use crate::kernels::requantize::Multipliers;
use crate::sim::engine::fast::fused::Fused;
use crate::sim::engine::fast::multipliers::multipliers;
use crate::sim::engine::fast::weights::meet;
use crate::sim::memory::Memory;
use crate::sim::op::ConvOp;

/// What the operands of each channel were made from beside the weights: the bias, the zero point of the
/// activations and the requantization.
type Origin = (Option<TensorDesc>, i64, Option<QuantDesc>);

/// Operands of each channel.
#[derive(Debug, Default)]
pub(super) struct Operands {
    pub(super) of: Option<Origin>,
    ranges: [(i64, i64); 2],
    /// Added to each sum: the zero points' terms, and the bias where adding it cannot wrap.
    pub(super) add: Vec<i64>,
    pub(super) biased: bool,
    /// For a requantization: the same as f64, up to a multiple of 16 channels, and the multipliers.
    pub(super) lacking: Vec<f64>,
    single: Vec<f32>,
    pub(super) multipliers: Multipliers,
    /// Whether the sums, without what is added, fit 32 bits, and no product of an accumulator exceeds 2^30.
    pub(super) small: bool,
}

impl Operands {
    /// Bytes of the scratchpad have changed.
    pub(super) fn changed(&mut self, range: (i64, i64)) {
        if self.ranges.iter().any(|r| meet(*r, range)) {
            self.of = None;
        }
    }

    /// Prepares the operands, unless they are those of the last product. `sums` are those of the weights, of
    /// `reduction` elements each. `None` if there is a requantization and the kernels cannot round such sums.
    pub(super) fn ready(
        &mut self,
        m: &Memory,
        c: &ConvOp,
        zero: i64,
        fused: Option<Fused<'_>>,
        sums: impl Iterator<Item = i64>,
        reduction: u64,
    ) -> Option<()> {
        let of = (c.bias, zero, fused.map(|t| *t.quant));
        if self.of == Some(of) {
            return Some(());
        }
        self.of = None;
        self.ranges = [(0, 0); 2];
        self.add.clear();
        self.add.extend(sums.map(|sum| -zero * sum));
        let n = self.add.len();
        self.biased = true;
        if let Some(b) = &c.bias {
            let bias = m.read(b.space, b.base, n * 8).as_chunks::<8>().0;
            self.ranges[0] = (b.base, b.base + 8 * n as i64);
            // Otherwise the addition might wrap, and wraps are counted.
            self.biased = bias.iter().all(|b| i64::from_le_bytes(*b).unsigned_abs() < 1 << 62);
            if self.biased {
                self.add.iter_mut().zip(bias).for_each(|(a, b)| *a += i64::from_le_bytes(*b));
            }
        }
        if let Some(t) = fused {
            multipliers(m, t.quant, n, &mut self.single);
            self.multipliers.take(&self.single)?;
            if t.quant.mode == QuantMode::Channel {
                self.ranges[1] = (t.quant.table, t.quant.table + 4 * n as i64);
            }
            let small = self.biased && self.add.iter().all(|a| a.unsigned_abs() < 1 << 52);
            small.then_some(())?;
            self.lacking.clear();
            self.lacking.extend(self.add.iter().map(|a| *a as f64));
            self.lacking.resize(n.next_multiple_of(16), 0.0);
            // Words times bytes: signed weights are multiplied as they are, down to −128; the differences of
            // others may reach 255.
            let middle = if c.weights.etype == EType::U8 { 128 } else { 0 };
            let widest = if c.weights.zero_point == middle { 128.0 } else { 255.0 };
            let most = reduction as f64 * 65_535.0 * widest;
            let mut each = self.lacking.iter().zip(&self.single);
            self.small = most < f64::from(i32::MAX)
                && each.all(|(add, m)| (add.abs() + most) * f64::from(m.abs()) < f64::from(1 << 30));
        }
        self.of = Some(of);
        Some(())
    }
}

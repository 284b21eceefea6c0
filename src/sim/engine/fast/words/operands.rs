//! What depends on weights, biases and quantizations only, made ready and remembered until the scratchpad
//! changes there: a layer is many small tiles.

use crate::isa::{EType, QuantDesc, QuantMode, TensorDesc};
use crate::kernels::requantize::Multipliers;
use crate::sim::engine::fast::fused::Fused;
use crate::sim::engine::fast::multipliers::multipliers;
use crate::sim::engine::fast::weights::meet;
use crate::sim::memory::Memory;
use crate::sim::op::ConvOp;

/// What the operands of each channel were made from, beside the weights: the bias, the zero point of
/// activations and the requantization.
type Origin = (Option<TensorDesc>, i64, Option<QuantDesc>);

/// Operands of each channel.
#[derive(Debug, Default)]
pub(super) struct Operands {
    pub(super) of: Option<Origin>,
    ranges: [(i64, i64); 2],
    /// What sums lack: what the zero points take, and the bias if that cannot make them wrap.
    pub(super) add: Vec<i64>,
    pub(super) biased: bool,
    /// For a requantization: the same as f64, up to a multiple of 16 channels, and the multipliers.
    pub(super) lacking: Vec<f64>,
    single: Vec<f32>,
    pub(super) multipliers: Multipliers,
    /// Whether sums, without what they lack, fit 32 bits, and no product of an accumulator is above 2^30.
    pub(super) small: bool,
}

impl Operands {
    /// Bytes of the scratchpad change.
    pub(super) fn changed(&mut self, range: (i64, i64)) {
        if self.ranges.iter().any(|r| meet(*r, range)) {
            self.of = None;
        }
    }

    /// Makes operands ready, unless they are those of the last product; `sums` of the weights, which are the
    /// last product's, of `reduction` each. None if there is a requantization and kernels cannot round such
    /// sums.
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
            // Else an addition to it might wrap, which counts.
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
            // Words times bytes without their zero point: signed ones as they are go to −128, others may
            // differ by 255.
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

//! A product executed together with the requantization of its sums.

use super::multipliers::multipliers;
use crate::isa::{EType, QuantDesc, Space, TensorDesc};
use crate::kernels::epilogue::{Bounds, Epilogue, Guard, Scale};
#[cfg(target_arch = "x86_64")]
use crate::sim::access::padded_dims;
use crate::sim::memory::Memory;

/// The requantization that is executed with a product.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fused<'a> {
    /// Where results go.
    pub(super) dst: &'a TensorDesc,
    /// Its quantization descriptor.
    pub(super) quant: &'a QuantDesc,
}

impl<'a> Fused<'a> {
    /// Whether results of an element type have the extents of the sums, lie in the scratchpad with contiguous
    /// channels, and are made with f32 multipliers.
    fn suits(&self, sums: &TensorDesc) -> bool {
        let d = self.dst;
        d.space == Space::Spm
            && d.dims == sums.dims
            && d.strides[3] == d.etype.bytes() as i64
            && d.strides[..3].iter().all(|s| *s >= 0)
            && self.quant.doubles().is_none()
    }

    /// Whether kernels for products of bytes can store its results.
    pub(super) fn is_of_bytes(&self, sums: &TensorDesc) -> bool {
        matches!(self.dst.etype, EType::U8 | EType::S8) && self.suits(sums)
    }

    /// Whether kernels for products of words can store its results.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn is_of_words(&self, sums: &TensorDesc) -> bool {
        let d = self.dst;
        d.etype.int_range().is_some() && matches!(d.etype.bytes(), 1 | 2) && self.suits(sums)
    }

    /// Zero point and bounds of results.
    pub(super) fn bounds(&self) -> Bounds {
        Bounds { zero_point: self.quant.zero_point, clamp: [self.quant.lo, self.quant.hi] }
    }

    /// The multipliers of the requantization, if there is one, up to a multiple of 64 channels; and whether
    /// all are below 1.
    pub(super) fn multipliers(
        fused: Option<Fused<'_>>,
        m: &Memory,
        channels: usize,
        to: &mut Vec<f32>,
    ) -> bool {
        let Some(fused) = fused else { return true };
        multipliers(m, fused.quant, channels, to);
        let small = to.iter().fold(true, |small, m| small & (m.abs() < 1.0));
        to.resize(channels.next_multiple_of(64), 0.0);
        small
    }

    /// The epilogue of the product's kernel.
    pub(super) fn epilogue(
        &self,
        (multipliers, small): (&'a [f32], bool),
        guard: Option<Guard<'a>>,
    ) -> Epilogue<'a> {
        let signed = self.dst.etype == EType::S8;
        Epilogue::Bytes(Scale { multipliers, small, bounds: self.bounds(), signed, guard })
    }

    /// Whether the kernels fill the padding lanes of the results: they write whole vectors, zero points for
    /// channels without multipliers.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn fills_lanes(&self) -> bool {
        let (d, q) = (self.dst, self.quant);
        let whole = padded_dims(d)[3] == d.dims[3].next_multiple_of(16);
        whole && d.zero_point == q.zero_point && (q.lo..=q.hi).contains(&q.zero_point)
    }
}

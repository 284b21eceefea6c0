//! Requantization on 256 bits: as [`avx512`](super::avx512) does on 512, in the registers that hold the sums.

#![expect(unsafe_code, reason = "vector kernels on raw pointers")]

use std::arch::x86_64::*;

use crate::kernels::epilogue::{Bounds, Channels, Scale};

/// Vector constants of a requantization.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rounding {
    /// The upper bound minus the zero point, where a multiplier may scale a sum beyond the range of integers.
    hi: Option<__m256>,
    zero: __m256i,
    lo: __m256i,
    hi_bytes: __m256i,
    signed: bool,
}

impl Rounding {
    /// # Safety
    /// The CPU has AVX2.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn new(s: &Scale<'_>) -> Rounding {
        let Bounds { zero_point, clamp } = s.bounds;
        Rounding {
            // No lower bound is needed: values that are too low, and NaN, which the minimum passes on, become
            // the least integer, and all that follows saturates.
            hi: if s.small { None } else { Some(_mm256_set1_ps((clamp[1] - zero_point) as f32)) },
            zero: _mm256_set1_epi16(zero_point as i16),
            lo: _mm256_set1_epi8(clamp[0] as i8),
            hi_bytes: _mm256_set1_epi8(clamp[1] as i8),
            signed: s.signed,
        }
    }

    /// Sixteen sums rounded to words: inside each 128 bits, those of the first vector, then those of the
    /// second.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn words(&self, sums: [__m256i; 2], multipliers: [__m256; 2]) -> __m256i {
        let mut scaled = [
            _mm256_mul_ps(_mm256_cvtepi32_ps(sums[0]), multipliers[0]),
            _mm256_mul_ps(_mm256_cvtepi32_ps(sums[1]), multipliers[1]),
        ];
        if let Some(hi) = self.hi {
            scaled = [_mm256_min_ps(hi, scaled[0]), _mm256_min_ps(hi, scaled[1])];
        }
        let whole = _mm256_packs_epi32(_mm256_cvtps_epi32(scaled[0]), _mm256_cvtps_epi32(scaled[1]));
        _mm256_adds_epi16(whole, self.zero)
    }

    /// The bytes of two vectors of words: inside each 128 bits, those of the first, then those of the second.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn bytes(&self, first: __m256i, second: __m256i) -> __m256i {
        if self.signed {
            let bytes = _mm256_packs_epi16(first, second);
            _mm256_min_epi8(_mm256_max_epi8(bytes, self.lo), self.hi_bytes)
        } else {
            let bytes = _mm256_packus_epi16(first, second);
            _mm256_min_epu8(_mm256_max_epu8(bytes, self.lo), self.hi_bytes)
        }
    }
}

/// Operands of sixteen channels in two vectors, in the order of the sums.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operands {
    pub(crate) multipliers: [__m256; 2],
    /// Bias and watched bits of a [`Guard`](crate::kernels::epilogue::Guard).
    guard: Option<[[__m256i; 2]; 2]>,
}

impl Operands {
    /// With `SPLIT`, each 128-bit half of a vector has channels of both groups of eight; else a vector has
    /// eight consecutive channels.
    ///
    /// # Safety
    /// The CPU has AVX2; sixteen operands can be read.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) unsafe fn load<const SPLIT: bool>(channels: Channels) -> Operands {
        // SAFETY: as the function says.
        unsafe {
            let m = sixteen::<SPLIT>(channels.multipliers.cast());
            let mut guard = None;
            if let Some((bias, watched)) = channels.guard {
                guard = Some([sixteen::<SPLIT>(bias), sixteen::<SPLIT>(watched)]);
            }
            Operands { multipliers: [_mm256_castsi256_ps(m[0]), _mm256_castsi256_ps(m[1])], guard }
        }
    }

    /// `seen` with the sign bits of watched sums whose sign differs from that of their bias.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn wrapped(&self, sums: [__m256i; 2], mut seen: __m256i) -> __m256i {
        if let Some([bias, watched]) = self.guard {
            for v in 0..2 {
                let differs = _mm256_and_si256(_mm256_xor_si256(sums[v], bias[v]), watched[v]);
                seen = _mm256_or_si256(seen, differs);
            }
        }
        seen
    }
}

/// Whether a sign bit is set.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn any(seen: __m256i) -> bool {
    _mm256_movemask_ps(_mm256_castsi256_ps(seen)) != 0
}

/// Loads sixteen numbers into two vectors; `SPLIT` as in [`Operands::load`].
///
/// # Safety
/// The CPU has AVX2; sixteen numbers can be read.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) unsafe fn sixteen<const SPLIT: bool>(from: *const i32) -> [__m256i; 2] {
    // SAFETY: as the function says.
    unsafe {
        let vectors = [_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(8).cast())];
        if SPLIT {
            [
                _mm256_permute2x128_si256::<0x20>(vectors[0], vectors[1]),
                _mm256_permute2x128_si256::<0x31>(vectors[0], vectors[1]),
            ]
        } else {
            vectors
        }
    }
}

/// Stores the first `n` bytes.
///
/// # Safety
/// The CPU has AVX2; `n` bytes, 16 at most, can be written.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) unsafe fn put(to: *mut u8, bytes: __m128i, n: usize) {
    // SAFETY: as the function says.
    unsafe {
        if n == 16 {
            _mm_storeu_si128(to.cast(), bytes);
        } else {
            let mut all = [0_u8; 16];
            _mm_storeu_si128(all.as_mut_ptr().cast(), bytes);
            to.copy_from_nonoverlapping(all.as_ptr(), n);
        }
    }
}

/// Stores the first `n` of sixteen sums.
///
/// # Safety
/// The CPU has AVX2; `n` sums, 16 at most, can be written.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) unsafe fn put_sums(to: *mut u8, sums: [__m256i; 2], n: usize) {
    // SAFETY: as the function says.
    unsafe {
        if n == 16 {
            _mm256_storeu_si256(to.cast(), sums[0]);
            _mm256_storeu_si256(to.add(32).cast(), sums[1]);
        } else {
            let mut all = [0_u8; 64];
            _mm256_storeu_si256(all.as_mut_ptr().cast(), sums[0]);
            _mm256_storeu_si256(all.as_mut_ptr().add(32).cast(), sums[1]);
            to.copy_from_nonoverlapping(all.as_ptr(), n * 4);
        }
    }
}

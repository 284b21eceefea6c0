//! What kernels on 512 bits share: masks, and elements of 8 or 16 bits as integers.

#![expect(unsafe_code, reason = "vector kernels on raw pointers")]

use std::arch::x86_64::*;

use crate::isa::EType;

/// Lanes of the last vector of `n` elements.
pub(crate) fn tail(n: usize) -> u16 {
    if n >= 16 { u16::MAX } else { (1 << n) - 1 }
}

/// Sixteen elements from the `i`th on as integers.
///
/// # Safety
/// The CPU has the features; the elements of the mask can be read.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(crate) unsafe fn load(from: *const u8, etype: EType, i: usize, mask: u16) -> __m512i {
    // SAFETY: as the function says.
    unsafe {
        let at = from.add(i * etype.bytes());
        match etype {
            EType::U8 => _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(mask, at.cast())),
            EType::S8 => _mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(mask, at.cast())),
            EType::U16 => _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, at.cast())),
            _ => _mm512_cvtepi16_epi32(_mm256_maskz_loadu_epi16(mask, at.cast())),
        }
    }
}

//! Words as planes of their low and high bytes, with pixels of one to three channels padded to four.

#![expect(unsafe_code, reason = "vector kernels on raw pointers")]

use std::arch::x86_64::*;

/// Splits words, in contiguous pixels of `n` channels, one to three, into planes of four bytes a pixel with
/// zeros for missing channels; `flip` is XORed into the high bytes. False, and nothing is written, if there
/// are too few words or other numbers of channels.
pub(crate) fn spread(words: &[u8], n: usize, [low, high]: [&mut [u8]; 2], flip: u8) -> bool {
    let pixels = low.len() / 4;
    if !(1..=3).contains(&n) || high.len() != low.len() || words.len() < pixels * n * 2 {
        return false;
    }
    // SAFETY: AVX-512 was detected, else this module is not called; there are words for all pixels of the
    // planes.
    unsafe { spread_some(words.as_ptr(), n, [low.as_mut_ptr(), high.as_mut_ptr()], pixels, flip) };
    true
}

/// # Safety
/// The CPU has the features; `n` words can be read, and four bytes of each plane written, for each pixel.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn spread_some(words: *const u8, n: usize, [low, high]: [*mut u8; 2], pixels: usize, flip: u8) {
    let mut order = [0_i16; 32];
    let mut present = 0_u32;
    for (i, from) in order.iter_mut().enumerate() {
        if i % 4 < n {
            *from = (i / 4 * n + i % 4) as i16;
            present |= 1 << i;
        }
    }
    // SAFETY: as the function says; the last eight pixels are masked.
    unsafe {
        let order = _mm512_loadu_si512(order.as_ptr().cast());
        let flip = _mm256_set1_epi8(flip as i8);
        for pixel in (0..pixels).step_by(8) {
            let left = (pixels - pixel).min(8);
            let mask = |each: usize| if left * each >= 32 { u32::MAX } else { (1 << (left * each)) - 1 };
            let from = _mm512_maskz_loadu_epi16(mask(n), words.add(pixel * n * 2).cast());
            let spread = _mm512_maskz_permutexvar_epi16(present, order, from);
            let high_bytes = _mm256_xor_si256(_mm512_cvtepi16_epi8(_mm512_srli_epi16::<8>(spread)), flip);
            _mm256_mask_storeu_epi8(low.add(pixel * 4).cast(), mask(4), _mm512_cvtepi16_epi8(spread));
            _mm256_mask_storeu_epi8(high.add(pixel * 4).cast(), mask(4), high_bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_spread_to_four_channels() {
        if !is_x86_feature_detected!("avx512bw") {
            return;
        }
        for n in 1..=3_usize {
            for pixels in [1, 2, 7, 8, 9, 16, 31] {
                let words: Vec<u8> = (0..pixels * n * 2).map(|i| (i * 37 % 251) as u8).collect();
                let (mut low, mut high) = (vec![9; pixels * 4], vec![9; pixels * 4]);
                assert!(spread(&words, n, [&mut low, &mut high], 0x80));
                for i in 0..pixels * 4 {
                    let word = (i % 4 < n).then(|| (i / 4 * n + i % 4) * 2);
                    let expected = word.map_or([0, 0x80], |w| [words[w], words[w + 1] ^ 0x80]);
                    assert_eq!([low[i], high[i]], expected, "{n} channels, {pixels} pixels, byte {i}");
                }
                assert!(!spread(&words[1..], n, [&mut low, &mut high], 0));
            }
        }
    }
}

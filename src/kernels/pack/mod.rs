//! Layout and width conversions, and sums of packed weights.

#[cfg(target_arch = "x86_64")]
mod avx512;
pub(crate) mod portable;

pub(crate) use portable::byte_sum;

use super::cpu::Level;

/// Adds up the signed packed weights of a block, in quads, for each of 16, 32, 48 or 64 channels; does
/// nothing for other numbers of channels.
pub fn sum_quads(level: Level, block: &[u8], sums: &mut [i32]) {
    if !matches!(sums.len(), 16 | 32 | 48 | 64) {
        return;
    }
    sums.fill(0);
    #[cfg(target_arch = "x86_64")]
    if level.has_avx512() {
        avx512::sum_quads(block, sums);
        return;
    }
    portable::sum_quads(level, block, sums);
}

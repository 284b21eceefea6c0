//! Other layouts and widths of the same numbers, and sums of packed weights.

#[cfg(target_arch = "x86_64")]
mod avx512;
pub mod portable;

pub use portable::byte_sum;

use super::cpu::Level;

/// Adds signed packed weights of a block, rows of four for each of `sums.len()` channels, 16, 32, 48 or 64, up for each channel.
pub fn sum_quads(level: Level, block: &[u8], sums: &mut [i32]) {
    if sums.is_empty() {
        return;
    }
    #[cfg(target_arch = "x86_64")]
    if level.has_avx512() {
        avx512::sum_quads(block, sums);
        return;
    }
    portable::sum_quads(level, block, sums);
}

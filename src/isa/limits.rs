//! Limits that hold for every machine. The compiler observes them, machine files and loads are checked
//! against them, and the manual lists them.

use super::kinds::EType;

/// Longest sum of products of two differences of 8 bits that fits 32 bits: `⌊(2^31 − 1) / 255²⌋`.
pub const MAX_REDUCTION: u64 = i32::MAX as u64 / (255 * 255);
/// Longest sum of products with an operand of 16 bits: far below what 64 bits hold.
pub const MAX_WIDE_REDUCTION: u64 = 1 << 30;
/// Longest sum of differences of 8 bits that fits 32 bits: `⌊(2^31 − 1) / 255⌋`.
pub const MAX_SUM: u64 = i32::MAX as u64 / 255;
/// Largest extent of a tensor operand.
pub const MAX_EXTENT: u32 = 1 << 24;
/// Most elements of a tensor operand.
pub const MAX_ELEMENTS: u64 = 1 << 30;
/// Largest main memory.
pub const MAX_DRAM: u64 = 1 << 40;
/// Largest scratchpad.
pub const MAX_SPM: u64 = 1 << 30;
/// Largest accumulator memory.
pub const MAX_ACC: u64 = 1 << 28;
/// Most banks of a memory.
pub const MAX_BANKS: u32 = 64;

/// Longest sum of products that one instruction may add up in accumulators of this type.
#[must_use]
pub const fn max_reduction(sums: EType) -> u64 {
    match sums {
        EType::S64 => MAX_WIDE_REDUCTION,
        EType::S32 | EType::U8 | EType::S8 | EType::U16 | EType::S16 | EType::F32 => MAX_REDUCTION,
    }
}

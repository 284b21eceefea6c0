//! Conversion of accumulators and floats to integers of 8 and 16 bits, and back: the roundings of
//! [`numeric`](crate::numeric) on vectors.
//!
//! `avx512` and `avx2` also round the sums of products in registers; `avx512_wide` takes accumulators of 64
//! bits; `divide` divides by one number.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512_wide;
#[cfg(target_arch = "x86_64")]
pub(crate) mod divide;
mod multipliers;
pub mod portable;

pub use multipliers::Multipliers;

use super::cpu::Level;
use super::epilogue::Bounds;
#[cfg(target_arch = "x86_64")]
use super::extent::few;
use super::line::Line;
use super::view::{View, ViewMut};
use crate::isa::EType;

/// `dst[row][i] ← requantize(acc[row][i], multipliers[i])`, 32-bit sums to bytes, which are `signed` or not.
/// False, and nothing is written, if something lies outside or the level has no kernel for whole rows.
/// `repeated` is a buffer for multipliers.
pub fn rows(
    level: Level,
    acc: (View<'_>, Line),
    dst: (ViewMut<'_>, Line),
    rows: usize,
    multipliers: &[f32],
    (bounds, signed): (Bounds, bool),
    repeated: &mut Vec<f32>,
) -> bool {
    #[cfg(target_arch = "x86_64")]
    if level.has_avx512() && bounds.are_small() && few([rows, multipliers.len().max(1)], dst.0.len()) {
        return avx512::requantize(acc, dst, rows, multipliers, (bounds, signed), repeated);
    }
    let _ = (level, acc, dst, rows, multipliers, bounds, signed, repeated);
    false
}

/// `dst[row][i] ← requantize_wide(acc[row][i], by[i])`, accumulators and results of the given sizes in bytes;
/// false, and nothing is written, if something lies outside or the level has no kernel for whole rows.
pub fn wide_rows(
    level: Level,
    acc: (View<'_>, Line, usize),
    dst: (ViewMut<'_>, Line, usize),
    rows: usize,
    by: &Multipliers,
    bounds: Bounds,
) -> bool {
    #[cfg(target_arch = "x86_64")]
    if level.has_avx512() && bounds.are_small() && few([rows, by.single.len().max(1)], dst.0.len()) {
        return avx512_wide::requantize(acc, dst, rows, by, bounds);
    }
    let _ = (level, acc, dst, rows, by, bounds);
    false
}

/// QuantizeLinear of `n` floats to integers of `size` bytes, both offsets in one memory; false, and nothing
/// is written, if something lies outside, the two overlap, or the level has no such kernel.
pub fn quantize(
    level: Level,
    memory: ViewMut<'_>,
    [to, from]: [usize; 2],
    (n, size): (usize, usize),
    scale: f32,
    bounds: Bounds,
) -> bool {
    #[cfg(target_arch = "x86_64")]
    if level.has_avx512() && bounds.are_small() {
        return avx512::quantize(memory, [to, from], (n, size), scale, bounds);
    }
    let _ = (level, memory, to, from, n, size, scale, bounds);
    false
}

/// DequantizeLinear: `to ← (from − zero_point) · by`, integers of up to 16 bits to floats, both offsets in
/// one memory; one element for each multiplier. False, and nothing is written, if something lies outside, the
/// two overlap, or the level has no such kernel.
pub fn dequantize(
    level: Level,
    memory: ViewMut<'_>,
    [to, from]: [usize; 2],
    etype: EType,
    zero_point: i32,
    by: &[f32],
) -> bool {
    #[cfg(target_arch = "x86_64")]
    if level.has_avx512() {
        return avx512::dequantize(memory, [to, from], etype, zero_point, by);
    }
    let _ = (level, memory, to, from, etype, zero_point, by);
    false
}

//! Depthwise products of bytes. Kernels of 3 × 3 and 5 × 5 work column by column ([`Columns`]): a column's
//! rows are interleaved once for all outputs whose windows contain it. Other windows work tap by tap
//! ([`Taps`]). `portable` has the inner loops that the engine uses where there is no such kernel.

mod columns;
#[cfg(target_arch = "x86_64")]
mod columns_avx2;
#[cfg(target_arch = "x86_64")]
mod columns_avx512;
pub mod portable;
mod taps;
#[cfg(target_arch = "x86_64")]
mod taps_avx512;

pub use columns::Columns;
pub use taps::Taps;

use super::aligned::Aligned;
use super::cpu::Level;

/// Whether a level has a kernel by columns for such windows.
#[must_use]
pub fn has_columns(level: Level, kernel: [u16; 2], stride: [u16; 2], dilation: [u16; 2]) -> bool {
    (level.has_avx512() || level.is_avx2())
        && matches!(kernel, [3, 3] | [5, 5])
        && matches!(stride[1], 1 | 2)
        && dilation == [1, 1]
}

/// Whether a level has a kernel by taps.
#[must_use]
pub fn has_taps(level: Level) -> bool {
    level.has_avx512()
}

/// Computes a tile column by column; `line` is a buffer for a row of sums. False if the level has no kernel
/// or something lies outside (nothing is written then), or if bytes were stored and a guarded sum wrapped.
pub fn run_columns(tile: &mut Columns<'_>, level: Level, line: &mut Aligned<i32>) -> bool {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512Vnni(_) | Level::Amx(_) => columns_avx512::run(tile, line),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(_) => columns_avx2::run(tile, false),
        #[cfg(target_arch = "x86_64")]
        Level::AvxVnni(_) => columns_avx2::run(tile, true),
        _ => {
            let _ = (tile, line);
            false
        }
    }
}

/// Computes a tile tap by tap; false, and nothing is written, if the level has no kernel, or something lies
/// outside.
pub fn run_taps(tile: &mut Taps<'_>, level: Level) -> bool {
    #[cfg(target_arch = "x86_64")]
    if level.has_avx512() {
        return taps_avx512::run(tile);
    }
    let _ = (tile, level);
    false
}

/// Brings weights minus their zero point, `[tap][channel]`, into the order of a level's kernels: for a square
/// kernel of size `columns` for [`Columns`], else for [`Taps`]. False if there is no such kernel, or it does
/// not take these weights.
pub fn pack(
    level: Level,
    weights: &[i16],
    columns: Option<usize>,
    channels: usize,
    to: &mut Aligned<u8>,
) -> bool {
    let whole = channels > 0 && weights.len().is_multiple_of(channels);
    if !whole || columns.is_some_and(|kernel| kernel.checked_mul(kernel) != Some(weights.len() / channels)) {
        return false;
    }
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(_) | Level::AvxVnni(_) => {
            let Some(kernel) = columns else { return false };
            let vnni = matches!(level, Level::AvxVnni(_));
            to.copy(&columns_avx2::interleave(weights, kernel, channels, vnni));
            true
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx512Vnni(_) | Level::Amx(_) => pack_avx512(level, weights, columns, channels, to),
        _ => {
            let _ = (weights, columns, channels, to);
            false
        }
    }
}

/// A difference between −256 and 254 is the sum of two bytes: two sets of weights. Other differences are not
/// taken.
#[cfg(target_arch = "x86_64")]
fn pack_avx512(
    level: Level,
    weights: &[i16],
    columns: Option<usize>,
    channels: usize,
    to: &mut Aligned<u8>,
) -> bool {
    if weights.contains(&255) {
        return false;
    }
    let first = |w: &i16| (*w).clamp(-128, 127) as i8;
    let mut plain: Vec<u8> = weights.iter().map(|w| first(w) as u8).collect();
    let fit = weights.iter().all(|w| (-128..=127).contains(w));
    let Some(kernel) = columns else {
        if fit {
            to.copy(&taps_avx512::interleave(&plain, channels));
        }
        return fit;
    };
    let set = columns_avx512::set_bytes(kernel, channels);
    let (one, other) = to.room(if fit { set } else { 2 * set }).split_at_mut(set);
    columns_avx512::interleave(level, &plain, kernel, channels, one);
    if !fit {
        plain.clear();
        plain.extend(weights.iter().map(|w| (w - i16::from(first(w))) as u8));
        columns_avx512::interleave(level, &plain, kernel, channels, other);
    }
    true
}

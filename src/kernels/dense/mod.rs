//! Dense products of bytes: [`run`] computes a [tile](Tile) with the best kernel of a level. `avx512`
//! multiplies a few pixels with up to 64 channels in registers, `amx` 32 pixels with 32 channels in matrix
//! tiles, `avx2` a few pixels with 16 channels on 256 bits, `neon` on 128; all read activations in place.
//! `portable` has the inner loops that the engine uses where there is no such kernel.

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
pub(crate) mod portable;
mod tile;

pub use tile::{Lists, Place, Start, Tile};

use super::cpu::Level;
use super::epilogue::Epilogue;

/// Computes a tile; returns how many accumulations wrapped. `None` if the level has no kernel for it, or if
/// bytes were stored and an accumulation wrapped: the bytes are then correct, but the wraps are not counted.
pub fn run(tile: &mut Tile<'_>, level: Level, lists: &mut Lists) -> Option<u64> {
    if !tile.fits() || !tile.can_finish(level) {
        return None;
    }
    let plain = tile.plain();
    tile.initial(level, plain, &mut lists.init);
    let wraps = match level {
        #[cfg(target_arch = "x86_64")]
        Level::Amx(_) if amx::suits(tile) => amx::run(tile, level, plain, lists),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512Vnni(_) | Level::Amx(_) => avx512::run(tile, level, plain, lists),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(_) | Level::AvxVnni(_) => avx2::run(tile, level, plain, lists),
        #[cfg(target_arch = "aarch64")]
        Level::NeonDot(_) => neon::run(tile, level, plain, lists),
        _ => return None,
    };
    match tile.epilogue {
        Epilogue::Bytes(_) => (wraps == 0).then_some(0),
        Epilogue::Sums if plain => Some(wraps + tile.wraps(level)),
        Epilogue::Sums => Some(wraps),
    }
}

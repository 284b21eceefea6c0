//! Kernels for one instruction set each: what one source for all cannot express.
//!
//! [`tile::Tile`] is a tile of a dense product in a form that all share: unsigned activations at constant steps, signed
//! weights in the packed order of the manual. Zero points fold into start values. `vnni` multiplies a few pixels with up to 64
//! channels in registers, `amx` 32 pixels with 32 channels in matrix tiles, `ymm` a few pixels with 16 channels on 256 bits,
//! `neon` on 128;
//! all read activations where they lie. `columns` and `depthwise` are depthwise products of bytes, `columns_words` and
//! `depthwise_words` those of words. `round`, `words` and `combine` are what rounds to 8 or 16 bits, `table` looks up bytes,
//! [`finish`] is what a product's sums become, `planes` the bytes of words, `join` what the sums of their products become.
//! `floats` is the f32 lane, and `divide` divides by one number.

#[cfg(target_arch = "x86_64")]
pub(super) mod amx;
#[cfg(target_arch = "x86_64")]
pub(super) mod columns;
#[cfg(target_arch = "x86_64")]
pub(super) mod columns_words;
#[cfg(target_arch = "x86_64")]
pub(super) mod combine;
#[cfg(target_arch = "x86_64")]
pub(super) mod depthwise;
#[cfg(target_arch = "x86_64")]
pub(super) mod depthwise_words;
#[cfg(target_arch = "x86_64")]
mod divide;
pub(super) mod finish;
#[cfg(target_arch = "x86_64")]
pub(super) mod floats;
#[cfg(target_arch = "x86_64")]
pub(super) mod join;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "x86_64")]
pub(super) mod peak;
#[cfg(target_arch = "x86_64")]
pub(super) mod planes;
#[cfg(target_arch = "x86_64")]
pub(super) mod round;
#[cfg(target_arch = "x86_64")]
pub(super) mod table;
pub(super) mod tile;
#[cfg(target_arch = "x86_64")]
pub(super) mod vnni;
#[cfg(target_arch = "x86_64")]
pub(super) mod words;
#[cfg(target_arch = "x86_64")]
pub(super) mod ymm;

//! Dot products of bytes, for one instruction set each: what one source for all cannot express.
//!
//! [`tile::Tile`] is a tile in a form that all share: unsigned activations at constant steps, signed weights in the packed
//! order of the manual. Zero points fold into start values. `vnni` multiplies a few pixels with up to 64 channels in
//! registers, `amx` 32 pixels with 32 channels in matrix tiles; both read activations where they lie.

#[cfg(target_arch = "x86_64")]
pub(super) mod amx;
#[cfg(target_arch = "x86_64")]
pub(super) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(super) mod columns;
#[cfg(target_arch = "x86_64")]
pub(super) mod combine;
#[cfg(target_arch = "x86_64")]
pub(super) mod depthwise;
#[cfg(target_arch = "x86_64")]
pub(super) mod depthwise_words;
#[cfg(target_arch = "x86_64")]
pub(super) mod round;
pub(super) mod tile;
#[cfg(target_arch = "x86_64")]
pub(super) mod vnni;
#[cfg(target_arch = "x86_64")]
pub(super) mod words;

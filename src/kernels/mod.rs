//! Loops for this computer's CPU: functions of slices, extents and strides. Nothing here knows descriptors,
//! memories or the simulator, which turns its instructions into calls.
//!
//! A folder or file is a kind of work. Its `mod.rs` picks the best kernel of a [level](cpu::Level), and says
//! if there is none; `portable` is safe code that the compiler vectorizes for several instruction sets
//! (`multiversion.rs`), the others are vector kernels for one: `avx2`, `avx512`, `amx`, `neon`. All give the
//! same bytes. A kernel checks once that all it will touch lies inside its [views](view), and does nothing if
//! not.

#![cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "what only kernels of x86-64 use so far"))]

pub mod accumulate;
pub mod aligned;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub mod copy;
pub mod cpu;
pub mod dense;
pub mod depthwise;
pub mod elementwise;
pub mod epilogue;
pub mod extent;
pub mod float;
pub mod line;
pub mod lookup;
pub(crate) mod multiversion;
pub mod pack;
pub mod peak;
pub mod reduce;
pub mod requantize;
pub mod view;
#[cfg(target_arch = "x86_64")]
pub(crate) mod words;

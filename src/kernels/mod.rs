//! Compute loops for the host CPU: functions of slices, extents and strides. They do not know descriptors,
//! memories or the simulator, which turns its instructions into calls.
//!
//! Each folder or file is one kind of work. Its `mod.rs` calls the best kernel of a [level](cpu::Level), or
//! reports that there is none; `portable` is safe code that the compiler vectorizes for several instruction
//! sets (`multiversion.rs`), the others are vector kernels for one: `avx2`, `avx512`, `amx`, `neon`. All
//! write the same bytes. A kernel checks once that everything it accesses lies inside its [views](view), and
//! does nothing otherwise.

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

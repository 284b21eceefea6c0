//! Functions of one and of two f32, with the results of [`numeric`](crate::numeric).

#[cfg(target_arch = "x86_64")]
mod avx512;
mod floats;
pub mod portable;

pub use floats::Floats;

use super::cpu::Level;
use super::view::ViewMut;
use crate::isa::Float2;

/// `to ← op(a, b)` for `n` floats of one memory; `to` is a byte offset. False, and nothing is written, if
/// something lies outside, an operand overlaps the result without being it, or the level has no such kernel.
pub fn float2(level: Level, memory: ViewMut<'_>, to: usize, from: [Floats; 2], n: usize, op: Float2) -> bool {
    #[cfg(target_arch = "x86_64")]
    if level.has_avx512() {
        return avx512::float2(memory, to, from, n, op);
    }
    let _ = (level, memory, to, from, n, op);
    false
}

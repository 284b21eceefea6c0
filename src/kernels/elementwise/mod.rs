//! Sums and products of two tensors, element by element, with the roundings of [`numeric`](crate::numeric).

#[cfg(target_arch = "x86_64")]
mod avx512;
mod operand;
pub mod portable;

pub use operand::{Combine, Operand};

use super::cpu::Level;
use super::view::ViewMut;

/// QLinearAdd or QLinearMul, element by element, in one memory; false, and nothing is written, if something
/// lies outside or the level has no kernel for whole rows. The result may replace an operand.
pub fn combine(
    level: Level,
    memory: ViewMut<'_>,
    dims: [usize; 4],
    to: Operand,
    from: [Operand; 2],
    sum: Combine,
    clamp: [i32; 2],
) -> bool {
    #[cfg(target_arch = "x86_64")]
    if level.has_avx512() {
        return avx512::combine(memory, dims, to, from, sum, clamp);
    }
    let _ = (level, memory, dims, to, from, sum, clamp);
    false
}

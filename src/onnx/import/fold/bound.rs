//! The size limit of folded constants.

use crate::onnx::import::value::{Refusal, unsupported};

/// Most elements of a folded constant: a longer one is a mistake, and would be stored in the program.
pub(in crate::onnx::import) const MOST_ELEMENTS: usize = 1 << 25;

/// The number of elements of a shape, if a constant may have it.
pub(in crate::onnx::import) fn bounded(shape: &[usize]) -> Result<usize, Refusal> {
    match shape.iter().try_fold(1_usize, |n, d| n.checked_mul(*d)) {
        Some(n) if n <= MOST_ELEMENTS => Ok(n),
        _ => unsupported(format!(
            "a constant of shape {shape:?} is too large; {MOST_ELEMENTS} elements are the most"
        )),
    }
}

//! Operands of operations on each element by itself.

use crate::isa::EType;
use crate::kernels::extent::fits;

/// An operand or a result: rows of elements of 8 or 16 bits that follow each other, or of one element for
/// all.
#[derive(Debug, Clone, Copy)]
pub struct Operand {
    /// Where it begins.
    pub at: usize,
    /// Bytes along the outer extents.
    pub strides: [usize; 3],
    /// Of its elements: of 8 or 16 bits.
    pub etype: EType,
    /// One element for all of a row.
    pub one: bool,
}

impl Operand {
    /// Whether all rows lie inside `len` bytes.
    pub fn inside(&self, dims: [usize; 4], len: usize) -> bool {
        let n = if self.one { 1 } else { dims[3] };
        let outer = [0, 1, 2].map(|axis| (dims[axis], self.strides[axis]));
        fits(self.at, &outer, n.saturating_mul(self.etype.bytes()), len)
    }

    /// The same from a row on.
    pub(in crate::kernels) fn row(&self, row: [usize; 3]) -> Operand {
        let offset: usize = row.iter().zip(self.strides).map(|(i, s)| i * s).sum();
        Operand { at: self.at + offset, ..*self }
    }
}

/// What is computed of two elements.
#[derive(Debug, Clone, Copy)]
pub enum Combine {
    /// QLinearAdd, with [`AddCoefficients`](crate::numeric::AddCoefficients) `ra`, `rb`, `c`.
    Add([f32; 3]),
    /// QLinearMul: zero points of the operands, multiplier, zero point of the result.
    Mul([i32; 2], f32, i32),
}

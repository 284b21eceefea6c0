//! Operands of element-wise operations.

use crate::isa::EType;
use crate::kernels::extent::fits;

/// An operand or a result: rows of contiguous elements of 8 or 16 bits, or of one element that is broadcast.
#[derive(Debug, Clone, Copy)]
pub struct Operand {
    /// Offset of its first element.
    pub at: usize,
    /// Byte strides of the outer extents.
    pub strides: [usize; 3],
    /// Element type, of 8 or 16 bits.
    pub etype: EType,
    /// Whether a row is one element, broadcast.
    pub one: bool,
}

impl Operand {
    /// Whether all rows lie inside `len` bytes.
    pub fn inside(&self, dims: [usize; 4], len: usize) -> bool {
        let n = if self.one { 1 } else { dims[3] };
        let outer = [0, 1, 2].map(|axis| (dims[axis], self.strides[axis]));
        fits(self.at, &outer, n.saturating_mul(self.etype.bytes()), len)
    }

    /// The operand from a row on.
    pub(in crate::kernels) fn row(&self, row: [usize; 3]) -> Operand {
        let offset: usize = row.iter().zip(self.strides).map(|(i, s)| i * s).sum();
        Operand { at: self.at + offset, ..*self }
    }
}

/// The function of two elements.
#[derive(Debug, Clone, Copy)]
pub enum Combine {
    /// QLinearAdd, with [`AddCoefficients`](crate::numeric::AddCoefficients) `ra`, `rb`, `c`.
    Add([f32; 3]),
    /// QLinearMul: zero points of the operands, multiplier, zero point of the result.
    Mul([i32; 2], f32, i32),
}

//! Operands of functions of f32.

/// Contiguous floats, or one that is broadcast.
#[derive(Debug, Clone, Copy)]
pub struct Floats {
    /// Offset of the first byte.
    pub at: usize,
    /// Whether it is one float, broadcast.
    pub one: bool,
}

//! Operands of the f32 lane.

/// Floats from a byte on, or one for all.
#[derive(Debug, Clone, Copy)]
pub struct Floats {
    /// The first byte.
    pub at: usize,
    /// One float for all.
    pub one: bool,
}

//! Multipliers for accumulators of 64 bits.

/// Multipliers as kernels take them: also in f64, with zeros up to a whole vector more.
#[derive(Debug, Default)]
pub struct Multipliers {
    pub(super) single: Vec<f32>,
    pub(in crate::kernels) double: Vec<f64>,
}

impl Multipliers {
    /// Sets the multipliers; `None` if one is not finite.
    pub fn take(&mut self, from: &[f32]) -> Option<()> {
        self.single.clear();
        self.single.extend_from_slice(from);
        self.double.clear();
        self.double.extend(from.iter().map(|m| f64::from(*m)));
        self.double.resize(from.len() + 16, 0.0);
        from.iter().all(|m| m.is_finite()).then_some(())
    }
}

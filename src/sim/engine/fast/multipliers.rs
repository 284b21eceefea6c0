//! The multipliers of requantizations.

use crate::isa::{QuantDesc, QuantMode, Space};
use crate::numeric::Rescale;
use crate::sim::memory::Memory;

/// The multipliers of `n` channels.
pub(super) fn multipliers(m: &Memory, q: &QuantDesc, n: usize, to: &mut Vec<f32>) {
    to.clear();
    match q.mode {
        QuantMode::Tensor => to.resize(n, q.m0),
        QuantMode::Channel => {
            let bytes = m.read(Space::Spm, q.table, 4 * n);
            to.extend(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)));
        }
    }
}

/// Multipliers and shifts of `n` channels in the q31 profiles.
pub(super) fn rescales(m: &Memory, q: &QuantDesc, n: usize) -> Vec<Rescale> {
    if q.mode == QuantMode::Tensor {
        return vec![q.rescales()[0]; n];
    }
    let entry = |b: &[u8; 8]| {
        let [m0, m1, m2, m3, shift, ..] = *b;
        Rescale { multiplier: i32::from_le_bytes([m0, m1, m2, m3]), shift }
    };
    m.read(Space::Spm, q.table, 8 * n).as_chunks().0.iter().map(entry).collect()
}

//! Formulas of the timing classes: cycles of an instruction from its extents. The clock, the tile search and
//! the closed-form estimate use them; the lower bounds, which count no fill, drain or latency, have their
//! own.

use super::Machine;

/// MAC: fill, `passes · ⌈reduction / ic_lanes⌉`, drain.
#[must_use]
pub fn array(m: &Machine, passes: u64, reduction: u64) -> u64 {
    u64::from(m.mac.fill_cycles)
        + passes * reduction.div_ceil(m.mac.ic_lanes.into())
        + u64::from(m.mac.drain_cycles)
}

/// MAC: passes of the array over `pixels` pixels and `channels` output channels; `slowdown` is the product of
/// the operands' bytes (8×8 bits 1, 16×8 2, 16×16 4).
#[must_use]
pub fn passes(m: &Machine, pixels: u64, channels: u64, slowdown: u64) -> u64 {
    channels.div_ceil(m.mac.oc_lanes.into()) * pixels.div_ceil(m.mac.pixel_lanes.into()) * slowdown
}

/// VEC: vectors of a box, `D0·D1·D2·⌈D3 / lanes⌉`.
#[must_use]
pub fn vectors(m: &Machine, [a, b, c, d]: [u64; 4]) -> u64 {
    a * b * c * d.div_ceil(m.vec.lanes.into())
}

/// VEC: latency, then `times` the vectors.
#[must_use]
pub fn vector(m: &Machine, vectors: u64, times: u64) -> u64 {
    u64::from(m.vec.latency_cycles) + times * vectors
}

/// DMA: a copy or fill inside the scratchpad.
#[must_use]
pub fn copy(m: &Machine, bytes: u64) -> u64 {
    bytes.div_ceil(m.spm.bytes_per_cycle.into())
}

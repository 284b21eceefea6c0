//! Formulas of the timing classes: cycles of an instruction from its extents. The clock, the tile search and
//! the closed-form estimate use them; the lower bounds, which count no fill, drain or latency, have their
//! own.

use super::{Dram, Machine};

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

/// Channel: the segments of a row of `bytes` bytes that ids choose, each as if it began at the last byte of a
/// row of the memory: the most that it can cost, wherever it lies.
pub fn chosen_row(dram: &Dram, bytes: u64) -> impl Iterator<Item = u64> {
    let [grant, burst, row] =
        [dram.grant_bytes, dram.burst_bytes, dram.row_bytes].map(|n| u64::from(n).max(1));
    let [rate, miss] = [dram.bytes_per_cycle, dram.row_miss_cycles].map(u64::from);
    (0..bytes.div_ceil(grant)).map(move |i| {
        let beyond_first = grant.min(bytes - i * grant) - 1;
        let bursts = beyond_first.div_ceil(burst) + 1;
        (bursts * burst).div_ceil(rate) + beyond_first.div_ceil(row) * miss
    })
}

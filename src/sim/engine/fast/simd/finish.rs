//! What becomes of a product's sums: accumulators, or at once the bytes that a requantization makes of them.

use crate::sim::engine::fast::{Level, kernels};

/// Zero point and bounds of a result.
#[derive(Debug, Clone, Copy)]
pub(in crate::sim::engine::fast) struct Bounds {
    pub(in crate::sim::engine::fast) zero_point: i32,
    pub(in crate::sim::engine::fast) clamp: [i32; 2],
}

/// How sums become bytes.
#[derive(Debug, Clone, Copy)]
pub(in crate::sim::engine::fast) struct Scale<'a> {
    /// One for each channel, up to a multiple of 64.
    pub(in crate::sim::engine::fast) multipliers: &'a [f32],
    /// Whether all are between −1 and 1.
    pub(in crate::sim::engine::fast) small: bool,
    pub(in crate::sim::engine::fast) bounds: Bounds,
    /// Whether the bytes are.
    pub(in crate::sim::engine::fast) signed: bool,
    /// Where sums might leave 32 bits.
    pub(in crate::sim::engine::fast) guard: Option<Guard<'a>>,
}

#[cfg(target_arch = "aarch64")]
impl Scale<'_> {
    /// Stores the bytes of sums, the first of which is of a channel; gives whether a guarded sum has wrapped.
    pub(super) fn store(&self, level: Level, channel: usize, sums: &[i32], to: &mut [u8]) -> bool {
        let Bounds { zero_point, clamp } = self.bounds;
        kernels::requantize_bytes(level, to, sums, &self.multipliers[channel..], zero_point, clamp);
        self.guard.is_some_and(|g| {
            let watched = g.bias[channel..].iter().zip(&g.watched[channel..]);
            sums.iter().zip(watched).any(|(sum, (bias, watched))| (sum ^ bias) & watched < 0)
        })
    }
}

/// Watches sums that start from an enormous bias: one that is as far from zero as no sum of products can be. As long as it
/// has not wrapped, the result has the sign of the bias.
#[derive(Debug, Clone, Copy)]
pub(in crate::sim::engine::fast) struct Guard<'a> {
    /// The bias of each channel, up to a multiple of 64.
    pub(in crate::sim::engine::fast) bias: &'a [i32],
    /// The sign bit for enormous ones, else 0.
    pub(in crate::sim::engine::fast) watched: &'a [i32],
}

/// The operands of a guard.
#[derive(Debug, Default)]
pub(in crate::sim::engine::fast) struct GuardRoom {
    bias: Vec<i32>,
    watched: Vec<i32>,
}

impl GuardRoom {
    /// The guard for sums of at most `most`, in absolute value, if a bias is enormous. None if sums are so large that their
    /// sign says nothing.
    pub(in crate::sim::engine::fast) fn guard(
        &mut self,
        level: Level,
        bias: &[[u8; 4]],
        most: i64,
    ) -> Option<Option<Guard<'_>>> {
        if !may_wrap(kernels::largest(level, bias), most) {
            return Some(None);
        }
        if most >= 1 << 30 {
            return None;
        }
        let channels = bias.len().next_multiple_of(64);
        for room in [&mut self.bias, &mut self.watched] {
            room.resize(channels, 0);
            room[bias.len()..].fill(0);
        }
        // `most` is less than 2^30.
        kernels::watch(level, bias, i32::MAX - most as i32, &mut self.bias, &mut self.watched);
        Some(Some(Guard { bias: &self.bias, watched: &self.watched }))
    }
}

/// Whether a sum of at most `most`, in absolute value, might leave 32 bits with the [`largest`](kernels::largest) bias.
pub(in crate::sim::engine::fast) fn may_wrap(largest: i32, most: i64) -> bool {
    i64::from(largest) + 1 + most > i64::from(i32::MAX)
}

/// What is stored for each sum.
#[derive(Debug, Clone, Copy)]
pub(in crate::sim::engine::fast) enum Finish<'a> {
    /// The sum: four bytes, little endian.
    Sums,
    /// What the requantization of the sum gives: one byte.
    Bytes(Scale<'a>),
}

impl Finish<'_> {
    /// Bytes that are stored for a channel.
    pub(in crate::sim::engine::fast) fn bytes(&self) -> usize {
        match self {
            Finish::Sums => 4,
            Finish::Bytes(_) => 1,
        }
    }

    /// Whether there is a multiplier for each channel.
    pub(in crate::sim::engine::fast) fn serves(&self, channels: usize) -> bool {
        match self {
            Finish::Sums => true,
            Finish::Bytes(s) => {
                let all = channels.next_multiple_of(64);
                s.multipliers.len() >= all
                    && s.guard.is_none_or(|g| g.bias.len() >= all && g.watched.len() >= all)
            }
        }
    }
}

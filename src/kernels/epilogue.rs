//! The epilogue of a product: its sums are stored as accumulators, or requantized to bytes at once.

use super::accumulate::{largest, watch};
use super::cpu::Level;

/// Zero point and bounds of a result.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Added to the rounded number.
    pub zero_point: i32,
    /// The least and the greatest result.
    pub clamp: [i32; 2],
}

impl Bounds {
    /// Whether results have 16 bits at most, as all kernels need.
    #[must_use]
    pub fn are_small(&self) -> bool {
        let [least, most] = self.clamp;
        [self.zero_point, least, most].iter().all(|v| v.unsigned_abs() < 1 << 17) && least <= most
    }
}

/// A requantization of sums to bytes.
#[derive(Debug, Clone, Copy)]
pub struct Scale<'a> {
    /// One for each channel, up to a multiple of 64.
    pub multipliers: &'a [f32],
    /// Whether all are between −1 and 1.
    pub small: bool,
    /// Zero point and bounds of the bytes.
    pub bounds: Bounds,
    /// Whether the bytes are signed.
    pub signed: bool,
    /// For sums that might exceed 32 bits.
    pub guard: Option<Guard<'a>>,
}

#[cfg(target_arch = "aarch64")]
impl Scale<'_> {
    /// Stores the bytes of sums, the first of which is of channel `channel`; returns whether a guarded sum
    /// wrapped.
    pub(crate) fn store(&self, level: Level, channel: usize, sums: &[i32], to: &mut [u8]) -> bool {
        let Bounds { zero_point, clamp } = self.bounds;
        super::requantize::portable::requantize_bytes(
            level,
            to,
            sums,
            &self.multipliers[channel..],
            zero_point,
            clamp,
        );
        self.guard.is_some_and(|g| {
            let watched = g.bias[channel..].iter().zip(&g.watched[channel..]);
            sums.iter().zip(watched).any(|(sum, (bias, watched))| (sum ^ bias) & watched < 0)
        })
    }
}

/// Per-channel operands of a rounding on vectors, from a channel on.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Channels {
    pub(crate) multipliers: *const f32,
    /// Bias and watched bits of a [`Guard`].
    pub(crate) guard: Option<(*const i32, *const i32)>,
}

#[cfg(target_arch = "x86_64")]
impl Scale<'_> {
    /// The operands from a channel on; they can be read at least up to the next multiple of 64 channels.
    pub(crate) fn from(&self, channel: usize) -> Channels {
        Channels {
            multipliers: self.multipliers[channel..].as_ptr(),
            guard: self.guard.map(|g| (g.bias[channel..].as_ptr(), g.watched[channel..].as_ptr())),
        }
    }
}

/// Detects wraps of sums with a very large bias, one whose magnitude leaves no room for the largest sum of
/// products. Such a sum has the sign of its bias if and only if it has not wrapped.
#[derive(Debug, Clone, Copy)]
pub struct Guard<'a> {
    /// The bias of each channel, up to a multiple of 64.
    pub bias: &'a [i32],
    /// The sign bit for channels with a very large bias, else 0.
    pub watched: &'a [i32],
}

/// Buffers for the operands of a guard.
#[derive(Debug, Default)]
pub struct GuardRoom {
    bias: Vec<i32>,
    watched: Vec<i32>,
}

impl GuardRoom {
    /// The guard for sums of at most `most`, in absolute value: `Some(None)` if no bias needs one. `None` if
    /// sums are so large that their sign is not conclusive.
    pub fn guard(&mut self, level: Level, bias: &[[u8; 4]], most: i64) -> Option<Option<Guard<'_>>> {
        if !may_wrap(largest(level, bias), most) {
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
        watch(level, bias, i32::MAX - most as i32, &mut self.bias, &mut self.watched);
        Some(Some(Guard { bias: &self.bias, watched: &self.watched }))
    }
}

/// Whether a sum of at most `most`, in absolute value, might exceed 32 bits with the [`largest`] bias.
pub fn may_wrap(largest: i32, most: i64) -> bool {
    i64::from(largest) + 1 + most > i64::from(i32::MAX)
}

/// What is stored for each sum.
#[derive(Debug, Clone, Copy)]
pub enum Epilogue<'a> {
    /// The sum: four bytes, little endian.
    Sums,
    /// What the requantization of the sum gives: one byte.
    Bytes(Scale<'a>),
}

impl Epilogue<'_> {
    /// Bytes stored for a channel.
    pub fn bytes(&self) -> usize {
        match self {
            Epilogue::Sums => 4,
            Epilogue::Bytes(_) => 1,
        }
    }

    /// Whether there is a multiplier for each channel.
    pub fn serves(&self, channels: usize) -> bool {
        match self {
            Epilogue::Sums => true,
            Epilogue::Bytes(s) => {
                let all = channels.next_multiple_of(64);
                s.bounds.are_small()
                    && s.multipliers.len() >= all
                    && s.guard.is_none_or(|g| g.bias.len() >= all && g.watched.len() >= all)
            }
        }
    }
}

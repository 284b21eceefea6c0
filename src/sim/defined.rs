//! Which bytes have been written. Decided once in the control pass, so that runs need not track it.

use super::access::{self, Row};
use super::fault::FaultKind;
use super::op::OpKind;
use super::validate::Memories;
use crate::isa::Space;

/// One bit for each byte of a memory.
#[derive(Debug, Clone)]
struct Bits(Vec<u64>);

impl Bits {
    fn new(bytes: u64) -> Bits {
        Bits(vec![0; usize::try_from(bytes.div_ceil(64)).unwrap_or(0)])
    }

    /// Calls `f(word, mask)` for the words of a range, clipped to the memory.
    fn words(&self, start: i64, len: i64) -> impl Iterator<Item = (usize, u64)> + use<> {
        let limit = self.0.len() as i64 * 64;
        let (first, end) = (start.clamp(0, limit), (start + len).clamp(0, limit));
        (first / 64..(end + 63) / 64).map(move |w| {
            let lo = (first - w * 64).max(0);
            let hi = (end - w * 64).min(64);
            let ones = if hi - lo >= 64 { u64::MAX } else { ((1_u64 << (hi - lo)) - 1) << lo };
            (w as usize, ones)
        })
    }

    fn set(&mut self, start: i64, len: i64) {
        for (w, mask) in self.words(start, len) {
            self.0[w] |= mask;
        }
    }

    /// First byte of the range that is not set.
    fn first_clear(&self, start: i64, len: i64) -> Option<i64> {
        self.words(start, len)
            .find(|(w, mask)| self.0[*w] & mask != *mask)
            .map(|(w, mask)| w as i64 * 64 + i64::from((!self.0[w] & mask).trailing_zeros()))
    }
}

/// Definedness of the bytes of all memories.
#[derive(Debug, Clone)]
pub struct Defined {
    writable: i64,
    constants: i64,
    dram: Bits,
    spm: Bits,
    acc: Bits,
}

impl Defined {
    /// Only the constants are defined.
    #[must_use]
    pub fn new(sizes: &Memories, constants: usize) -> Defined {
        Defined {
            writable: sizes.writable as i64,
            constants: constants as i64,
            dram: Bits::new(sizes.dram.saturating_sub(sizes.writable)),
            spm: Bits::new(sizes.spm),
            acc: Bits::new(sizes.acc),
        }
    }

    /// Marks bytes as written.
    pub fn define(&mut self, space: Space, start: i64, len: i64) {
        match space {
            Space::Dram => self.dram.set(start - self.writable, len),
            Space::Spm => self.spm.set(start, len),
            Space::Acc => self.acc.set(start, len),
        }
    }

    /// First byte of a range that was never written.
    #[must_use]
    pub fn first_undefined(&self, space: Space, start: i64, len: i64) -> Option<i64> {
        match space {
            Space::Dram if start < self.writable => {
                // Constants are defined; the gap behind them never is.
                if start + len <= self.constants { None } else { Some(start.max(self.constants)) }
            }
            Space::Dram => self.dram.first_clear(start - self.writable, len).map(|a| a + self.writable),
            Space::Spm => self.spm.first_clear(start, len),
            Space::Acc => self.acc.first_clear(start, len),
        }
    }

    /// Checks what an operation reads, then marks what it writes.
    ///
    /// # Errors
    /// The lowest undefined byte, memories in the order dram, spm, acc.
    pub fn execute(&mut self, kind: &OpKind) -> Result<(), FaultKind> {
        let mut lowest: Option<(Space, i64)> = None;
        let _: Result<(), ()> = access::for_each_row(kind, &mut |row: Row, writes| {
            if !writes && let Some(address) = self.first_undefined(row.space, row.start, row.len) {
                let found = (row.space, address);
                lowest = Some(lowest.map_or(found, |l| l.min(found)));
            }
            Ok(())
        });
        if let Some((space, address)) = lowest {
            return Err(FaultKind::UndefinedRead { space, address });
        }
        let _: Result<(), ()> = access::for_each_row(kind, &mut |row: Row, writes| {
            if writes {
                self.define(row.space, row.start, row.len);
            }
            Ok(())
        });
        Ok(())
    }
}

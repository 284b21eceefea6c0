//! Which bytes have been written. Decided once in the control pass, so that runs need not track it.

use std::convert::Infallible;

use super::access::{Region, Span, Spans, for_each_region, padded_dims};
use super::fault::FaultKind;
use super::op::OpKind;
use super::validate::Memories;
use crate::isa::Space;

/// One bit for each byte of a memory, and summaries: each bit of a further level says that all 64 bits of a
/// word of the level below are set. So a question about a large range looks at few words.
#[derive(Debug, Clone)]
struct Bits {
    levels: Vec<Vec<u64>>,
}

impl Bits {
    fn new(bytes: u64) -> Bits {
        let words = |bits: usize| vec![0; bits.div_ceil(64)];
        let mut levels = vec![words(usize::try_from(bytes).unwrap_or(0))];
        while let Some(below) = levels.last().map(Vec::len).filter(|n| *n > 1) {
            levels.push(words(below));
        }
        Bits { levels }
    }

    /// The words of a range of bytes, each with the mask of the range's bits, clipped to the memory.
    fn words(&self, start: i64, len: i64) -> impl Iterator<Item = (usize, u64)> + use<> {
        let (first, end) = self.clipped(start, len);
        (first / 64..end.div_ceil(64)).map(move |w| (w, mask(w, first, end)))
    }

    fn clipped(&self, start: i64, len: i64) -> (usize, usize) {
        let limit = self.levels[0].len() as i64 * 64;
        (start.clamp(0, limit) as usize, (start + len).clamp(0, limit) as usize)
    }

    fn set(&mut self, start: i64, len: i64) {
        let (mut first, mut end) = self.clipped(start, len);
        for level in 0..self.levels.len() {
            if first >= end {
                return;
            }
            let words = &mut self.levels[level];
            let (low, high) = (first / 64, (end - 1) / 64);
            words[low] |= mask(low, first, end);
            words[high] |= mask(high, first, end);
            words[low + 1..high.max(low + 1)].fill(u64::MAX);
            // The words that are full now, among those that were touched.
            first = low + usize::from(words[low] != u64::MAX);
            end = high + usize::from(words[high] == u64::MAX);
        }
    }

    /// Whether all bytes of a range are set.
    fn all(&self, start: i64, len: i64) -> bool {
        let (mut first, mut end) = self.clipped(start, len);
        for words in &self.levels {
            if first >= end {
                return true;
            }
            let (low, high) = (first / 64, (end - 1) / 64);
            if [low, high].into_iter().any(|w| !words[w] & mask(w, first, end) != 0) {
                return false;
            }
            (first, end) = (low + 1, high);
        }
        true
    }

    /// First byte of the range that is not set.
    fn first_clear(&self, start: i64, len: i64) -> Option<i64> {
        if self.all(start, len) {
            return None;
        }
        self.words(start, len)
            .find(|(w, mask)| self.levels[0][*w] & mask != *mask)
            .map(|(w, mask)| w as i64 * 64 + i64::from((!self.levels[0][w] & mask).trailing_zeros()))
    }
}

/// The bits of a word that lie in a range of bits, which the word must meet.
fn mask(word: usize, first: usize, end: usize) -> u64 {
    let (lo, hi) = (first.max(word * 64) - word * 64, end.min(word * 64 + 64) - word * 64);
    if hi - lo >= 64 { u64::MAX } else { ((1 << (hi - lo)) - 1) << lo }
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
    pub fn execute(&mut self, kind: &OpKind, spans: &Spans) -> Result<(), FaultKind> {
        if !spans.iter().all(|span| span.writes || self.is_defined(span)) {
            self.read(kind)?;
        }
        let Some(dst) = kind.dst() else { return Ok(()) };
        // Buffers are written again and again.
        if !spans.iter().all(|span| !span.writes || self.is_defined(span)) {
            let Ok(()) = Region::Box(dst, padded_dims(dst)).runs::<Infallible>(&mut |row| {
                self.define(row.space, row.start, row.len);
                Ok(())
            });
        }
        Ok(())
    }

    /// Checks what an operation reads, row by row.
    fn read(&self, kind: &OpKind) -> Result<(), FaultKind> {
        let mut lowest: Option<(Space, i64)> = None;
        let Ok(()) = for_each_region::<Infallible>(kind, &mut |region, writes| {
            if writes {
                return Ok(());
            }
            region.runs(&mut |row| {
                if let Some(address) = self.first_undefined(row.space, row.start, row.len) {
                    let found = (row.space, address);
                    lowest = Some(lowest.map_or(found, |l| l.min(found)));
                }
                Ok(())
            })
        });
        match lowest {
            Some((space, address)) => Err(FaultKind::UndefinedRead { space, address }),
            None => Ok(()),
        }
    }

    /// Whether all bytes of a span were written.
    fn is_defined(&self, span: &Span) -> bool {
        let (lo, len) = (span.lo, span.hi - span.lo);
        match span.space {
            Space::Dram if lo < self.writable => span.hi <= self.constants,
            Space::Dram => self.dram.all(lo - self.writable, len),
            Space::Spm => self.spm.all(lo, len),
            Space::Acc => self.acc.all(lo, len),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_agree_with_the_bits() {
        let mut bits = Bits::new(300_000);
        let mut known = vec![false; 300_032];
        let mut random = 1_u64;
        let mut next = |n: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((random >> 33) % n) as i64
        };
        for round in 0..400 {
            let (start, len) = (next(300_000), next(if round % 3 == 0 { 100_000 } else { 200 }));
            bits.set(start, len);
            let end = (start + len).min(300_032) as usize;
            known[start as usize..end].fill(true);
            let (start, len) = (next(300_000), next(150_000));
            let end = (start + len).min(300_032) as usize;
            let clear = (start as usize..end).find(|i| !known[*i]).map(|i| i as i64);
            assert_eq!(bits.first_clear(start, len), clear, "round {round}: {start} + {len}");
            assert_eq!(bits.all(start, len), clear.is_none());
        }
    }
}

//! Notes on ranges of bytes, such as the instruction that wrote them last.

use std::collections::BTreeMap;

/// Disjoint ranges of bytes, each with a note. The cost of a change depends on how many ranges it meets, not
/// on how many bytes it has.
#[derive(Debug, Clone, Default)]
pub(super) struct Intervals<T> {
    /// By first byte: one past the last, and the note.
    ranges: BTreeMap<i64, (i64, T)>,
}

impl<T: Copy> Intervals<T> {
    pub(super) fn new() -> Intervals<T> {
        Intervals { ranges: BTreeMap::new() }
    }

    /// The ranges that share bytes with `[start, end)`, the last one first: first byte, one past the last,
    /// note.
    pub(super) fn meeting(&self, start: i64, end: i64) -> impl Iterator<Item = (i64, i64, T)> {
        let before = self.ranges.range(..end).rev();
        before
            .map(|(first, (last, note))| (*first, *last, *note))
            .take_while(move |(_, last, _)| *last > start)
    }

    /// The note of a byte.
    pub(super) fn at(&self, byte: i64) -> Option<T> {
        self.meeting(byte, byte + 1).next().map(|(_, _, note)| note)
    }

    /// Removes `[start, end)` from all ranges.
    pub(super) fn clear(&mut self, start: i64, end: i64) {
        loop {
            let met = self.meeting(start, end).next();
            let Some((first, last, note)) = met else { return };
            self.ranges.remove(&first);
            if last > end {
                self.ranges.insert(end, (last, note));
            }
            if first < start {
                self.ranges.insert(first, (start, note));
            }
        }
    }

    /// Gives `[start, end)` a note.
    pub(super) fn set(&mut self, start: i64, end: i64, note: T) {
        self.clear(start, end);
        if start < end {
            self.ranges.insert(start, (end, note));
        }
    }

    /// All ranges in the order of their bytes.
    pub(super) fn all(&self) -> impl Iterator<Item = (i64, i64, T)> {
        self.ranges.iter().map(|(first, (last, note))| (*first, *last, *note))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_are_what_each_byte_was_given_last(
            changes in prop::collection::vec((0_i64..200, 0_i64..60, prop::option::of(0_u8..5)), 0..60),
            (from, len) in (0_i64..200, 1_i64..60),
        ) {
            let mut intervals = Intervals::new();
            let mut bytes = [None; 260];
            for (start, len, note) in changes {
                match note {
                    Some(note) => intervals.set(start, start + len, note),
                    None => intervals.clear(start, start + len),
                }
                bytes[start as usize..(start + len) as usize].fill(note);
            }
            let known: Vec<Option<u8>> = (0..260).map(|byte| intervals.at(byte)).collect();
            prop_assert_eq!(&known[..], &bytes[..]);
            let all: Vec<_> = intervals.all().collect();
            prop_assert!(all.windows(2).all(|w| w[0].1 <= w[1].0) && all.iter().all(|r| r.0 < r.1));
            let mut met: Vec<_> = intervals.meeting(from, from + len).collect();
            met.reverse();
            let wanted: Vec<_> = all.into_iter().filter(|r| r.0 < from + len && from < r.1).collect();
            prop_assert_eq!(met, wanted);
        }
    }
}

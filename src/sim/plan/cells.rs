//! Notes on the parts of a memory, such as the instruction that touched each last.

use std::ops::Range;

/// A note for each cell of a memory, which is `BYTES` bytes. Ranges of bytes are clipped to the memory.
#[derive(Debug, Clone)]
pub(in crate::sim) struct Cells<T, const BYTES: i64> {
    notes: Vec<T>,
    /// Notes of each cell.
    each: usize,
}

impl<T: Clone, const BYTES: i64> Cells<T, BYTES> {
    /// Cells for a memory of `bytes` bytes, all with the same note.
    pub(in crate::sim) fn new(bytes: u64, note: T) -> Cells<T, BYTES> {
        Cells::with(bytes, 1, note)
    }

    /// The same with `each` notes for every cell.
    pub(in crate::sim) fn with(bytes: u64, each: usize, note: T) -> Cells<T, BYTES> {
        let cells = usize::try_from(bytes).unwrap_or(0).div_ceil(BYTES as usize);
        Cells { notes: vec![note; cells * each], each }
    }

    /// The cells that a range of bytes touches.
    fn range(&self, (start, end): (i64, i64)) -> Range<usize> {
        let index = |cell: i64| (cell.max(0) as usize).saturating_mul(self.each).min(self.notes.len());
        let (first, last) = (index(start / BYTES), index((end + BYTES - 1) / BYTES));
        first..last.max(first)
    }

    /// The notes of a range of bytes, cell by cell.
    pub(in crate::sim) fn of(&self, bytes: (i64, i64)) -> &[T] {
        &self.notes[self.range(bytes)]
    }

    /// As [`of`](Self::of), mutable.
    pub(in crate::sim) fn of_mut(&mut self, bytes: (i64, i64)) -> &mut [T] {
        let range = self.range(bytes);
        &mut self.notes[range]
    }

    /// The note of the cell that contains a byte, and the bytes of the cell.
    pub(in crate::sim) fn at(&self, byte: i64) -> Option<(&T, (i64, i64))> {
        let start = byte.div_euclid(BYTES) * BYTES;
        let note = self.of((start, start + BYTES)).first()?;
        Some((note, (start, start + BYTES)))
    }

    /// Runs of consecutive cells with equal notes, and their bytes.
    pub(in crate::sim) fn runs(&self) -> impl Iterator<Item = (&T, (i64, i64))>
    where
        T: PartialEq,
    {
        self.notes.chunk_by(|a, b| a == b).scan(0, |start, run| {
            let bytes = (*start, *start + run.len() as i64 * BYTES);
            *start = bytes.1;
            Some((&run[0], bytes))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_bytes_is_all_cells_that_it_touches() {
        let mut cells: Cells<u32, 32> = Cells::new(100, 0);
        cells.of_mut((31, 33)).fill(1);
        assert_eq!(cells.of((0, 128)), [1, 1, 0, 0]);
        cells.of_mut((64, 96)).fill(2);
        assert_eq!(cells.of((0, 128)), [1, 1, 2, 0]);
        assert_eq!(cells.at(95), Some((&2, (64, 96))));
        let runs: Vec<(u32, (i64, i64))> = cells.runs().map(|(note, bytes)| (*note, bytes)).collect();
        assert_eq!(runs, [(1, (0, 64)), (2, (64, 96)), (0, (96, 128))]);
    }

    #[test]
    fn what_lies_outside_has_no_cells() {
        let mut cells: Cells<u32, 64> = Cells::new(128, 0);
        assert!(
            cells.of((-200, 0)).is_empty()
                && cells.of((128, 500)).is_empty()
                && cells.of((128, 64)).is_empty()
        );
        assert!(cells.at(-1).is_none() && cells.at(128).is_none());
        cells.of_mut((-100, 1000)).fill(7);
        assert_eq!(cells.of((0, 128)), [7, 7]);
    }

    #[test]
    fn a_cell_may_have_several_notes() {
        let mut cells: Cells<u8, 64> = Cells::with(200, 3, 0);
        cells.of_mut((64, 65)).copy_from_slice(&[1, 2, 3]);
        let all: Vec<&[u8]> = cells.of((0, 200)).chunks(3).collect();
        assert_eq!(all, [&[0, 0, 0][..], &[1, 2, 3], &[0, 0, 0], &[0, 0, 0]]);
    }
}

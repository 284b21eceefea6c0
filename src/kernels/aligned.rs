//! Buffers aligned to a cache line: a vector that straddles two lines takes twice as long to load.

use std::ops::{Deref, DerefMut};

/// Bytes of a cache line, and of the longest vector.
const LINE: usize = 64;

/// A buffer of numbers that begins at a cache line.
#[derive(Debug, Default)]
pub struct Aligned<T> {
    room: Vec<T>,
    first: usize,
    len: usize,
}

impl<T: Copy + Default> Aligned<T> {
    /// Sets the length; the contents are unspecified.
    pub fn room(&mut self, len: usize) -> &mut [T] {
        let spare = LINE / size_of::<T>().max(1);
        let room = len.saturating_add(spare);
        if self.room.len() < room {
            self.room.clear();
            self.room.resize(room, T::default());
            self.first = self.room.as_ptr().align_offset(LINE).min(spare);
        }
        self.len = len;
        self
    }

    /// Sets length and contents.
    pub fn copy(&mut self, from: &[T]) {
        self.room(from.len()).copy_from_slice(from);
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.room.get(self.first..self.first + self.len).unwrap_or_default()
    }
}

impl<T> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.room.get_mut(self.first..self.first + self.len).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_at_a_line_however_long_it_gets() {
        let mut buffer = Aligned::<i32>::default();
        assert!(buffer.is_empty());
        for len in [1, 7, 1000, 3, 100_000] {
            buffer.copy(&vec![5; len]);
            assert!(buffer.len() == len && buffer.iter().all(|v| *v == 5));
            assert_eq!(buffer.as_ptr().addr() % LINE, 0, "{len} elements");
        }
    }
}

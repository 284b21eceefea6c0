//! Memory that a kernel accesses while other workers access other bytes of it.
//!
//! A tensor's rows have gaps in which another worker may write at the same time. A slice over rows and gaps
//! would claim all of them, whatever is touched. A view is an address and a length, which bounds are checked
//! against; slices are made only of the bytes that a kernel is about to read or write.

#![expect(unsafe_code, reason = "slices of parts of a memory that others hold, too")]

use std::marker::PhantomData;
use std::ops::Range;

/// A range of bytes to read.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    start: *const u8,
    len: usize,
    of: PhantomData<&'a [u8]>,
}

impl<'a> View<'a> {
    /// `len` bytes from `start` on.
    ///
    /// # Safety
    /// `start` is not null, and `len` at most `isize::MAX`. The bytes can be read as long as the view lives.
    /// Nobody writes a byte that is read through it while a slice made from the view contains it.
    #[must_use]
    pub unsafe fn new(start: *const u8, len: usize) -> View<'a> {
        View { start, len, of: PhantomData }
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first byte.
    #[must_use]
    pub fn as_ptr(&self) -> *const u8 {
        self.start
    }

    /// The bytes from `first` on; `None` if there are fewer.
    #[must_use]
    pub fn at(&self, first: usize) -> Option<View<'a>> {
        let len = self.len.checked_sub(first)?;
        Some(View { start: self.start.wrapping_add(first), len, of: PhantomData })
    }

    /// The bytes of a range; `None` if they are not all inside.
    #[must_use]
    #[inline]
    pub fn get(&self, range: Range<usize>) -> Option<&'a [u8]> {
        if range.start > range.end || range.end > self.len {
            return None;
        }
        // SAFETY: the range is inside, and by the contract of `new` it can be read, and nobody writes there.
        Some(unsafe { std::slice::from_raw_parts(self.start.add(range.start), range.end - range.start) })
    }
}

impl Default for View<'_> {
    /// An empty view.
    fn default() -> Self {
        View::from(&[][..])
    }
}

impl<'a> From<&'a [u8]> for View<'a> {
    fn from(bytes: &'a [u8]) -> View<'a> {
        View { start: bytes.as_ptr(), len: bytes.len(), of: PhantomData }
    }
}

/// A range of bytes to read and write.
#[derive(Debug)]
pub struct ViewMut<'a> {
    start: *mut u8,
    len: usize,
    of: PhantomData<&'a mut [u8]>,
}

impl<'a> ViewMut<'a> {
    /// `len` bytes from `start` on.
    ///
    /// # Safety
    /// `start` is not null, and `len` at most `isize::MAX`. The bytes can be read and written as long as the
    /// view lives. Nobody else reads or writes a byte that is accessed through it while a slice made from the
    /// view contains it.
    #[must_use]
    pub unsafe fn new(start: *mut u8, len: usize) -> ViewMut<'a> {
        ViewMut { start, len, of: PhantomData }
    }

    /// The bytes before an offset, and those from it on; `None` if there are fewer.
    #[must_use]
    pub fn split_at(self, at: usize) -> Option<(ViewMut<'a>, ViewMut<'a>)> {
        let rest = self.len.checked_sub(at)?;
        let behind = self.start.wrapping_add(at);
        Some((ViewMut { len: at, ..self }, ViewMut { start: behind, len: rest, of: PhantomData }))
    }

    /// A view of the same bytes for a shorter lifetime.
    #[must_use]
    pub fn lend(&mut self) -> ViewMut<'_> {
        ViewMut { start: self.start, len: self.len, of: PhantomData }
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first byte.
    #[must_use]
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        self.start
    }

    /// The bytes of a range; `None` if they are not all inside.
    #[must_use]
    #[inline]
    pub fn get(&self, range: Range<usize>) -> Option<&[u8]> {
        if range.start > range.end || range.end > self.len {
            return None;
        }
        // SAFETY: as of `get_mut`.
        Some(unsafe { std::slice::from_raw_parts(self.start.add(range.start), range.end - range.start) })
    }

    /// The bytes of a range, for writing; `None` if they are not all inside.
    #[must_use]
    #[inline]
    pub fn get_mut(&mut self, range: Range<usize>) -> Option<&mut [u8]> {
        if range.start > range.end || range.end > self.len {
            return None;
        }
        // SAFETY: the range is inside, by the contract of `new` nobody else accesses it, and the view is
        // borrowed.
        Some(unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.end - range.start) })
    }
}

impl<'a> ViewMut<'a> {
    /// The bytes of a range, for the lifetime of the view; `None` if they are not all inside.
    #[must_use]
    pub fn slice(self, range: Range<usize>) -> Option<&'a mut [u8]> {
        if range.start > range.end || range.end > self.len {
            return None;
        }
        // SAFETY: as of `get_mut`; the view is gone.
        Some(unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.end - range.start) })
    }
}

impl<'a> From<ViewMut<'a>> for View<'a> {
    /// The same bytes, for reading only.
    fn from(bytes: ViewMut<'a>) -> View<'a> {
        View { start: bytes.start, len: bytes.len, of: PhantomData }
    }
}

impl<'a> From<&'a mut [u8]> for ViewMut<'a> {
    fn from(bytes: &'a mut [u8]) -> ViewMut<'a> {
        ViewMut { start: bytes.as_mut_ptr(), len: bytes.len(), of: PhantomData }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_end_where_their_bytes_do() {
        let mut bytes = [1_u8, 2, 3, 4];
        let view = View::from(&bytes[..]);
        assert_eq!(
            (view.get(1..3), view.get(3..5), view.get(4..4)),
            (Some(&[2, 3][..]), None, Some(&[][..]))
        );
        assert_eq!(view.at(3).and_then(|v| v.get(0..1)), Some(&[4][..]));
        assert!(view.at(5).is_none() && view.at(4).is_some_and(|v| v.is_empty()));
        let mut view = ViewMut::from(&mut bytes[..]);
        view.get_mut(1..3).unwrap().fill(9);
        assert!(view.get_mut(3..5).is_none() && view.lend().get(0..4) == Some(&[1, 9, 9, 4][..]));
    }

    /// Two workers on the rows of one image: each writes its own columns of every row, and reads the other's
    /// tensor in between. Under Miri this checks that views are sound.
    #[test]
    fn two_workers_write_between_each_others_rows() {
        struct Bytes(*mut u8);
        // SAFETY: workers touch different bytes.
        unsafe impl Sync for Bytes {}
        const ROWS: usize = 5;
        let mut bytes = [7_u8; ROWS * 8];
        let memory = Bytes(bytes.as_mut_ptr());
        std::thread::scope(|scope| {
            for worker in 0..2 {
                let memory = &memory;
                scope.spawn(move || {
                    // SAFETY: a worker writes its two columns and reads two that nobody writes.
                    let (mut to, from) =
                        unsafe { (ViewMut::new(memory.0, ROWS * 8), View::new(memory.0, ROWS * 8)) };
                    for row in 0..ROWS {
                        let source = from.get(row * 8 + 4 + worker * 2..row * 8 + 6 + worker * 2).unwrap();
                        let target = to.get_mut(row * 8 + worker * 2..row * 8 + worker * 2 + 2).unwrap();
                        target.copy_from_slice(source);
                        target[1] = row as u8;
                    }
                });
            }
        });
        for (row, bytes) in bytes.chunks_exact(8).enumerate() {
            assert_eq!(bytes, [7, row as u8, 7, row as u8, 7, 7, 7, 7]);
        }
    }
}

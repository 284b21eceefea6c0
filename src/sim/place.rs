//! Where the elements of a tensor lie: runs of consecutive ones, and planes that are copied between row-major
//! order and the strides of a place.

use crate::program::TensorEntry;

/// Extent and byte stride of an axis.
type Axis = (u64, i64);

/// Calls `f(address, elements)` for runs of consecutive elements, in row-major order of the place's extents.
pub fn walk(tensor: &TensorEntry, f: &mut impl FnMut(i64, usize)) {
    runs(tensor, merged(axes(tensor)), f);
}

/// The same in the order of addresses: a channels-last image comes in rows, not in single elements.
pub fn cover(tensor: &TensorEntry, f: &mut impl FnMut(i64, usize)) {
    let mut axes = axes(tensor);
    axes.sort_by_key(|(_, stride)| std::cmp::Reverse(stride.unsigned_abs()));
    runs(tensor, merged(axes), f);
}

/// From the lowest byte of a tensor to one past the highest.
pub(super) fn span(tensor: &TensorEntry) -> (i64, i64) {
    let base = tensor.place.address as i64;
    let (mut lo, mut hi) = (base, base + tensor.dtype.bytes() as i64);
    for (extent, stride) in axes(tensor) {
        let reach = (extent as i64 - 1) * stride;
        lo += reach.min(0);
        hi += reach.max(0);
    }
    (lo, hi)
}

/// Calls `f(address, plane)` for planes that follow each other in row-major order.
pub(super) fn planes(tensor: &TensorEntry, f: &mut impl FnMut(i64, &Plane)) {
    let (mut outer, run) = split(merged(axes(tensor)), tensor.dtype.bytes());
    let columns = outer.pop_if(|a| a.1 >= 0).unwrap_or((1, 0));
    let rows = outer.pop_if(|a| a.1 >= 0).unwrap_or((1, 0));
    let [rows, columns] = [rows, columns].map(|(extent, stride)| (extent as usize, stride as usize));
    let plane = Plane { rows, columns, run: run * tensor.dtype.bytes() };
    each(tensor.place.address as i64, &outer, &mut |address| f(address, &plane));
}

/// Rows of columns of runs of bytes.
#[derive(Debug)]
pub(super) struct Plane {
    /// How many rows, and the bytes from one to the next.
    rows: (usize, usize),
    /// How many columns, and the bytes from one to the next.
    columns: (usize, usize),
    /// Consecutive bytes at each.
    run: usize,
}

/// Rows that are copied together: where columns are far apart, each cache line is then used for that many
/// elements.
const TOGETHER: usize = 16;

impl Plane {
    /// Bytes of its elements.
    pub(super) fn len(&self) -> usize {
        self.rows.0 * self.columns.0 * self.run
    }

    /// Bytes from its first element to the end of its last.
    pub(super) fn span(&self) -> usize {
        let steps = |(extent, stride): (usize, usize)| extent.saturating_sub(1) * stride;
        steps(self.rows) + steps(self.columns) + self.run
    }

    /// Copies the elements of a place, which begins at `from`, to row-major `to`: [`span`](Self::span) and
    /// [`len`](Self::len) bytes.
    pub(super) fn gather(&self, from: &[u8], to: &mut [u8]) {
        match self.run {
            1 => self.cells(|dense, placed| to[dense] = from[placed]),
            2 => self.cells(|dense, placed| copy::<2>(&from[placed..], &mut to[dense..])),
            4 => self.cells(|dense, placed| copy::<4>(&from[placed..], &mut to[dense..])),
            n => self.cells(|dense, placed| to[dense..dense + n].copy_from_slice(&from[placed..placed + n])),
        }
    }

    /// The reverse of [`gather`](Self::gather).
    pub(super) fn scatter(&self, from: &[u8], to: &mut [u8]) {
        match self.run {
            1 => self.cells(|dense, placed| to[placed] = from[dense]),
            2 => self.cells(|dense, placed| copy::<2>(&from[dense..], &mut to[placed..])),
            4 => self.cells(|dense, placed| copy::<4>(&from[dense..], &mut to[placed..])),
            n => self.cells(|dense, placed| to[placed..placed + n].copy_from_slice(&from[dense..dense + n])),
        }
    }

    /// Calls `f` with each run's offset in row-major order and in the place.
    fn cells(&self, mut f: impl FnMut(usize, usize)) {
        let ((rows, row), (columns, column)) = (self.rows, self.columns);
        for first in (0..rows).step_by(TOGETHER) {
            for c in 0..columns {
                for r in first..rows.min(first + TOGETHER) {
                    f((r * columns + c) * self.run, r * row + c * column);
                }
            }
        }
    }
}

fn copy<const N: usize>(from: &[u8], to: &mut [u8]) {
    to[..N].copy_from_slice(&from[..N]);
}

fn axes(tensor: &TensorEntry) -> Vec<Axis> {
    tensor.place.dims.iter().copied().zip(tensor.place.strides.iter().copied()).collect()
}

/// Axes of one element left out, and axes that go on where the next one ends joined.
fn merged(axes: Vec<Axis>) -> Vec<Axis> {
    let mut merged: Vec<Axis> = Vec::new();
    for (extent, stride) in axes.into_iter().filter(|a| a.0 != 1) {
        match merged.last_mut() {
            Some(last) if last.1 == stride * extent as i64 => *last = (last.0 * extent, stride),
            _ => merged.push((extent, stride)),
        }
    }
    merged
}

/// The axes that are stepped along, and how many elements of `size` bytes are consecutive.
fn split(mut axes: Vec<Axis>, size: usize) -> (Vec<Axis>, usize) {
    let run = axes.pop_if(|a| a.1 == size as i64).map_or(1, |a| a.0 as usize);
    (axes, run)
}

fn runs(tensor: &TensorEntry, axes: Vec<Axis>, f: &mut impl FnMut(i64, usize)) {
    let (outer, run) = split(axes, tensor.dtype.bytes());
    each(tensor.place.address as i64, &outer, &mut |address| f(address, run));
}

/// Calls `f` with every address that steps along the axes reach, the last axis first.
fn each(base: i64, axes: &[Axis], f: &mut impl FnMut(i64)) {
    let Some(((extent, stride), inner)) = axes.split_first() else { return f(base) };
    for i in 0..*extent as i64 {
        each(base + i * stride, inner, f);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;
    use proptest::prelude::*;

    /// A tensor whose axes lie in memory in another order, with gaps.
    fn tensors() -> impl Strategy<Value = TensorEntry> {
        let axes = prop::collection::vec((1_u64..40, 0_i64..3), 0..5);
        let order = prop::collection::vec(any::<u32>(), 5);
        (axes, order, prop::sample::select(vec![DType::U8, DType::S16, DType::F32, DType::S64])).prop_map(
            |(axes, order, dtype)| {
                let mut t = TensorEntry { dtype, ..TensorEntry::default() };
                t.place.address = 5;
                t.place.dims = axes.iter().map(|a| a.0.min(if axes.len() > 3 { 5 } else { 40 })).collect();
                t.place.strides = vec![0; axes.len()];
                let mut by: Vec<usize> = (0..axes.len()).collect();
                by.sort_by_key(|a| order[*a]);
                let mut stride = dtype.bytes() as i64;
                for a in by {
                    t.place.strides[a] = stride;
                    stride = stride * t.place.dims[a] as i64 + axes[a].1;
                }
                t
            },
        )
    }

    /// The address of every element, in row-major order.
    fn addresses(t: &TensorEntry) -> Vec<i64> {
        let mut all = vec![t.place.address as i64];
        for (extent, stride) in axes(t) {
            all = all.iter().flat_map(|a| (0..extent as i64).map(move |i| a + i * stride)).collect();
        }
        all
    }

    proptest! {
        #[test]
        fn runs_are_every_element_in_order(t in tensors()) {
            let size = t.dtype.bytes() as i64;
            let (mut walked, mut covered) = (Vec::new(), Vec::new());
            walk(&t, &mut |address, run| walked.extend((0..run as i64).map(|i| address + i * size)));
            cover(&t, &mut |address, run| covered.extend((0..run as i64).map(|i| address + i * size)));
            let mut all = addresses(&t);
            prop_assert_eq!(&walked, &all);
            all.sort_unstable();
            prop_assert_eq!(&covered, &all);
        }

        #[test]
        fn planes_are_every_element_in_order(t in tensors()) {
            let (size, all) = (t.dtype.bytes(), addresses(&t));
            let end = all.iter().max().map_or(0, |a| *a as usize + size);
            let memory: Vec<u8> = (0..end).map(|i| (i * 7 + i / 256) as u8).collect();
            let expected: Vec<u8> =
                all.iter().flat_map(|a| memory[*a as usize..*a as usize + size].iter().copied()).collect();
            let (mut dense, mut back) = (Vec::new(), vec![0_u8; end]);
            planes(&t, &mut |address, plane| {
                let (at, address) = (dense.len(), address as usize);
                dense.resize(at + plane.len(), 0);
                plane.gather(&memory[address..address + plane.span()], &mut dense[at..]);
                plane.scatter(&dense[at..], &mut back[address..address + plane.span()]);
            });
            prop_assert_eq!(&dense, &expected);
            for a in all {
                let element = a as usize..a as usize + size;
                prop_assert_eq!(&back[element.clone()], &memory[element]);
            }
        }
    }
}

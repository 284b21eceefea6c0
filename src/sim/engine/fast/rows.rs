//! Rows: the innermost extent of a tensor as a contiguous slice.

use crate::isa::{EType, TensorDesc};
use crate::kernels::cpu::Level;
use crate::kernels::pack::portable as pack;
use crate::sim::access::padded_dims;
use crate::sim::memory::Memory;

/// Address of row `[a, b, c]`.
pub(super) fn row_address(d: &TensorDesc, [a, b, c]: [i64; 3]) -> i64 {
    d.base + a * d.strides[0] + b * d.strides[1] + c * d.strides[2]
}

/// Calls `f` for every `[a, b, c]` of the outer extents.
pub(super) fn for_rows(dims: [u32; 4], mut f: impl FnMut([i64; 3])) {
    for a in 0..i64::from(dims[0]) {
        for b in 0..i64::from(dims[1]) {
            for c in 0..i64::from(dims[2]) {
                f([a, b, c]);
            }
        }
    }
}

/// Elements processed at once: enough for long loops, few enough for the first-level cache.
pub(super) const PART: usize = 1024;

/// A part of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowPart {
    /// The row.
    pub(super) row: [i64; 3],
    /// First element, and the number of elements.
    pub(super) first: usize,
    pub(super) n: usize,
}

impl RowPart {
    /// Address of its first element in a tensor.
    pub(super) fn address(&self, d: &TensorDesc) -> i64 {
        row_address(d, self.row) + self.first as i64 * d.strides[3]
    }
}

/// Calls `f` for every part of every row.
pub(super) fn for_parts(dims: [u32; 4], mut f: impl FnMut(RowPart)) {
    let len = dims[3] as usize;
    for_rows(dims, |row| {
        for first in (0..len).step_by(PART) {
            f(RowPart { row, first, n: (len - first).min(PART) });
        }
    });
}

/// The operands of an element-wise operation, as rows that are as long as possible.
#[derive(Debug)]
pub(super) struct Elements<const N: usize> {
    /// Extents for [`for_parts`].
    pub(super) dims: [u32; 4],
    /// The operands, with strides for these extents.
    pub(super) of: [TensorDesc; N],
}

impl<const N: usize> Elements<N> {
    /// Drops inner extents of one, and merges inner extents that are contiguous, or of stride 0, in all
    /// operands. Operands with padding lanes are left as they are.
    pub(super) fn new(dims: [u32; 4], operands: [&TensorDesc; N]) -> Elements<N> {
        let mut e = Elements { dims, of: operands.map(|d| *d) };
        if operands.iter().any(|d| padded_dims(d)[3] != d.dims[3]) {
            return e;
        }
        while e.dims[3] == 1 && e.dims != [1; 4] {
            e.dims.rotate_right(1);
            e.of.iter_mut().for_each(|d| d.strides.rotate_right(1));
        }
        for axis in (0..3).rev() {
            let (n, inner) = (e.dims[axis], e.dims[3]);
            let follows = |d: &TensorDesc| {
                let size = d.etype.bytes() as i64;
                if d.strides[3] == 0 {
                    return d.strides[axis] == 0;
                }
                d.strides[3] == size && d.strides[axis] == i64::from(inner) * size
            };
            let Some(n) = inner.checked_mul(n).filter(|_| n == 1 || e.of.iter().all(follows)) else { break };
            e.dims[3] = n;
            e.dims[axis] = 1;
        }
        e
    }
}

/// Reads a part of a row of integers into `to`, which is resized.
pub(super) fn read_part(level: Level, m: &Memory, d: &TensorDesc, part: RowPart, to: &mut Vec<i32>) {
    let (start, n, size) = (part.address(d), part.n, d.etype.bytes());
    if d.strides[3] == 0 {
        read(m, d, start, 1, to);
        to.resize(n, to.first().copied().unwrap_or(0));
    } else if d.strides[3] == size as i64 && size <= 2 {
        to.resize(n, 0);
        pack::widen(level, m.read(d.space, start, n * size), d.etype, to);
    } else {
        read(m, d, start, n, to);
    }
}

/// Writes a part of a row of integers, which fit the type.
pub(super) fn write_part(level: Level, m: &mut Memory, d: &TensorDesc, part: RowPart, values: &[i32]) {
    let (start, size) = (part.address(d), d.etype.bytes());
    if d.strides[3] == size as i64 && size <= 2 {
        pack::narrow(level, m.write(d.space, start, values.len() * size), size, values);
    } else {
        write(m, d, start, values);
    }
}

/// Reads a part of a row of floats into `to`, which is resized.
pub(super) fn read_float_part(m: &Memory, d: &TensorDesc, part: RowPart, to: &mut Vec<f32>) {
    if d.strides[3] == 0 {
        read_floats(m, d, part.address(d), 1, to);
        to.resize(part.n, to.first().copied().unwrap_or(0.0));
    } else {
        read_floats(m, d, part.address(d), part.n, to);
    }
}

/// Reads `n` integers of a row into `to`, which is resized.
pub(super) fn read(m: &Memory, d: &TensorDesc, start: i64, n: usize, to: &mut Vec<i32>) {
    to.clear();
    let size = d.etype.bytes();
    if d.strides[3] == size as i64 {
        let bytes = m.read(d.space, start, n * size);
        match d.etype {
            EType::U8 => to.extend(bytes.iter().map(|b| i32::from(*b))),
            EType::S8 => to.extend(bytes.iter().map(|b| i32::from(*b as i8))),
            EType::U16 => to.extend(bytes.as_chunks().0.iter().map(|b| i32::from(u16::from_le_bytes(*b)))),
            EType::S16 => to.extend(bytes.as_chunks().0.iter().map(|b| i32::from(i16::from_le_bytes(*b)))),
            _ => to.extend(bytes.as_chunks().0.iter().map(|b| i32::from_le_bytes(*b))),
        }
    } else {
        let element = |i: usize| {
            let b = m.read(d.space, start + d.strides[3] * i as i64, size);
            match (d.etype, b) {
                (EType::U8, [b]) => i32::from(*b),
                (EType::S8, [b]) => i32::from(*b as i8),
                (EType::U16, [a, b]) => i32::from(u16::from_le_bytes([*a, *b])),
                (EType::S16, [a, b]) => i32::from(i16::from_le_bytes([*a, *b])),
                (_, [a, b, c, d]) => i32::from_le_bytes([*a, *b, *c, *d]),
                _ => 0,
            }
        };
        to.extend((0..n).map(element));
    }
}

/// Writes integers, which fit the type, to a row.
pub(super) fn write(m: &mut Memory, d: &TensorDesc, start: i64, values: &[i32]) {
    let size = d.etype.bytes();
    if d.strides[3] == size as i64 {
        let bytes = m.write(d.space, start, values.len() * size);
        match size {
            1 => bytes.iter_mut().zip(values).for_each(|(b, v)| *b = *v as u8),
            2 => bytes
                .as_chunks_mut()
                .0
                .iter_mut()
                .zip(values)
                .for_each(|(b, v)| *b = (*v as u16).to_le_bytes()),
            _ => bytes.as_chunks_mut().0.iter_mut().zip(values).for_each(|(b, v)| *b = v.to_le_bytes()),
        }
    } else {
        for (i, v) in values.iter().enumerate() {
            let bytes = v.to_le_bytes();
            m.write(d.space, start + d.strides[3] * i as i64, size).copy_from_slice(&bytes[..size]);
        }
    }
}

/// Reads `n` integers of 32 or 64 bits of a row.
pub(super) fn read_wide(m: &Memory, d: &TensorDesc, start: i64, n: usize, to: &mut Vec<i64>) {
    to.clear();
    if d.etype == EType::S64 && d.strides[3] == 8 {
        let bytes = m.read(d.space, start, n * 8);
        to.extend(bytes.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b)));
        return;
    }
    to.extend((0..n as i64).map(|i| {
        let at = start + i * d.strides[3];
        if d.etype == EType::S64 {
            i64::from_le_bytes(m.read(d.space, at, 8).try_into().unwrap_or([0; 8]))
        } else {
            i32::from_le_bytes(m.read(d.space, at, 4).try_into().unwrap_or([0; 4])).into()
        }
    }));
}

/// Writes integers of 64 bits to a row.
pub(super) fn write_wide(m: &mut Memory, d: &TensorDesc, start: i64, values: &[i64]) {
    if d.strides[3] == 8 {
        let bytes = m.write(d.space, start, values.len() * 8);
        bytes.as_chunks_mut().0.iter_mut().zip(values).for_each(|(b, v)| *b = v.to_le_bytes());
        return;
    }
    for (i, v) in values.iter().enumerate() {
        m.write(d.space, start + d.strides[3] * i as i64, 8).copy_from_slice(&v.to_le_bytes());
    }
}

/// Reads `n` floats of a row.
pub(super) fn read_floats(m: &Memory, d: &TensorDesc, start: i64, n: usize, to: &mut Vec<f32>) {
    if d.strides[3] == 4 {
        to.resize(n, 0.0);
        let bytes = m.read(d.space, start, n * 4).as_chunks().0;
        to.iter_mut().zip(bytes).for_each(|(to, b)| *to = f32::from_le_bytes(*b));
    } else {
        to.clear();
        to.extend((0..n as i64).map(|i| {
            let b = m.read(d.space, start + i * d.strides[3], 4);
            f32::from_le_bytes([b[0], b[1], b[2], b[3]])
        }));
    }
}

/// Writes the zero point into the padding lanes of the row at `start`.
pub(super) fn pad_lanes(m: &mut Memory, d: &TensorDesc, start: i64) {
    let (n, padded) = (d.dims[3], padded_dims(d)[3]);
    if n == padded {
        return;
    }
    fill(m, d, start + i64::from(n) * d.strides[3], (padded - n) as usize);
}

/// Writes `n` zero points.
pub(super) fn fill(m: &mut Memory, d: &TensorDesc, start: i64, n: usize) {
    let size = d.etype.bytes();
    let mut zero = [0_u8; 8];
    zero[..4].copy_from_slice(&d.zero_point.to_le_bytes());
    if d.strides[3] == size as i64 {
        fill_with(m.write(d.space, start, n * size), size, zero);
        return;
    }
    for i in 0..n as i64 {
        m.write(d.space, start + i * d.strides[3], size).copy_from_slice(&zero[..size]);
    }
}

/// Fills with elements of `size` bytes.
fn fill_with(to: &mut [u8], size: usize, element: [u8; 8]) {
    let [first, second, ..] = element;
    match size {
        1 => to.fill(first),
        2 => to.as_chunks_mut().0.fill([first, second]),
        _ => to.chunks_exact_mut(size).for_each(|to| to.copy_from_slice(&element[..size])),
    }
}

/// Writes the zero point into the padding lanes of all rows.
pub(super) fn pad(m: &mut Memory, d: &TensorDesc) {
    let (n, padded, size) = (d.dims[3], padded_dims(d)[3], d.etype.bytes());
    if n == padded {
        return;
    }
    if d.strides[3] != size as i64 {
        return for_rows(d.dims, |at| pad_lanes(m, d, row_address(d, at)));
    }
    let mut zero = [0_u8; 8];
    zero[..4].copy_from_slice(&d.zero_point.to_le_bytes());
    let (first, len) = (n as usize * size, (padded - n) as usize * size);
    for_rows(d.dims, |at| fill_with(m.write(d.space, row_address(d, at) + first as i64, len), size, zero));
}

//! Functions of f32, softmax and resize, row by row.

use super::rows::{
    Elements, RowPart, for_parts, for_rows, pad_lanes, read, read_float_part, read_floats, row_address, write,
};
use super::scratch::Scratch;
use crate::isa::{EType, Float1, Float2, Fold, QuantDesc, Space, TensorDesc};
use crate::kernels::cpu::Level;
use crate::kernels::float::{self, Floats};
use crate::numeric;
use crate::sim::memory::Memory;

/// Writes a part of a row of floats.
pub(super) fn write_floats(m: &mut Memory, d: &TensorDesc, start: i64, values: &[f32]) {
    if d.strides[3] == 4 {
        let bytes = m.write(d.space, start, values.len() * 4);
        bytes.as_chunks_mut().0.iter_mut().zip(values).for_each(|(b, v)| *b = v.to_le_bytes());
        return;
    }
    for (i, v) in values.iter().enumerate() {
        m.write(d.space, start + d.strides[3] * i as i64, 4).copy_from_slice(&v.to_le_bytes());
    }
}

/// Writes a row of floats and its padding lanes.
fn put_floats(m: &mut Memory, dst: &TensorDesc, at: [i64; 3], values: &[f32]) {
    let start = row_address(dst, at);
    write_floats(m, dst, start, values);
    pad_lanes(m, dst, start);
}

/// A function of each element.
pub(super) fn float1(
    level: Level,
    s: &mut Scratch,
    m: &mut Memory,
    dst: &TensorDesc,
    src: &TensorDesc,
    op: Float1,
) {
    let Elements { dims, of: [to, from] } = Elements::new(dst.dims, [dst, src]);
    for_parts(dims, |part| {
        read_float_part(m, &from, part, &mut s.floats);
        float::portable::float1(level, &mut s.floats, op);
        write_floats(m, &to, part.address(&to), &s.floats);
    });
    super::rows::pad(m, dst);
}

/// A function of two elements.
pub(super) fn float2(
    level: Level,
    s: &mut Scratch,
    m: &mut Memory,
    dst: &TensorDesc,
    [a, b]: [&TensorDesc; 2],
    op: Float2,
) {
    let Elements { dims, of: [to, a, b] } = Elements::new(dst.dims, [dst, a, b]);
    for_parts(dims, |part| {
        if by_rows(level, m, [&to, &a, &b], part, op) {
            return;
        }
        read_float_part(m, &a, part, &mut s.floats);
        read_float_part(m, &b, part, &mut s.multipliers);
        float::portable::float2(level, &mut s.floats, &s.multipliers, op);
        write_floats(m, &to, part.address(&to), &s.floats);
    });
    super::rows::pad(m, dst);
}

/// A function of two elements, by the kernel for whole rows.
fn by_rows(level: Level, m: &mut Memory, of: [&TensorDesc; 3], part: RowPart, op: Float2) -> bool {
    let fits = |d: &TensorDesc| d.space == Space::Spm && matches!(d.strides[3], 0 | 4);
    if !of.into_iter().all(fits) || of[0].strides[3] != 4 {
        return false;
    }
    let floats =
        |d: &TensorDesc| Some(Floats { at: usize::try_from(part.address(d)).ok()?, one: d.strides[3] == 0 });
    let [Some(to), Some(a), Some(b)] = of.map(floats) else { return false };
    float::float2(level, m.views().spm, to.at, [a, b], part.n, op)
}

/// Reduces each row to one element.
pub(super) fn fold(s: &mut Scratch, m: &mut Memory, dst: &TensorDesc, src: &TensorDesc, op: Fold) {
    let n = src.dims[3] as usize;
    for_rows(dst.dims, |at| {
        read_floats(m, src, row_address(src, at), n, &mut s.floats);
        let one = numeric::fold(op, &s.floats);
        put_floats(m, dst, at, &[one]);
    });
}

/// Softmax of each row.
pub(super) fn softmax(
    s: &mut Scratch,
    m: &mut Memory,
    dst: &TensorDesc,
    src: &TensorDesc,
    table: &TensorDesc,
    q: &QuantDesc,
) {
    let n = src.dims[3] as usize;
    read_floats(m, table, table.base, 256, &mut s.multipliers);
    let greatest = if src.etype == EType::S8 { 127 } else { 255 };
    for_rows(dst.dims, |at| {
        read(m, src, row_address(src, at), n, &mut s.a);
        let shift = greatest - s.a.iter().copied().max().unwrap_or(0);
        let entry = |x: i32| s.multipliers[usize::from((x + shift) as u8)];
        let sum = numeric::softmax_sum(s.a.iter().map(|x| entry(*x)));
        let clamp = [q.lo, q.hi];
        s.b.clear();
        s.b.extend(s.a.iter().map(|x| numeric::softmax_value(entry(*x), q.m0, sum, q.zero_point, clamp)));
        let start = row_address(dst, at);
        write(m, dst, start, &s.b);
        pad_lanes(m, dst, start);
    });
}

/// Neighbours along one axis, clamped to it, and their weights.
fn neighbours(m: &Memory, table: &TensorDesc, extent: u32, row: &mut Vec<i32>) -> Vec<([i64; 2], [f32; 2])> {
    let last = i64::from(extent) - 1;
    let one = |at| {
        read(m, table, row_address(table, [0, 0, at]), 4, row);
        let index = [row[0], row[1]].map(|i| i64::from(i).clamp(0, last));
        (index, [row[2], row[3]].map(|w| f32::from_bits(w as u32)))
    };
    (0..i64::from(table.dims[2])).map(one).collect()
}

/// Linear interpolation.
pub(super) fn resize(
    s: &mut Scratch,
    m: &mut Memory,
    dst: &TensorDesc,
    src: &TensorDesc,
    rows: &TensorDesc,
    cols: &TensorDesc,
) {
    let n = dst.dims[3] as usize;
    let rows = neighbours(m, rows, src.dims[1], &mut s.a);
    let cols = neighbours(m, cols, src.dims[2], &mut s.a);
    let float = src.etype == EType::F32;
    let clamp = dst.etype.int_range().unwrap_or([0, 0]);
    let mut corners: [Vec<f32>; 4] = Default::default();
    for_rows(dst.dims, |[a, y, x]| {
        let ((iy, v), (ix, u)) = (rows[y as usize], cols[x as usize]);
        for (corner, at) in corners.iter_mut().zip([[0, 0], [0, 1], [1, 0], [1, 1]]) {
            let start = row_address(src, [0, iy[at[0]], ix[at[1]]]);
            if float {
                read_floats(m, src, start, n, corner);
            } else {
                read(m, src, start, n, &mut s.a);
                corner.clear();
                corner.extend(s.a.iter().map(|q| *q as f32));
            }
        }
        let value = |i: usize| numeric::interpolate(u, v, corners.each_ref().map(|c| c[i]));
        if float {
            s.floats.clear();
            s.floats.extend((0..n).map(value));
            put_floats(m, dst, [a, y, x], &s.floats);
        } else {
            s.a.clear();
            s.a.extend((0..n).map(|i| numeric::saturate(value(i), clamp)));
            let start = row_address(dst, [a, y, x]);
            write(m, dst, start, &s.a);
            pad_lanes(m, dst, start);
        }
    });
}

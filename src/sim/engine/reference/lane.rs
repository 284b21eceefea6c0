//! Functions of f32, softmax and resize.

use super::access::{Access, for_each};
use crate::isa::{EType, Float1, Float2, Fold, QuantDesc, TensorDesc};
use crate::numeric;

/// A function of each element.
pub(super) fn float1(m: &mut Access, dst: &TensorDesc, src: &TensorDesc, op: Float1) {
    for_each(dst.dims, |i| {
        let x = m.float(src, i);
        m.put_float(dst, i, numeric::float1(op, x));
    });
    m.pad_lanes(dst);
}

/// A function of two elements.
pub(super) fn float2(m: &mut Access, dst: &TensorDesc, [a, b]: [&TensorDesc; 2], op: Float2) {
    for_each(dst.dims, |i| {
        let (x, y) = (m.float(a, i), m.float(b, i));
        m.put_float(dst, i, numeric::float2(op, x, y));
    });
    m.pad_lanes(dst);
}

/// Reduces each row to one element.
pub(super) fn fold(m: &mut Access, dst: &TensorDesc, src: &TensorDesc, op: Fold) {
    for_each(dst.dims, |[a, b, c, _]| {
        let row: Vec<f32> = (0..i64::from(src.dims[3])).map(|i| m.float(src, [a, b, c, i])).collect();
        m.put_float(dst, [a, b, c, 0], numeric::fold(op, &row));
    });
    m.pad_lanes(dst);
}

/// Softmax of each row.
pub(super) fn softmax(m: &mut Access, dst: &TensorDesc, src: &TensorDesc, table: &TensorDesc, q: &QuantDesc) {
    let entries: Vec<f32> = (0..256).map(|i| m.float(table, [0, 0, 0, i])).collect();
    let greatest = if src.etype == EType::S8 { 127 } else { 255 };
    for_each([dst.dims[0], dst.dims[1], dst.dims[2], 1], |[a, b, c, _]| {
        let row: Vec<i64> = (0..i64::from(src.dims[3])).map(|i| m.int(src, [a, b, c, i])).collect();
        let largest = row.iter().copied().max().unwrap_or(0);
        let e: Vec<f32> = row.iter().map(|x| entries[usize::from((x + greatest - largest) as u8)]).collect();
        let sum = numeric::softmax_sum(e.iter().copied());
        for (i, e) in (0..).zip(e) {
            let y = numeric::softmax_value(e, q.m0, sum, q.zero_point, [q.lo, q.hi]);
            m.put_int(dst, [a, b, c, i], y);
        }
    });
    m.pad_lanes(dst);
}

/// Two neighbours along one axis, clamped to it, and their weights.
fn neighbours(m: &mut Access, table: &TensorDesc, at: i64, extent: u32) -> ([i64; 2], [f32; 2]) {
    let mut word = |i| m.int(table, [0, 0, at, i]) as i32;
    let words = [word(0), word(1), word(2), word(3)];
    let index = |w: i32| i64::from(w).clamp(0, i64::from(extent) - 1);
    let weight = |w: i32| f32::from_bits(w as u32);
    ([index(words[0]), index(words[1])], [weight(words[2]), weight(words[3])])
}

/// Linear interpolation.
pub(super) fn resize(
    m: &mut Access,
    dst: &TensorDesc,
    src: &TensorDesc,
    rows: &TensorDesc,
    cols: &TensorDesc,
) {
    for_each(dst.dims, |[_, y, x, c]| {
        let (iy, v) = neighbours(m, rows, y, src.dims[1]);
        let (ix, u) = neighbours(m, cols, x, src.dims[2]);
        let corners = [[iy[0], ix[0]], [iy[0], ix[1]], [iy[1], ix[0]], [iy[1], ix[1]]];
        let float = src.etype == EType::F32;
        let corner = corners
            .map(|[y, x]| if float { m.float(src, [0, y, x, c]) } else { m.int(src, [0, y, x, c]) as f32 });
        let value = numeric::interpolate(u, v, corner);
        if float {
            m.put_float(dst, [0, y, x, c], value);
        } else {
            let clamp = dst.etype.int_range().unwrap_or([0, 0]);
            m.put_int(dst, [0, y, x, c], numeric::saturate(value, clamp));
        }
    });
    m.pad_lanes(dst);
    // The whole source counts as read, whichever neighbours were.
    for_each(src.dims, |i| {
        m.int(src, i);
    });
}

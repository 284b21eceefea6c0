//! The vector unit.

use super::access::{Access, for_each};
use super::mac::finish;
use crate::isa::{EType, QuantDesc, QuantMode, Space, TensorDesc, WindowDesc};
use crate::numeric::{self, AddRescales, Average, Rescale};

/// Requantization: accumulators to 8 or 16 bits.
pub(super) fn requant(m: &mut Access, dst: &TensorDesc, src: &TensorDesc, q: &QuantDesc) {
    let clamp = [q.lo, q.hi];
    for_each(dst.dims, |i| {
        let acc = m.int(src, i);
        if let Some(double) = q.doubles() {
            let by = match q.mode {
                QuantMode::Tensor => q.rescales()[0],
                QuantMode::Channel => Rescale {
                    multiplier: i32::from_le_bytes(m.bytes(Space::Spm, q.table + 8 * i[3])),
                    shift: m.bytes::<4>(Space::Spm, q.table + 8 * i[3] + 4)[0],
                },
            };
            m.put_int(dst, i, numeric::requantize_q31(acc, by, double, q.zero_point, clamp));
            return;
        }
        let factor = multiplier(m, q, i[3]);
        let exact = src.etype == EType::S64 || dst.etype.bytes() == 2;
        m.put_int(
            dst,
            i,
            if exact {
                numeric::requantize_wide(acc, factor, q.zero_point, clamp)
            } else {
                numeric::requantize(acc as i32, factor, q.zero_point, clamp)
            },
        );
    });
    m.pad_lanes(dst);
}

/// The multiplier of a channel.
fn multiplier(m: &mut Access, q: &QuantDesc, channel: i64) -> f32 {
    match q.mode {
        QuantMode::Tensor => q.m0,
        QuantMode::Channel => f32::from_le_bytes(m.bytes(Space::Spm, q.table + 4 * channel)),
    }
}

/// Quantized addition (`vec.add`).
pub(super) fn add(m: &mut Access, dst: &TensorDesc, [a, b]: [&TensorDesc; 2], q: &QuantDesc) {
    for_each(dst.dims, |i| {
        if let Some(double) = q.doubles() {
            let wide = a.etype.bytes() > 1 || b.etype.bytes() > 1;
            let (x, y) = (m.difference(a, i), m.difference(b, i));
            let by = AddRescales { by: q.rescales() };
            m.put_int(dst, i, by.add(x, y, wide, double, q.zero_point, [q.lo, q.hi]));
            return;
        }
        let (x, y) = (m.int(a, i), m.int(b, i));
        m.put_int(dst, i, numeric::add(x as i32, y as i32, q.m0, q.m1, q.c, [q.lo, q.hi]));
    });
    m.pad_lanes(dst);
}

/// Quantized multiplication (`vec.mul`).
pub(super) fn mul(m: &mut Access, dst: &TensorDesc, [a, b]: [&TensorDesc; 2], q: &QuantDesc) {
    for_each(dst.dims, |i| {
        let product = m.difference(a, i) * m.difference(b, i);
        let clamp = [q.lo, q.hi];
        let y = match q.doubles() {
            Some(double) => numeric::requantize_q31(product, q.rescales()[0], double, q.zero_point, clamp),
            None => numeric::mul(product, q.m0, q.zero_point, clamp),
        };
        m.put_int(dst, i, y);
    });
    m.pad_lanes(dst);
}

/// Table lookup (`vec.lut`).
pub(super) fn lut(m: &mut Access, dst: &TensorDesc, src: &TensorDesc, table: &TensorDesc) {
    for_each(dst.dims, |i| {
        let index = m.int(src, i) & 0xff;
        let value = m.int(table, [0, 0, 0, index]);
        m.put_int(dst, i, value);
    });
    for_each(table.dims, |i| {
        m.int(table, i);
    });
    m.pad_lanes(dst);
}

/// Input position of a tap; `None` in the padding.
fn tap(w: &WindowDesc, axis: usize, out: i64, k: i64, extent: u32) -> Option<i64> {
    let at = out * i64::from(w.stride[axis]) - i64::from(w.pads[axis]) + k * i64::from(w.dilation[axis]);
    (0..i64::from(extent)).contains(&at).then_some(at)
}

/// Calls `f(row, column)` for the taps inside the image, in row-major order.
fn taps(src: &TensorDesc, w: &WindowDesc, out: [i64; 2], f: &mut impl FnMut(i64, i64)) {
    for ky in 0..i64::from(w.kernel[0]) {
        for kx in 0..i64::from(w.kernel[1]) {
            if let (Some(iy), Some(ix)) =
                (tap(w, 0, out[0], ky, src.dims[1]), tap(w, 1, out[1], kx, src.dims[2]))
            {
                f(iy, ix);
            }
        }
    }
}

/// Largest element of each window.
pub(super) fn max_pool(m: &mut Access, dst: &TensorDesc, src: &TensorDesc, w: &WindowDesc, origin: [i64; 2]) {
    let least = dst.etype.int_range().map_or(0, |r| r[0]);
    for_each(dst.dims, |[n, y, x, c]| {
        let mut best = i64::from(least);
        taps(src, w, [origin[0] + y, origin[1] + x], &mut |iy, ix| {
            best = best.max(m.int(src, [0, iy, ix, c]))
        });
        m.put_int(dst, [n, y, x, c], best);
    });
    m.pad_lanes(dst);
}

/// Average of each window.
pub(super) fn avg_pool(
    m: &mut Access,
    dst: &TensorDesc,
    src: &TensorDesc,
    q: &QuantDesc,
    w: &WindowDesc,
    origin: [i64; 2],
    include_pad: bool,
) {
    for_each(dst.dims, |[n, y, x, c]| {
        let out = [origin[0] + y, origin[1] + x];
        let mut average = Average::default();
        let mut count = 0;
        taps(src, w, out, &mut |iy, ix| {
            average.take(numeric::dequantize(m.int(src, [0, iy, ix, c]) as i32, q.m0, src.zero_point));
            count += 1;
        });
        if include_pad {
            count = u32::from(w.kernel[0]) * u32::from(w.kernel[1]);
        }
        m.put_int(dst, [n, y, x, c], average.finish(count, q.m1, q.zero_point, [q.lo, q.hi]));
    });
    m.pad_lanes(dst);
}

/// Sum over the image.
pub(super) fn rsum(m: &mut Access, dst: &TensorDesc, src: &TensorDesc, accumulate: bool) {
    for c in 0..i64::from(dst.dims[3]) {
        let mut sum = 0;
        for_each([1, src.dims[1], src.dims[2], 1], |[_, y, x, _]| {
            sum += m.difference(src, [0, y, x, c]);
        });
        finish(m, dst, [0, 0, 0, c], None, accumulate, sum);
    }
    m.pad_lanes(dst);
}

/// f32 → integers.
pub(super) fn quantize(m: &mut Access, dst: &TensorDesc, src: &TensorDesc, q: &QuantDesc) {
    for_each(dst.dims, |i| {
        let x = m.float(src, i);
        m.put_int(dst, i, numeric::quantize(x, q.m0, q.zero_point, [q.lo, q.hi]));
    });
    m.pad_lanes(dst);
}

/// Integers → f32.
pub(super) fn dequantize(m: &mut Access, dst: &TensorDesc, src: &TensorDesc, q: &QuantDesc) {
    for_each(dst.dims, |i| {
        let (x, factor) = (m.int(src, i), multiplier(m, q, i[3]));
        m.put_float(dst, i, numeric::scale_sum(x - i64::from(src.zero_point), factor));
    });
    m.pad_lanes(dst);
}

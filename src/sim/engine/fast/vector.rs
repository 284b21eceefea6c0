//! The vector unit, row by row.

use super::lane::write_floats;
use super::multipliers::{multipliers, rescales};
use super::rows::{
    Elements, PART, RowPart, for_parts, for_rows, pad_lanes, read, read_float_part, read_part, read_wide,
    row_address, write, write_part,
};
use super::scratch::Scratch;
use crate::isa::{EType, QuantDesc, QuantMode, Space, TensorDesc, WindowDesc};
use crate::kernels::cpu::Level;
use crate::kernels::elementwise::{Combine, Operand, combine};
use crate::kernels::epilogue::Bounds;
use crate::kernels::line::Line;
use crate::kernels::lookup::look_up;
use crate::kernels::{elementwise, reduce, requantize};
use crate::numeric::{self, AddRescales, Average};
use crate::sim::memory::{Memory, Views};

/// Writes a row and its padding lanes.
fn put(m: &mut Memory, dst: &TensorDesc, at: [i64; 3], values: &[i32]) {
    let start = row_address(dst, at);
    write(m, dst, start, values);
    pad_lanes(m, dst, start);
}

/// Requantization: accumulators to 8 or 16 bits.
pub(super) fn requant(
    level: Level,
    s: &mut Scratch,
    m: &mut Memory,
    dst: &TensorDesc,
    src: &TensorDesc,
    q: &QuantDesc,
) {
    let n = dst.dims[3] as usize;
    let (zero_point, clamp) = (q.zero_point, [q.lo, q.hi]);
    if let Some(double) = q.doubles() {
        let by = rescales(m, q, n);
        for_rows(dst.dims, |at| {
            read_wide(m, src, row_address(src, at), n, &mut s.sums);
            s.a.clear();
            let each = s.sums.iter().zip(&by);
            s.a.extend(each.map(|(acc, by)| numeric::requantize_q31(*acc, *by, double, zero_point, clamp)));
            put(m, dst, at, &s.a);
        });
        return;
    }
    multipliers(m, q, n, &mut s.multipliers);
    let exact = src.etype == EType::S64 || dst.etype.bytes() == 2;
    if level.has_avx512() && by_rows(level, s, m, dst, src, q, exact) {
        return;
    }
    for_rows(dst.dims, |at| {
        let start = row_address(src, at);
        if exact {
            read_wide(m, src, start, n, &mut s.sums);
            s.a.clear();
            let each = s.sums.iter().zip(&s.multipliers);
            s.a.extend(each.map(|(acc, f)| numeric::requantize_wide(*acc, *f, zero_point, clamp)));
        } else {
            read(m, src, start, n, &mut s.a);
            requantize::portable::requantize(level, &mut s.a, &s.multipliers, zero_point, clamp);
        }
        put(m, dst, at, &s.a);
    });
}

/// Requantization by the kernels for whole rows, with the multipliers in `s`; returns whether they have done
/// it.
fn by_rows(
    level: Level,
    s: &mut Scratch,
    m: &mut Memory,
    dst: &TensorDesc,
    src: &TensorDesc,
    q: &QuantDesc,
    exact: bool,
) -> bool {
    let sizes = [src, dst].map(|d| d.etype.bytes());
    let dense = [src, dst].iter().zip(sizes).all(|(d, size)| d.strides[3] == size as i64);
    if !dense || src.space != Space::Acc || dst.space != Space::Spm || dst.dims[..3].contains(&0) {
        return false;
    }
    if exact && s.by.take(&s.multipliers).is_none() {
        return false;
    }
    let bounds = Bounds { zero_point: q.zero_point, clamp: [q.lo, q.hi] };
    // The longer of the inner extents is the kernel's loop over rows.
    let inner = if dst.dims[2] == 1 && dst.dims[1] > 1 { 1 } else { 2 };
    let rows = dst.dims[inner] as usize;
    let mut outer = dst.dims;
    outer[inner] = 1;
    let mut done = true;
    for_rows(outer, |at| {
        let line = |d: &TensorDesc| {
            let first = usize::try_from(row_address(d, at)).ok()?;
            Some(Line { first, stride: usize::try_from(d.strides[inner]).ok()? })
        };
        let (Some(from), Some(to)) = (line(src), line(dst)) else {
            done = false;
            return;
        };
        let Views { spm, acc, .. } = m.views();
        done &= if exact {
            let (acc, spm) = ((acc.into(), from, sizes[0]), (spm, to, sizes[1]));
            requantize::wide_rows(level, acc, spm, rows, &s.by, bounds)
        } else {
            let kind = (bounds, dst.etype == EType::S8);
            let (acc, spm) = ((acc.into(), from), (spm, to));
            requantize::rows(level, acc, spm, rows, &s.multipliers, kind, &mut s.floats)
        };
    });
    if done {
        super::rows::pad(m, dst);
    }
    done
}

/// Quantized addition (`vec.add`).
pub(super) fn add(
    level: Level,
    s: &mut Scratch,
    m: &mut Memory,
    dst: &TensorDesc,
    [a, b]: [&TensorDesc; 2],
    q: &QuantDesc,
) {
    let (e, clamp) = (Elements::new(dst.dims, [dst, a, b]), [q.lo, q.hi]);
    if q.doubles().is_none() && combined(level, m, &e, clamp, Combine::Add([q.m0, q.m1, q.c])) {
        return super::rows::pad(m, dst);
    }
    for_parts(e.dims, |part| {
        let [to, x, y] = &e.of;
        read_part(level, m, x, part, &mut s.a);
        read_part(level, m, y, part, &mut s.b);
        if let Some(double) = q.doubles() {
            let by = AddRescales { by: q.rescales() };
            let wide = a.etype.bytes() > 1 || b.etype.bytes() > 1;
            for (x, y) in s.a.iter_mut().zip(&s.b) {
                let (p, r) = (i64::from(*x - a.zero_point), i64::from(*y - b.zero_point));
                *x = by.add(p, r, wide, double, q.zero_point, clamp);
            }
        } else {
            elementwise::portable::add(level, &mut s.a, &s.b, [q.m0, q.m1, q.c], clamp);
        }
        write_part(level, m, to, part, &s.a);
    });
    super::rows::pad(m, dst);
}

/// Quantized multiplication (`vec.mul`).
pub(super) fn mul(
    level: Level,
    s: &mut Scratch,
    m: &mut Memory,
    dst: &TensorDesc,
    [a, b]: [&TensorDesc; 2],
    q: &QuantDesc,
) {
    let (e, clamp) = (Elements::new(dst.dims, [dst, a, b]), [q.lo, q.hi]);
    let zeros = [a.zero_point, b.zero_point];
    if q.doubles().is_none() && combined(level, m, &e, clamp, Combine::Mul(zeros, q.m0, q.zero_point)) {
        return super::rows::pad(m, dst);
    }
    for_parts(e.dims, |part| {
        let [to, x, y] = &e.of;
        read_part(level, m, x, part, &mut s.a);
        read_part(level, m, y, part, &mut s.b);
        if let Some(double) = q.doubles() {
            let by = q.rescales()[0];
            for (x, y) in s.a.iter_mut().zip(&s.b) {
                let product = i64::from(*x - zeros[0]) * i64::from(*y - zeros[1]);
                *x = numeric::requantize_q31(product, by, double, q.zero_point, clamp);
            }
        } else {
            elementwise::portable::mul(level, &mut s.a, &s.b, zeros, q.m0, q.zero_point, clamp);
        }
        write_part(level, m, to, part, &s.a);
    });
    super::rows::pad(m, dst);
}

/// Whether a tensor is in the scratchpad with contiguous rows.
fn rows_lie_dense(d: &TensorDesc) -> bool {
    d.space == Space::Spm && d.strides[3] == d.etype.bytes() as i64
}

/// Address of a part in each tensor; `None` if the kernels for whole rows do not take the tensors.
fn places<const N: usize>(of: [&TensorDesc; N], part: RowPart) -> Option<[usize; N]> {
    let mut to = [0; N];
    for (to, d) in to.iter_mut().zip(of) {
        *to = usize::try_from(part.address(d)).ok().filter(|_| rows_lie_dense(d))?;
    }
    Some(to)
}

/// An operand for kernels on elements of 8 or 16 bits in the scratchpad, if it is one.
fn operand(d: &TensorDesc) -> Option<Operand> {
    let size = d.etype.bytes();
    if d.space != Space::Spm || size > 2 || !(d.strides[3] == size as i64 || d.strides[3] == 0) {
        return None;
    }
    let mut strides = [0; 3];
    for (to, from) in strides.iter_mut().zip(d.strides) {
        *to = usize::try_from(from).ok()?;
    }
    Some(Operand { at: usize::try_from(d.base).ok()?, strides, etype: d.etype, one: d.strides[3] == 0 })
}

/// Sums or products of two operands, by the kernels; returns whether they have done it.
fn combined(level: Level, m: &mut Memory, e: &Elements<3>, clamp: [i32; 2], sum: Combine) -> bool {
    let [Some(to), Some(a), Some(b)] = e.of.each_ref().map(operand) else { return false };
    combine(level, m.views().spm, e.dims.map(|n| n as usize), to, [a, b], sum, clamp)
}

/// Table lookup (`vec.lut`).
pub(super) fn lut(
    level: Level,
    s: &mut Scratch,
    m: &mut Memory,
    dst: &TensorDesc,
    src: &TensorDesc,
    table: &TensorDesc,
) {
    read(m, table, table.base, 256, &mut s.b);
    let e = Elements::new(dst.dims, [dst, src]);
    if looked_up(level, m, &e, &s.b) {
        return super::rows::pad(m, dst);
    }
    let [to, from] = &e.of;
    if [to, from].iter().all(|d| d.etype.bytes() == 1 && d.strides[3] == 1) {
        // A byte is its own index, whatever its sign.
        let table: [u8; 256] = std::array::from_fn(|i| s.b[i] as u8);
        for_parts(e.dims, |part| {
            s.bytes.clear();
            s.bytes.extend_from_slice(m.read(from.space, part.address(from), part.n));
            let entries = s.bytes.iter().map(|b| table[usize::from(*b)]);
            m.write(to.space, part.address(to), part.n).iter_mut().zip(entries).for_each(|(t, v)| *t = v);
        });
        return super::rows::pad(m, dst);
    }
    for_parts(e.dims, |part| {
        read_part(level, m, from, part, &mut s.a);
        s.a.iter_mut().for_each(|v| *v = s.b[(*v & 0xff) as usize]);
        write_part(level, m, to, part, &s.a);
    });
    super::rows::pad(m, dst);
}

/// Lookup of bytes, by the kernels; returns whether they have done it.
fn looked_up(level: Level, m: &mut Memory, e: &Elements<2>, table: &[i32]) -> bool {
    let [Some(to), Some(from)] = e.of.each_ref().map(operand) else { return false };
    let table: [u8; 256] = std::array::from_fn(|i| table[i] as u8);
    look_up(level, m.views().spm, e.dims.map(|n| n as usize), [to, from], &table)
}

/// Calls `f` for the input pixels that the window of an output position covers, in row-major order.
fn taps(src: &TensorDesc, w: &WindowDesc, out: [i64; 2], mut f: impl FnMut([i64; 2])) {
    let input = |axis: usize, k: u16| {
        let at = out[axis] * i64::from(w.stride[axis]) - i64::from(w.pads[axis])
            + i64::from(k) * i64::from(w.dilation[axis]);
        (0..i64::from(src.dims[axis + 1])).contains(&at).then_some(at)
    };
    for y in (0..w.kernel[0]).filter_map(|k| input(0, k)) {
        for x in (0..w.kernel[1]).filter_map(|k| input(1, k)) {
            f([y, x]);
        }
    }
}

/// Largest element of each window.
pub(super) fn max_pool(
    level: Level,
    s: &mut Scratch,
    m: &mut Memory,
    dst: &TensorDesc,
    src: &TensorDesc,
    w: &WindowDesc,
    origin: [i64; 2],
) {
    let n = dst.dims[3] as usize;
    let least = dst.etype.int_range().map_or(0, |r| r[0]);
    if dst.strides[3] == 1 && src.strides[3] == 1 && dst.etype.bytes() == 1 && src.etype == dst.etype {
        let signed = dst.etype == EType::S8;
        for_rows(dst.dims, |[a, y, x]| {
            s.bytes.clear();
            s.bytes.resize(n, least as u8);
            taps(src, w, [origin[0] + y, origin[1] + x], |[iy, ix]| {
                let tap = m.read(src.space, row_address(src, [0, iy, ix]), n);
                reduce::max_bytes(level, &mut s.bytes, tap, signed);
            });
            let start = row_address(dst, [a, y, x]);
            m.write(dst.space, start, n).copy_from_slice(&s.bytes);
            pad_lanes(m, dst, start);
        });
        return;
    }
    for_rows(dst.dims, |[a, y, x]| {
        s.a.clear();
        s.a.resize(n, least);
        taps(src, w, [origin[0] + y, origin[1] + x], |[iy, ix]| {
            read(m, src, row_address(src, [0, iy, ix]), n, &mut s.b);
            reduce::max(level, &mut s.a, &s.b);
        });
        put(m, dst, [a, y, x], &s.a);
    });
}

/// Operands of an average pool.
pub(super) struct Pool<'a> {
    pub(super) dst: &'a TensorDesc,
    pub(super) src: &'a TensorDesc,
    pub(super) quant: &'a QuantDesc,
    pub(super) window: &'a WindowDesc,
    pub(super) origin: [i64; 2],
    pub(super) include_pad: bool,
}

/// Average of each window.
pub(super) fn avg_pool(level: Level, s: &mut Scratch, m: &mut Memory, p: &Pool) {
    let (q, w) = (p.quant, p.window);
    let n = p.dst.dims[3] as usize;
    let mut averages = vec![Average::default(); n];
    for_rows(p.dst.dims, |[a, y, x]| {
        averages.fill(Average::default());
        let mut count = 0;
        taps(p.src, w, [p.origin[0] + y, p.origin[1] + x], |[iy, ix]| {
            read(m, p.src, row_address(p.src, [0, iy, ix]), n, &mut s.b);
            reduce::average(level, &mut averages, &s.b, q.m0, p.src.zero_point);
            count += 1;
        });
        if p.include_pad {
            count = u32::from(w.kernel[0]) * u32::from(w.kernel[1]);
        }
        s.a.clear();
        s.a.extend(averages.iter().map(|v| v.finish(count, q.m1, q.zero_point, [q.lo, q.hi])));
        put(m, p.dst, [a, y, x], &s.a);
    });
}

/// Sum over the image.
pub(super) fn rsum(
    level: Level,
    s: &mut Scratch,
    m: &mut Memory,
    dst: &TensorDesc,
    src: &TensorDesc,
    accumulate: bool,
) -> u64 {
    let n = dst.dims[3] as usize;
    s.a.clear();
    s.a.resize(n, 0);
    let bytes = src.etype.bytes() == 1 && src.strides[3] == 1;
    for_rows(src.dims, |at| {
        let start = row_address(src, at);
        if bytes {
            let row = m.read(src.space, start, n);
            reduce::sum_bytes(level, &mut s.a, row, src.etype == EType::S8, src.zero_point);
        } else {
            read(m, src, start, n, &mut s.b);
            reduce::sum(level, &mut s.a, &s.b, src.zero_point);
        }
    });
    super::mac::add_row(level, m, &mut s.b, dst, accumulate, &s.a)
}

/// f32 → integers.
pub(super) fn quantize(
    level: Level,
    s: &mut Scratch,
    m: &mut Memory,
    dst: &TensorDesc,
    src: &TensorDesc,
    q: &QuantDesc,
) {
    let Elements { dims, of: [to, from] } = Elements::new(dst.dims, [dst, src]);
    for_parts(dims, |part| {
        let bounds = Bounds { zero_point: q.zero_point, clamp: [q.lo, q.hi] };
        if let Some(places) = places([&to, &from], part)
            && requantize::quantize(level, m.views().spm, places, (part.n, to.etype.bytes()), q.m0, bounds)
        {
            return;
        }
        read_float_part(m, &from, part, &mut s.floats);
        s.a.resize(part.n, 0);
        requantize::portable::quantize(level, &mut s.a, &s.floats, q.m0, q.zero_point, [q.lo, q.hi]);
        write_part(level, m, &to, part, &s.a);
    });
    super::rows::pad(m, dst);
}

/// Integers → f32.
pub(super) fn dequantize(
    level: Level,
    s: &mut Scratch,
    m: &mut Memory,
    dst: &TensorDesc,
    src: &TensorDesc,
    q: &QuantDesc,
) {
    let one = q.mode == QuantMode::Tensor;
    let e =
        if one { Elements::new(dst.dims, [dst, src]) } else { Elements { dims: dst.dims, of: [*dst, *src] } };
    multipliers(m, q, if one { PART } else { dst.dims[3] as usize }, &mut s.multipliers);
    let [to, from] = &e.of;
    for_parts(e.dims, |part| {
        let by = &s.multipliers[if one { 0 } else { part.first }..];
        if let (Some(by), Some(places)) = (by.get(..part.n), places([to, from], part))
            && requantize::dequantize(level, m.views().spm, places, from.etype, from.zero_point, by)
        {
            return;
        }
        s.floats.clear();
        if src.space == Space::Acc {
            read_wide(m, from, part.address(from), part.n, &mut s.sums);
            s.floats.extend(s.sums.iter().zip(by).map(|(v, f)| numeric::scale_sum(*v, *f)));
        } else {
            read_part(level, m, from, part, &mut s.a);
            s.floats.resize(part.n, 0.0);
            requantize::portable::dequantize(level, &mut s.floats, &s.a, src.zero_point, by);
        }
        write_floats(m, to, part.address(to), &s.floats);
    });
    super::rows::pad(m, dst);
}

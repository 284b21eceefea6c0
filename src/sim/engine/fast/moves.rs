//! DMA and stores.

use super::rows::{fill as fill_row, for_rows, pad as pad_all, row_address};
use super::scratch::Scratch;
use crate::isa::{TensorDesc, WindowDesc};
use crate::kernels::cpu::Level;
use crate::kernels::pack::portable as pack;
use crate::sim::access::padded_dims;
use crate::sim::memory::Memory;

/// `dst[i] ← src[i]`.
pub(super) fn copy(level: Level, s: &mut Scratch, m: &mut Memory, dst: &TensorDesc, src: &TensorDesc) {
    if interleave(level, s, m, dst, src) {
        return;
    }
    boxes(m, dst, src, dst.dims);
    pad_all(m, dst);
}

/// Copies an image of up to four channels from planes to pixels of four lanes; false, and nothing is written,
/// if the operands are not of this form.
fn interleave(level: Level, s: &mut Scratch, m: &mut Memory, dst: &TensorDesc, src: &TensorDesc) -> bool {
    let (size, padded) = (dst.etype.bytes(), padded_dims(dst)[3]);
    let [channels, columns] = [dst.dims[3], dst.dims[2]].map(|n| n as usize);
    let pixels = dst.strides[3] == size as i64 && dst.strides[2] == 4 * size as i64;
    if padded != 4 || channels < 2 || !pixels || src.strides[2] != size as i64 || size > 2 {
        return false;
    }
    let bytes = columns * size;
    // Lanes without a channel get the zero point.
    s.bytes.clear();
    s.bytes.resize(bytes * 4, dst.zero_point as u8);
    if size == 2 {
        let zero = (dst.zero_point as i16).to_le_bytes();
        s.bytes.as_chunks_mut().0.iter_mut().for_each(|lane| *lane = zero);
    }
    for_rows([dst.dims[0], dst.dims[1], 1, 1], |at| {
        for (c, lane) in s.bytes.chunks_exact_mut(bytes.max(1)).take(channels).enumerate() {
            let plane = row_address(src, at) + c as i64 * src.strides[3];
            let from = m.read(src.space, plane, bytes);
            lane[..from.len()].copy_from_slice(from);
        }
        let to = m.write(dst.space, row_address(dst, at), bytes * 4);
        let planes = [0, 1, 2, 3].map(|i| &s.bytes[i * bytes..(i + 1) * bytes]);
        pack::interleave(level, planes, size, to);
    });
    true
}

/// `dst[n,y,x,c] ← src[n,y−pt,x−pl,c]` where that exists, else the zero point.
pub(super) fn pad(m: &mut Memory, dst: &TensorDesc, src: &TensorDesc, w: &WindowDesc) {
    fill(m, dst);
    let inner = TensorDesc {
        base: dst.base + i64::from(w.pads[0]) * dst.strides[1] + i64::from(w.pads[1]) * dst.strides[2],
        dims: src.dims,
        lanes: 1,
        ..*dst
    };
    boxes(m, &inner, src, src.dims);
}

/// Every element ← the zero point.
pub(super) fn fill(m: &mut Memory, dst: &TensorDesc) {
    let n = padded_dims(dst)[3] as usize;
    for_rows(dst.dims, |at| fill_row(m, dst, row_address(dst, at), n));
}

/// Copies a box; inner extents that are contiguous on both sides are one run.
fn boxes(m: &mut Memory, dst: &TensorDesc, src: &TensorDesc, dims: [u32; 4]) {
    let size = dst.etype.bytes() as i64;
    let mut run = size;
    let mut outer = 4;
    while outer > 0 {
        let axis = outer - 1;
        let extent = i64::from(dims[axis]);
        if extent != 1 {
            if dst.strides[axis] != run || src.strides[axis] != run {
                break;
            }
            run *= extent;
        }
        outer = axis;
    }
    let mut count = [1; 4];
    for axis in 0..outer {
        count[axis] = i64::from(dims[axis]);
    }
    // The innermost loop walks both sides with constant steps: it takes the longest extent.
    let last = (0..outer).max_by_key(|a| count[*a]).unwrap_or(0);
    let [n, step_to, step_from] = [count[last], dst.strides[last], src.strides[last]];
    count[last] = 1;
    for a in 0..count[0] {
        for b in 0..count[1] {
            for c in 0..count[2] {
                for e in 0..count[3] {
                    let at = |d: &TensorDesc| row_address(d, [a, b, c]) + e * d.strides[3];
                    m.copy_runs((src.space, at(src), step_from), (dst.space, at(dst), step_to), n, run);
                }
            }
        }
    }
}

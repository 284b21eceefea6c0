//! DMA and stores.

use super::rows::{fill as fill_row, for_rows, pad_tensor, row_address};
use crate::isa::{TensorDesc, WindowDesc};
use crate::sim::memory::Memory;

/// `dst[i] ← src[i]`.
pub(super) fn copy(m: &mut Memory, dst: &TensorDesc, src: &TensorDesc) {
    boxes(m, dst, src, dst.dims);
    pad_tensor(m, dst);
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
    let n = crate::sim::access::padded_dims(dst)[3] as usize;
    for_rows(dst.dims, |at| fill_row(m, dst, row_address(dst, at), n));
}

/// Copies a box: inner extents that are contiguous on both sides as one run.
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
    // The innermost loop walks both sides with constant steps: the longest one.
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

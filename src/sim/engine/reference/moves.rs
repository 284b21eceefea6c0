//! DMA: copies, padding, fills.

use super::access::{Access, address, for_each};
use crate::isa::{TensorDesc, WindowDesc};

/// `dst[i] ← src[i]`.
pub(super) fn copy(m: &mut Access, dst: &TensorDesc, src: &TensorDesc) {
    for_each(dst.dims, |i| element(m, dst, i, src, i));
    m.pad_lanes(dst);
}

/// `dst[n,y,x,c] ← src[n,y−pt,x−pl,c]` where that exists, else the zero point.
pub(super) fn pad(m: &mut Access, dst: &TensorDesc, src: &TensorDesc, w: &WindowDesc) {
    for_each(dst.dims, |[n, y, x, c]| {
        let (sy, sx) = (y - i64::from(w.pads[0]), x - i64::from(w.pads[1]));
        let inside = (0..i64::from(src.dims[1])).contains(&sy) && (0..i64::from(src.dims[2])).contains(&sx);
        if inside {
            element(m, dst, [n, y, x, c], src, [n, sy, sx, c]);
        } else {
            m.put_zero(dst, [n, y, x, c]);
        }
    });
    m.pad_lanes(dst);
}

/// Every element ← the zero point.
pub(super) fn fill(m: &mut Access, dst: &TensorDesc) {
    for_each(dst.dims, |i| m.put_zero(dst, i));
    m.pad_lanes(dst);
}

fn element(m: &mut Access, dst: &TensorDesc, to: [i64; 4], src: &TensorDesc, from: [i64; 4]) {
    let (source, target) = (address(src, from), address(dst, to));
    // A narrower destination takes the low bytes, which come first.
    match dst.etype.bytes() {
        1 => {
            let b = m.bytes::<1>(src.space, source);
            m.put(dst.space, target, &b);
        }
        2 => {
            let b = m.bytes::<2>(src.space, source);
            m.put(dst.space, target, &b);
        }
        4 => {
            let b = m.bytes::<4>(src.space, source);
            m.put(dst.space, target, &b);
        }
        _ => {
            let b = m.bytes::<8>(src.space, source);
            m.put(dst.space, target, &b);
        }
    }
}

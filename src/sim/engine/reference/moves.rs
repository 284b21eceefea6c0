//! DMA: copies, padding, gathering, fills.

use super::access::{Access, address, for_each};
use crate::isa::{TensorDesc, WindowDesc};
use crate::sim::fault::FaultKind;

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

/// `dst[0,0,r,c] ← src[0,0,ids[r],c]`, ids below 0 counted from the end; nothing is written if an id is
/// illegal. All of the source counts as read.
pub(super) fn gather(
    m: &mut Access,
    dst: &TensorDesc,
    src: &TensorDesc,
    ids: &TensorDesc,
) -> Result<(), FaultKind> {
    for_each(src.dims, |i| m.reads(src, i));
    let list: Vec<i64> = (0..dst.dims[2]).map(|r| m.int(ids, [0, 0, 0, r.into()])).collect();
    // What was never written is no id: the undefined read is the fault then.
    if m.lowest.is_some() {
        return Ok(());
    }
    let rows = i64::from(src.dims[2]);
    let mut chosen = Vec::new();
    for (index, id) in (0..).zip(list) {
        let row = if id < 0 { id.saturating_add(rows) } else { id };
        if !(0..rows).contains(&row) {
            return Err(FaultKind::IdOutOfRange { index, id, rows: src.dims[2] });
        }
        chosen.push(row);
    }
    for_each(dst.dims, |[a, b, r, c]| element(m, dst, [a, b, r, c], src, [a, b, chosen[r as usize], c]));
    m.pad_lanes(dst);
    Ok(())
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

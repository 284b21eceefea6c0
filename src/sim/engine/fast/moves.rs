//! DMA and stores.

use super::rows::{fill as fill_row, for_rows, pad as pad_all, row_address};
use super::scratch::Scratch;
use crate::isa::{EType, TensorDesc, WindowDesc};
use crate::kernels::cpu::Level;
use crate::kernels::pack::portable as pack;
use crate::sim::access::padded_dims;
use crate::sim::fault::FaultKind;
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

/// `dst[0,0,r,c] ← src[0,0,ids[r],c]`, ids below 0 counted from the end.
pub(super) fn gather(
    m: &mut Memory,
    dst: &TensorDesc,
    src: &TensorDesc,
    ids: &TensorDesc,
) -> Result<(), FaultKind> {
    let (rows, size) = (i64::from(src.dims[2]), dst.etype.bytes() as i64);
    let mut chosen = Vec::with_capacity(dst.dims[2] as usize);
    for index in 0..dst.dims[2] {
        let id = id(m, ids, index);
        let row = if id < 0 { id.checked_add(rows) } else { Some(id) };
        match row.filter(|row| (0..rows).contains(row)) {
            Some(row) => chosen.push(row),
            None => return Err(FaultKind::IdOutOfRange { index, id, rows: src.dims[2] }),
        }
    }
    let columns = i64::from(dst.dims[3]);
    // A row is one run if its elements follow each other in the destination, too.
    let (runs, run) = if dst.strides[3] == size { (1, columns * size) } else { (columns, size) };
    for (r, row) in chosen.into_iter().enumerate() {
        let from = (src.space, row_address(src, [0, 0, row]), size);
        let to = (dst.space, row_address(dst, [0, 0, r as i64]), dst.strides[3]);
        m.copy_runs(from, to, runs, run);
    }
    pad_all(m, dst);
    Ok(())
}

/// One of the ids; they are integers of any type.
fn id(m: &Memory, ids: &TensorDesc, index: u32) -> i64 {
    let at = ids.base + i64::from(index) * ids.strides[3];
    let mut bytes = [0; 8];
    let read = m.read(ids.space, at, ids.etype.bytes());
    bytes[..read.len()].copy_from_slice(read);
    let value = i64::from_le_bytes(bytes);
    match ids.etype {
        EType::U8 | EType::U16 | EType::S64 => value,
        EType::S8 => (value as i8).into(),
        EType::S16 => (value as i16).into(),
        EType::S32 | EType::F32 => (value as i32).into(),
    }
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

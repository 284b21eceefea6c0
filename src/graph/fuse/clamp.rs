//! Fuses a table that only clamps into the operator before it.
//!
//! `clamp(sat(rne(…)))` with the same quantization on both sides rounds once in either form, so every
//! rounding that the model prescribes stays.

use super::work::{Work, same_quant};
use crate::graph::{DType, Lut, MacEpilogue, Op, TensorId};

/// Fuses all such tables, unless the tensor in between is to be kept, or read by others.
pub(super) fn fuse(work: &mut Work<'_, '_>) {
    for at in 0..work.graph.nodes.len() {
        if let Some((producer, bounds)) = fusible(work, at) {
            merge(work, producer, at, bounds);
        }
    }
}

fn fusible(work: &Work<'_, '_>, at: usize) -> Option<(usize, [i32; 2])> {
    let graph = &*work.graph;
    let node = &graph.nodes[at];
    let Op::Table(lut) = &node.op else { return None };
    let (between, after) = (graph.tensor(node.inputs[0]), graph.tensor(node.outputs[0]));
    let same = between.dtype == after.dtype && same_quant(between.quant?, after.quant?);
    let bounds = bounds(lut, between.dtype).filter(|_| same)?;
    let id: TensorId = node.inputs[0];
    let producer = work.links.maker(id)?;
    let has_clamp = matches!(
        graph.nodes[producer].op,
        Op::Conv { .. } | Op::Gemm { .. } | Op::Add { .. } | Op::Mul { .. }
    );
    let alone = work.links.readers(id).len() == 1 && work.removable(id);
    (has_clamp && alone).then_some((producer, bounds))
}

/// The bounds, if the table is `q ↦ min(max(q, lo), hi)`.
fn bounds(lut: &Lut, dtype: DType) -> Option<[i32; 2]> {
    let value = |i: i32| {
        let byte = lut.table[usize::from(i as u8)];
        if dtype == DType::S8 { i32::from(byte as i8) } else { i32::from(byte) }
    };
    let (least, greatest) = dtype.int_range()?;
    let (least, greatest) = (least as i32, greatest as i32);
    let [lo, hi] = [value(least), value(greatest)];
    (lo <= hi && (least..=greatest).all(|q| value(q) == q.clamp(lo, hi))).then_some([lo, hi])
}

fn merge(work: &mut Work<'_, '_>, producer: usize, at: usize, [lo, hi]: [i32; 2]) {
    let (table, gone) = (work.graph.nodes[at].name.clone(), work.graph.nodes[at].inputs[0]);
    let node = &mut work.graph.nodes[producer];
    let (Op::Conv { epilogue: MacEpilogue { clamp, .. }, .. }
    | Op::Gemm { epilogue: MacEpilogue { clamp, .. }, .. }
    | Op::Add { clamp }
    | Op::Mul { clamp }) = &mut node.op
    else {
        return;
    };
    *clamp = clamp.map(|c| c.clamp(lo, hi));
    let reason = format!("its clamp to {lo}…{hi} ({table}) is fused into layer \"{}\"", node.name);
    work.absorb(at, producer, gone, reason);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn map(what: &str, dtype: DType, f: impl Fn(i32) -> i32) -> Lut {
        let q = |i: usize| if dtype == DType::S8 { i32::from(i as u8 as i8) } else { i as i32 };
        Lut { what: what.into(), table: Arc::new(std::array::from_fn(|i| f(q(i)) as u8)) }
    }

    #[test]
    fn only_clamps_are_clamps() {
        assert_eq!(bounds(&map("relu", DType::S8, |q| q.max(3)), DType::S8), Some([3, 127]));
        assert_eq!(bounds(&map("clip", DType::U8, |q| q.clamp(9, 200)), DType::U8), Some([9, 200]));
        assert_eq!(bounds(&map("same", DType::U8, |q| q), DType::U8), Some([0, 255]));
        assert_eq!(bounds(&map("step", DType::U8, |q| if q > 3 { 200 } else { 3 }), DType::U8), None);
        assert_eq!(bounds(&map("invert", DType::U8, |q| 255 - q), DType::U8), None);
    }
}

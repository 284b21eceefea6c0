//! Operands of element-wise layers, brought to the extents of the result: NumPy's broadcasting at any rank.
//!
//! Up to four axes, each is an extent of its own. Beyond that, axes that all tensors walk alike become one
//! extent.

use super::super::CompileError;
use super::super::storage::Storage;
use super::super::tile::{Expr, Stmt};
use super::movement::steps;
use super::{Lowering, Nest};
use crate::graph::{Node, TensorId};

/// A source of an element-wise layer, with its strides along the destination's extents (0 = broadcast).
#[derive(Debug, Clone)]
pub(super) struct Operand {
    pub(super) storage: Storage,
    pub(super) zero_point: i32,
}

impl Lowering<'_> {
    /// Operand `index` of a node, aligned with the extents of its result.
    pub(super) fn operand(&self, node: &Node, index: usize, dst: &Storage) -> Result<Operand, CompileError> {
        let storage = self.input(node, index)?;
        let id = node.inputs[index];
        let shape = &self.graph.tensor(id).shape;
        let out_shape = &self.graph.tensor(node.outputs[0]).shape;
        let aligned = align(storage, shape, dst, out_shape).ok_or_else(|| CompileError::Unsupported {
            node: node.name.clone(),
            reason: format!("broadcasting {shape:?} to {out_shape:?}"),
        })?;
        Ok(Operand { storage: aligned, zero_point: self.zero_point(id) })
    }

    /// All operands of a node and its result, with extents that correspond.
    pub(super) fn operands(&self, node: &Node) -> Result<Operands, CompileError> {
        let dst = self.output(node)?.clone();
        let shape = |id: TensorId| self.graph.tensor(id).shape.as_slice();
        let out_shape = shape(node.outputs[0]);
        let alike = node.inputs.iter().all(|id| shape(*id) == out_shape);
        if out_shape.len() <= 4 || alike {
            let each = (0..node.inputs.len()).map(|i| self.operand(node, i, &dst));
            return Ok(Operands::of(each.collect::<Result<_, _>>()?, dst));
        }
        let mut tensors = vec![(&dst, out_shape)];
        for (index, id) in node.inputs.iter().enumerate() {
            tensors.push((self.input(node, index)?, shape(*id)));
        }
        let Some((mut grouped, outer)) = grouped(&tensors) else {
            let shapes: Vec<&[usize]> = node.inputs.iter().map(|id| shape(*id)).collect();
            let reason = format!("broadcasting {shapes:?} to {out_shape:?}");
            return Err(CompileError::Unsupported { node: node.name.clone(), reason });
        };
        let sources = grouped.split_off(1);
        let dst = grouped.remove(0);
        let operand =
            |(storage, id): (Storage, &TensorId)| Operand { storage, zero_point: self.zero_point(*id) };
        let sources = sources.into_iter().zip(&node.inputs).map(operand).collect();
        Ok(Operands { sources, dst, outer })
    }
}

/// Operands and result of an element-wise layer.
pub(super) struct Operands {
    pub(super) sources: Vec<Operand>,
    pub(super) dst: Storage,
    /// What does not fit four extents, outermost first.
    pub(super) outer: Vec<Outer>,
}

impl Operands {
    /// Tensors of four extents.
    pub(super) fn of(sources: Vec<Operand>, dst: Storage) -> Operands {
        Operands { sources, dst, outer: Vec::new() }
    }

    /// Loops over what does not fit four extents. `body` gets what each tensor's address is further on, the
    /// result first.
    pub(super) fn around(&self, nest: &mut Nest, body: &Body<'_>) -> Result<Vec<Stmt>, CompileError> {
        around(nest, &self.outer, vec![Expr::from(0); 1 + self.sources.len()], body)
    }
}

/// Makes the statements inside the loops from the offsets of the tensors, the result first.
type Body<'b> = dyn Fn(&mut Nest, &[Expr]) -> Result<Vec<Stmt>, CompileError> + 'b;

/// An axis around the four extents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outer {
    extent: i64,
    /// Byte strides, the result first.
    strides: Vec<i64>,
}

fn around(
    nest: &mut Nest,
    outer: &[Outer],
    offsets: Vec<Expr>,
    body: &Body<'_>,
) -> Result<Vec<Stmt>, CompileError> {
    let Some((first, rest)) = outer.split_first() else { return body(nest, &offsets) };
    nest.tiles(0, first.extent, 1, |nest, at, _| {
        let further = |(offset, stride): (&Expr, &i64)| offset.clone() + at.clone() * *stride;
        let offsets = offsets.iter().zip(&first.strides).map(further).collect();
        around(nest, rest, offsets, body)
    })
}

/// Extents and strides of a tensor along its ONNX axes; `None` for ranks above 4.
fn onnx_axes(s: &Storage, rank: usize) -> Option<Vec<usize>> {
    Some(match rank {
        0 => vec![],
        1 => vec![3],
        2 => vec![0, 3],
        3 => vec![1, 2, 3],
        4 => s.onnx_order.to_vec(),
        _ => return None,
    })
}

/// `s` with its extents in the order of `dst`'s; missing and broadcast extents are 1 with stride 0.
fn align(s: &Storage, shape: &[usize], dst: &Storage, out_shape: &[usize]) -> Option<Storage> {
    if shape == out_shape && s.onnx_order == dst.onnx_order && s.dims == dst.dims {
        return Some(s.clone());
    }
    let (mine, theirs) = (onnx_axes(s, shape.len())?, onnx_axes(dst, out_shape.len())?);
    let missing = theirs.len().checked_sub(mine.len())?;
    let mut out = Storage { dims: [1; 4], strides: [0; 4], onnx_order: dst.onnx_order, ..s.clone() };
    for (axis, &to) in theirs.iter().enumerate().skip(missing) {
        let from = mine[axis - missing];
        if s.dims[from] != 1 {
            if s.dims[from] != dst.dims[to] {
                return None;
            }
            out.dims[to] = s.dims[from];
            out.strides[to] = s.strides[from];
        }
    }
    // Padding lanes only travel along if they still belong to the innermost extent.
    if s.lanes > 1 && out.strides[3] != s.etype.bytes() as i64 {
        out.lanes = 1;
    }
    Some(out)
}

/// Tensors with their shapes, the result first, as four extents each and axes around them: neighbouring axes
/// become one where each tensor has both or neither of them, and walks both in one step. None if a shape has
/// more axes than the result.
fn grouped(tensors: &[(&Storage, &[usize])]) -> Option<(Vec<Storage>, Vec<Outer>)> {
    let rank = tensors.first()?.1.len();
    let walks: Vec<Vec<[i64; 2]>> = tensors
        .iter()
        .map(|(s, shape)| {
            let mut walk = vec![[1, 0]; rank.checked_sub(shape.len())?];
            let own = if shape.is_empty() { Vec::new() } else { steps(s, shape) };
            walk.extend(own.into_iter().map(|[n, by]| if n == 1 { [1, 0] } else { [n, by] }));
            (walk.len() == rank).then_some(walk)
        })
        .collect::<Option<_>>()?;
    // Axes of one element say nothing.
    let wide = (0..rank).filter(|axis| walks[0][*axis][0] != 1);
    let mut groups: Vec<Vec<[i64; 2]>> = Vec::new();
    for axis in wide {
        let here: Vec<[i64; 2]> = walks.iter().map(|walk| walk[axis]).collect();
        let continues = |(outer, inner): (&[i64; 2], &[i64; 2])| match (outer, inner) {
            ([1, _], [1, _]) => true,
            ([1, _], _) | (_, [1, _]) => false,
            ([_, by], [n, step]) => *by == n * step,
        };
        match groups.last_mut() {
            Some(last) if last.iter().zip(&here).all(continues) => {
                for (outer, inner) in last.iter_mut().zip(&here) {
                    *outer = [outer[0] * inner[0], inner[1]];
                }
            }
            _ => groups.push(here),
        }
    }
    let around = groups.len().saturating_sub(4);
    let inner = groups.split_off(around);
    let outer = |group: &Vec<[i64; 2]>| Outer {
        extent: group[0][0],
        strides: group.iter().map(|walk| walk[1]).collect(),
    };
    let outer = groups.iter().map(outer).collect();
    let as_four = |(at, (s, _)): (usize, &(&Storage, &[usize]))| {
        let mut four = Storage { dims: [1; 4], strides: [0; 4], ..(*s).clone() };
        for (slot, group) in (0..4).rev().zip(inner.iter().rev()) {
            (four.dims[slot], four.strides[slot]) = (group[at][0], group[at][1]);
        }
        // Padding lanes only travel along if they still belong to the innermost extent.
        if four.strides[3] != four.etype.bytes() as i64 {
            four.lanes = 1;
        }
        four
    };
    Some((tensors.iter().enumerate().map(as_four).collect(), outer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{DType, Tensor};

    fn stored(shape: &[usize]) -> Storage {
        let shape = shape.to_vec();
        Storage::blocked(&Tensor { name: "t".into(), shape, dtype: DType::U8, quant: None }, 0)
    }

    /// Extents, strides and lanes.
    type Group = ([i64; 4], [i64; 4], i64);

    fn groups(shapes: &[&[usize]]) -> Option<Vec<Group>> {
        let storages: Vec<Storage> = shapes.iter().map(|s| stored(s)).collect();
        let tensors: Vec<(&Storage, &[usize])> = storages.iter().zip(shapes.iter().copied()).collect();
        let (fours, outer) = grouped(&tensors)?;
        assert!(outer.is_empty());
        Some(fours.into_iter().map(|s| (s.dims, s.strides, s.lanes)).collect())
    }

    #[test]
    fn axes_that_all_tensors_walk_alike_become_one() {
        // The last of three is padded to four; the bias has the last axis alone.
        assert_eq!(
            groups(&[&[1, 2, 4, 3, 3], &[1, 2, 4, 3, 3], &[1, 2, 4, 1, 1]]),
            Some(vec![
                ([1, 8, 3, 3], [0, 12, 4, 1], 4),
                ([1, 8, 3, 3], [0, 12, 4, 1], 4),
                ([1, 8, 1, 1], [0, 1, 0, 0], 1),
            ])
        );
        assert_eq!(
            groups(&[&[1, 2, 2, 3, 3, 8], &[8]]),
            Some(vec![([1, 1, 36, 8], [0, 0, 16, 1], 16), ([1, 1, 1, 8], [0, 0, 0, 1], 16)])
        );
        // An image of four axes lies with its channels innermost.
        assert_eq!(
            groups(&[&[2, 1, 4, 3, 5], &[1, 4, 3, 5]]),
            Some(vec![([2, 4, 3, 5], [4 * 3 * 16, 3 * 16, 16, 1], 16), ([1, 4, 3, 5], [0, 1, 20, 4], 1),])
        );
        assert_eq!(groups(&[&[2, 1], &[2, 1, 1]]), None);
    }

    #[test]
    fn axes_beyond_four_are_loops_around_them() {
        let shapes: [&[usize]; 2] = [&[2, 3, 4, 3, 5], &[3, 1, 3, 5]];
        let storages = shapes.map(stored);
        let tensors = [(&storages[0], shapes[0]), (&storages[1], shapes[1])];
        let (fours, outer) = grouped(&tensors).unwrap();
        assert_eq!(outer, [Outer { extent: 2, strides: vec![3 * 4 * 3 * 16, 0] }]);
        assert_eq!(fours[0].dims, [3, 4, 3, 5]);
        assert_eq!(fours[0].strides, [4 * 3 * 16, 3 * 16, 16, 1]);
        // Four axes of which one has one channel lie as rows.
        assert_eq!((fours[1].dims, fours[1].lanes), ([3, 1, 3, 5], 1));
    }
}

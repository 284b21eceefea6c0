//! Softmax: rows along one axis pass through the scratchpad whole.

use super::super::CompileError;
use super::super::tile::{Buffer, Code, Quant, Stmt, TileOp};
use super::movement::{Middle, steps, whole_copy};
use super::{Lowering, exprs, load_constants, spm_view, too_large};
use crate::graph::Node;
use crate::isa::EType;
use crate::numeric::softmax_table;

impl Lowering<'_> {
    pub(super) fn softmax(&mut self, node: &Node, axis: usize) -> Result<Vec<Stmt>, CompileError> {
        let (src, dst) = (self.input(node, 0)?.clone(), self.output(node)?.clone());
        let (x, y) = (self.graph.tensor(node.inputs[0]), self.graph.tensor(node.outputs[0]));
        let (Some(from), Some(to)) = (x.quant, y.quant) else {
            let reason = "an operand is not quantized".into();
            return Err(CompileError::Malformed { node: node.name.clone(), reason });
        };
        // ONNX Runtime uses the scale's reciprocal, rounded down.
        let m0 = (1.0 / to.scale).floor().min(f32::MAX);
        let table = softmax_table(from.scale, x.shape[axis], src.etype == EType::S8, m0);
        let bytes: Vec<u8> = table.iter().flat_map(|x| x.to_le_bytes()).collect();
        let mut spm = self.spm();
        let buffer =
            spm.take(1024).ok_or_else(|| too_large(node, "scratchpad", 1024, self.machine.spm.bytes))?;
        let at = self.constants.append_loaded(&bytes);
        let segment = Buffer::new(0, self.constants.len() as i64);
        let mut body = vec![Stmt::Op(load_constants(segment, at.into(), buffer, 1024.into()))];
        body.extend(self.fill_padding_at(node, &dst, &mut spm)?);
        let table =
            spm_view(buffer, EType::F32, buffer.start.into(), exprs([1, 1, 1, 256]), [0, 0, 0, 4], 0, 1);
        let quant = Quant {
            zero_point: to.zero_point,
            clamp: dst.etype.int_range().unwrap_or([0, 0]),
            m0,
            m1: 0.0,
            c: 0.0,
            profile: Quant::ONNX,
            table: None,
        };
        let (mine, theirs) = (steps(&src, &x.shape), steps(&dst, &y.shape));
        let mut axes: Vec<[i64; 3]> =
            mine.iter().zip(&theirs).map(|([n, from], [_, to])| [*n, *from, *to]).collect();
        let row = axes.remove(axis);
        let copy = whole_copy(&src, &dst, axes);
        let middle = Middle {
            op: Box::new(move |to, from| {
                TileOp::new(Code::Softmax, vec![to, from, table.clone()]).with_quant(quant.clone())
            }),
            row: Some(row),
        };
        body.extend(self.copy_through(node, &copy, spm, Some(middle))?);
        Ok(body)
    }
}

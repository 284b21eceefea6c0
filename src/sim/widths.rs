//! The element widths that the instructions of each layer used: counted in the control pass over every
//! operation that retires, not taken from the program's tables.

use std::collections::BTreeSet;

use super::op::{OpKind, QueueOp, dma_op, mac_op, vec_op};
use crate::isa::{EType, Space, TensorDesc};
use crate::program::Bits;

/// Element types that the instructions of one layer used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Widths {
    /// Bits of both operands of multiply-accumulates.
    products: BTreeSet<(u32, u32)>,
    /// What vector instructions read, accumulators left out; tables that ids choose rows of, and the ids.
    read: BTreeSet<EType>,
    /// What these wrote to the scratchpad.
    written: BTreeSet<EType>,
    /// Elements that were only moved.
    moved: BTreeSet<EType>,
}

impl Widths {
    /// Adds one executed operation.
    pub(super) fn note(&mut self, op: &QueueOp) {
        let bits = |t: &TensorDesc| t.etype.bytes() as u32 * 8;
        let kind = &op.kind;
        match kind {
            OpKind::Nop => {}
            OpKind::Conv(c) | OpKind::Depthwise(c) => {
                self.products.insert((bits(&c.src), bits(&c.weights)));
            }
            OpKind::Matmul { a, b, .. } => {
                self.products.insert((bits(a), bits(b)));
            }
            vec_op!() => {
                self.read.extend(sources(kind).filter(|s| s.space != Space::Acc).map(|s| s.etype));
                self.written.extend(kind.dst().filter(|d| d.space != Space::Acc).map(|d| d.etype));
            }
            dma_op!() => {
                if let OpKind::Gather { dst, src, ids } = kind {
                    self.read.extend([src.etype, ids.etype]);
                    self.written.insert(dst.etype);
                } else {
                    self.moved.extend(kind.dst().map(|d| d.etype));
                }
            }
        }
    }

    /// The widths in words; `None` for a layer without instructions.
    #[must_use]
    pub fn bits(&self) -> Option<Bits> {
        let operands = if self.products.is_empty() {
            names(if self.read.is_empty() { &self.moved } else { &self.read })
        } else {
            let list: Vec<String> = self.products.iter().map(|(a, w)| format!("{a}x{w}")).collect();
            list.join("+")
        };
        let result = names(if self.written.is_empty() { &self.moved } else { &self.written });
        (!operands.is_empty()).then_some(Bits { operands, result })
    }
}

/// Integers by their bits; floats only where there is nothing else, since float conversions between integers
/// are not operands of the layer.
fn names(types: &BTreeSet<EType>) -> String {
    let integers: BTreeSet<usize> =
        types.iter().filter(|t| **t != EType::F32).map(|t| t.bytes() * 8).collect();
    if integers.is_empty() {
        return if types.is_empty() { String::new() } else { Bits::FLOAT.into() };
    }
    integers.iter().map(ToString::to_string).collect::<Vec<_>>().join("+")
}

/// The tensors that an instruction computes with, without its tables.
fn sources(kind: &OpKind) -> impl Iterator<Item = &TensorDesc> {
    let tables = match kind {
        OpKind::Lut { .. } | OpKind::Softmax { .. } => 1,
        OpKind::Resize { .. } => 2,
        OpKind::Nop
        | dma_op!()
        | mac_op!()
        | OpKind::Requant { .. }
        | OpKind::Store { .. }
        | OpKind::Add { .. }
        | OpKind::Mul { .. }
        | OpKind::MaxPool { .. }
        | OpKind::AvgPool { .. }
        | OpKind::Rsum { .. }
        | OpKind::Quantize { .. }
        | OpKind::Dequantize { .. }
        | OpKind::F1 { .. }
        | OpKind::F2 { .. }
        | OpKind::Fold { .. } => 0,
    };
    // Tables come last.
    kind.reads().take(kind.reads().count() - tables)
}

//! DRAM addresses of tensors.
//!
//! Tensors follow the constants, of which only the descriptors are still missing: those are counted here.

use super::super::storage::{TENSOR_BASE, next_multiple};
use super::super::tile::{Stmt, TileLayer};

/// First byte of the tensors, behind `constants` bytes of constants and the descriptors of these layers.
pub(in crate::compiler) fn base(layers: &[TileLayer], constants: usize) -> i64 {
    let records: usize = layers.iter().map(|l| record_bytes(&l.body)).sum();
    next_multiple((constants + records + 8) as i64, 4096)
}

/// Moves all tensors behind `constants` bytes of constants.
pub(in crate::compiler) fn place(layers: &mut [TileLayer], constants: usize) {
    let delta = base(layers, constants) - TENSOR_BASE;
    layers.iter_mut().for_each(|l| relocate(&mut l.body, delta));
}

/// Upper bound of the descriptor records of some statements.
fn record_bytes(body: &[Stmt]) -> usize {
    body.iter()
        .map(|s| match s {
            Stmt::Loop { body, .. } => record_bytes(body),
            Stmt::Op(op) => {
                op.views.len() * crate::isa::TensorDesc::BYTES
                    + usize::from(op.quant.is_some()) * crate::isa::QuantDesc::BYTES
                    + usize::from(op.window.is_some()) * crate::isa::WindowDesc::BYTES
            }
            Stmt::Host(_) => 0,
        })
        .sum()
}

/// Moves all tensor addresses (not those of constants) by `delta`.
fn relocate(body: &mut [Stmt], delta: i64) {
    for s in body {
        match s {
            Stmt::Loop { body, .. } => relocate(body, delta),
            Stmt::Op(op) => {
                for view in op.views.iter_mut().filter(|v| v.buffer.start >= TENSOR_BASE) {
                    view.base = view.base.clone() + delta;
                    view.buffer.start += delta;
                }
            }
            Stmt::Host(_) => {}
        }
    }
}

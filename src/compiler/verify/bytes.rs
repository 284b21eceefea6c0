//! Rules on the places of operands and buffers.

use super::scope::{At, Fact};
use super::trips::{Trip, each, operand};
use crate::compiler::constants::packed_bytes;
use crate::compiler::storage::WORK_BASE;
use crate::compiler::tile::{Buffer, Code, TileOp, View, reach};
use crate::isa::{Profile, Space};

/// Addresses are aligned as the machine requires.
pub(super) fn alignment(at: &At<'_>) -> Result<(), String> {
    each(&at.layer.body, &mut |op, trip| {
        for (i, view) in op.views.iter().enumerate() {
            let size = view.etype.bytes() as i64;
            let base = trip.value(&view.base);
            if base % size != 0 || view.strides.iter().any(|s| s % size != 0) {
                return Err(format!(
                    "{} has base {base} and strides {:?}, elements have {size} bytes",
                    operand(op, i),
                    view.strides
                ));
            }
        }
        Ok(())
    })
}

/// The range of bytes available to a buffer, and its name in messages.
fn open(at: &At<'_>, space: Space, buffer: &Buffer) -> (&'static str, i64, i64) {
    let around = at.scope.around;
    let placed = at.scope.has(Fact::BuffersPlaced);
    match space {
        Space::Dram if buffer.start < at.scope.tensors() => ("the constants", 0, around.constants as i64),
        Space::Dram => ("the tensors", at.scope.tensors(), at.scope.tensors() + around.tensors),
        // Resident tensors may claim bytes beyond the end that nothing touches: the load refuses those that
        // something does.
        Space::Spm if !at.is_buffer(space, buffer) => {
            ("the scratchpad above the layer's part", at.room, i64::MAX)
        }
        Space::Spm if placed => ("the layer's part of the scratchpad", 0, at.room),
        Space::Spm => ("the layer's part of the scratchpad", WORK_BASE, WORK_BASE + at.room),
        Space::Acc if placed => ("the accumulators", 0, around.machine.acc.bytes as i64),
        Space::Acc => ("half of the accumulators", 0, around.machine.acc.bytes as i64 / 2),
    }
}

/// Operands lie in the room that lowering was given, which placement relies on; addresses beyond a memory
/// would be refused at load.
pub(super) fn in_memory(at: &At<'_>) -> Result<(), String> {
    each(&at.layer.body, &mut |op, _| {
        for (i, (space, buffer, _)) in op.touches().enumerate() {
            let (name, start, end) = open(at, space, &buffer);
            for lo in at.sides(&buffer) {
                if lo < start || lo + buffer.bytes > end {
                    return Err(format!(
                        "{} lies in a buffer of bytes {lo} to {}, {name} are bytes {start} to {end}",
                        operand(op, i),
                        lo + buffer.bytes
                    ));
                }
            }
        }
        Ok(())
    })
}

/// Operands stay inside their buffers, by which placement and conditions identify them.
pub(super) fn in_buffer(at: &At<'_>) -> Result<(), String> {
    each(&at.layer.body, &mut |op, trip| {
        for i in 0..op.views.len() {
            let (lo, hi) = touched(op, i, trip);
            inside(&op.views[i].buffer, lo, hi).map_err(|why| format!("{} {why}", operand(op, i)))?;
        }
        if let Some((quant, (table, buffer))) = op.quant.as_ref().and_then(|q| Some((q, q.table.as_ref()?))) {
            let entry = if quant.profile.0 == Profile::Onnx { 4 } else { 8 };
            let count = op.views.first().map_or(0, |v| trip.value(&v.dims[3]));
            let lo = trip.value(table);
            inside(buffer, lo, lo + count * entry)
                .map_err(|why| format!("{}: its multipliers {why}", op.code.name()))?;
        }
        Ok(())
    })
}

fn inside(buffer: &Buffer, lo: i64, hi: i64) -> Result<(), String> {
    let end = buffer.start + buffer.bytes;
    if lo >= buffer.start && hi <= end {
        return Ok(());
    }
    Err(format!("has bytes {lo} to {hi}, its buffer has bytes {} to {end}", buffer.start))
}

/// The lowest byte of an operand and one past the highest, on the first side of a double buffer. Padding
/// lanes are written, not read.
pub(super) fn touched(op: &TileOp, index: usize, trip: &Trip) -> (i64, i64) {
    let view = &op.views[index];
    let base = trip.value(&view.base);
    let lanes = if index == 0 { i64::from(view.lanes).max(1) } else { 1 };
    let (lo, hi) = reach(op, index, lanes, &|e| trip.value(e)).unwrap_or_else(|| (0, packed(op, view, trip)));
    (base + lo, base + hi)
}

/// Bytes of an operand whose strides are all zero: packed weights, for pruned ones the certain part, or one
/// broadcast element.
fn packed(op: &TileOp, view: &View, trip: &Trip) -> i64 {
    let [oc, kh, kw, ic] = view.dims.each_ref().map(|d| trip.value(d));
    let size = view.etype.bytes() as i64;
    if op.code == Code::Conv { packed_bytes(oc, kh * kw, ic) * size } else { size }
}

/// The elements of a destination do not overlap, as the machine requires.
pub(super) fn distinct(at: &At<'_>) -> Result<(), String> {
    each(&at.layer.body, &mut |op, trip| {
        let Some(view) = op.views.first() else { return Ok(()) };
        let mut dims = view.dims.each_ref().map(|d| trip.value(d));
        let lanes = i64::from(view.lanes).max(1);
        dims[3] = (dims[3] + lanes - 1) / lanes * lanes;
        let mut axes: Vec<(i64, i64)> =
            view.strides.iter().map(|s| s.abs()).zip(dims).filter(|(_, n)| *n > 1).collect();
        axes.sort_unstable();
        let mut reach = view.etype.bytes() as i64;
        for (stride, extent) in axes {
            if stride < reach {
                return Err(format!(
                    "{} has elements that overlap: extents {dims:?}, strides {:?}",
                    operand(op, 0),
                    view.strides
                ));
            }
            reach += stride * (extent - 1);
        }
        Ok(())
    })
}

/// Constants are not written: they hold for all runs, and operations of several layers read them without
/// waiting.
pub(super) fn constants_kept(at: &At<'_>) -> Result<(), String> {
    each(&at.layer.body, &mut |op, trip| {
        let Some(view) = op.views.first().filter(|v| v.space == Space::Dram) else { return Ok(()) };
        let (lo, _) = touched(op, 0, trip);
        if view.buffer.start < at.scope.tensors() || lo < at.scope.tensors() {
            return Err(format!("{} is byte {lo}, among the constants", operand(op, 0)));
        }
        Ok(())
    })
}

//! Removes copies between a layer's buffers and tensors in the scratchpad.
//!
//! Lowering loads every operand to a buffer and stores every result from one. For a tensor in the scratchpad
//! this is a local copy, and mostly a needless one: whatever reads the buffer can read the tensor with the
//! tensor's strides, and whatever writes the buffer can write the tensor.

use super::super::storage::{WORK_BASE, next_multiple};
use super::super::tile::{Code, Stmt, TileOp, View};
use crate::isa::Space;

/// Removes the needless copies of a layer.
pub(in crate::compiler) fn elide(body: &mut Vec<Stmt>) {
    for s in body.iter_mut() {
        if let Stmt::Loop { body, .. } = s {
            elide(body);
        }
    }
    let mut at = 0;
    while at < body.len() {
        if read_in_place(body, at) || written_in_place(body, at) {
            body.remove(at);
        } else {
            at += 1;
        }
    }
}

fn is_buffer(view: &View) -> bool {
    view.space == Space::Spm && view.buffer.start >= WORK_BASE
}

fn same_buffer(a: &View, b: &View) -> bool {
    is_buffer(a) && is_buffer(b) && a.buffer.start == b.buffer.start
}

fn at_its_start(view: &View) -> bool {
    view.base.constant() == Some(view.buffer.start)
}

/// The copy at an index, if it is one between a buffer and a tensor in the scratchpad.
fn copy(body: &[Stmt], at: usize) -> Option<(View, View)> {
    match &body[at] {
        Stmt::Op(TileOp { code: Code::DmaCopy, views, .. }) => match views.as_slice() {
            [to, from] if is_buffer(to) != is_buffer(from) => Some((to.clone(), from.clone())),
            _ => None,
        },
        _ => None,
    }
}

/// A view of the elements of `tensor` that correspond to those that `view` has of the buffer; the buffer was
/// or will be copied as `copied`. `None` if their order differs.
fn seen_as(view: &View, copied: &View, tensor: &View) -> Option<View> {
    if !at_its_start(view) || !at_its_start(copied) || view.etype.bytes() != copied.etype.bytes() {
        return None;
    }
    // Pixels that overlap may reach into what was not copied.
    let inner = |v: &View| v.dims[3].constant().map(|n| next_multiple(n, i64::from(v.lanes).max(1)));
    if inner(view).zip(inner(copied)).is_some_and(|(seen, had)| seen > had) {
        return None;
    }
    let mut strides = [0; 4];
    for (axis, stride) in strides.iter_mut().enumerate() {
        let one = view.dims[axis].constant() == Some(1);
        *stride = match view.strides[axis] {
            s if s == copied.strides[axis] => tensor.strides[axis],
            0 => 0,
            _ if one => 0,
            _ => return None,
        };
    }
    Some(View {
        space: tensor.space,
        base: tensor.base.clone(),
        strides,
        buffer: tensor.buffer,
        ..view.clone()
    })
}

/// Redirects all reads of the buffer behind the copy at `at` to the tensor; returns whether that was
/// possible.
fn read_in_place(body: &mut [Stmt], at: usize) -> bool {
    let Some((to, from)) = copy(body, at).filter(|(to, _)| is_buffer(to)) else { return false };
    let mut changed = body[at + 1..].to_vec();
    let mut over = false;
    if redirect(&mut changed, &to, &from, &mut over).is_none() {
        return false;
    }
    body[at + 1..].clone_from_slice(&changed);
    true
}

/// Redirects reads up to the next write of the buffer; `None` if one cannot be redirected.
fn redirect(body: &mut [Stmt], to: &View, from: &View, over: &mut bool) -> Option<()> {
    for s in body {
        if *over {
            return Some(());
        }
        match s {
            Stmt::Loop { body, .. } => {
                // A write in the loop would be seen by reads in its next trip.
                if writes(body, to) {
                    *over = true;
                    return if reads(body, to) { None } else { Some(()) };
                }
                redirect(body, to, from, over)?;
            }
            Stmt::Op(op) => {
                let table = op.quant.as_ref().and_then(|q| q.table.as_ref());
                if table.is_some_and(|(_, b)| b.start == to.buffer.start) {
                    return None;
                }
                for view in op.views.iter_mut().skip(1).filter(|v| same_buffer(v, to)) {
                    *view = seen_as(view, to, from)?;
                }
                let written = op.views.first().filter(|v| same_buffer(v, to));
                if written.is_some_and(|v| !at_its_start(v)) {
                    // Another part of the buffer: later reads would come from several places.
                    return None;
                }
                *over = written.is_some();
                if *over && op.accumulate {
                    return None;
                }
            }
            Stmt::Host(_) => {}
        }
    }
    Some(())
}

fn writes(body: &[Stmt], buffer: &View) -> bool {
    body.iter().any(|s| match s {
        Stmt::Loop { body, .. } => writes(body, buffer),
        Stmt::Op(op) => op.views.first().is_some_and(|v| same_buffer(v, buffer)),
        _ => false,
    })
}

fn reads(body: &[Stmt], buffer: &View) -> bool {
    body.iter().any(|s| match s {
        Stmt::Loop { body, .. } => reads(body, buffer),
        Stmt::Op(op) => op.views.iter().skip(1).any(|v| same_buffer(v, buffer)),
        _ => false,
    })
}

/// Redirects the one operation that writes the buffer before the copy at `at` to the tensor; returns whether
/// that was possible.
fn written_in_place(body: &mut [Stmt], at: usize) -> bool {
    let Some((to, from)) = copy(body, at).filter(|(_, from)| is_buffer(from)) else { return false };
    // The buffer must be written once in this list, by an operation that does not read it, and read by the
    // copy alone.
    let mut writer = None;
    for (i, s) in body.iter().enumerate() {
        match s {
            Stmt::Op(op) if i != at => {
                if op.views.iter().skip(1).any(|v| same_buffer(v, &from)) {
                    return false;
                }
                if op.views.first().is_some_and(|v| same_buffer(v, &from))
                    && (i > at || op.accumulate || writer.replace(i).is_some())
                {
                    return false;
                }
            }
            Stmt::Loop { body, .. } if writes(body, &from) || reads(body, &from) => return false,
            _ => {}
        }
    }
    let Some(Stmt::Op(op)) = writer.and_then(|i| body.get_mut(i)) else { return false };
    let Some(mut view) = seen_as(&op.views[0], &from, &to) else { return false };
    if to.dims[3] == view.dims[3] {
        // The copy moves no padding lanes, so none may be written.
        view.lanes = 1;
    }
    op.views[0] = view;
    true
}

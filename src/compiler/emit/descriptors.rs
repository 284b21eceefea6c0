//! The descriptor operands of statements, and their records.

use crate::compiler::CompileError;
use crate::compiler::tile::{Quant, Stmt, View};
use crate::isa::{QReg, QuantDesc, QuantMode, TReg, TensorDesc, WReg, WindowDesc};

/// Distinct descriptor operands of some statements, in the order of their first use.
#[derive(Debug, Clone, Default)]
pub(super) struct Descriptors {
    pub(super) views: Vec<View>,
    pub(super) quants: Vec<Quant>,
    pub(super) windows: Vec<WindowDesc>,
}

impl Descriptors {
    /// Adds those of a statement.
    pub(super) fn collect(&mut self, s: &Stmt) {
        match s {
            Stmt::Loop { body, .. } => body.iter().for_each(|s| self.collect(s)),
            Stmt::Op(op) => {
                op.views.iter().for_each(|v| enter(&mut self.views, v));
                op.quant.iter().for_each(|q| enter(&mut self.quants, q));
                op.window.iter().for_each(|w| enter(&mut self.windows, w));
            }
            Stmt::Host(_) => {}
        }
    }

    /// Whether they fit the registers together.
    pub(super) fn fit(&self) -> bool {
        self.views.len() <= TReg::COUNT
            && self.quants.len() <= QReg::COUNT
            && self.windows.len() <= WReg::COUNT
    }
}

fn enter<T: Clone + PartialEq>(list: &mut Vec<T>, item: &T) {
    if !list.contains(item) {
        list.push(item.clone());
    }
}

/// The record of a view; fields that depend on variables hold 1, which is always legal.
pub(super) fn tensor_desc(view: &View) -> Result<TensorDesc, CompileError> {
    let mut dims = [1_u32; 4];
    for (slot, dim) in dims.iter_mut().zip(&view.dims) {
        if let Some(c) = dim.constant() {
            *slot = u32::try_from(c).map_err(|_| CompileError::TooBig { what: "extents of a tile" })?;
        }
    }
    Ok(TensorDesc {
        base: view.base.constant().unwrap_or(0),
        dims,
        strides: view.strides,
        zero_point: view.zero_point,
        space: view.space,
        etype: view.etype,
        lanes: view.lanes,
    })
}

/// The record of a quantization; a table that depends on variables holds 0.
pub(super) fn quant_desc(q: &Quant) -> QuantDesc {
    let [a, b, c] = q.profile.1;
    QuantDesc {
        profile: q.profile.0,
        mode: if q.table.is_some() { QuantMode::Channel } else { QuantMode::Tensor },
        zero_point: q.zero_point,
        lo: q.clamp[0],
        hi: q.clamp[1],
        m0: q.m0,
        m1: q.m1,
        c: q.c,
        s0: a.shift,
        s1: b.shift,
        s2: c.shift,
        k0: a.multiplier,
        k1: b.multiplier,
        k2: c.multiplier,
        table: q.table.as_ref().and_then(|(e, _)| e.constant()).unwrap_or(0),
    }
}

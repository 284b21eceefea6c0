//! Statements of one layer → instructions.

use std::collections::BTreeMap;

use super::code::{Code, Numbers};
use super::descriptors::{Descriptors, quant_desc, tensor_desc};
use super::registers::{Scalars, ZERO};
use crate::compiler::CompileError;
use crate::compiler::constants::Constants;
use crate::compiler::sync::Conditions;
use crate::compiler::tile::{self, Buffer, Expr, Slot, Stmt, TileOp, Var};
use crate::isa::{AvgFlags, Insn, MacFlags, QField, QReg, RedFlags, TField, TReg, WReg, Wait, XReg};

/// The blocks of a layer's body: consecutive statements whose descriptors fit the registers together. Each
/// block begins with the first side of every double buffer, and loads descriptors in front of the statement
/// that first uses them: so the first loads of data do not wait for all of them.
pub(super) fn blocks(body: &[Stmt]) -> Result<Vec<&[Stmt]>, CompileError> {
    let mut list = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let mut descriptors = Descriptors::default();
        let mut taken = 0;
        for s in rest {
            let mut wider = descriptors.clone();
            wider.collect(s);
            if taken > 0 && !wider.fit() {
                break;
            }
            descriptors = wider;
            taken += 1;
        }
        if !descriptors.fit() {
            return Err(CompileError::TooBig { what: "operands of one loop" });
        }
        let (now, later) = rest.split_at(taken);
        list.push(now);
        rest = later;
    }
    Ok(list)
}

/// Emits a block.
pub(super) fn block(
    body: &[Stmt],
    constants: &mut Constants,
    conditions: &Conditions,
    at: &mut Numbers,
    code: &mut Code,
) -> Result<(), CompileError> {
    let mut block = Block {
        constants,
        code,
        scalars: Scalars::new(),
        vars: BTreeMap::new(),
        slots: BTreeMap::new(),
        descriptors: Descriptors::default(),
        conditions,
        at,
    };
    block.begin_slots(body)?;
    for s in body {
        block.load_descriptors(s)?;
        block.statements(std::slice::from_ref(s))?;
    }
    Ok(())
}

struct Block<'a> {
    constants: &'a mut Constants,
    code: &'a mut Code,
    scalars: Scalars,
    /// Registers of the loop variables in scope.
    vars: BTreeMap<Var, XReg>,
    /// Registers of the double buffers' variables.
    slots: BTreeMap<Var, XReg>,
    /// Those that are loaded; the index is the register number.
    descriptors: Descriptors,
    conditions: &'a Conditions,
    at: &'a mut Numbers,
}

/// A field that takes a value depending on loop variables.
#[derive(Clone, Copy)]
enum Target {
    Tensor(TReg, TField),
    Quant(QReg),
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Tensor(td, field) => write!(f, "{td}.{}", field.name()),
            Target::Quant(qd) => write!(f, "{qd}.{}", QField::Table.name()),
        }
    }
}

impl Block<'_> {
    /// Loads the descriptors of a statement that no statement before has, with their constant fields, and
    /// sets the fields that depend on double buffers alone. Loop heads set the others.
    fn load_descriptors(&mut self, s: &Stmt) -> Result<(), CompileError> {
        let Descriptors { views, quants, windows } = &self.descriptors;
        let [v, q, w] = [views.len(), quants.len(), windows.len()];
        self.descriptors.collect(s);
        for (i, view) in self.descriptors.views.clone().iter().enumerate().skip(v) {
            let td = reg(TReg::new(i as u8))?;
            let at = self.constants.record(&tensor_desc(view)?.to_bytes());
            self.record(at, |rs1, imm| Insn::TdescLoad { td, rs1, imm })?;
        }
        for (i, quant) in self.descriptors.quants.clone().iter().enumerate().skip(q) {
            let qd = reg(QReg::new(i as u8))?;
            let at = self.constants.record(&quant_desc(quant).to_bytes());
            self.record(at, |rs1, imm| Insn::QdescLoad { qd, rs1, imm })?;
        }
        for (i, window) in self.descriptors.windows.clone().iter().enumerate().skip(w) {
            let wd = reg(WReg::new(i as u8))?;
            let at = self.constants.record(&window.to_bytes());
            self.record(at, |rs1, imm| Insn::WdescLoad { wd, rs1, imm })?;
        }
        let fields = self.dynamic_fields(v, q);
        self.head(fields, None, &[])
    }

    /// Loads a record of the constants: an immediate reaches the first 2 GiB, a register all of them.
    fn record(&mut self, at: i64, load: impl Fn(XReg, i32) -> Insn) -> Result<(), CompileError> {
        if let Ok(imm) = i32::try_from(at) {
            self.code.push(load(ZERO, imm));
            return Ok(());
        }
        let rd = self.scalars.take()?;
        self.code.push(Insn::Li { rd, imm: at });
        self.code.push(load(rd, 0));
        self.scalars.give(rd);
        Ok(())
    }

    /// Sets every double buffer to its first side.
    fn begin_slots(&mut self, body: &[Stmt]) -> Result<(), CompileError> {
        for s in body {
            if let Stmt::Loop { slots, body, .. } = s {
                for slot in slots {
                    if !self.slots.contains_key(&slot.var) {
                        let rd = self.scalars.take()?;
                        self.code.push(Insn::Li { rd, imm: 0 });
                        self.slots.insert(slot.var, rd);
                    }
                }
                self.begin_slots(body)?;
            }
        }
        Ok(())
    }

    /// Sets those of the fields whose innermost loop variable is `bound`, which has just got a value, and
    /// those that depend on a double buffer that has changed sides and on no inner loop.
    fn head(
        &mut self,
        fields: Vec<(Target, Expr)>,
        bound: Option<Var>,
        changed: &[Slot],
    ) -> Result<(), CompileError> {
        // Fields with equal values share the computation.
        let mut values: Vec<(Expr, Vec<Target>)> = Vec::new();
        for (target, expr) in fields {
            let deepest = self.deepest(&expr);
            let mut side = false;
            // A view used in another loop in which the buffer changes sides too is set there.
            let mut here = true;
            expr.variables(&mut |v| {
                side |= changed.iter().any(|s| s.var == v);
                here &= self.vars.contains_key(&v) || self.slots.contains_key(&v);
            });
            if expr.constant().is_none() && (deepest == bound || side && here && deepest < bound) {
                match values.iter_mut().find(|(e, _)| *e == expr) {
                    Some((_, targets)) => targets.push(target),
                    None => values.push((expr, vec![target])),
                }
            }
        }
        for (expr, targets) in values {
            let names: Vec<String> = targets.iter().map(Target::to_string).collect();
            self.code.comment(format!("{} = {expr}", names.join(", ")));
            let (value, temporary) = self.value(&expr)?;
            for target in targets {
                self.code.push(match target {
                    Target::Tensor(td, field) => Insn::TdescSet { td, rs1: value, field },
                    Target::Quant(qd) => Insn::QdescSet { qd, rs1: value, field: QField::Table },
                });
            }
            if temporary {
                self.scalars.give(value);
            }
        }
        Ok(())
    }

    /// An address on the side in use; on the first side if no loop of this block makes the buffer change
    /// sides.
    fn address(&self, base: &Expr, buffer: &Buffer) -> Expr {
        let turns = buffer.slot.is_some_and(|v| self.slots.contains_key(&v));
        if turns { buffer.address(base) } else { base.clone() + buffer.ahead }
    }

    /// The fields that may depend on variables, of the descriptors from view `v` and quantization `q` on.
    fn dynamic_fields(&self, v: usize, q: usize) -> Vec<(Target, Expr)> {
        let mut fields = Vec::new();
        const DIMS: [TField; 4] = [TField::D0, TField::D1, TField::D2, TField::D3];
        for (i, view) in self.descriptors.views.iter().enumerate().skip(v) {
            let Some(td) = TReg::new(i as u8) else { continue };
            fields.push((Target::Tensor(td, TField::Base), self.address(&view.base, &view.buffer)));
            for (field, dim) in DIMS.into_iter().zip(&view.dims) {
                fields.push((Target::Tensor(td, field), dim.clone()));
            }
        }
        for (i, quant) in self.descriptors.quants.iter().enumerate().skip(q) {
            if let (Some(qd), Some((table, buffer))) = (QReg::new(i as u8), &quant.table) {
                fields.push((Target::Quant(qd), self.address(table, buffer)));
            }
        }
        fields
    }

    /// The innermost loop variable of an expression: variables are numbered from the outside in.
    fn deepest(&self, e: &Expr) -> Option<Var> {
        let mut deepest = None;
        e.variables(&mut |v| {
            if !self.slots.contains_key(&v) {
                deepest = deepest.max(Some(v));
            }
        });
        deepest
    }

    /// A register that holds the expression, and whether the caller must release it.
    fn value(&mut self, e: &Expr) -> Result<(XReg, bool), CompileError> {
        match e {
            Expr::Const(0) => Ok((ZERO, false)),
            Expr::Var(v) => match self.vars.get(v).or_else(|| self.slots.get(v)) {
                Some(x) => Ok((*x, false)),
                None => Err(CompileError::Internal { what: "a loop variable is used outside its loop" }),
            },
            Expr::Const(c) => {
                let rd = self.scalars.take()?;
                self.code.push(Insn::Li { rd, imm: *c });
                Ok((rd, true))
            }
            Expr::Add(a, b) | Expr::Mul(a, b) | Expr::Min(a, b) | Expr::Max(a, b) => {
                let (rs1, t1) = self.value(a)?;
                let immediate = b.constant().and_then(|c| i32::try_from(c).ok());
                let (rs2, t2) = match immediate {
                    Some(_) => (ZERO, false),
                    None => self.value(b)?,
                };
                for (r, t) in [(rs1, t1), (rs2, t2)] {
                    if t {
                        self.scalars.give(r);
                    }
                }
                let rd = self.scalars.take()?;
                self.code.push(match (e, immediate) {
                    (Expr::Add(..), Some(imm)) => Insn::Addi { rd, rs1, imm },
                    (Expr::Mul(..), Some(imm)) => Insn::Muli { rd, rs1, imm },
                    (Expr::Min(..), Some(imm)) => Insn::Mini { rd, rs1, imm },
                    (Expr::Max(..), Some(imm)) => Insn::Maxi { rd, rs1, imm },
                    (Expr::Add(..), None) => Insn::Add { rd, rs1, rs2 },
                    (Expr::Mul(..), None) => Insn::Mul { rd, rs1, rs2 },
                    (Expr::Min(..), None) => Insn::Min { rd, rs1, rs2 },
                    _ => Insn::Max { rd, rs1, rs2 },
                });
                Ok((rd, true))
            }
        }
    }

    fn statements(&mut self, body: &[Stmt]) -> Result<(), CompileError> {
        for s in body {
            match s {
                Stmt::Op(op) => self.op(op)?,
                Stmt::Host(id) => self.code.push(Insn::Host { id: *id }),
                Stmt::Loop { var, start, end, step, slots, body } => {
                    self.for_loop(*var, [*start, *end, *step], slots, body)?;
                }
            }
        }
        Ok(())
    }

    fn for_loop(
        &mut self,
        var: Var,
        [start, end, step]: [i64; 3],
        slots: &[Slot],
        body: &[Stmt],
    ) -> Result<(), CompileError> {
        for (queue, conds) in self.conditions.entries.get(self.at.number).into_iter().flatten() {
            for pair in conds.chunks(2) {
                let wait = Wait([pair.first().copied(), pair.get(1).copied()]);
                self.code.push(Insn::Qnop { queue: *queue, wait });
            }
        }
        self.at.number += 1;
        let counter = self.scalars.take()?;
        let limit = self.scalars.take()?;
        self.code.comment(format!("for v{} = {start} to {end} step {step}", var.0));
        self.code.push(Insn::Li { rd: counter, imm: start });
        self.code.push(Insn::Li { rd: limit, imm: end });
        self.vars.insert(var, counter);
        let top = self.code.here();
        for slot in slots {
            let rd = *self
                .slots
                .get(&slot.var)
                .ok_or(CompileError::Internal { what: "a slot without a register" })?;
            let bytes = i32::try_from(slot.bytes).map_err(|_| CompileError::TooBig { what: "buffers" })?;
            self.code.push(Insn::Muli { rd, rs1: rd, imm: -1 });
            self.code.push(Insn::Addi { rd, rs1: rd, imm: bytes });
        }
        let fields = self.dynamic_fields(0, 0);
        self.head(fields, Some(var), slots)?;
        self.statements(body)?;
        let step = i32::try_from(step).map_err(|_| CompileError::TooBig { what: "loop steps" })?;
        self.code.push(Insn::Addi { rd: counter, rs1: counter, imm: step });
        let back = top as i64 - self.code.here() as i64;
        let target = i32::try_from(back).map_err(|_| CompileError::TooBig { what: "loop bodies" })?;
        self.code.push(Insn::Blt { rs1: counter, rs2: limit, target });
        self.vars.remove(&var);
        self.scalars.give(counter);
        self.scalars.give(limit);
        Ok(())
    }

    fn op(&mut self, op: &TileOp) -> Result<(), CompileError> {
        let mut conds = self.conditions.ops.get(self.at.op).cloned().unwrap_or_default();
        self.at.op += 1;
        while conds.len() > 2 {
            // A qnop takes the first two; the instruction follows it in the same queue.
            let rest = conds.split_off(2);
            let wait = Wait([conds.first().copied(), conds.get(1).copied()]);
            self.code.push(Insn::Qnop { queue: op.code.queue(), wait });
            conds = rest;
        }
        let wait = Wait([conds.first().copied(), conds.get(1).copied()]);
        let mask = op.mask.as_ref().map(|e| self.value(e)).transpose()?;
        let t = |i: usize| -> Result<TReg, CompileError> {
            let view = op
                .views
                .get(i)
                .ok_or(CompileError::Internal { what: "a tiled operation lacks an operand" })?;
            let at = self.descriptors.views.iter().position(|v| v == view);
            reg(at.and_then(|i| TReg::new(i as u8)))
        };
        let q = || {
            let at = op.quant.as_ref().and_then(|q| self.descriptors.quants.iter().position(|x| x == q));
            reg(at.and_then(|i| QReg::new(i as u8)))
        };
        let w = || {
            let at = op.window.as_ref().and_then(|w| self.descriptors.windows.iter().position(|x| x == w));
            reg(at.and_then(|i| WReg::new(i as u8)))
        };
        // The bias operand is not read unless the flag says so; it then names the destination's register.
        let bias = || if op.flag { t(3) } else { t(0) };
        let mac = if op.accumulate {
            MacFlags::ACC
        } else if op.flag {
            MacFlags::BIAS
        } else {
            MacFlags::empty()
        };
        let mut origin = [(ZERO, false); 2];
        let windowed = op.window.is_some();
        if windowed {
            let exprs = op.origin.clone();
            for (slot, e) in origin.iter_mut().zip(&exprs) {
                // `value` borrows `self` mutably, so it runs before the operand closures are used.
                *slot = Self::origin_value(e, &self.vars, &mut self.scalars, self.code)?;
            }
        }
        let [(oy, _), (ox, _)] = origin;
        let insn = match op.code {
            tile::Code::DmaIn => Insn::DmaIn { dst: t(0)?, src: t(1)?, wait },
            tile::Code::Gather => Insn::DmaGather { dst: t(0)?, src: t(1)?, ids: t(2)?, wait },
            tile::Code::DmaFill => Insn::DmaFill { dst: t(0)?, wait },
            tile::Code::DmaCopy => Insn::DmaCopy { dst: t(0)?, src: t(1)?, wait },
            tile::Code::DmaOut => Insn::DmaOut { dst: t(0)?, src: t(1)?, wait },
            tile::Code::Conv => Insn::MacConv {
                dst: t(0)?,
                src: t(1)?,
                weights: t(2)?,
                bias: bias()?,
                window: w()?,
                oy,
                ox,
                flags: mac,
                wait,
            },
            tile::Code::Pruned => Insn::MacPruned {
                dst: t(0)?,
                src: t(1)?,
                weights: t(2)?,
                bias: bias()?,
                window: w()?,
                oy,
                ox,
                mask: mask.map_or(ZERO, |(r, _)| r),
                flags: mac,
                wait,
            },
            tile::Code::Depthwise => Insn::MacDw {
                dst: t(0)?,
                src: t(1)?,
                weights: t(2)?,
                bias: bias()?,
                window: w()?,
                oy,
                ox,
                flags: mac,
                wait,
            },
            tile::Code::Requant => Insn::VecRequant { dst: t(0)?, src: t(1)?, quant: q()?, wait },
            tile::Code::Add => Insn::VecAdd { dst: t(0)?, a: t(1)?, b: t(2)?, quant: q()?, wait },
            tile::Code::Mul => Insn::VecMul { dst: t(0)?, a: t(1)?, b: t(2)?, quant: q()?, wait },
            tile::Code::Lut => Insn::VecLut { dst: t(0)?, src: t(1)?, table: t(2)?, wait },
            tile::Code::MaxPool => Insn::VecMaxpool { dst: t(0)?, src: t(1)?, window: w()?, oy, ox, wait },
            tile::Code::AvgPool => Insn::VecAvgpool {
                dst: t(0)?,
                src: t(1)?,
                quant: q()?,
                window: w()?,
                oy,
                ox,
                flags: if op.flag { AvgFlags::INCLUDE_PAD } else { AvgFlags::empty() },
                wait,
            },
            tile::Code::Rsum => Insn::VecRsum {
                dst: t(0)?,
                src: t(1)?,
                flags: if op.accumulate { RedFlags::ACC } else { RedFlags::empty() },
                wait,
            },
            tile::Code::Quantize => Insn::VecQuant { dst: t(0)?, src: t(1)?, quant: q()?, wait },
            tile::Code::Sums => Insn::VecStore { dst: t(0)?, src: t(1)?, wait },
            tile::Code::Matmul => {
                Insn::MacMatmul { dst: t(0)?, a: t(1)?, b: t(2)?, bias: bias()?, flags: mac, wait }
            }
            tile::Code::F1(op) => Insn::VecF1 { dst: t(0)?, src: t(1)?, op, wait },
            tile::Code::F2(op) => Insn::VecF2 { dst: t(0)?, a: t(1)?, b: t(2)?, op, wait },
            tile::Code::Softmax => {
                Insn::VecSoftmax { dst: t(0)?, src: t(1)?, table: t(2)?, quant: q()?, wait }
            }
            tile::Code::Resize => Insn::VecResize { dst: t(0)?, src: t(1)?, rows: t(2)?, cols: t(3)?, wait },
            tile::Code::Dequantize => Insn::VecDequant { dst: t(0)?, src: t(1)?, quant: q()?, wait },
        };
        self.code.push(insn);
        for (r, temporary) in origin.into_iter().chain(mask) {
            if temporary {
                self.scalars.give(r);
            }
        }
        Ok(())
    }

    /// Origins are a loop variable or a small constant in all lowerings.
    fn origin_value(
        e: &Expr,
        vars: &BTreeMap<Var, XReg>,
        scalars: &mut Scalars,
        code: &mut Code,
    ) -> Result<(XReg, bool), CompileError> {
        match e {
            Expr::Const(0) => Ok((ZERO, false)),
            Expr::Const(c) => {
                let rd = scalars.take()?;
                code.push(Insn::Li { rd, imm: *c });
                Ok((rd, true))
            }
            Expr::Var(v) => vars
                .get(v)
                .map(|x| (*x, false))
                .ok_or(CompileError::Internal { what: "a loop variable is used outside its loop" }),
            _ => Err(CompileError::Internal { what: "the origin of a tile is a compound expression" }),
        }
    }
}

fn reg<R>(register: Option<R>) -> Result<R, CompileError> {
    register.ok_or(CompileError::Internal { what: "an operand has no descriptor register" })
}

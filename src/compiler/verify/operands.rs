//! Rules on operands: how many each code takes, in which memories, of which types and extents.

use super::scope::At;
use super::trips::{Trip, each, operand};
use crate::compiler::tile::{Code, TileOp};
use crate::isa::limits::MAX_EXTENT;
use crate::isa::{EType, Space};

const ANY: &[EType] = &EType::ALL;
const SMALL: &[EType] = &[EType::U8, EType::S8, EType::U16, EType::S16];
const BYTES: &[EType] = &[EType::U8, EType::S8];
const SUMS: &[EType] = &[EType::S32, EType::S64];
const FLOAT: &[EType] = &[EType::F32];
const RESIZED: &[EType] = &[EType::U8, EType::S8, EType::F32];
const INTEGERS: &[EType] = &[EType::U8, EType::S8, EType::U16, EType::S16, EType::S32, EType::S64];
const PLACES: &[EType] = &[EType::S32];

/// Legal memories and types of an operand.
type Operand = (&'static [Space], &'static [EType]);

const fn spm(types: &'static [EType]) -> Operand {
    (&[Space::Spm], types)
}

const fn acc(types: &'static [EType]) -> Operand {
    (&[Space::Acc], types)
}

const DRAM: Operand = (&[Space::Dram], ANY);

/// The operands of a code.
struct Form {
    /// Destination, then sources.
    operands: &'static [Operand],
    /// Whether the last operand is present only with the flag.
    bias: bool,
    quant: bool,
    /// Whether per-channel multipliers may lie in a table.
    table: bool,
    window: bool,
    mask: bool,
}

const fn form(operands: &'static [Operand]) -> Form {
    Form { operands, bias: false, quant: false, table: false, window: false, mask: false }
}

impl Form {
    fn of(code: Code) -> Form {
        match code {
            Code::DmaIn => form(const { &[spm(ANY), DRAM] }),
            Code::Gather => form(const { &[spm(ANY), DRAM, spm(INTEGERS)] }),
            Code::DmaFill => form(const { &[spm(ANY)] }),
            Code::DmaCopy => form(const { &[spm(ANY), spm(ANY)] }),
            Code::DmaOut => form(const { &[DRAM, spm(ANY)] }),
            Code::Conv | Code::Depthwise => Form { window: true, ..Form::of(Code::Matmul) },
            Code::Pruned => Form { mask: true, ..Form::of(Code::Conv) },
            Code::Matmul => {
                Form { bias: true, ..form(const { &[acc(SUMS), spm(SMALL), spm(SMALL), spm(SUMS)] }) }
            }
            Code::Requant => Form { quant: true, table: true, ..form(const { &[spm(SMALL), acc(SUMS)] }) },
            Code::Sums => form(const { &[spm(SUMS), acc(SUMS)] }),
            Code::Add | Code::Mul => {
                Form { quant: true, ..form(const { &[spm(SMALL), spm(SMALL), spm(SMALL)] }) }
            }
            Code::Lut => form(const { &[spm(SMALL), spm(BYTES), spm(SMALL)] }),
            Code::MaxPool => Form { window: true, ..form(const { &[spm(SMALL), spm(SMALL)] }) },
            Code::AvgPool => Form { quant: true, ..Form::of(Code::MaxPool) },
            Code::Rsum => form(const { &[acc(SUMS), spm(SMALL)] }),
            Code::Quantize => Form { quant: true, ..form(const { &[spm(SMALL), spm(FLOAT)] }) },
            Code::Dequantize => Form {
                quant: true,
                table: true,
                ..form(const { &[spm(FLOAT), (&[Space::Spm, Space::Acc], INTEGERS)] })
            },
            Code::F1(_) => form(const { &[spm(FLOAT), spm(FLOAT)] }),
            Code::F2(_) => form(const { &[spm(FLOAT), spm(FLOAT), spm(FLOAT)] }),
            Code::Softmax => Form { quant: true, ..form(const { &[spm(BYTES), spm(BYTES), spm(FLOAT)] }) },
            Code::Resize => form(const { &[spm(RESIZED), spm(RESIZED), spm(PLACES), spm(PLACES)] }),
        }
    }
}

/// Operands have the number and memories that the code takes: emission takes them by position.
pub(super) fn operands(at: &At<'_>) -> Result<(), String> {
    each(&at.layer.body, &mut |op, _| {
        let form = Form::of(op.code);
        let name = op.code.name();
        let most = form.operands.len();
        let least = if form.bias && !op.flag { most - 1 } else { most };
        if !(least..=most).contains(&op.views.len()) {
            return Err(format!("{name} has {} operands, it takes {least}", op.views.len()));
        }
        for (i, (view, (spaces, _))) in op.views.iter().zip(form.operands).enumerate() {
            if !spaces.contains(&view.space) {
                return Err(format!("{} lies in {}", operand(op, i), view.space.name()));
            }
        }
        let part = |what: &str, has: bool, takes: bool| match (has, takes) {
            (true, false) => Err(format!("{name} has {what}, it takes none")),
            (false, true) => Err(format!("{name} lacks {what}")),
            _ => Ok(()),
        };
        part("a quantization", op.quant.is_some(), form.quant)?;
        part("a window", op.window.is_some(), form.window)?;
        part("a mask", op.mask.is_some(), form.mask)?;
        let table = op.quant.as_ref().is_some_and(|q| q.table.is_some());
        part("a table of multipliers", table, table && form.table)
    })
}

/// Operands have types that the machine accepts.
pub(super) fn types(at: &At<'_>) -> Result<(), String> {
    each(&at.layer.body, &mut |op, _| {
        for (i, (view, (_, types))) in op.views.iter().zip(Form::of(op.code).operands).enumerate() {
            if !types.contains(&view.etype) {
                return Err(format!("{} has type {}", operand(op, i), view.etype.name()));
            }
        }
        let bytes = |i: usize| op.views.get(i).map_or(0, |v| v.etype.bytes());
        let wide =
            |sources: std::ops::Range<usize>| if sources.into_iter().any(|i| bytes(i) > 1) { 8 } else { 4 };
        let agree = match op.code {
            Code::DmaIn | Code::DmaCopy | Code::DmaOut => bytes(0) == bytes(1),
            Code::Conv | Code::Pruned | Code::Depthwise | Code::Matmul => {
                bytes(0) == wide(1..3) && (op.views.len() < 4 || bytes(3) == bytes(0))
            }
            Code::Rsum => bytes(0) == wide(1..2),
            Code::Sums => bytes(0) <= bytes(1),
            Code::Lut => bytes(0) == bytes(2),
            Code::MaxPool | Code::AvgPool | Code::Resize => op.views[0].etype == op.views[1].etype,
            Code::Gather => bytes(0) == bytes(1),
            Code::DmaFill
            | Code::Requant
            | Code::Add
            | Code::Mul
            | Code::Quantize
            | Code::Dequantize
            | Code::F1(_)
            | Code::F2(_)
            | Code::Softmax => true,
        };
        if agree {
            return Ok(());
        }
        let types: Vec<&str> = op.views.iter().map(|v| v.etype.name()).collect();
        Err(format!("{}: types {} do not go together", op.code.name(), types.join(", ")))
    })
}

/// Operands have extents that the machine accepts.
pub(super) fn extents(at: &At<'_>) -> Result<(), String> {
    each(&at.layer.body, &mut |op, trip| {
        for (i, view) in op.views.iter().enumerate() {
            let dims = view.dims.each_ref().map(|d| trip.value(d));
            if !dims.iter().all(|d| (1..=i64::from(MAX_EXTENT)).contains(d)) {
                return Err(format!("{} has extents {dims:?}", operand(op, i)));
            }
        }
        agree(op, trip)
    })
}

fn agree(op: &TileOp, trip: &Trip) -> Result<(), String> {
    let dims = |i: usize| op.views.get(i).map_or([1; 4], |v| v.dims.each_ref().map(|d| trip.value(d)));
    let [dst, a, b] = [dims(0), dims(1), dims(2)];
    let kernel = op.window.map_or([1; 2], |w| w.kernel.map(i64::from));
    let bias = op.views.len() < 4 || dims(3) == [1, 1, 1, dst[3]];
    let image = dst[0] == 1 && a[0] == 1;
    let legal = match op.code {
        Code::DmaFill => true,
        Code::Gather => {
            let flat = dst[..2] == [1, 1] && a[..2] == [1, 1];
            flat && dst[3] == a[3] && b == [1, 1, 1, dst[2]]
        }
        Code::DmaIn
        | Code::DmaCopy
        | Code::DmaOut
        | Code::Requant
        | Code::Sums
        | Code::Quantize
        | Code::Dequantize
        | Code::F1(_) => dst == a,
        Code::Add | Code::Mul | Code::F2(_) => dst == a && dst == b,
        Code::Lut | Code::Softmax => dst == a && b == [1, 1, 1, 256],
        Code::Conv | Code::Pruned => image && bias && b == [dst[3], kernel[0], kernel[1], a[3]],
        Code::Depthwise => image && bias && dst[3] == a[3] && b == [1, kernel[0], kernel[1], a[3]],
        Code::Matmul => {
            let flat = [dst, a, b].iter().all(|d| d[..2] == [1, 1]);
            flat && bias && dst[2] == a[2] && dst[3] == b[3] && a[3] == b[2]
        }
        Code::MaxPool | Code::AvgPool => image && dst[3] == a[3],
        Code::Rsum => dst == [1, 1, 1, a[3]] && a[0] == 1,
        Code::Resize => image && dst[3] == a[3] && b == [1, 1, dst[1], 4] && dims(3) == [1, 1, dst[2], 4],
    };
    if legal {
        return Ok(());
    }
    let all: Vec<String> = (0..op.views.len()).map(|i| format!("{:?}", dims(i))).collect();
    Err(format!("{}: extents {} do not go together", op.code.name(), all.join(", ")))
}

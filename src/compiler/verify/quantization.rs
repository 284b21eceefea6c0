//! Rules on zero points, clamps and factors.

use super::scope::At;
use super::trips::{each, operand};
use crate::compiler::tile::Code;
use crate::isa::{EType, Profile};

/// They are in the ranges that the machine accepts.
pub(super) fn ranges(at: &At<'_>) -> Result<(), String> {
    each(&at.layer.body, &mut |op, _| {
        for (i, view) in op.views.iter().enumerate() {
            let legal = match view.etype.int_range() {
                Some([lo, hi]) => (lo..=hi).contains(&view.zero_point),
                None => view.etype != EType::F32 || view.zero_point == 0,
            };
            if !legal {
                let name = view.etype.name();
                return Err(format!("{} has zero point {} and type {name}", operand(op, i), view.zero_point));
            }
        }
        let range = op.views.first().and_then(|v| v.etype.int_range());
        if let (Some(quant), Some([least, most])) = (&op.quant, range) {
            let [lo, hi] = quant.clamp;
            if lo > hi || lo < least || hi > most || !(least..=most).contains(&quant.zero_point) {
                return Err(format!(
                    "{}: clamp {lo} to {hi} and zero point {} for values {least} to {most}",
                    op.code.name(),
                    quant.zero_point
                ));
            }
        }
        Ok(())
    })
}

/// Requantizations, sums and products have the profile that was asked for, and in the q31 ones no f32 factor
/// beside it.
pub(super) fn rescaled(at: &At<'_>) -> Result<(), String> {
    let asked = at.scope.around.profile;
    each(&at.layer.body, &mut |op, _| {
        let Some(quant) = &op.quant else { return Ok(()) };
        let knows = matches!(op.code, Code::Requant | Code::Add | Code::Mul);
        let wanted = if knows { asked } else { Profile::Onnx };
        let (found, by) = quant.profile;
        let name = op.code.name();
        if found != wanted {
            return Err(format!("{name} has the profile {}, not {}", found.name(), wanted.name()));
        }
        if found != Profile::Onnx && [quant.m0, quant.m1, quant.c] != [0.0; 3] {
            return Err(format!("{name} has f32 factors beside multipliers and shifts"));
        }
        if by.iter().any(|r| r.shift > 63) {
            return Err(format!("{name} has a shift of more than 63"));
        }
        Ok(())
    })
}

//! Numeric profiles: in the q31 ones, integer multipliers and shifts replace the f32 factors of
//! requantizations, sums and products.

use super::super::CompileError;
use super::super::tile::{Code, Stmt, TileLayer, TileOp};
use crate::isa::{EType, Profile};
use crate::numeric::{AddRescales, Rescale};

/// Bytes of a multiplier of one channel in the constants, where the result has type `to`.
pub(in crate::compiler) fn entry_bytes(profile: Profile, to: EType) -> i64 {
    if profile == Profile::Onnx || to.int_range().is_none() { 4 } else { 8 }
}

/// The per-channel multipliers as they lie in the constants.
pub(in crate::compiler) fn table(
    node: &str,
    profile: Profile,
    to: EType,
    multipliers: &[f32],
) -> Result<Vec<u8>, CompileError> {
    if entry_bytes(profile, to) == 4 {
        return Ok(multipliers.iter().flat_map(|m| m.to_le_bytes()).collect());
    }
    let mut bytes = Vec::with_capacity(multipliers.len() * 8);
    for m in multipliers {
        let r = rescale(node, *m)?;
        bytes.extend(r.multiplier.to_le_bytes());
        bytes.extend([r.shift, 0, 0, 0]);
    }
    Ok(bytes)
}

/// Converts the quantization operands of all operations that have this profile.
pub(in crate::compiler) fn apply(layers: &mut [TileLayer], profile: Profile) -> Result<(), CompileError> {
    if profile == Profile::Onnx {
        return Ok(());
    }
    layers.iter_mut().try_for_each(|layer| statements(&layer.name, &mut layer.body, profile))
}

fn statements(node: &str, body: &mut [Stmt], profile: Profile) -> Result<(), CompileError> {
    for s in body {
        match s {
            Stmt::Loop { body, .. } => statements(node, body, profile)?,
            Stmt::Op(op) => operation(node, op, profile)?,
            Stmt::Host(_) => {}
        }
    }
    Ok(())
}

fn operation(node: &str, op: &mut TileOp, profile: Profile) -> Result<(), CompileError> {
    let wide = op.views.iter().skip(1).any(|v| v.etype.bytes() > 1);
    let Some(quant) = &mut op.quant else { return Ok(()) };
    let none = Rescale { multiplier: 0, shift: 31 };
    let by = match op.code {
        // Per-channel multipliers are in their table.
        Code::Requant if quant.table.is_some() => [none; 3],
        Code::Requant | Code::Mul => [rescale(node, quant.m0)?, none, none],
        Code::Add => AddRescales::of(quant.m0, quant.m1, wide).ok_or_else(|| refused(node, quant.m0))?.by,
        _ => return Ok(()),
    };
    quant.profile = (profile, by);
    // The factors are included in the multipliers now.
    [quant.m0, quant.m1, quant.c] = [0.0; 3];
    Ok(())
}

fn rescale(node: &str, factor: f32) -> Result<Rescale, CompileError> {
    Rescale::of(factor.into()).ok_or_else(|| refused(node, factor))
}

fn refused(node: &str, factor: f32) -> CompileError {
    CompileError::Unsupported {
        node: node.into(),
        reason: format!(
            "the factor {factor} has no multiplier of 31 bits and shift of 2 to 62, which the q31 profiles need"
        ),
    }
}

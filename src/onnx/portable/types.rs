//! Sets of element types: bit `n` stands for ONNX's type number `n`.

use crate::onnx::proto::tensor_proto::DataType;

const fn bit(t: DataType) -> u32 {
    1 << t as u32
}

pub(super) const NONE: u32 = 0;
pub(super) const F32: u32 = bit(DataType::Float);
pub(super) const F64: u32 = bit(DataType::Double);
pub(super) const S32: u32 = bit(DataType::Int32);
pub(super) const S64: u32 = bit(DataType::Int64);
pub(super) const BOOL: u32 = bit(DataType::Bool);
pub(super) const U8: u32 = bit(DataType::Uint8);
pub(super) const S8: u32 = bit(DataType::Int8);
/// The library computes both in single precision.
pub(super) const REAL: u32 = F32 | F64;
pub(super) const INDEX: u32 = S32 | S64;
pub(super) const NUMBERS: u32 = REAL | INDEX;
pub(super) const WIDE: u32 = NUMBERS | BOOL;
/// Every element type of the library. Half precision is not among them: it is f32 there, and rounds later.
pub(super) const ALL: u32 = WIDE | U8 | S8;

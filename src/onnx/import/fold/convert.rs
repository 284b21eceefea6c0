//! Conversion of elements to numbers of one kind and back: integers as 64 bits, floats as doubles.

use super::super::super::constant::{Constant, Data};
use super::super::super::proto::tensor_proto::DataType;
use crate::numeric::half;

/// The elements of a constant.
pub(super) enum Numbers {
    Integers(Vec<i64>),
    /// A sum, product or quotient of two singles in doubles, rounded to a single, equals that of singles
    /// (Figueroa, "When is double rounding innocuous?", 1995).
    Floats(Vec<f64>),
}

impl Numbers {
    pub(super) fn of(c: &Constant) -> Numbers {
        match &c.data {
            Data::F32(v) => Numbers::Floats(v.iter().map(|x| f64::from(*x)).collect()),
            Data::F64(v) => Numbers::Floats(v.clone()),
            Data::F16(v) => Numbers::Floats(v.iter().map(|x| f64::from(half::single(*x))).collect()),
            _ => Numbers::Integers(c.integers().unwrap_or_default()),
        }
    }

    /// Converts to `to` as ONNX's Cast does: floats lose their fraction, integers keep their low bits, all
    /// but zero is true. `None` for types that constants do not have.
    pub(super) fn cast(self, to: DataType) -> Option<Data> {
        Some(match (self, to) {
            (n, DataType::Float) => Data::F32(n.floats().into_iter().map(|x| x as f32).collect()),
            (n, DataType::Float16) => {
                Data::F16(n.floats().into_iter().map(|x| half::of_single(x as f32)).collect())
            }
            (n, DataType::Double) => Data::F64(n.floats()),
            (Numbers::Floats(v), DataType::Bool) => {
                Data::Bool(v.iter().map(|x| u8::from(*x != 0.0)).collect())
            }
            (n, _) => {
                let v = n.integers().into_iter();
                match to {
                    DataType::Uint8 => Data::U8(v.map(|x| x as u8).collect()),
                    DataType::Int8 => Data::S8(v.map(|x| x as i8).collect()),
                    DataType::Uint16 => Data::U16(v.map(|x| x as u16).collect()),
                    DataType::Int16 => Data::S16(v.map(|x| x as i16).collect()),
                    DataType::Uint32 => Data::U32(v.map(|x| x as u32).collect()),
                    // Negative numbers do not fit unsigned 64 bits.
                    DataType::Uint64 => Data::U64(v.map(|x| u64::try_from(x).ok()).collect::<Option<_>>()?),
                    DataType::Int32 => Data::S32(v.map(|x| x as i32).collect()),
                    DataType::Int64 => Data::S64(v.collect()),
                    DataType::Bool => Data::Bool(v.map(|x| u8::from(x != 0)).collect()),
                    _ => return None,
                }
            }
        })
    }

    fn floats(self) -> Vec<f64> {
        match self {
            Numbers::Floats(v) => v,
            Numbers::Integers(v) => v.into_iter().map(|x| x as f64).collect(),
        }
    }

    fn integers(self) -> Vec<i64> {
        match self {
            Numbers::Integers(v) => v,
            Numbers::Floats(v) => v.into_iter().map(|x| x as i64).collect(),
        }
    }
}

/// The ONNX element type of a constant.
pub(super) fn element(c: &Constant) -> DataType {
    match c.data {
        Data::U8(_) => DataType::Uint8,
        Data::S8(_) => DataType::Int8,
        Data::U16(_) => DataType::Uint16,
        Data::S16(_) => DataType::Int16,
        Data::U32(_) => DataType::Uint32,
        Data::U64(_) => DataType::Uint64,
        Data::F16(_) => DataType::Float16,
        Data::S32(_) => DataType::Int32,
        Data::S64(_) => DataType::Int64,
        Data::F32(_) => DataType::Float,
        Data::F64(_) => DataType::Double,
        Data::Bool(_) => DataType::Bool,
    }
}

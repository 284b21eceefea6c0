//! Initializers and constants as typed arrays.

use std::sync::Arc;

use super::proto::{TensorProto, tensor_proto::DataType};
use crate::graph::DType;

/// A constant tensor: little-endian bytes of the elements, row-major.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Constant {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Data,
}

/// Elements by type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Data {
    U8(Vec<u8>),
    S8(Vec<i8>),
    U16(Vec<u16>),
    S16(Vec<i16>),
    U32(Vec<u32>),
    S32(Vec<i32>),
    /// Below 2^63.
    U64(Vec<u64>),
    S64(Vec<i64>),
    /// Bits of half precision.
    F16(Vec<u16>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    /// 0 or 1.
    Bool(Vec<u8>),
}

/// Why an initializer cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConstantError {
    /// Its element type is not supported; this matters only to the node that reads it.
    #[error("element type {0} is not supported")]
    ElementType(&'static str),
    /// It violates ONNX's rules, or exceeds a limit.
    #[error("{0}")]
    Content(String),
}

impl From<String> for ConstantError {
    fn from(reason: String) -> ConstantError {
        ConstantError::Content(reason)
    }
}

impl Constant {
    /// Reads an initializer.
    pub(crate) fn read(t: &TensorProto) -> Result<Constant, ConstantError> {
        if !t.external_data.is_empty() {
            return Err("its data lies in another file; load the model by its path".to_string().into());
        }
        let mut shape = Vec::new();
        let mut elements = 1_usize;
        for d in &t.dims {
            let d = usize::try_from(*d).map_err(|_| format!("it has the extent {d}"))?;
            elements = elements.checked_mul(d).ok_or_else(|| "its size overflows".to_string())?;
            shape.push(d);
        }
        let kind = DataType::try_from(t.data_type())
            .map_err(|_| format!("unknown element type {}", t.data_type()))?;
        let raw = t.raw_data.as_deref();
        let data = match kind {
            DataType::Uint8 => Data::U8(elements_of(raw, &t.int32_data, |b: [u8; 1]| b[0], |v| v as u8)?),
            DataType::Int8 => Data::S8(elements_of(raw, &t.int32_data, i8::from_le_bytes, |v| v as i8)?),
            DataType::Uint16 => Data::U16(elements_of(raw, &t.int32_data, u16::from_le_bytes, |v| v as u16)?),
            DataType::Int16 => Data::S16(elements_of(raw, &t.int32_data, i16::from_le_bytes, |v| v as i16)?),
            DataType::Bool => Data::Bool(elements_of(
                raw,
                &t.int32_data,
                |b: [u8; 1]| u8::from(b[0] != 0),
                |v| u8::from(v != 0),
            )?),
            DataType::Double => Data::F64(elements_of(raw, &t.double_data, f64::from_le_bytes, |v| v)?),
            DataType::Float16 => {
                Data::F16(elements_of(raw, &t.int32_data, u16::from_le_bytes, |v| v as u16)?)
            }
            DataType::Uint32 => {
                Data::U32(elements_of(raw, &t.uint64_data, u32::from_le_bytes, |v| v as u32)?)
            }
            DataType::Uint64 => {
                let values = elements_of(raw, &t.uint64_data, u64::from_le_bytes, |v| v)?;
                if values.iter().any(|v| i64::try_from(*v).is_err()) {
                    return Err("integers of 2^63 and more are not supported".to_string().into());
                }
                Data::U64(values)
            }
            DataType::Int32 => Data::S32(elements_of(raw, &t.int32_data, i32::from_le_bytes, |v| v)?),
            DataType::Int64 => Data::S64(elements_of(raw, &t.int64_data, i64::from_le_bytes, |v| v)?),
            DataType::Float => Data::F32(elements_of(raw, &t.float_data, f32::from_le_bytes, |v| v)?),
            other => return Err(ConstantError::ElementType(other.as_str_name())),
        };
        if data.len() != elements {
            return Err(format!("it has {} elements, its shape {shape:?} says {elements}", data.len()).into());
        }
        Ok(Constant { name: t.name().to_string(), shape, data })
    }

    /// All elements as 64-bit integers, booleans as 0 and 1; `None` for floats.
    pub(crate) fn integers(&self) -> Option<Vec<i64>> {
        Some(match &self.data {
            Data::U8(v) => v.iter().map(|x| i64::from(*x)).collect(),
            Data::S8(v) => v.iter().map(|x| i64::from(*x)).collect(),
            Data::U16(v) => v.iter().map(|x| i64::from(*x)).collect(),
            Data::S16(v) => v.iter().map(|x| i64::from(*x)).collect(),
            Data::S32(v) => v.iter().map(|x| i64::from(*x)).collect(),
            Data::U32(v) => v.iter().map(|x| i64::from(*x)).collect(),
            Data::U64(v) => v.iter().map(|x| *x as i64).collect(),
            Data::S64(v) => v.clone(),
            Data::Bool(v) => v.iter().map(|x| i64::from(*x)).collect(),
            Data::F16(_) | Data::F32(_) | Data::F64(_) => return None,
        })
    }

    /// All elements as f32; `None` for other types.
    pub(crate) fn floats(&self) -> Option<&[f32]> {
        match &self.data {
            Data::F32(v) => Some(v),
            _ => None,
        }
    }

    /// The element type. Doubles and halves count as floats, and unsigned integers of 32 and 64 bits as
    /// signed ones, since only folding computes with them ([`folding_only`](Constant::folding_only)).
    pub(super) fn dtype(&self) -> DType {
        match self.data {
            Data::U8(_) => DType::U8,
            Data::S8(_) => DType::S8,
            Data::U16(_) => DType::U16,
            Data::S16(_) => DType::S16,
            Data::U32(_) | Data::S32(_) => DType::S32,
            Data::U64(_) | Data::S64(_) => DType::S64,
            Data::F16(_) | Data::F32(_) | Data::F64(_) => DType::F32,
            Data::Bool(_) => DType::Bool,
        }
    }

    /// The name of an element type that tensors cannot have; `None` for others.
    pub(super) fn folding_only(&self) -> Option<&'static str> {
        match self.data {
            Data::U32(_) => Some("u32"),
            Data::U64(_) => Some("u64"),
            Data::F16(_) => Some("f16"),
            Data::F64(_) => Some("f64"),
            _ => None,
        }
    }

    /// The elements as little-endian bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match &self.data {
            Data::U8(v) => v.clone(),
            Data::S8(v) => v.iter().map(|x| *x as u8).collect(),
            Data::U16(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Data::S16(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Data::U32(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Data::U64(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Data::F16(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Data::S32(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Data::S64(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Data::F32(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Data::F64(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Data::Bool(v) => v.clone(),
        }
    }

    /// The same bytes, to be shared: those of integers of 8 bits are copied once only.
    pub(super) fn shared(&self) -> Arc<[u8]> {
        match &self.data {
            Data::U8(v) => v.as_slice().into(),
            Data::S8(v) => v.iter().map(|x| *x as u8).collect(),
            _ => self.bytes().into(),
        }
    }

    /// The elements at these positions.
    pub(super) fn picked(&self, at: impl Iterator<Item = usize>) -> Data {
        match &self.data {
            Data::U8(v) => Data::U8(at.map(|i| v[i]).collect()),
            Data::S8(v) => Data::S8(at.map(|i| v[i]).collect()),
            Data::U16(v) => Data::U16(at.map(|i| v[i]).collect()),
            Data::S16(v) => Data::S16(at.map(|i| v[i]).collect()),
            Data::U32(v) => Data::U32(at.map(|i| v[i]).collect()),
            Data::U64(v) => Data::U64(at.map(|i| v[i]).collect()),
            Data::F16(v) => Data::F16(at.map(|i| v[i]).collect()),
            Data::S32(v) => Data::S32(at.map(|i| v[i]).collect()),
            Data::S64(v) => Data::S64(at.map(|i| v[i]).collect()),
            Data::F32(v) => Data::F32(at.map(|i| v[i]).collect()),
            Data::F64(v) => Data::F64(at.map(|i| v[i]).collect()),
            Data::Bool(v) => Data::Bool(at.map(|i| v[i]).collect()),
        }
    }

    /// The constant as an initializer of this name.
    pub(crate) fn to_proto(&self, name: &str) -> TensorProto {
        let kind = match self.data {
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
        };
        TensorProto {
            name: Some(name.into()),
            data_type: Some(kind as i32),
            dims: self.shape.iter().map(|d| *d as i64).collect(),
            raw_data: Some(self.bytes().into()),
            ..TensorProto::default()
        }
    }
}

impl Data {
    /// Appends elements of another constant in this range; false if they have another type.
    pub(super) fn append(&mut self, from: &Data, range: std::ops::Range<usize>) -> bool {
        match (self, from) {
            (Data::U8(to), Data::U8(v)) | (Data::Bool(to), Data::Bool(v)) => to.extend(&v[range]),
            (Data::S8(to), Data::S8(v)) => to.extend(&v[range]),
            (Data::U16(to), Data::U16(v)) => to.extend(&v[range]),
            (Data::S16(to), Data::S16(v)) => to.extend(&v[range]),
            (Data::U32(to), Data::U32(v)) => to.extend(&v[range]),
            (Data::U64(to), Data::U64(v)) => to.extend(&v[range]),
            (Data::F16(to), Data::F16(v)) => to.extend(&v[range]),
            (Data::S32(to), Data::S32(v)) => to.extend(&v[range]),
            (Data::S64(to), Data::S64(v)) => to.extend(&v[range]),
            (Data::F32(to), Data::F32(v)) => to.extend(&v[range]),
            (Data::F64(to), Data::F64(v)) => to.extend(&v[range]),
            _ => return false,
        }
        true
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Data::U8(v) => v.len(),
            Data::S8(v) => v.len(),
            Data::U16(v) => v.len(),
            Data::S16(v) => v.len(),
            Data::U32(v) => v.len(),
            Data::U64(v) => v.len(),
            Data::F16(v) => v.len(),
            Data::S32(v) => v.len(),
            Data::S64(v) => v.len(),
            Data::F32(v) => v.len(),
            Data::F64(v) => v.len(),
            Data::Bool(v) => v.len(),
        }
    }
}

/// Elements from raw bytes, or from the typed field where there are none.
fn elements_of<T, U: Copy, const N: usize>(
    raw: Option<&[u8]>,
    typed: &[U],
    from_bytes: impl Fn([u8; N]) -> T,
    from_typed: impl Fn(U) -> T,
) -> Result<Vec<T>, String> {
    match raw {
        Some(raw) => {
            let (items, rest) = raw.as_chunks::<N>();
            if !rest.is_empty() {
                return Err(format!("its {} bytes are no multiple of {N}", raw.len()));
            }
            Ok(items.iter().map(|b| from_bytes(*b)).collect())
        }
        None => Ok(typed.iter().map(|v| from_typed(*v)).collect()),
    }
}

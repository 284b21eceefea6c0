//! Type and extents that a model declares for a value, and extents that the user gives for open ones.

use std::collections::BTreeMap;

use super::super::proto::{ValueInfoProto, tensor_proto::DataType, tensor_shape_proto, type_proto};
use crate::graph::DType;
use crate::graph::verify::MOST_ELEMENTS;

/// Extents that the user gives.
pub(super) struct Given<'a> {
    pub(super) shape: Option<&'a [usize]>,
    pub(super) symbols: &'a BTreeMap<String, usize>,
}

pub(super) fn dtype_of(elem: i32) -> Option<DType> {
    Some(match DataType::try_from(elem).ok()? {
        DataType::Float => DType::F32,
        DataType::Uint8 => DType::U8,
        DataType::Int8 => DType::S8,
        DataType::Uint16 => DType::U16,
        DataType::Int16 => DType::S16,
        DataType::Int32 => DType::S32,
        DataType::Int64 => DType::S64,
        DataType::Bool => DType::Bool,
        _ => return None,
    })
}

/// Shape and element type of a graph input or output. An open leading extent is the batch: 1.
pub(super) fn declared(info: &ValueInfoProto, given: &Given) -> Result<(Vec<usize>, i32), String> {
    let Some(type_proto::Value::TensorType(t)) = info.r#type.as_ref().and_then(|t| t.value.as_ref()) else {
        return Err("it is no tensor".into());
    };
    let elem = t.elem_type();
    if let Some(given) = given.shape {
        return if given.contains(&0) { Err("an extent is 0".into()) } else { Ok((given.to_vec(), elem)) };
    }
    let Some(shape) = &t.shape else {
        return Err("the model gives it no shape; name one with --shape".into());
    };
    let mut dims = Vec::new();
    for (axis, d) in shape.dim.iter().enumerate() {
        use tensor_shape_proto::dimension::Value as Dim;
        match &d.value {
            Some(Dim::DimValue(n)) => match usize::try_from(*n) {
                Ok(n) if n > 0 && n < 1 << 40 => dims.push(n),
                _ if axis == 0 && *n <= 0 => dims.push(1),
                _ => return Err(format!("axis {axis} has the extent {n}")),
            },
            Some(Dim::DimParam(p)) if given.symbols.contains_key(p) => dims.push(given.symbols[p]),
            _ if axis == 0 => dims.push(1),
            Some(Dim::DimParam(p)) => {
                return Err(format!(
                    "axis {axis} has the open extent \"{p}\"; fix it with --dim {p}=… or --shape {}=…",
                    info.name()
                ));
            }
            None => return Err(format!("axis {axis} has no extent; fix it with --shape {}=…", info.name())),
        }
    }
    match dims.iter().try_fold(1_usize, |n, d| n.checked_mul(*d)) {
        Some(n) if n <= MOST_ELEMENTS => Ok((dims, elem)),
        _ => Err(format!("its shape {dims:?} has more than 2^31 elements")),
    }
}

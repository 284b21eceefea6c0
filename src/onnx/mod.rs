//! ONNX models: reading files, constants and shapes, and import of both quantized forms to the [integer
//! graph](crate::graph).
//!
//! [`proto`] is the schema as Rust types. To regenerate it: in a scratch project with `prost-build` and
//! `protox`, compile the `onnx.proto` that the Python package `onnx` ships, with `raw_data` of `TensorProto`
//! as `bytes`, and put the result behind the two comment lines of the present file. The build does not need
//! it.

mod constant;
mod describe;
mod extents;
mod functions;
mod given;
mod halves;
pub mod import;
pub mod load;
mod names;
mod portable;
mod role;
#[allow(clippy::all, clippy::pedantic, missing_docs, unreachable_pub, rustdoc::all, reason = "generated")]
#[rustfmt::skip]
pub mod proto;
mod schema;
mod steps;

pub(crate) use constant::{Constant, Data};
pub use describe::{Constants, Declared, Description, Form, Opset};
pub use extents::{ExtentError, check_extents};
pub use functions::FunctionError;
pub use given::{GivenError, given_extent, given_shape};
pub use import::{ImportError, ImportOptions, Imported, NodeRow, NodeStatus, Observe, import, operators};
pub(crate) use import::{defect, role};
pub use load::{LoadError, LoadedModel};
pub(crate) use names::Names;
pub use portable::{held, leans_on};
pub(crate) use portable::{omit, portable, reads, trains};
pub use role::Role;
pub(crate) use role::is_quantized;
pub(crate) use steps::steps;
pub use steps::{float_network, given_inputs};

/// The versions of ONNX's own operators that are compared with ONNX Runtime.
pub const OPSETS: std::ops::RangeInclusive<i64> = 10..=26;

/// The names used instead of numbers in the shape of a value.
pub fn named_extents(info: &proto::ValueInfoProto) -> impl Iterator<Item = &str> {
    use proto::tensor_shape_proto::dimension::Value;
    let shape = match info.r#type.as_ref().and_then(|t| t.value.as_ref()) {
        Some(proto::type_proto::Value::TensorType(tensor)) => tensor.shape.as_ref(),
        _ => None,
    };
    shape.into_iter().flat_map(|s| &s.dim).filter_map(|d| match &d.value {
        Some(Value::DimParam(name)) => Some(name.as_str()),
        _ => None,
    })
}

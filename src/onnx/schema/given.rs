//! Inputs of a node.

use super::super::proto::tensor_proto::DataType;

/// What is known about an input of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Given {
    /// It is omitted.
    LeftOut,
    /// Its type is unknown, or it is not a tensor.
    Unknown,
    /// It is a tensor of this element type.
    Tensor(DataType),
}

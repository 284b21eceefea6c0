//! What a node is given.

use super::super::proto::tensor_proto::DataType;

/// What is known about an input of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Given {
    /// It has no name.
    LeftOut,
    /// Its type is not known, or it is no tensor.
    Unknown,
    /// It is a tensor of this element type.
    Tensor(DataType),
}

//! The outcome of asking kernels to execute an operation.

/// `Some` if kernels have executed the operation: how many accumulations wrapped. `None` if they decline it,
/// because they have no form for its operands, or because the requantization fused with it would hide a wrap.
/// Results are then undefined, and the caller executes the operation in another way, which writes all of
/// them.
pub(super) type Handled = Option<u64>;

//! Errors of quantization.

/// Why a network cannot be quantized.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuantizeError {
    /// The model is not a float network of the required form.
    #[error("{0}")]
    Model(String),
    /// The opset is too old.
    #[error(
        "its opset is {found}, the quantized form needs {needed}, and some of its operators differ there: export it with opset {needed} or later"
    )]
    Opset {
        /// Of the model.
        found: i64,
        /// Needed.
        needed: i64,
    },
    /// The float library cannot run it.
    #[error("{0}")]
    Float(String),
    /// There are no calibration inputs.
    #[error("there are no calibration inputs")]
    NoInputs,
    /// A calibration input cannot be used.
    #[error("calibration input {at}: {why}")]
    Input {
        /// Its number, from 0.
        at: usize,
        /// Why.
        why: String,
    },
    /// A tensor contains NaN or infinities.
    #[error("on calibration input {at} tensor \"{tensor}\" holds values that are not finite")]
    NotFinite {
        /// Name of the value.
        tensor: String,
        /// Number of the input, from 0.
        at: usize,
    },
    /// No tensor of this name.
    #[error("the model has no quantized tensor \"{0}\"")]
    NoSuchTensor(String),
    /// No node of this name.
    #[error("the model has no node \"{0}\"")]
    NoSuchNode(String),
}

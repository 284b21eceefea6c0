//! Quantization of a float network to a model in QDQ form.
//!
//! [`Pipeline`] does all steps: [`clean`] simplifies the graph, [`Places`] finds where quantizers are needed,
//! [`calibrate()`] records statistics of these tensors over a set of inputs, [`range()`] turns them into
//! ranges, and [`write()`] writes a model that ONNX Runtime and this project's importer run. [`choose`]
//! derives parameters from statistics; [`surgery`] changes single tensors of a model in QDQ form from any
//! tool. [`equalize()`] and [`correct_biases`] prepare weights and biases for coarse scales.

mod bias;
mod calibrate;
mod choose;
mod cleanup;
mod constants;
mod counters;
mod divisors;
mod equalize;
mod error;
mod exact;
mod fidelity;
mod gemm;
mod histogram;
mod masks;
mod network;
mod noops;
mod norms;
mod parameters;
mod pipeline;
mod places;
mod prune;
mod range;
mod record;
mod settings;
mod statistics;
pub mod surgery;
mod upgrade;
mod versions;
mod weights;
mod write;

pub use bias::correct_biases;
pub use calibrate::{Calibration, calibrate};
pub use choose::{Choice, Width, choose};
pub use cleanup::{Cleaned, clean};
pub use counters::Counters;
pub use equalize::equalize;
pub use error::QuantizeError;
pub use fidelity::{Outputs, float_outputs, sqnr};
pub use histogram::{BINS, Histogram};
pub use parameters::{Activation, ActivationFormat, Parameters, WeightFormat};
pub use pipeline::{
    Calibrated, CalibrationSet, Done, Pipeline, PipelineError, Pruned, Stage, Watch, Written,
};
pub use places::{Places, WeightPlace};
pub use prune::{PrunedLayer, Pruning, prune};
pub use range::{Method, range};
pub use record::{Pictures, Quantized, Record, TensorRecord};
pub use settings::{IdleWidth, SettingError, Settings, TensorSettings};
pub use statistics::{Extreme, Statistics};
pub use weights::rounded_weights;
pub use write::write;

//! Accuracy of a quantized network, layer by layer: a program's tensors compared with those of a float
//! network.
//!
//! [`Reference`] gives the float values, [`Matching`] assigns them to tensors. [`compare`] executes the
//! program twice for each input: as it is (*accumulated* errors), and with every tensor replaced by the
//! quantized reference as soon as its layer has ended (*isolated* errors: each layer reads what a perfect
//! network before it would have computed). [`diagnose`] executes suspicious layers alone with other formats
//! and reports which change repairs them. The simulator has no part in this.

mod compare;
mod diagnose;
mod diagnosis;
mod errors;
mod experiment;
mod format;
mod layout;
mod matching;
mod picture;
mod price;
mod ranges;
mod reference;
mod runs;
mod trial;
mod verdict;
mod weights;

pub use compare::{ChannelErrors, CompareError, Comparison, LayerComparison, compare};
pub use diagnose::{Case, diagnose};
pub use diagnosis::{
    Beyond, CalibrationRange, Diagnosis, Evidence, Finding, How, Inherited, Price, WideChannel,
};
pub use errors::{Errors, NAN_DB, NO_NOISE_DB, PERFECT_STEPS, Sums, decibels};
pub use format::{Format, RangeSums, RangeUse};
pub use layout::{Axes, RefLayout, arrange, axes};
pub use matching::{MapError, Matching, Offer, Unmatched, float_name, map_from_toml};
pub use picture::{BINS, Element, Histogram, Picture};
pub use reference::{Bound, Misfit, Reference, ReferenceError, Values};
pub use verdict::{Cause, TensorTrial, Thresholds, WeightTrial, judge_tensor, judge_weights};
pub use weights::FloatWeights;

//! What quantization costs, layer by layer: a program's tensors against those of a float network.
//!
//! [`Reference`] gives the float values, [`Matching`] says which belongs to which tensor. [`compare`] executes the
//! program twice for each input: as it is (*accumulated* errors), and with every tensor replaced by the quantized
//! reference as soon as its layer has ended (*isolated* errors: each layer reads what a perfect network before it would
//! have given). Nothing here is known to the simulator.

mod compare;
mod errors;
mod format;
mod layout;
mod matching;
mod picture;
mod reference;

pub use compare::{ChannelErrors, CompareError, Comparison, Inputs, LayerComparison, compare};
pub use errors::{Errors, NO_NOISE_DB, PERFECT_STEPS, Sums, decibels};
pub use format::{Format, RangeSums, RangeUse};
pub use layout::{RefLayout, arrange};
pub use matching::{Matching, Offer, Unmatched, float_name};
pub use picture::{BINS, Element, Histogram, Picture};
pub use reference::{Bound, Reference, ReferenceError, Values};

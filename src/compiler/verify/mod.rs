//! The rules that tiled operations keep from pass to pass: what later passes, emission and the machine rely
//! on.
//!
//! An operation is examined in the first and the last trip of every loop that it depends on: extents, origins
//! and addresses are sums, products, minima and maxima of loop variables, so their extremes are there. Each
//! of these trips occurs, so every report is a real violation.
//!
//! Waits between queues are not examined: conditions are derived at emission, and the simulator finds races
//! when it loads a program.

mod broken;
mod bytes;
mod footprint;
mod lives;
mod loops;
mod operands;
mod quantization;
mod rules;
mod scope;
mod trips;

pub use broken::Broken;
pub(super) use footprint::{Footprint, footprints, same_results};
pub(super) use rules::layers;
pub use rules::{RULES, Rule};
pub(super) use scope::{Fact, Scope};

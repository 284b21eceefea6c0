//! Other machines for the same network: what more or less of a resource would change.
//!
//! Nothing here guesses: every figure is the clock of the network's program on the changed machine, which
//! `estimate --set` gives again.

mod advice;
mod several;
mod sweep;
mod thinner;

pub use advice::{Advice, Change, LayerAdvice, Saving, advise};
pub use sweep::{Axis, MOST, Point, Sweep, SweepError, sweep};

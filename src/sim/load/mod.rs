//! Loading: all checks and results that do not depend on inputs.
//!
//! A program is [`Decoded`] when its tables and instruction words are legal, and [`Loaded`] when the control
//! pass has executed it without data. Only the latter has a clock and a plan.

mod decoded;
mod limits;
mod pass;

use std::sync::Arc;

pub(super) use decoded::{Checks, complete, host_bytes};
pub use decoded::{Decoded, LoadError};
pub use limits::Limits;

use super::clock::{ClockReport, OpTiming};
use super::fault::Fault;
use super::plan::Plan;
use super::plan::record::{Record, Replay};
use super::widths::Widths;
use crate::isa::Insn;
use crate::machine::Machine;
use crate::program::Program;
use pass::{Found, control_pass};

/// A program that passed every check: it can be run any number of times, by several threads. A clone shares
/// its contents.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub(super) decoded: Arc<Decoded>,
    clock: Arc<ClockReport>,
    widths: Arc<[Widths]>,
    /// What runs execute; `None` if the record would be too long, and every run steps through the program.
    pub(super) plan: Option<Arc<Plan>>,
}

impl Loaded {
    /// Checks a program for a machine: tables, every instruction word, and in one control pass every
    /// operation that it executes, what those read, their order, and the clock.
    ///
    /// # Errors
    /// [`LoadError::Refused`] for tables, [`LoadError::Fault`] for what the program does.
    pub fn new(program: Arc<Program>, machine: &Machine, limits: Limits) -> Result<Loaded, LoadError> {
        Ok(Loaded::of(Decoded::new(program, machine, limits)?)?)
    }

    /// Checks what a program does.
    ///
    /// # Errors
    /// The first fault.
    pub fn of(decoded: impl Into<Arc<Decoded>>) -> Result<Loaded, Fault> {
        let decoded = decoded.into();
        let Found { clock, widths, record } = control_pass(&decoded)?;
        let plan = record.map(|record| Arc::new(plan(&decoded, Arc::new(record), false)));
        Ok(Loaded { decoded, clock: Arc::new(clock), widths: widths.into(), plan })
    }

    /// The same program, whose runs leave the accumulators as the program leaves them. Without this, sums
    /// that only the requantization behind their product reads may not be stored.
    #[must_use]
    pub fn keep_accumulators(mut self) -> Loaded {
        self.plan = self.plan.map(|known| Arc::new(plan(&self.decoded, Arc::clone(&known.as_written), true)));
        self
    }

    /// The program as it was decoded.
    #[must_use]
    pub fn decoded(&self) -> &Decoded {
        &self.decoded
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &Program {
        self.decoded.program()
    }

    /// The machine.
    #[must_use]
    pub fn machine(&self) -> &Machine {
        self.decoded.machine()
    }

    /// Decoded instructions.
    #[must_use]
    pub fn code(&self) -> &[Insn] {
        self.decoded.code()
    }

    /// The cycles of a run. They do not depend on inputs.
    #[must_use]
    pub fn clock(&self) -> &ClockReport {
        &self.clock
    }

    /// The widths that the instructions of each layer were executed with, by layer. They do not depend on
    /// inputs.
    #[must_use]
    pub fn widths(&self) -> &[Widths] {
        &self.widths
    }

    /// Computes the clock of a run again, as every run does.
    ///
    /// # Errors
    /// It does not fail for a program that [`Loaded::new`] accepted.
    pub fn clock_anew(&self) -> Result<ClockReport, Fault> {
        let Some(plan) = &self.plan else { return self.decoded.clock() };
        let mut clock = self.decoded.new_clock();
        Replay::new(&plan.as_written).go(&mut clock, usize::MAX);
        Ok(clock.report())
    }

    /// Issue, start, end and causes of every queue instruction, in program order.
    ///
    /// # Errors
    /// It does not fail for a program that [`Loaded::new`] accepted.
    pub fn timeline(&self) -> Result<Vec<OpTiming>, Fault> {
        let Some(plan) = &self.plan else { return self.decoded.timeline() };
        let mut clock = self.decoded.new_clock().recording();
        Replay::new(&plan.as_written).go(&mut clock, usize::MAX);
        let mut timings = clock.ended();
        timings.sort_unstable_by_key(|t| t.seq);
        Ok(timings)
    }
}

fn plan(decoded: &Decoded, record: Arc<Record>, sums: bool) -> Plan {
    Plan::new(record, &decoded.program.meta.tensors, &decoded.sizes, sums)
}

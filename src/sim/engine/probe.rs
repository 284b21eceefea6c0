//! Measuring an engine at work.

use super::Engine;
use super::fast::Fast;
use crate::isa::Space;
use crate::sim::fault::FaultKind;
use crate::sim::memory::Memory;
use crate::sim::op::QueueOp;
use crate::sim::plan::Unit;

/// What an engine executes in one call.
#[derive(Debug, Clone, Copy)]
pub enum Work<'a> {
    /// One instruction.
    Op(&'a QueueOp),
    /// A unit of a plan.
    Unit(&'a Unit),
}

impl<'a> Work<'a> {
    /// The first instruction.
    #[must_use]
    pub fn first(self) -> &'a QueueOp {
        match self {
            Work::Op(op) => op,
            Work::Unit(unit) => unit.first(),
        }
    }

    /// Whether it is one instruction.
    #[must_use]
    pub fn is_one(self) -> bool {
        matches!(self, Work::Op(_) | Work::Unit(Unit::One(_)))
    }
}

/// Is called for each piece of work of an engine, on the thread that does it. It gets no memory: the engines
/// of several threads share theirs, and only the kernels know which bytes are their own.
pub trait Probe: Send {
    /// Before the work.
    fn before(&mut self, _work: Work<'_>) {}

    /// After the work.
    fn after(&mut self, _work: Work<'_>) {}
}

/// The fast engine with a probe.
pub struct Probed {
    fast: Fast,
    probe: Box<dyn Probe>,
}

impl Probed {
    /// An engine whose work a probe sees.
    #[must_use]
    pub fn new(fast: Fast, probe: Box<dyn Probe>) -> Probed {
        Probed { fast, probe }
    }
}

impl Engine for Probed {
    fn reset(&mut self) {
        self.fast.reset();
    }

    fn defined(&mut self, space: Space, start: i64, len: usize) {
        self.fast.defined(space, start, len);
    }

    fn changed(&mut self, range: (i64, i64)) {
        self.fast.changed(range);
    }

    fn optimizes(&self) -> bool {
        self.fast.optimizes()
    }

    fn execute(&mut self, op: &QueueOp, memory: &mut Memory) -> Result<u64, FaultKind> {
        self.probe.before(Work::Op(op));
        let wraps = self.fast.execute(op, memory)?;
        self.probe.after(Work::Op(op));
        Ok(wraps)
    }

    fn execute_unit(&mut self, unit: &Unit, memory: &mut Memory) -> Result<u64, FaultKind> {
        self.probe.before(Work::Unit(unit));
        let wraps = self.fast.execute_unit(unit, memory)?;
        self.probe.after(Work::Unit(unit));
        Ok(wraps)
    }
}

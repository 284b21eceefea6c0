//! The record of the control pass: the queue instructions that a program executes, with their cost, and what
//! happens between them.
//!
//! The control core's state depends on code and constants only, so every run executes the same instructions.
//! A run without an observer of instructions follows the record: it computes values and the clock, but does
//! not step through scalars.

use std::sync::Arc;

use crate::sim::clock::EventClock;
use crate::sim::clock::cost::{Cost, Timed, Work};
use crate::sim::executed::Executed;
use crate::sim::op::QueueOp;

/// Longest record, in queue instructions and in other steps. Longer programs are stepped through in every
/// run.
const MAX_OPS: usize = 1 << 16;
const MAX_STEPS: usize = 1 << 18;
/// Most segment ends in a record.
const MAX_SEGMENTS: usize = 1 << 21;

/// A part of a record, in program order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim) enum Step {
    /// Control instructions, and masks.
    Control(Executed),
    /// The next queue instructions: how many.
    Issue(usize),
    /// `layer.begin`
    LayerBegin(u32),
    /// `layer.end`
    LayerEnd(u32),
    /// `fence`
    Fence,
    /// `host` at an instruction.
    Host { id: u32, pc: u32 },
    /// `halt`
    Halt,
}

/// The most significant step between two queue instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::sim) enum Gap {
    /// Nothing.
    None,
    /// Control instructions.
    Control,
    /// A layer begins or ends: an observer may inspect memory.
    Layer,
    /// A host layer reads and writes memory.
    Host,
}

/// For each queue instruction of a record, what happens between it and the one before.
pub(in crate::sim) struct Gaps(Vec<Gap>);

impl Gaps {
    /// The most significant step before instruction `next` and behind all those before `end`.
    pub(in crate::sim) fn most(&self, end: usize, next: usize) -> Gap {
        self.0.get(end..=next).unwrap_or_default().iter().copied().max().unwrap_or(Gap::None)
    }
}

/// A record.
#[derive(Debug)]
pub(in crate::sim) struct Record {
    pub(in crate::sim) steps: Vec<Step>,
    /// Queue instructions; each has its index here as its number.
    pub(in crate::sim) ops: Vec<Arc<QueueOp>>,
    /// What the clock must know of each.
    timed: Vec<Timed>,
    /// Instructions retired.
    pub(in crate::sim) instructions: u64,
}

impl Record {
    /// What happens between its queue instructions.
    pub(in crate::sim) fn gaps(&self) -> Gaps {
        let mut gaps = vec![Gap::None; self.ops.len() + 1];
        let mut at = 0;
        for step in &self.steps {
            let gap = match *step {
                Step::Issue(n) => {
                    at += n;
                    continue;
                }
                Step::Control(_) | Step::Fence | Step::Halt => Gap::Control,
                Step::LayerBegin(_) | Step::LayerEnd(_) => Gap::Layer,
                Step::Host { .. } => Gap::Host,
            };
            gaps[at] = gaps[at].max(gap);
        }
        Gaps(gaps)
    }

    /// The layer that is open when a queue instruction is issued.
    pub(in crate::sim) fn open_layer(&self, seq: u64) -> Option<u32> {
        let (mut issued, mut layer) = (0, None);
        for step in &self.steps {
            match *step {
                Step::Issue(n) => {
                    issued += n as u64;
                    if seq < issued {
                        break;
                    }
                }
                Step::LayerBegin(id) => layer = Some(id),
                Step::LayerEnd(_) => layer = None,
                Step::Control(_) | Step::Fence | Step::Host { .. } | Step::Halt => {}
            }
        }
        layer
    }
}

/// A record under construction, given up when it becomes too long.
#[derive(Debug)]
pub(in crate::sim) struct Recorder {
    record: Option<Record>,
    segments: usize,
}

impl Recorder {
    pub(in crate::sim) fn new() -> Recorder {
        let record = Record { steps: Vec::new(), ops: Vec::new(), timed: Vec::new(), instructions: 0 };
        Recorder { record: Some(record), segments: 0 }
    }

    /// Appends a step.
    pub(in crate::sim) fn step(&mut self, step: Step) {
        let Some(Record { steps, .. }) = &mut self.record else { return };
        match (steps.last_mut(), step) {
            (Some(Step::Control(before)), Step::Control(executed)) => *before += executed,
            (Some(Step::Issue(n)), Step::Issue(m)) => *n += m,
            _ => steps.push(step),
        }
        if steps.len() > MAX_STEPS {
            self.record = None;
        }
    }

    /// Appends a queue instruction.
    pub(in crate::sim) fn issue(&mut self, op: &QueueOp, cost: Cost) {
        let Some(Record { ops, timed, .. }) = &mut self.record else { return };
        if let Work::Transfer(transfer) = &cost.work {
            self.segments += transfer.len();
        }
        timed.push(Timed::new(op, cost));
        ops.push(Arc::new(op.clone()));
        if ops.len() > MAX_OPS || self.segments > MAX_SEGMENTS {
            self.record = None;
        }
        self.step(Step::Issue(1));
    }

    /// The record of a program that has retired this many instructions; `None` if it is too long.
    pub(in crate::sim) fn finish(self, instructions: u64) -> Option<Record> {
        let mut record = self.record?;
        record.steps.shrink_to_fit();
        record.ops.shrink_to_fit();
        record.timed.shrink_to_fit();
        record.instructions = instructions;
        Some(record)
    }
}

/// A clock's position in a record.
pub(in crate::sim) struct Replay<'r> {
    record: &'r Record,
    /// The next step, and how many of the instructions that it issues are done.
    step: usize,
    within: usize,
    issued: usize,
}

impl<'r> Replay<'r> {
    pub(in crate::sim) fn new(record: &'r Record) -> Replay<'r> {
        Replay { record, step: 0, within: 0, issued: 0 }
    }

    /// Issues up to `instructions` queue instructions, with what lies between, to the clock; returns whether
    /// something is left.
    pub(in crate::sim) fn go(&mut self, clock: &mut EventClock<'_>, instructions: usize) -> bool {
        let end = self.issued.saturating_add(instructions);
        while let Some(step) = self.record.steps.get(self.step) {
            match *step {
                Step::Control(executed) => clock.control(executed),
                Step::Issue(n) => {
                    let now = (n - self.within).min(end - self.issued);
                    for op in &self.record.timed[self.issued..self.issued + now] {
                        clock.issue_timed(op);
                    }
                    self.issued += now;
                    self.within += now;
                    if self.within < n {
                        return true;
                    }
                    self.within = 0;
                }
                Step::LayerBegin(layer) => clock.layer_begin(layer),
                Step::LayerEnd(_) => clock.layer_end(),
                Step::Fence | Step::Host { .. } => clock.fence(),
                Step::Halt => clock.halt(),
            }
            self.step += 1;
        }
        false
    }
}

//! What a program executes, recorded in the control pass: queue instructions with their cost, and what lies between them.
//!
//! The control core's state depends on code and constants only, so every run would execute the same. A run that nobody
//! watches instruction by instruction follows the record: values and the clock are computed anew, scalars are not.

use super::clock::EventClock;
use super::clock::cost::{Cost, Timed, Work};
use super::op::QueueOp;
use super::pairs;
use super::tiles::{self, Tall};
use super::validate::Memories;
use super::zero_copy::ZeroCopy;
use crate::program::TensorEntry;

/// Longest record: queue instructions, and everything else. Longer programs are stepped through in every run.
const MAX_ISSUED: usize = 1 << 16;
const MAX_STEPS: usize = 1 << 18;
/// Most ends of segments in a record.
const MAX_SEGMENTS: usize = 1 << 21;

/// A part of a record, in program order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Control instructions: plain ones, and loads from the constants.
    Control { plain: u64, loads: u64 },
    /// The next queue instructions.
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

/// A queue instruction.
#[derive(Debug, Clone)]
pub(super) struct Issued {
    pub(super) op: QueueOp,
    /// What is executed [instead](super::zero_copy).
    instead: Option<Box<QueueOp>>,
}

impl Issued {
    /// What is executed: the instruction itself, or one that reads the same values elsewhere.
    pub(super) fn executed(&self) -> &QueueOp {
        self.instead.as_deref().unwrap_or(&self.op)
    }
}

/// A record.
#[derive(Debug, Clone, Default)]
pub(super) struct Stream {
    pub(super) steps: Vec<Step>,
    pub(super) issued: Vec<Issued>,
    /// What the clock must know of each.
    timed: Vec<Timed>,
    /// Whether a queue instruction and the next one are [a pair](super::pairs).
    pub(super) pairs: Vec<bool>,
    /// [What is left](ZeroCopy::left) to bring to the scratchpad at the end.
    pub(super) left: Vec<QueueOp>,
    /// [Larger tiles](tiles), by their first instruction.
    pub(super) tall: Vec<Option<Box<Tall>>>,
    /// Instructions retired.
    pub(super) instructions: u64,
    segments: usize,
}

impl Stream {
    /// The next step. False if the record would become too long.
    pub(super) fn push(&mut self, step: Step) -> bool {
        match (self.steps.last_mut(), step) {
            (Some(Step::Control { plain, loads }), Step::Control { plain: p, loads: l }) => {
                *plain += p;
                *loads += l;
            }
            _ => self.steps.push(step),
        }
        self.steps.len() <= MAX_STEPS
    }

    /// The next queue instruction. False if the record would become too long.
    pub(super) fn issue(&mut self, op: &QueueOp, cost: Cost) -> bool {
        if let Work::Transfer(ends) = &cost.work {
            self.segments += ends.len();
        }
        self.timed.push(Timed::new(op, cost));
        self.issued.push(Issued { op: op.clone(), instead: None });
        match self.steps.last_mut() {
            Some(Step::Issue(n)) => *n += 1,
            _ => self.steps.push(Step::Issue(1)),
        }
        self.issued.len() <= MAX_ISSUED && self.segments <= MAX_SEGMENTS && self.steps.len() <= MAX_STEPS
    }

    /// The record of a program that has retired so many instructions, and whose layers leave these tensors.
    pub(super) fn finish(mut self, instructions: u64, tensors: &[TensorEntry], sizes: &Memories) -> Stream {
        self.pairs = pairs::find(&self.steps, &self.issued, sizes.acc, false);
        let (steps, issued) = (&self.steps, &mut self.issued);
        let ZeroCopy { instead, left } = ZeroCopy::find(steps, issued, tensors, sizes.writable, sizes.spm);
        issued.iter_mut().zip(instead).for_each(|(issued, instead)| issued.instead = instead);
        self.left = left;
        self.tall = tiles::find(&self.steps, &self.issued, &self.pairs);
        self.steps.shrink_to_fit();
        self.issued.shrink_to_fit();
        self.timed.shrink_to_fit();
        self.instructions = instructions;
        self
    }
}

impl Stream {
    /// Makes runs leave in the accumulators what the program does.
    pub(super) fn keep_accumulators(&mut self, sizes: &Memories) {
        self.pairs = pairs::find(&self.steps, &self.issued, sizes.acc, true);
        self.tall = tiles::find(&self.steps, &self.issued, &self.pairs);
    }
}

/// The clock's way along a record.
pub(super) struct Walk<'s> {
    stream: &'s Stream,
    /// The next step, and how many of the instructions that it issues are done.
    step: usize,
    within: usize,
    issued: usize,
}

impl<'s> Walk<'s> {
    pub(super) fn new(stream: &'s Stream) -> Walk<'s> {
        Walk { stream, step: 0, within: 0, issued: 0 }
    }

    /// Goes on for a few queue instructions, or to the end. Whether something is left.
    pub(super) fn go(&mut self, clock: &mut EventClock<'_>, instructions: usize) -> bool {
        let end = self.issued.saturating_add(instructions);
        while let Some(step) = self.stream.steps.get(self.step) {
            match *step {
                Step::Control { plain, loads } => clock.control(plain, loads),
                Step::Issue(n) => {
                    let now = (n - self.within).min(end - self.issued);
                    for op in &self.stream.timed[self.issued..self.issued + now] {
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

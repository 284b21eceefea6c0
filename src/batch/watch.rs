//! A probe that measures durations.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::sim::Loaded;
use crate::sim::engine::{Probe, Work};
use crate::sim::op::{OpKind, QueueOp};

/// Durations of instructions on this computer.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Taken {
    /// Number of executions.
    pub count: u64,
    /// Total duration in seconds.
    pub seconds: f64,
}

/// Durations by layer (`None`: before the first) and instruction.
pub type Spent = BTreeMap<(Option<u32>, &'static str), Taken>;

#[expect(clippy::disallowed_methods, reason = "real time is what is measured")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// Measures the duration of each piece of work.
pub(super) struct Timed {
    begin: Instant,
    loaded: Loaded,
    spent: Arc<Mutex<Spent>>,
}

impl Timed {
    pub(super) fn new(loaded: Loaded, spent: Arc<Mutex<Spent>>) -> Timed {
        Timed { begin: now(), loaded, spent }
    }
}

impl Probe for Timed {
    fn before(&mut self, _: Work<'_>) {
        self.begin = now();
    }

    fn after(&mut self, work: Work<'_>) {
        let seconds = self.begin.elapsed().as_secs_f64();
        let op = work.first();
        let insn = if work.is_one() {
            self.loaded.code().get(op.pc as usize).map_or("?", |i| i.opcode().info().mnemonic)
        } else {
            fused_name(op)
        };
        if let Ok(mut spent) = self.spent.lock() {
            let entry = spent.entry((op.layer, insn)).or_default();
            entry.count += 1;
            entry.seconds += seconds;
        }
    }
}

/// The name of a product with its requantization; tiles that are executed as one count once.
fn fused_name(product: &QueueOp) -> &'static str {
    if matches!(product.kind, OpKind::Depthwise(_)) {
        "mac.dw + vec.requant"
    } else {
        "mac.conv + vec.requant"
    }
}

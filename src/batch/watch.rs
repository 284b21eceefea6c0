//! An engine with a watch beside it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::isa::Space;
use crate::sim::engine::Engine;
use crate::sim::engine::fast::Fast;
use crate::sim::op::{OpKind, QueueOp};
use crate::sim::plan::Unit;
use crate::sim::{FaultKind, Loaded, Memory};

/// How long instructions took on this computer.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Taken {
    /// How often they were executed.
    pub count: u64,
    /// Seconds, all together.
    pub seconds: f64,
}

/// Times by layer (none: before the first) and instruction.
pub type Spent = BTreeMap<(Option<u32>, &'static str), Taken>;

#[expect(clippy::disallowed_methods, reason = "real time is what is measured")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// The fast engine with a watch beside it.
pub(super) struct Timed {
    pub(super) fast: Fast,
    pub(super) loaded: Loaded,
    pub(super) spent: Arc<Mutex<Spent>>,
}

impl Engine for Timed {
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
        let begin = now();
        let result = self.fast.execute(op, memory);
        let time = begin.elapsed().as_secs_f64();
        let insn = self.loaded.code().get(op.pc as usize).map_or("?", |i| i.opcode().info().mnemonic);
        self.add(op, insn, time);
        result
    }

    fn execute_unit(&mut self, unit: &Unit, memory: &mut Memory) -> Result<u64, FaultKind> {
        if let Unit::One(op) = unit {
            return self.execute(op, memory);
        }
        let begin = now();
        let result = self.fast.execute_unit(unit, memory);
        self.add(unit.first(), fused_name(unit.first()), begin.elapsed().as_secs_f64());
        result
    }
}

/// What a product and its requantization are called; tiles that are executed as one count once.
fn fused_name(product: &QueueOp) -> &'static str {
    if matches!(product.kind, OpKind::Depthwise(_)) {
        "mac.dw + vec.requant"
    } else {
        "mac.conv + vec.requant"
    }
}

impl Timed {
    fn add(&self, op: &QueueOp, insn: &'static str, time: f64) {
        if let Ok(mut spent) = self.spent.lock() {
            let entry = spent.entry((op.layer, insn)).or_default();
            entry.count += 1;
            entry.seconds += time;
        }
    }
}

//! The race checker against a simple one: the order of all pairs, derived from every ticket and fence.

use std::collections::BTreeSet;
use std::sync::Arc;

use rcar_iss::internals::isa::{Insn, Space, Wait};
use rcar_iss::internals::machine::Machine;
use rcar_iss::internals::program::Program;
use rcar_iss::internals::sim::access::{Row, for_each_row};
use rcar_iss::internals::sim::control::{ControlCore, Sink};
use rcar_iss::internals::sim::{Decoded, Executed, FaultKind, Limits, LoadError, Loaded, QueueOp};

use crate::random::build::{self, Random};

/// Queue instructions, and how many had been issued at each fence.
#[derive(Default)]
struct Stream {
    ops: Vec<QueueOp>,
    fences: Vec<usize>,
}

impl Sink for Stream {
    fn control(&mut self, _: Executed) {}
    fn issue(&mut self, op: &QueueOp) -> Result<(), FaultKind> {
        self.ops.push(op.clone());
        Ok(())
    }
    fn layer_begin(&mut self, _: u32) {}
    fn layer_end(&mut self, _: u32) -> Result<(), FaultKind> {
        Ok(())
    }
    fn fence(&mut self) {
        self.fences.push(self.ops.len());
    }
    fn host(&mut self, _: u32, _: u32) -> Result<(), FaultKind> {
        self.fences.push(self.ops.len());
        Ok(())
    }
    fn halt(&mut self) {}
}

/// The first instruction, in program order, that races with an earlier one; by its word.
fn first_race(stream: &Stream, writable: i64) -> Option<u32> {
    let rows: Vec<Vec<(Row, bool)>> = stream
        .ops
        .iter()
        .map(|op| {
            let mut rows = Vec::new();
            let _: Result<(), ()> = for_each_row(&op.kind, &mut |row, writes| {
                if row.space != Space::Dram || row.start + row.len > writable {
                    rows.push((row, writes));
                }
                Ok(())
            });
            rows
        })
        .collect();
    // What precedes each: by number among all.
    let mut before: Vec<BTreeSet<usize>> = Vec::new();
    for (i, op) in stream.ops.iter().enumerate() {
        let mut set: BTreeSet<usize> = (0..i)
            .filter(|j| {
                let other = &stream.ops[*j];
                let number = stream.ops[..=*j].iter().filter(|o| o.queue == other.queue).count() as u64;
                let ticket = op.tickets.iter().flatten().any(|t| t.queue == other.queue && number <= t.count);
                let fence = stream.fences.iter().any(|f| j < f && *f <= i);
                other.queue == op.queue || ticket || fence
            })
            .collect();
        for j in set.clone() {
            set.extend(&before[j]);
        }
        let races = (0..i).filter(|j| !set.contains(j)).any(|j| {
            rows[i].iter().any(|(a, w)| {
                rows[j].iter().any(|(b, v)| {
                    (*w || *v) && a.space == b.space && a.start < b.start + b.len && b.start < a.start + a.len
                })
            })
        });
        if races {
            return Some(op.pc);
        }
        before.push(set);
    }
    None
}

/// Whether the load refuses a program for a race; compares its verdict with the simple checker's. `None` for
/// other faults.
fn verdict(program: &Program, machine: &Machine) -> Option<bool> {
    let limits = Limits { instructions: 20_000, macs: 1 << 32, bytes: 1 << 32, ..Limits::default() };
    let program = Arc::new(program.clone());
    let found = match Loaded::new(program.clone(), machine, limits) {
        Ok(_) => None,
        Err(LoadError::Fault(fault)) if matches!(fault.kind, FaultKind::Race { .. }) => Some(fault.pc as u32),
        Err(_) => return None,
    };
    let code: Vec<Insn> = program.code.iter().map(|w| Insn::decode(*w).unwrap()).collect();
    let mut stream = Stream::default();
    ControlCore::new(&program, &code, machine, limits.instructions).run(&mut stream).unwrap();
    let writable = program.writable_base() as i64;
    assert_eq!(
        found,
        first_race(&stream, writable),
        "left: the load's racing instruction, right: the plain one"
    );
    Some(found.is_some())
}

/// All conditions of a program: word and slot.
fn conditions(program: &Program) -> Vec<(usize, usize)> {
    let waits = program.code.iter().enumerate().map(|(pc, w)| (pc, Insn::decode(*w).unwrap().wait()));
    waits.flat_map(|(pc, wait)| (0..2).filter(move |i| wait.0[*i].is_some()).map(move |i| (pc, i))).collect()
}

fn without(program: &Program, (pc, slot): (usize, usize)) -> Program {
    let mut changed = program.clone();
    let insn = Insn::decode(changed.code[pc]).unwrap();
    let mut wait = insn.wait().0;
    wait[slot] = None;
    wait.sort_by_key(Option::is_none);
    changed.code[pc] = insn.with_wait(Wait(wait)).unwrap().encode();
    changed
}

#[test]
fn a_needed_condition_that_is_missing_is_found_in_random_programs() {
    let (mut fine, mut racing) = (0, 0);
    for seed in 0..300 {
        let (program, machine) = build::program(seed, 14, false);
        let mut random = Random::new(seed);
        let conditions = conditions(&program);
        if conditions.is_empty() {
            continue;
        }
        let mut changed = program;
        for _ in 0..random.within(1, 4) {
            changed = without(&changed, random.pick(&conditions));
        }
        match verdict(&changed, &machine) {
            Some(true) => racing += 1,
            Some(false) => fine += 1,
            None => {}
        }
    }
    println!("{racing} race, {fine} do not");
    assert!(racing > 60 && fine > 60, "{racing} race, {fine} do not");
}

#[test]
fn and_in_a_compiled_network() {
    for name in ["rcn-s", "rcn-m"] {
        let machine = Machine::named(name).unwrap();
        let program = crate::repository::compile("digit_cnn/model.onnx", &machine);
        assert_eq!(verdict(&program, &machine), Some(false));
        let conditions = conditions(&program);
        let racing =
            conditions.iter().filter(|c| verdict(&without(&program, **c), &machine) == Some(true)).count();
        println!("{name}: {racing} of {} conditions are needed one by one", conditions.len());
        assert!(racing * 4 > conditions.len(), "{racing} of {}", conditions.len());
    }
}

/// Tickets name earlier instructions only, so the clock ends whatever the conditions are.
#[test]
fn no_conditions_make_a_deadlock() {
    let mut ended = 0;
    for seed in 0..300 {
        let (mut program, machine) = build::program(seed, 20, false);
        let mut random = Random::new(seed ^ 0xdead);
        for word in &mut program.code {
            let insn = Insn::decode(*word).unwrap();
            let mut cond = || {
                let queue = random.pick(&rcar_iss::internals::isa::Queue::ALL);
                let back = if random.within(0, 3) == 0 { random.within(0, 256) } else { random.within(0, 3) };
                Some(rcar_iss::internals::isa::Cond { queue, back: back as u8 })
            };
            if let Some(changed) = insn.with_wait(Wait([cond(), cond()])) {
                *word = changed.encode();
            }
        }
        // Races do not matter here: the clock ignores them.
        let limits = Limits { instructions: 20_000, ..Limits::default() };
        let decoded = Decoded::new(Arc::new(program), &machine, limits).unwrap();
        let code = decoded.code();
        let mut stream = Stream::default();
        if ControlCore::new(decoded.program(), code, &machine, limits.instructions).run(&mut stream).is_err()
        {
            continue;
        }
        // Some operands are illegal, whatever the conditions.
        let Ok(timings) = decoded.timeline() else { continue };
        ended += 1;
        assert_eq!(timings.len(), stream.ops.len(), "seed {seed}: instructions that never end");
        for (op, timing) in stream.ops.iter().zip(&timings) {
            for ticket in op.tickets.iter().flatten().filter(|t| t.count > 0) {
                let awaited =
                    timings.iter().filter(|t| t.queue == ticket.queue).nth(ticket.count as usize - 1);
                assert!(awaited.unwrap().end <= timing.start, "seed {seed}: {op:?} starts too early");
            }
        }
    }
    assert!(ended >= 200, "only {ended} programs ran to their end");
}

//! Orders a random program: wherever the race checker finds two unordered accesses, one of the ways to order
//! them is chosen.

use std::sync::Arc;

use rcar_iss::internals::isa::{Cond, Insn, Queue, Wait};
use rcar_iss::internals::machine::Machine;
use rcar_iss::internals::program::Program;
use rcar_iss::internals::sim::{FaultKind, Limits, LoadError, Loaded};

use super::build::Random;

/// The program with conditions and fences added until it has no race. Other faults stay.
pub(super) fn ordered(mut program: Program, machine: &Machine, random: &mut Random) -> Program {
    let limits = Limits { instructions: 100_000, macs: 100_000_000, bytes: 100_000_000, ..Limits::default() };
    // Every round settles one pair of instruction and queue.
    for _ in 0..4 * program.code.len() {
        let loaded = Loaded::new(Arc::new(program.clone()), machine, limits);
        let Err(LoadError::Fault(fault)) = loaded else { return program };
        let FaultKind::Race { other, .. } = &fault.kind else { return program };
        let pc = fault.pc as usize;
        let insn = Insn::decode(program.code[pc]).unwrap();
        let cond = Some(Cond { queue: other.queue, back: 0 });
        let wait = insn.wait().0;
        let free = wait.iter().position(|c| c.is_none() || c.is_some_and(|c| c.queue == other.queue));
        match (random.within(0, 8), free) {
            (0, _) => insert(&mut program, pc, &Insn::Fence),
            (1, _) | (_, None) => {
                let queue = insn.queue().unwrap_or(Queue::Vec);
                insert(&mut program, pc, &Insn::Qnop { queue, wait: Wait([cond, None]) });
            }
            (_, Some(slot)) => {
                let mut wait = wait;
                wait[slot] = cond;
                program.code[pc] = insn.with_wait(Wait(wait)).unwrap().encode();
            }
        }
    }
    program
}

/// Puts an instruction in front of another one; jumps to that one go to the new one.
fn insert(program: &mut Program, at: usize, insn: &Insn) {
    for pc in 0..program.code.len() {
        let Ok(mut present) = Insn::decode(program.code[pc]) else { continue };
        if let Insn::Beq { target, .. }
        | Insn::Bne { target, .. }
        | Insn::Blt { target, .. }
        | Insn::Bge { target, .. }
        | Insn::Jal { target, .. } = &mut present
        {
            let moved = |n: i64, from: i64| if n > from { n + 1 } else { n };
            let goal = moved(pc as i64 + i64::from(*target), at as i64);
            *target = (goal - moved(pc as i64, at as i64 - 1)) as i32;
            program.code[pc] = present.encode();
        }
    }
    for range in &mut program.meta.provenance {
        range.start += u32::from(range.start as usize > at);
        range.end += u32::from(range.end as usize > at);
    }
    program.code.insert(at, insn.encode());
}

//! The engines on random programs: same bytes in all memories, same wraps, same faults; the event clock on
//! the way.
//!
//! `RCN_PROGRAMS=1000 cargo test --test it random` tries more of them; a failure names the seed, and
//! `RCN_SEED=… RCN_LENGTH=…` runs that program alone.

pub(crate) mod build;
mod repair;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use rcar_iss::internals::isa::{Opcode, Space};
use rcar_iss::internals::kernels::cpu::Level;
use rcar_iss::internals::machine::Machine;
use rcar_iss::internals::program::{HostEntry, Program};
use rcar_iss::internals::sim::clock::ClockReport;
use rcar_iss::internals::sim::engine::Engine;
use rcar_iss::internals::sim::engine::fast::Fast;
use rcar_iss::internals::sim::{
    Decoded, Fault, FaultKind, HostRuntime, HostValue, Limits, Loaded, Observer, RunError, Session,
};

use crate::settings::{number, try_cases};

/// Adds one to every byte.
struct Host;

impl HostRuntime for Host {
    fn call(&mut self, host: &HostEntry, _: &[u8], inputs: &[HostValue]) -> Result<Vec<HostValue>, String> {
        let named = inputs.iter().zip(&host.outputs).map(|(v, t)| HostValue {
            name: t.name.clone(),
            bytes: v.bytes.iter().map(|b| b.wrapping_add(1)).collect(),
            ..v.clone()
        });
        Ok(named.collect())
    }
}

/// Which operation codes retired.
struct Retired<'a> {
    loaded: &'a Loaded,
    seen: &'a mut BTreeSet<u8>,
}

impl Observer for Retired<'_> {
    fn retire(&mut self, pc: u32, _: u64, _: Option<rcar_iss::internals::sim::Written>) {
        self.seen.insert(self.loaded.code()[pc as usize].opcode().info().opcode);
    }
}

/// What a run leaves.
#[derive(Debug, PartialEq)]
struct Left {
    wraps: u64,
    instructions: u64,
    clock: ClockReport,
    /// DRAM behind the constants, scratchpad, accumulators.
    memories: [Vec<u8>; 3],
}

impl Left {
    /// The same with the accumulators of another run: those of this one were not kept.
    fn without_accumulators(self, other: &Left) -> Left {
        let [dram, spm, _] = self.memories;
        Left { memories: [dram, spm, other.memories[2].clone()], ..self }
    }
}

fn run<O: Observer>(
    loaded: &Loaded,
    engine: Box<dyn Engine + Send>,
    observer: &mut O,
) -> Result<Left, Fault> {
    leaves(loaded.decoded(), &mut Session::with_engine(loaded, engine), observer)
}

/// What a run of a session leaves.
fn leaves<O: Observer>(decoded: &Decoded, session: &mut Session, observer: &mut O) -> Result<Left, Fault> {
    let input: Vec<u8> = (0..16).collect();
    let summary = session.run(&[("x", &input)], &mut Host, observer).map_err(|e| match e {
        RunError::Fault(fault) => fault,
        RunError::Input { .. } => panic!("{e}"),
    })?;
    let program = decoded.program();
    let mut memory = |space: Space, start: u64, bytes: u64| {
        session.memory().read(space, start as i64, bytes as usize).to_vec()
    };
    let base = program.writable_base();
    let machine = decoded.machine();
    Ok(Left {
        wraps: summary.wraps,
        instructions: summary.instructions,
        clock: summary.clock,
        memories: [
            memory(Space::Dram, base, program.meta.dram_bytes - base),
            memory(Space::Spm, 0, machine.spm.bytes),
            memory(Space::Acc, 0, machine.acc.bytes),
        ],
    })
}

/// Runs a program on both engines; whether it came to its end.
fn check(program: Program, machine: &Machine, seen: &mut BTreeSet<u8>) -> Result<bool, String> {
    let program = Arc::new(program);
    let limits = Limits { instructions: 100_000, macs: 100_000_000, bytes: 100_000_000, ..Limits::default() };
    let decoded = Decoded::new(program, machine, limits).map_err(|e| e.to_string())?;
    let decoded = Arc::new(decoded);
    let reference = leaves(&decoded, &mut Session::of_decoded(Arc::clone(&decoded)), &mut ());
    match (Loaded::of(decoded), reference) {
        (Err(load), Err(run)) if load == run => Ok(false),
        // Only the load looks for races: the engines execute in program order.
        (Err(Fault { kind: FaultKind::Race { .. }, .. }), _) => Ok(false),
        // Ids are known only when the program runs, which then ends before what the load finds.
        (Err(_), Err(run)) if run.kind.depends_on_data() => Ok(false),
        (Err(load), Err(run)) => Err(format!("the load reports {load}\nthe reference engine {run}")),
        (Err(load), Ok(_)) => Err(format!("the load reports {load}, the reference engine nothing")),
        (Ok(loaded), Err(run)) if run.kind.depends_on_data() => {
            faults_alike(&loaded, &run, seen).map(|()| false)
        }
        (Ok(_), Err(run)) => Err(format!("the reference engine reports {run}, the load nothing")),
        (Ok(loaded), Ok(reference)) => {
            let fused = loaded.clone();
            let loaded = loaded.keep_accumulators();
            if !loaded.clock().adds_up() {
                return Err(format!("the causes do not sum to the total: {:#?}", loaded.clock()));
            }
            for level in Level::available() {
                let mut observer = Retired { loaded: &loaded, seen };
                // Step by step, and along the record of the control pass.
                let stepped = run(&loaded, Box::new(Fast::at(level)), &mut observer);
                for fast in [stepped, run(&loaded, Box::new(Fast::at(level)), &mut ())] {
                    let fast = fast.map_err(|e| e.to_string())?;
                    if let Some(what) = difference(&reference, &fast) {
                        return Err(format!("{level:?}: {what}"));
                    }
                }
                let fast = run(&fused, Box::new(Fast::at(level)), &mut ()).map_err(|e| e.to_string())?;
                if let Some(what) = difference(&reference, &fast.without_accumulators(&reference)) {
                    return Err(format!("{level:?}, accumulators not kept: {what}"));
                }
            }
            // Every instruction that can be is cut into as many parts as there are threads.
            for threads in [1, 2, 3, 7] {
                let kept = threads % 2 == 1;
                let loaded = if kept { &loaded } else { &fused };
                let mut session = Session::builder(loaded).threads(threads).grain(1).build();
                // The second run finds workers that have waited, and memory that is not zero.
                for run in 0..2 {
                    let left = leaves(loaded.decoded(), &mut session, &mut ()).map_err(|e| e.to_string())?;
                    let left = if kept { left } else { left.without_accumulators(&reference) };
                    if run == 0
                        && let Some(what) = difference(&reference, &left)
                    {
                        return Err(format!("{threads} threads: {what}"));
                    }
                }
            }
            Ok(true)
        }
    }
}

/// Every engine reports the fault of a program that only a run finds, step by step and along the record, on
/// any number of threads.
fn faults_alike(loaded: &Loaded, fault: &Fault, seen: &mut BTreeSet<u8>) -> Result<(), String> {
    let alike = |what: String, left: Result<Left, Fault>| match left {
        Err(found) if found == *fault => Ok(()),
        Err(found) => Err(format!("{what} reports {found}\nthe reference engine {fault}")),
        Ok(_) => Err(format!("{what} reports nothing, the reference engine {fault}")),
    };
    for level in Level::available() {
        let mut observer = Retired { loaded, seen };
        alike(format!("{level:?}, step by step,"), run(loaded, Box::new(Fast::at(level)), &mut observer))?;
        alike(format!("{level:?}"), run(loaded, Box::new(Fast::at(level)), &mut ()))?;
    }
    for threads in [1, 2, 3, 7] {
        let mut session = Session::builder(loaded).threads(threads).grain(1).build();
        // The second run finds workers that have waited.
        for _ in 0..2 {
            alike(format!("{threads} threads"), leaves(loaded.decoded(), &mut session, &mut ()))?;
        }
    }
    Ok(())
}

fn difference(reference: &Left, fast: &Left) -> Option<String> {
    if (reference.wraps, reference.instructions) != (fast.wraps, fast.instructions) {
        return Some(format!(
            "{} wraps and {} instructions, the reference engine has {} and {}",
            fast.wraps, fast.instructions, reference.wraps, reference.instructions
        ));
    }
    if reference.clock != fast.clock {
        return Some(format!("the clock says {:?} instead of {:?}", fast.clock, reference.clock));
    }
    for (space, (r, f)) in Space::ALL.iter().zip(reference.memories.iter().zip(&fast.memories)) {
        if let Some(at) = r.iter().zip(f).position(|(a, b)| a != b) {
            return Some(format!(
                "{} differs first at byte {at:#x}: {} instead of {}",
                space.name(),
                f[at],
                r[at]
            ));
        }
    }
    None
}

/// Builds a program; every eighth seed is disturbed.
fn build(seed: u64, length: usize) -> (Program, Machine) {
    build::program(seed, length, seed.is_multiple_of(8))
}

#[test]
fn engines_agree_on_random_programs() {
    if let Some(seed) = number("RCN_SEED") {
        let (program, machine) = build(seed, number("RCN_LENGTH").unwrap_or(8) as usize);
        let code =
            Program { constants: rcar_iss::internals::program::Constants::default(), ..program.clone() };
        println!("{}", rcar_iss::internals::program::text::disassemble(&code));
        check(program, &machine, &mut BTreeSet::new()).unwrap();
        return;
    }
    let programs = number("RCN_PROGRAMS").unwrap_or(150);
    let (seen, completed) = (RefCell::new(BTreeSet::new()), Cell::new(0_u64));
    // A failing program shrinks to its shortest beginning that still fails.
    try_cases(programs as u32, &(any::<u64>().no_shrink(), 1..17_usize), |(seed, length)| {
        let (program, machine) = build(seed, length);
        match check(program, &machine, &mut seen.borrow_mut()) {
            Ok(end) => completed.set(completed.get() + u64::from(end)),
            Err(e) => {
                let again =
                    format!("RCN_SEED={seed} RCN_LENGTH={length} cargo test --test it random -- --nocapture");
                return Err(TestCaseError::fail(format!("{e}\nrun it alone: {again}")));
            }
        }
        Ok(())
    });
    let completed = completed.get();
    println!("{completed} of {programs} programs ran to their end");
    assert!(completed * 100 >= programs * 80, "only {completed} of {programs} programs ran to their end");
    let seen = seen.into_inner();
    let missing: Vec<&str> = Opcode::ALL
        .into_iter()
        .filter(|o| !seen.contains(&o.info().opcode))
        .map(|o| o.info().mnemonic)
        .collect();
    assert!(missing.is_empty(), "never retired: {missing:?}");
}

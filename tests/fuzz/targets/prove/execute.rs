//! Runs programs on both engines.

use std::path::PathBuf;
use std::sync::Arc;

use rcar_iss::internals::dtype::DType;
use rcar_iss::internals::host::FloatHost;
use rcar_iss::internals::machine::Machine;
use rcar_iss::internals::program::{HostEntry, Meta, Program};
use rcar_iss::internals::sim::{
    Decoded, EngineKind, Fault, FaultKind, HostRuntime, HostValue, Limits, LoadError, Loaded, RunError,
    Session,
};

use super::super::random::Random;

/// The work that a mutant may ask for; the reference engine takes some seconds for it.
pub(in super::super) const LIMITS: Limits = Limits {
    instructions: 100_000,
    macs: 3_000_000,
    bytes: 10_000_000,
    unordered: 1 << 12,
    comparisons: 3_000_000,
};
/// Programs with more main memory are not run.
const MOST_DRAM: u64 = 1 << 28;

/// A file of this process and thread.
pub(in super::super) fn scratch(name: &str) -> PathBuf {
    let thread = format!("{:?}", std::thread::current().id());
    let thread: String = thread.chars().filter(char::is_ascii_digit).collect();
    std::env::temp_dir().join(format!("rcar-iss-fuzz-{}-{thread}-{name}", std::process::id()))
}

/// Bytes for every input of a program: noise that floats and indices make sense of most often.
pub(in super::super) fn inputs(meta: &Meta, random: &mut Random) -> Vec<(String, Vec<u8>)> {
    let way = random.below(4);
    let mut value = |dtype: DType| -> Vec<u8> {
        let noise = random.next();
        let small = noise % 7;
        match dtype {
            DType::Bool => vec![(noise & 1) as u8],
            DType::F32 if way == 0 => (noise as u32).to_le_bytes().to_vec(),
            DType::F32 => ((noise as i16) as f32 / 8192.0).to_le_bytes().to_vec(),
            DType::S32 | DType::S64 if way > 0 => small.to_le_bytes()[..dtype.bytes()].to_vec(),
            DType::U8 | DType::S8 | DType::U16 | DType::S16 | DType::S32 | DType::S64 => {
                noise.to_le_bytes()[..dtype.bytes()].to_vec()
            }
        }
    };
    meta.inputs()
        .map(|t| {
            (t.name.clone(), (0..t.shape.iter().product::<u64>()).flat_map(|_| value(t.dtype)).collect())
        })
        .collect()
}

/// A host layer that adds one to every byte: host models of mutants need not be models.
struct AddOne;

impl HostRuntime for AddOne {
    fn call(&mut self, host: &HostEntry, _: &[u8], inputs: &[HostValue]) -> Result<Vec<HostValue>, String> {
        let named = inputs.iter().zip(&host.outputs).map(|(v, t)| HostValue {
            name: t.name.clone(),
            bytes: v.bytes.iter().map(|b| b.wrapping_add(1)).collect(),
            ..v.clone()
        });
        Ok(named.collect())
    }
}

/// What a run leaves for the user: wraps and outputs; or its fault.
type Left = Result<(u64, Vec<Vec<u8>>), Fault>;

fn run(
    session: &mut Session,
    program: &Program,
    inputs: &[(&str, &[u8])],
    host: &mut dyn HostRuntime,
) -> Result<Left, String> {
    match session.run(inputs, host, &mut ()) {
        Ok(summary) => Ok(Ok((summary.wraps, program.meta.outputs().map(|t| session.tensor(t)).collect()))),
        Err(RunError::Fault(fault)) => {
            super::said(&fault.to_string())?;
            Ok(Err(fault))
        }
        Err(e @ RunError::Input { .. }) => Err(format!("inputs that fit are refused: {e}")),
    }
}

fn same(what: &str, one: &Left, other: &Left) -> Result<(), String> {
    match (one, other) {
        (Ok(a), Ok(b)) if a == b => Ok(()),
        (Ok((a, _)), Ok((b, _))) if a != b => Err(format!("{what}: {a} wraps, {b} wraps")),
        (Ok(_), Ok(_)) => Err(format!("{what}: outputs differ")),
        (Err(a), Err(b)) if a == b => Ok(()),
        (Err(a), Err(b)) => Err(format!("{what}: {a}; {b}")),
        (Ok(_), Err(e)) | (Err(e), Ok(_)) => Err(format!("{what}: one runs, the other says: {e}")),
    }
}

/// Whether a fault is the host's: what it may compute is known only when it is asked.
fn of_host(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::HostFailed { .. })
}

/// Whether a fault depends on data.
fn of_data(fault: &Fault) -> bool {
    fault.kind.depends_on_data()
}

/// Whether a fault says that the limits are too low for the program.
fn too_long(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::Watchdog { .. })
}

/// Runs a program that may do anything: the load finds what the reference engine finds, and what is loaded
/// runs alike on both engines. Whether it came to its end.
pub(super) fn any(program: Program, machine: &Machine, seed: u64) -> Result<bool, String> {
    if program.meta.dram_bytes > MOST_DRAM || machine.spm.bytes + machine.acc.bytes > MOST_DRAM {
        return Ok(false);
    }
    let mut random = Random::new(seed);
    let program = Arc::new(program);
    let decoded = match Decoded::new(Arc::clone(&program), machine, LIMITS) {
        Ok(decoded) => Arc::new(decoded),
        Err(e) => return super::said(&e.to_string()).map(|()| false),
    };
    let inputs = inputs(&program.meta, &mut random);
    let inputs: Vec<(&str, &[u8])> =
        inputs.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let reference = run(&mut Session::of_decoded(Arc::clone(&decoded)), &program, &inputs, &mut AddOne)?;
    match (Loaded::of(decoded), reference) {
        // Only the load looks for races: the engines execute in program order.
        (Err(Fault { kind: FaultKind::Race { .. }, .. }), _) => Ok(false),
        (Err(load), _) if too_long(&load) => super::said(&load.to_string()).map(|()| false),
        // The host's faults are found by running alone, and hide what would come later.
        (_, Err(fault)) if of_host(&fault) => Ok(false),
        (Err(load), Err(fault)) if load == fault => Ok(false),
        // So do ids that only a run knows; where nothing else is wrong, all engines report the same one.
        (Err(_), Err(fault)) if of_data(&fault) => Ok(false),
        (Err(load), Err(fault)) => Err(format!("the load reports {load}; the reference engine {fault}")),
        (Err(load), Ok(_)) => Err(format!("the load reports {load}, the reference engine nothing")),
        (Ok(_), Err(fault)) if !of_data(&fault) => {
            Err(format!("the reference engine reports {fault}, the load nothing"))
        }
        (Ok(loaded), reference) => {
            if !loaded.clock().adds_up() {
                return Err("the causes do not sum to the total".into());
            }
            let mut session = session(&loaded, &mut random);
            // The second run finds memory that is not zero.
            for _ in 0..2 {
                let fast = run(&mut session, &program, &inputs, &mut AddOne)?;
                same("reference and fast engine", &reference, &fast)?;
            }
            Ok(true)
        }
    }
}

/// A session with the fast engine on one thread, or on some.
fn session(loaded: &Loaded, random: &mut Random) -> Session {
    let threads = random.pick(&[1, 1, 2, 3]);
    Session::builder(loaded).threads(threads).grain(1).build()
}

/// Runs a program that the compiler made: it must load and come to its end, on both engines alike, unless a
/// host layer refuses what it is given. Whether it did; not if it is too long.
pub(super) fn compiled(program: Program, machine: &Machine, seed: u64) -> Result<bool, String> {
    if program.meta.dram_bytes > MOST_DRAM || machine.spm.bytes + machine.acc.bytes > MOST_DRAM {
        return Ok(false);
    }
    let mut random = Random::new(seed);
    let program = Arc::new(program);
    let loaded = match Loaded::new(Arc::clone(&program), machine, LIMITS) {
        Ok(loaded) => loaded,
        Err(LoadError::Fault(fault)) if too_long(&fault) => return Ok(false),
        Err(e) => return Err(format!("what was compiled is not loaded: {e}")),
    };
    let inputs = inputs(&program.meta, &mut random);
    let inputs: Vec<(&str, &[u8])> =
        inputs.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let fast = run(&mut session(&loaded, &mut random), &program, &inputs, &mut FloatHost::new())?;
    let reference = Session::builder(&loaded).engine(EngineKind::Reference).build();
    let reference = run(&mut { reference }, &program, &inputs, &mut FloatHost::new())?;
    same("reference and fast engine", &reference, &fast)?;
    match fast {
        Err(fault) if of_data(&fault) => Ok(false),
        Err(fault) => Err(format!("what was loaded does not run: {fault}")),
        Ok(_) => Ok(true),
    }
}

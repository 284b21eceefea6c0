//! Damaged files: cut at random places or with random bytes flipped, nothing panics, and a program file is
//! always refused.

use std::path::Path;
use std::sync::Arc;

use rcar_iss::internals::compiler::{self, CompileOptions};
use rcar_iss::internals::machine::Machine;
use rcar_iss::internals::onnx::{self, ImportOptions, LoadedModel};
use rcar_iss::internals::program::{Program, Role, TensorEntry, text};
use rcar_iss::internals::sim::{EngineKind, Limits, Loaded, RunError, Session};

use crate::random::build::Random;

const DAMAGES: usize = 200;

fn read(path: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// 200 cuts and 200 times some bytes flipped, half of them near the beginning, where structure is.
fn damaged(good: &[u8], seed: u64) -> impl Iterator<Item = Vec<u8>> + '_ {
    let mut random = Random::new(seed);
    let mut place = move |n: usize| {
        let most = if random.within(0, 2) == 0 { n.min(2000) } else { n };
        (random.within(0, most as i64) as usize, random.next())
    };
    (0..2 * DAMAGES).map(move |i| {
        if i < DAMAGES {
            return good[..place(good.len()).0].to_vec();
        }
        let mut bad = good.to_vec();
        for _ in 0..1 + i % 4 {
            let (at, bits) = place(bad.len());
            bad[at] ^= (bits as u8).max(1);
        }
        bad
    })
}

/// Loads and runs the program, under small limits, on inputs of zeros; returns whether instructions were
/// executed.
fn execute(program: Program) -> bool {
    let limits = Limits { instructions: 100_000, macs: 20_000_000, bytes: 50_000_000, ..Limits::default() };
    let Ok(machine) = Machine::named(&program.meta.machine.name) else { return false };
    if program.meta.dram_bytes > 1 << 28 {
        return false;
    }
    let inputs = program.meta.tensors.iter().filter(|t| t.role == Role::Input);
    let size = |t: &TensorEntry| t.shape.iter().product::<u64>() as usize * t.dtype.bytes();
    let inputs: Vec<(String, Vec<u8>)> = inputs.map(|t| (t.name.clone(), vec![0; size(t)])).collect();
    let Ok(loaded) = Loaded::new(Arc::new(program), &machine, limits) else { return false };
    let given: Vec<(&str, &[u8])> = inputs.iter().map(|(name, bytes)| (&name[..], &bytes[..])).collect();
    let ended = Session::new(&loaded, EngineKind::Fast).run(&given, &mut (), &mut ());
    !matches!(ended, Err(RunError::Input { .. }))
}

#[test]
fn a_damaged_model_never_panics() {
    let machine = Machine::named("rcn-m").unwrap();
    for path in ["programs/digit_cnn/model.onnx", "programs/digit_cnn/qdq_sym.onnx"] {
        let good = read(path);
        let mut compiled = 0;
        for bad in damaged(&good, 1) {
            let Ok(model) = LoadedModel::from_bytes(bad) else { continue };
            let Ok(import) = onnx::import(&model, &ImportOptions::default()) else { continue };
            compiled +=
                u32::from(compiler::compile(&import.graph, &machine, &CompileOptions::default()).is_ok());
        }
        assert!(compiled > 0, "no damaged model reaches the end of the compiler: the test does not test it");
    }
}

#[test]
fn damaged_assembly_never_panics() {
    for name in ["conv", "loop", "matmul", "scalar", "fault_host_failed"] {
        let good = read(&format!("programs/{name}.s"));
        let mut ran = 0;
        for bad in damaged(&good, 2) {
            // Text that is not UTF-8 is refused when it is read.
            let Ok(source) = String::from_utf8(bad) else { continue };
            if let Ok(program) = text::assemble(&source) {
                ran += u32::from(execute(program));
            }
        }
        assert!(ran > 0, "{name}: nothing damaged assembles, loads and runs: the test does not test that");
    }
}

#[test]
fn a_damaged_machine_file_never_panics() {
    for name in Machine::names() {
        let good = read(&format!("isa/machines/{name}.toml"));
        let mut compiled = 0;
        for bad in damaged(&good, 3) {
            let Ok(source) = String::from_utf8(bad) else { continue };
            let Ok(machine) = Machine::parse(&source) else { continue };
            // What parses is a machine: a model compiles for it, or is refused with a reason.
            let graph = crate::graphs::graph(7);
            if machine.spm.bytes < 1 << 28 {
                compiled +=
                    u32::from(compiler::compile(&graph, &machine, &CompileOptions::default()).is_ok());
            }
        }
        assert!(compiled > 0, "{name}: for no damaged machine anything compiles: the test does not test it");
    }
}

#[test]
fn a_damaged_program_file_is_always_refused() {
    let machine = Machine::named("rcn-m").unwrap();
    let good = crate::repository::compile("digit_cnn/model.onnx", &machine).to_bytes().unwrap();
    let mut tried = 0;
    for bad in damaged(&good, 4).filter(|bad| *bad != good) {
        assert!(Program::from_bytes(&bad).is_err());
        tried += 1;
    }
    assert!(tried > DAMAGES, "only {tried} files are damaged");
}

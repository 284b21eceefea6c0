//! One run on several threads: the same bytes, wraps and cycles for any number of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rcar_iss::internals::machine::Machine;
use rcar_iss::internals::program::{Meta, Role};
use rcar_iss::internals::sim::engine::{Probe, Work};
use rcar_iss::internals::sim::{EngineKind, GRAIN, Limits, Loaded, Memory, Observer, Sees, Session};
use xxhash_rust::xxh3::xxh3_64;

/// Digests of all tensors at the end of their layers.
struct Digests<'a> {
    meta: &'a Meta,
    found: Vec<(u32, u64)>,
}

impl Observer for Digests<'_> {
    fn sees(&self) -> Sees {
        Sees::Layers
    }

    fn layer_end(&mut self, layer: u32, memory: &Memory) {
        for tensor in self.meta.tensors.iter().filter(|t| t.layer == Some(layer)) {
            self.found.push((layer, xxh3_64(&memory.gather(tensor))));
        }
    }
}

#[test]
fn shipped_networks_give_the_same_bytes_on_any_number_of_threads() {
    for (model, machine) in [
        ("digit_cnn/model.onnx", "rcn-s"),
        ("digit_cnn/model.onnx", "rcn-m"),
        ("efficientnet_lite0/model.onnx", "rcn-m"),
    ] {
        let machine = Machine::named(machine).unwrap();
        let program = crate::repository::compile(model, &machine);
        let loaded = Loaded::new(Arc::new(program), &machine, Limits::default()).unwrap();
        let meta = &loaded.program().meta;
        let of = |role: Role| meta.tensors.iter().filter(move |t| t.role == role);
        let inputs: Vec<(&str, Vec<u8>)> = of(Role::Input)
            .map(|t| {
                let n = t.shape.iter().product::<u64>() as u32;
                let bytes = (0..n).flat_map(|i| ((i * 7919 % 255) as f32 / 64.0 - 2.0).to_le_bytes());
                (t.name.as_str(), bytes.collect())
            })
            .collect();
        let given: Vec<(&str, &[u8])> = inputs.iter().map(|(n, b)| (*n, b.as_slice())).collect();
        let run = |threads: usize, grain: u64| {
            let mut session = Session::builder(&loaded).threads(threads).grain(grain).build();
            let mut digests = Digests { meta, found: Vec::new() };
            let watched = session.run(&given, &mut (), &mut digests).unwrap();
            let free = session.run(&given, &mut (), &mut ()).unwrap();
            assert_eq!(watched, free, "{model}: watching changes something");
            let outputs: Vec<Vec<u8>> = of(Role::Output).map(|t| session.tensor(t)).collect();
            (digests.found, outputs, free)
        };
        let alone = run(1, GRAIN);
        assert!(alone.0.len() >= meta.layers.len() / 2 && alone.2.clock == *loaded.clock(), "{model}");
        for (threads, grain) in [(2, GRAIN), (3, 20_000), (7, 1)] {
            assert!(alone == run(threads, grain), "{model}: {threads} threads give something else");
        }
    }
}

#[test]
fn a_host_layer_that_fails_ends_the_run_on_all_threads() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/programs/fault_host_failed.s");
    let program =
        rcar_iss::internals::program::text::assemble(&std::fs::read_to_string(path).unwrap()).unwrap();
    let machine = Machine::named("rcn-m").unwrap();
    let loaded = Loaded::new(Arc::new(program), &machine, Limits::default()).unwrap();
    let fault = |session: &mut Session| session.run(&[], &mut (), &mut ()).unwrap_err();
    let alone = fault(&mut Session::new(&loaded, EngineKind::Fast));
    let mut session = Session::builder(&loaded).threads(3).build();
    // Workers wait for the next run again.
    for _ in 0..20 {
        assert_eq!(fault(&mut session), alone);
    }
}

/// Panics at an instruction, as an engine may; each run starts again. Counts the pieces of work until then,
/// over all workers.
struct Panics(Arc<AtomicI64>);

impl Probe for Panics {
    fn before(&mut self, _: Work<'_>) {
        if self.0.fetch_sub(1, Ordering::Relaxed) == 0 {
            // Not `panic!`: the hook would print it.
            std::panic::resume_unwind(Box::new("the engine gave up"));
        }
    }
}

#[test]
fn an_engine_that_panics_leaves_no_state_behind() {
    let machine = Machine::named("rcn-s").unwrap();
    let program = crate::repository::compile("digit_cnn/model.onnx", &machine);
    let loaded = Loaded::new(Arc::new(program), &machine, Limits::default()).unwrap();
    let meta = &loaded.program().meta;
    let input = meta.tensors.iter().find(|t| t.role == Role::Input).unwrap();
    let bytes: Vec<u8> = (0..input.shape.iter().product::<u64>() as u32)
        .flat_map(|i| ((i * 7919 % 255) as f32 / 64.0 - 2.0).to_le_bytes())
        .collect();
    let given = [(input.name.as_str(), bytes.as_slice())];
    let output = meta.tensors.iter().find(|t| t.role == Role::Output).unwrap();
    let mut whole = Session::new(&loaded, EngineKind::Fast);
    let expected = (whole.run(&given, &mut (), &mut ()).unwrap(), whole.tensor(output));
    for threads in [1, 3] {
        let left = Arc::new(AtomicI64::new(0));
        let probe = {
            let left = Arc::clone(&left);
            move || -> Box<dyn Probe> { Box::new(Panics(Arc::clone(&left))) }
        };
        let mut session = Session::builder(&loaded).threads(threads).grain(1).probe(probe).build();
        let mut panics = 0;
        for at in 0..60 {
            left.store(at * 3, Ordering::Relaxed);
            let run = AssertUnwindSafe(|| session.run(&given, &mut (), &mut ()));
            panics += u32::from(catch_unwind(run).is_err());
            left.store(i64::MAX, Ordering::Relaxed);
            let found = (session.run(&given, &mut (), &mut ()).unwrap(), session.tensor(output));
            assert!(found == expected, "{threads} threads: after a panic at {at} the next run differs");
        }
        assert!(panics >= 10, "{threads} threads: only {panics} runs panicked");
    }
}

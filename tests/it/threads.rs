//! One run on several threads: the same bytes, wraps and cycles for any number of them.

use std::sync::Arc;

use rcar_iss::machine::Machine;
use rcar_iss::program::{Meta, Role};
use rcar_iss::sim::engine::Engine;
use rcar_iss::sim::engine::fast::Fast;
use rcar_iss::sim::{GRAIN, Limits, Loaded, Memory, Observer, Sees, Session};
use xxhash_rust::xxh3::xxh3_64;

/// Digests of all tensors at the end of their layers.
struct Digests<'a> {
    meta: &'a Meta,
    found: Vec<(u32, u64)>,
}

impl Observer for Digests<'_> {
    const SEES: Sees = Sees::Layers;

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
        let program = crate::removal::compile(model, &machine);
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
            let engine = || -> Box<dyn Engine + Send> { Box::new(Fast::new()) };
            let mut session = Session::with_threads(&loaded, threads, grain, &engine);
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
    let program = rcar_iss::program::text::assemble(&std::fs::read_to_string(path).unwrap()).unwrap();
    let machine = Machine::named("rcn-m").unwrap();
    let loaded = Loaded::new(Arc::new(program), &machine, Limits::default()).unwrap();
    let engine = || -> Box<dyn Engine + Send> { Box::new(Fast::new()) };
    let fault = |session: &mut Session<'_>| session.run(&[], &mut (), &mut ()).unwrap_err();
    let alone = fault(&mut Session::with_engine(&loaded, engine()));
    let mut session = Session::with_threads(&loaded, 3, GRAIN, &engine);
    // Workers wait for the next run again.
    for _ in 0..20 {
        assert_eq!(fault(&mut session), alone);
    }
}

//! Values come from the instructions: without a layer's MAC or VEC instructions, its dump differs or the
//! program faults.

use std::collections::BTreeMap;
use std::sync::Arc;

use rcar_iss::internals::isa::{Insn, Queue};
use rcar_iss::internals::machine::Machine;
use rcar_iss::internals::program::{Program, Role};
use rcar_iss::internals::sim::{EngineKind, Limits, Loaded, Memory, Observer, Session};

use crate::repository::compile;

/// Digests of layers' tensors at their ends.
struct Digests<'a> {
    program: &'a Program,
    wanted: &'a dyn Fn(u32) -> bool,
    found: BTreeMap<u32, Vec<u64>>,
}

impl Observer for Digests<'_> {
    fn layer_end(&mut self, layer: u32, memory: &Memory) {
        if (self.wanted)(layer) {
            let tensors = self.program.meta.tensors.iter().filter(|t| t.layer == Some(layer));
            let digests = tensors.map(|t| xxhash_rust::xxh3::xxh3_64(&memory.gather(t)));
            self.found.entry(layer).or_default().extend(digests);
        }
    }
}

/// Digests of layers after a run on a picture of noise; `None` if the program faults.
fn digests(
    program: &Program,
    machine: &Machine,
    wanted: &dyn Fn(u32) -> bool,
) -> Option<BTreeMap<u32, Vec<u64>>> {
    let loaded = Loaded::new(Arc::new(program.clone()), machine, Limits::default()).ok()?;
    let input = program.meta.tensors.iter().find(|t| t.role == Role::Input).unwrap();
    let n = input.shape.iter().product::<u64>() as u32;
    let noise = |i: u32| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 23) as f32 - 1.0;
    let bytes: Vec<u8> = (0..n).flat_map(|i| noise(i).to_le_bytes()).collect();
    let mut watch = Digests { program, wanted, found: BTreeMap::new() };
    Session::new(&loaded, EngineKind::Fast).run(&[(&input.name, &bytes)], &mut (), &mut watch).ok()?;
    Some(watch.found)
}

/// Digests of one layer; see [`digests`].
fn digests_of(program: &Program, machine: &Machine, layer: u32) -> Option<Vec<u64>> {
    digests(program, machine, &|l| l == layer)?.remove(&layer)
}

/// The program without a layer's instructions of one queue; `None` if there are none. Their conditions stay,
/// so that the others still wait for the same things.
fn without(program: &Program, layer: u32, queue: Queue) -> Option<Program> {
    let mut changed = program.clone();
    let mut found = false;
    for range in program.meta.provenance.iter().filter(|r| r.layer == layer) {
        for word in &mut changed.code[range.start as usize..range.end as usize] {
            let insn = Insn::decode(*word).unwrap();
            if insn.queue() == Some(queue) && !matches!(insn, Insn::Qnop { .. }) {
                *word = Insn::Qnop { queue, wait: insn.wait() }.encode();
                found = true;
            }
        }
    }
    found.then_some(changed)
}

fn check(model: &str, machine: &str, layers: impl Fn(usize) -> bool) {
    let machine = Machine::named(machine).unwrap();
    let program = compile(model, &machine);
    let (mut changed, mut faulted) = (0, 0);
    let intact = digests(&program, &machine, &|l| layers(l as usize)).unwrap();
    for layer in (0..program.meta.layers.len()).filter(|l| layers(*l)) {
        let id = layer as u32;
        let name = &program.meta.layers[layer].name;
        let intact = intact.get(&id).filter(|d| !d.is_empty());
        let intact = intact.unwrap_or_else(|| panic!("layer {name} has no tensor"));
        for queue in [Queue::Mac, Queue::Vec] {
            let Some(hollow) = without(&program, id, queue) else { continue };
            match digests_of(&hollow, &machine, id) {
                None => faulted += 1,
                Some(other) => {
                    assert_ne!(
                        &other,
                        intact,
                        "layer {name} does not need its {} instructions",
                        queue.name()
                    );
                    changed += 1;
                }
            }
        }
    }
    assert!(changed > 0 && changed + faulted > 5, "{changed} layers changed, {faulted} faulted");
}

#[test]
fn no_layer_of_the_digit_network_can_do_without_its_instructions() {
    check("digit_cnn/model.onnx", "rcn-m", |_| true);
    check("digit_cnn/model.onnx", "rcn-s", |_| true);
    check("digit_cnn/qdq_sym.onnx", "rcn-m", |_| true);
}

#[test]
fn nor_can_efficientnets_layers() {
    // Every layer of the model, a few on each machine: runs are what takes time here.
    check("efficientnet_lite0/model.onnx", "rcn-m", |l| l % 3 == 0);
    check("efficientnet_lite0/model.onnx", "rcn-l", |l| l % 3 == 1);
    check("efficientnet_lite0/model.onnx", "rcn-s", |l| l % 3 == 2);
}

#[test]
fn a_layer_does_not_depend_on_the_instructions_of_later_ones() {
    // The counterpart: what is not part of the layer does not change it.
    let machine = Machine::named("rcn-m").unwrap();
    let program = compile("digit_cnn/model.onnx", &machine);
    let first = digests_of(&program, &machine, 1).unwrap();
    assert!(!first.is_empty(), "layer 1 has no tensor");
    let mut ended = 0;
    for later in 2..program.meta.layers.len() as u32 {
        for queue in [Queue::Mac, Queue::Vec] {
            let Some(after) = without(&program, later, queue).and_then(|p| digests_of(&p, &machine, 1))
            else {
                continue;
            };
            assert_eq!(after, first, "layer 1 depends on {} instructions of layer {later}", queue.name());
            ended += 1;
        }
    }
    assert!(ended > 0, "every program without instructions faults: nothing is compared");
}

//! Values come from the instructions: without a layer's MAC or VEC instructions, its dump differs or the
//! program faults.

use std::path::Path;
use std::sync::Arc;

use rcar_iss::internals::compiler::{self, CompileOptions};
use rcar_iss::internals::isa::{Insn, Queue};
use rcar_iss::internals::machine::Machine;
use rcar_iss::internals::onnx::{self, ImportOptions, LoadedModel, Observe};
use rcar_iss::internals::program::{Program, Role};
use rcar_iss::internals::sim::{EngineKind, Limits, Loaded, Memory, Observer, Session};

/// Compiles a model of `programs/` for a machine, everything observed.
pub(crate) fn compile(model: &str, machine: &Machine) -> Program {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(model);
    let model = LoadedModel::from_file(&path).unwrap();
    let options = ImportOptions { observe: Observe::All, ..ImportOptions::default() };
    let graph = onnx::import(&model, &options).unwrap().graph;
    compiler::compile(&graph, machine, &CompileOptions::default()).unwrap().program
}

/// Digests of a layer's tensors at its end.
struct LayerDigest<'a> {
    program: &'a Program,
    layer: u32,
    digests: Vec<u64>,
}

impl Observer for LayerDigest<'_> {
    fn layer_end(&mut self, layer: u32, memory: &Memory) {
        if layer == self.layer {
            let tensors = self.program.meta.tensors.iter().filter(|t| t.layer == Some(layer));
            self.digests.extend(tensors.map(|t| xxhash_rust::xxh3::xxh3_64(&memory.gather(t))));
        }
    }
}

/// Digests of a layer after a run on a picture of noise; `None` if the program faults.
fn digests(program: &Program, machine: &Machine, layer: u32) -> Option<Vec<u64>> {
    let loaded = Loaded::new(Arc::new(program.clone()), machine, Limits::default()).ok()?;
    let input = program.meta.tensors.iter().find(|t| t.role == Role::Input).unwrap();
    let n = input.shape.iter().product::<u64>() as u32;
    let noise = |i: u32| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 23) as f32 - 1.0;
    let bytes: Vec<u8> = (0..n).flat_map(|i| noise(i).to_le_bytes()).collect();
    let mut watch = LayerDigest { program, layer, digests: Vec::new() };
    Session::new(&loaded, EngineKind::Fast).run(&[(&input.name, &bytes)], &mut (), &mut watch).ok()?;
    Some(watch.digests)
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
    for layer in (0..program.meta.layers.len()).filter(|l| layers(*l)) {
        let id = layer as u32;
        let name = &program.meta.layers[layer].name;
        let intact = digests(&program, &machine, id).unwrap();
        assert!(!intact.is_empty(), "layer {name} has no tensor");
        for queue in [Queue::Mac, Queue::Vec] {
            let Some(hollow) = without(&program, id, queue) else { continue };
            match digests(&hollow, &machine, id) {
                None => faulted += 1,
                Some(other) => {
                    assert_ne!(other, intact, "layer {name} does not need its {} instructions", queue.name());
                    changed += 1;
                }
            }
        }
    }
    assert!(changed + faulted > 5, "{changed} layers changed, {faulted} faulted");
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
fn wrong_instructions_do_not_go_unnoticed_elsewhere() {
    // The counterpart: what is not part of the layer does not change it.
    let machine = Machine::named("rcn-m").unwrap();
    let program = compile("digit_cnn/model.onnx", &machine);
    let last = program.meta.layers.len() as u32 - 1;
    let hollow = without(&program, last, Queue::Vec).unwrap();
    let first = digests(&program, &machine, 1).unwrap();
    let after = digests(&hollow, &machine, 1);
    assert!(after.is_none_or(|d| d == first));
}

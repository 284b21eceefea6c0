//! Random integer graphs, compiled for every machine and for a tiny one that forces tiles, executed, and
//! compared with plain loops, tensor by tensor.
//!
//! `RCN_GRAPHS=1000 cargo test --test it graphs` tries more; a failure names the seed, and `RCN_GRAPH=…` runs
//! it alone and shows its tiles and its program.

mod axes;
mod build;
mod interpret;
mod more;
mod rounding;
mod rows;
mod wider;

use std::collections::BTreeMap;
use std::sync::Arc;

use rcar_iss::internals::compiler::{self, CompileError, CompileOptions, tile};
use rcar_iss::internals::graph::fuse::{self, FuseOptions};
use rcar_iss::internals::graph::{DType, Graph, Op, TensorId, text, verify};
use rcar_iss::internals::isa::Profile;
use rcar_iss::internals::machine::Machine;
use rcar_iss::internals::program::{Program, TensorEntry};
use rcar_iss::internals::sim::{EngineKind, Limits, Loaded, Memory, Observer, Session};

use crate::random::build::Random;
use crate::settings::number;

pub(crate) use build::graph;

/// Smaller than any real machine: everything is cut into tiles.
pub(crate) fn tiny() -> Machine {
    let text = include_str!("../../../isa/machines/rcn-s.toml")
        .replace("name = \"rcn-s\"", "name = \"tiny\"")
        .replace("bytes = 262144", "bytes = 16384")
        .replace("bytes = 131072", "bytes = 8192");
    Machine::parse(&text).unwrap()
}

fn machines() -> Vec<Machine> {
    let mut list: Vec<Machine> = Machine::names().into_iter().map(|n| Machine::named(n).unwrap()).collect();
    list.push(tiny());
    list
}

/// Keeps what every layer leaves.
struct Kept<'a> {
    program: &'a Program,
    tensors: BTreeMap<String, Vec<u8>>,
}

impl Observer for Kept<'_> {
    fn layer_end(&mut self, layer: u32, memory: &Memory) {
        for t in self.program.meta.tensors.iter().filter(|t: &&TensorEntry| t.layer == Some(layer)) {
            self.tensors.insert(t.name.clone(), memory.gather(t));
        }
    }
}

fn encode(values: &[i64], dtype: DType) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()[..dtype.bytes()].to_vec()).collect()
}

/// Values of the inputs: extremes among them.
fn inputs(graph: &Graph, seed: u64) -> BTreeMap<TensorId, interpret::Values> {
    let mut random = Random::new(seed ^ 0xabcd);
    let mut values = BTreeMap::new();
    for id in &graph.inputs {
        let t = graph.tensor(*id);
        let n: usize = t.shape.iter().product();
        // Ids choose rows from the beginning or from the end.
        let gather = graph.nodes.iter().find(|n| n.op == Op::Gather && n.inputs[1] == *id);
        let rows = gather.map(|n| graph.tensor(n.inputs[0]).shape[0] as i64);
        let mut one = || match t.dtype.int_range() {
            _ if rows.is_some() => rows.map_or(0, |n| random.within(-n, n)),
            Some((lo, hi)) => random.within(lo, hi + 1),
            None => i64::from((random.within(-4000, 4000) as f32 / 800.0).to_bits()),
        };
        values.insert(*id, (0..n).map(|_| one()).collect());
    }
    values
}

/// Every numeric profile is used in turn.
fn profile(seed: u64) -> Profile {
    Profile::ALL[seed as usize % Profile::ALL.len()]
}

/// What is wrong with a graph on a machine, if anything; `false` if the machine is too small. `compiled` is
/// executed, and may have fewer tensors.
#[expect(clippy::print_stdout, reason = "what RCN_GRAPH asks for")]
fn check(graph: &Graph, compiled: &Graph, machine: &Machine, seed: u64) -> Result<bool, String> {
    let profile = profile(seed);
    rounding::set(profile);
    let options = CompileOptions { profile, ..CompileOptions::default() };
    let compiled = match compiler::compile(compiled, machine, &options) {
        Ok(compiled) => compiled,
        Err(CompileError::DoesNotFit { .. }) if machine.name == "tiny" => return Ok(false),
        Err(e) => return Err(e.to_string()),
    };
    let printed = tile::print(&compiled.layers);
    if tile::parse(&printed).map_err(|e| e.to_string())? != compiled.layers {
        return Err(format!("the tiled operations differ after a trip through text:\n{printed}"));
    }
    if number("RCN_GRAPH").is_some() {
        println!("{printed}\n{}", rcar_iss::internals::program::text::disassemble(&compiled.program));
    }
    let program = Arc::new(compiled.program);
    let loaded = Loaded::new(program.clone(), machine, Limits::default()).map_err(|e| e.to_string())?;
    let values = inputs(graph, seed);
    let expected = interpret::interpret(graph, &values);
    let bytes: Vec<(String, Vec<u8>)> = values
        .iter()
        .map(|(id, v)| (graph.tensor(*id).name.clone(), encode(v, graph.tensor(*id).dtype)))
        .collect();
    let given: Vec<(&str, &[u8])> = bytes.iter().map(|(n, b)| (n.as_str(), b.as_slice())).collect();
    let mut kept = Kept { program: &program, tensors: BTreeMap::new() };
    Session::new(&loaded, EngineKind::Fast).run(&given, &mut (), &mut kept).map_err(|e| e.to_string())?;
    let mut compared = 0;
    for (id, want) in &expected {
        let t = graph.tensor(*id);
        if graph.inputs.contains(id) || graph.constants.contains_key(id) {
            continue;
        }
        let Some(found) = kept.tensors.get(&t.name) else {
            if program.meta.removed.iter().any(|r| r.tensor == t.name) {
                continue;
            }
            return Err(format!("{} was not kept", t.name));
        };
        let want = encode(want, t.dtype);
        compared += 1;
        if *found != want {
            let size = t.dtype.bytes();
            let differ = found.chunks(size).zip(want.chunks(size)).filter(|(a, b)| a != b).count();
            let first = found.chunks(size).zip(want.chunks(size)).position(|(a, b)| a != b);
            return Err(format!(
                "tensor {} {:?}: {differ} of {} elements differ, first {first:?}",
                t.name,
                t.shape,
                want.len() / size
            ));
        }
    }
    // A graph may hand out its input.
    if compared == 0 && !graph.nodes.is_empty() { Err("no tensor was compared".into()) } else { Ok(true) }
}

fn verified(graph: &Graph) {
    verify::verify(graph).unwrap_or_else(|e| panic!("{e:?}\n{}", text::print(graph)));
}

#[test]
fn compiled_graphs_compute_what_their_operators_say() {
    all_machines(|seed| {
        let graph = graph(seed);
        verified(&graph);
        (graph.clone(), graph)
    });
}

#[test]
fn fused_graphs_compute_what_their_operators_say() {
    let mut removed = 0;
    all_machines(|seed| {
        let graph = build::chained(seed);
        verified(&graph);
        let mut fused = graph.clone();
        // Every seventh tensor is kept.
        let keep = |name: &str| name.bytes().map(u64::from).sum::<u64>() % 7 == seed % 7;
        fuse::fuse(&mut fused, &FuseOptions { keep: &keep, profile: profile(seed) });
        verified(&fused);
        removed += graph.tensors.len() - fused.tensors.len();
        for t in graph.tensors.iter().filter(|t| keep(&t.name)) {
            assert!(fused.tensors.iter().any(|u| u.name == t.name), "{} is gone", t.name);
        }
        (graph, fused)
    });
    assert!(removed > 200 || number("RCN_GRAPH").is_some(), "only {removed} tensors were fused away");
}

#[test]
fn ids_choose_rows_of_tables() {
    all_machines(|seed| {
        let graph = rows::graph(seed);
        verified(&graph);
        (graph.clone(), graph)
    });
}

#[test]
fn operands_of_many_axes_broadcast() {
    all_machines(|seed| {
        let graph = axes::graph(seed);
        verified(&graph);
        (graph.clone(), graph)
    });
}

/// Compiles and runs graphs for all machines: `make` gives what is to be computed, and the graph that is
/// compiled.
#[expect(clippy::print_stdout, reason = "how many graphs fitted the machines")]
fn all_machines(mut make: impl FnMut(u64) -> (Graph, Graph)) {
    let seeds = match number("RCN_GRAPH") {
        Some(seed) => seed..seed + 1,
        None => 0..number("RCN_GRAPHS").unwrap_or(150),
    };
    let machines = machines();
    let (mut ran, mut tried) = (0, 0);
    let mut failures = Vec::new();
    for seed in seeds {
        let (graph, compiled) = make(seed);
        for machine in &machines {
            tried += 1;
            match check(&graph, &compiled, machine, seed) {
                Ok(fits) => ran += u32::from(fits),
                Err(e) => failures.push(format!(
                    "RCN_GRAPH={seed} on {}: {e}\n{}",
                    machine.name,
                    text::print(&compiled)
                )),
            }
        }
    }
    println!("{ran} of {tried} compiled and ran");
    let shown: Vec<&str> =
        failures.iter().take(number("RCN_SHOWN").unwrap_or(3) as usize).map(String::as_str).collect();
    assert!(failures.is_empty(), "{} of {tried} failed:\n{}", failures.len(), shown.join("\n"));
    assert!(ran * 10 >= tried * 9, "only {ran} of {tried} fit");
}

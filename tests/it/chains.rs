//! Long chains of operators on the host, on the stack of a test's thread.

use std::sync::Arc;

use rcar_iss::internals::compiler::{self, CompileOptions};
use rcar_iss::internals::graph::Op;
use rcar_iss::internals::host::FloatHost;
use rcar_iss::internals::machine::Machine;
use rcar_iss::internals::onnx::{self, ImportOptions, LoadedModel};
use rcar_iss::internals::sim::{EngineKind, Limits, Loaded, Session};

use crate::small_networks::{Small, tensor};

/// The float library plans a model recursively: 8,000 operators in one would take more than the 2 MiB of a
/// thread.
#[test]
fn long_chains_on_the_host_are_cut() {
    const LENGTH: usize = 8000;
    let mut small = Small::new(17, &[4], &[4])
        .floats("s", &[], &[0.5])
        .node("QuantizeLinear", &["x", "s"], &["q"], vec![])
        .node("DequantizeLinear", &["q", "s"], &["v0"], vec![]);
    for at in 0..LENGTH {
        let (from, to) = (format!("v{at}"), format!("v{}", at + 1));
        small = small.node("Neg", &[&from], &[if at + 1 == LENGTH { "y" } else { &to }], vec![]);
    }
    let loaded = LoadedModel { model: small.model(), data: Vec::new() };
    let graph = onnx::import(&loaded, &ImportOptions::default()).unwrap().graph;
    let host = graph.nodes.iter().filter(|n| matches!(n.op, Op::Host(_)));
    let lengths: Vec<usize> = host.map(|n| n.onnx_nodes.len()).collect();
    assert_eq!((lengths.iter().sum::<usize>(), lengths.iter().max()), (LENGTH, Some(&1000)));

    let machine = Machine::named("rcn-m").unwrap();
    let program = compiler::compile(&graph, &machine, &CompileOptions::default()).unwrap().program;
    let loaded = Loaded::new(Arc::new(program), &machine, Limits::default()).unwrap();
    let mut session = Session::new(&loaded, EngineKind::Fast);
    let x = tensor(&[4], &[0.0, 1.0, 2.5, 80.0]);
    session.run(&[("x", &x.bytes)], &mut FloatHost::new(), &mut ()).unwrap();
    let output = loaded.program().meta.tensors.iter().find(|t| t.name == "y").unwrap();
    let y = session.tensor(output);
    let y: Vec<f32> = y.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    assert_eq!(y, [0.0, 1.0, 2.5, 80.0]);
}

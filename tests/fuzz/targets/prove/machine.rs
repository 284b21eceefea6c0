//! Machine files: what is accepted is a machine, for which small graphs compile and run, or are refused.

use std::sync::OnceLock;

use rcar_iss::internals::compiler::{self, CompileOptions};
use rcar_iss::internals::graph::Graph;
use rcar_iss::internals::machine::Machine;
use rcar_iss::internals::onnx::{self, ImportOptions, LoadedModel};
use xxhash_rust::xxh3::xxh3_64;

use super::super::{Proof, Reached, seeds};
use super::{execute, said};

/// Graphs of small models.
fn graphs() -> &'static [Graph] {
    static ALL: OnceLock<Vec<Graph>> = OnceLock::new();
    ALL.get_or_init(|| {
        let import = |bytes: Vec<u8>| {
            let model = LoadedModel::from_bytes(bytes).ok()?;
            onnx::import(&model, &ImportOptions::default()).ok().map(|i| i.graph)
        };
        seeds::models().into_iter().step_by(23).filter_map(import).collect()
    })
}

pub(crate) fn prove(bytes: &[u8]) -> Proof {
    let Ok(source) = std::str::from_utf8(bytes) else { return Ok(Reached::Refused) };
    let machine = match Machine::parse(source) {
        Ok(machine) => machine,
        Err(e) => return said(&e.to_string()).map(|()| Reached::Refused),
    };
    let written = toml::to_string(&machine).map_err(|e| format!("a machine cannot be written: {e}"))?;
    let again =
        Machine::parse(&written).map_err(|e| format!("a machine that was written is refused: {e}"))?;
    if again != machine || again.hash() != machine.hash() {
        return Err("the machine file holds another machine".into());
    }
    let seed = xxh3_64(bytes);
    let graph = &graphs()[seed as usize % graphs().len()];
    let estimate = compiler::estimate::estimate(graph, &machine, &CompileOptions::default());
    match compiler::compile(graph, &machine, &CompileOptions::default()) {
        Ok(compiled) => {
            estimate.map_err(|e| format!("what compiles cannot be estimated: {e}"))?;
            let ran = execute::compiled(compiled.program, &machine, seed)?;
            Ok(if ran { Reached::Ran } else { Reached::Read })
        }
        Err(e) => said(&e.to_string()).map(|()| Reached::Read),
    }
}

//! ONNX models: what `check` accepts compiles, loads and runs; everything else is refused in words.

use rcar_iss::error::Explanation;
use rcar_iss::internals::program::Program;
use rcar_iss::options::{Compile, Import};
use rcar_iss::{Machine, Model};
use xxhash_rust::xxh3::xxh3_64;

use super::super::{Proof, Reached};
use super::{execute, program, said};

fn refused(error: impl Into<Explanation>) -> Proof {
    let explanation: Explanation = error.into();
    said(&explanation.render())?;
    Ok(Reached::Refused)
}

pub(crate) fn prove(bytes: &[u8]) -> Proof {
    let seed = xxh3_64(bytes);
    let model = match Model::from_bytes(bytes) {
        Ok(model) => model,
        Err(e) => return refused(e),
    };
    let import = match seed >> 8 & 7 {
        0 => Import::new().keep_all(),
        1 => Import::new().host(false),
        _ => Import::new(),
    };
    let graph = match model.import(&import) {
        Ok(graph) => graph,
        Err(e) => return refused(e),
    };
    said(&graph.to_string())?;
    let machine = Machine::named(Machine::names()[(seed >> 16) as usize % 3]).map_err(|e| e.to_string())?;
    // As `check` does: it compiles, and asks the host.
    let compiled = match graph.compile(&machine, &Compile::new()) {
        Ok(compiled) => compiled,
        Err(e) => return refused(e),
    };
    graph.estimate(&machine).map_err(|e| format!("what compiles cannot be estimated: {e}"))?;
    let file = compiled.to_bytes().map_err(|e| format!("what was compiled cannot be written: {e}"))?;
    let compiled =
        Program::from_bytes(&file).map_err(|e| format!("what was compiled cannot be read: {e}"))?;
    program::trips(&compiled)?;
    let ran = execute::compiled(compiled, &machine, seed)?;
    Ok(if ran { Reached::Ran } else { Reached::Read })
}

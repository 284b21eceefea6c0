//! Files that the repository ships, as tests name them.

use std::path::Path;

use rcar_iss::internals::compiler::{self, CompileOptions};
use rcar_iss::internals::machine::Machine;
use rcar_iss::internals::onnx::{self, ImportOptions, LoadedModel, Observe};
use rcar_iss::internals::program::Program;

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The path of a file of `programs/`, as an argument of a command.
pub(crate) fn shipped(name: &str) -> String {
    root().join("programs").join(name).display().to_string()
}

/// The path of a file of the digit network.
pub(crate) fn digit(name: &str) -> String {
    shipped(&format!("digit_cnn/{name}"))
}

/// Compiles a model of `programs/` for a machine, everything observed.
pub(crate) fn compile(model: &str, machine: &Machine) -> Program {
    let model = LoadedModel::from_file(Path::new(&shipped(model))).unwrap();
    let options = ImportOptions { observe: Observe::All, ..ImportOptions::default() };
    let graph = onnx::import(&model, &options).unwrap().graph;
    compiler::compile(&graph, machine, &CompileOptions::default()).unwrap().program
}

//! `--float-engine`: the library that runs float networks and host layers.

use std::path::Path;

use super::args::EngineArgs;
use crate::explain::Failure;
use crate::float::{Engine, Wanted};
use crate::host;
use crate::program::Program;

/// The engine that was asked for: `auto`, `rten`, `onnxruntime` or a path.
pub(super) fn chosen(name: &str) -> Result<Engine, Failure> {
    let Some(library) = Wanted::named(name).library() else { return Ok(Engine::Rten) };
    super::places::reads(&library.path)?;
    Engine::of_library(&library).map_err(|e| Failure::float_engine(name, &library, &e))
}

/// The engine that a model's host layers are compiled for: `rten` unless another is named, so that a program
/// does not depend on an environment variable.
pub(super) fn of_models(args: &EngineArgs) -> Result<Engine, Failure> {
    match args.wanted() {
        "auto" => Ok(Engine::Rten),
        name => chosen(name),
    }
}

/// Loads the library that the host layers of a program were compiled for.
pub(super) fn for_hosts(path: &Path, program: &Program, args: &EngineArgs) -> Result<(), Failure> {
    let Some(host) = host::on_onnx_runtime(program) else { return Ok(()) };
    match chosen(args.wanted())? {
        Engine::OnnxRuntime(_) => Ok(()),
        Engine::Rten => Err(Failure::needs_onnx_runtime(path, host)),
    }
}

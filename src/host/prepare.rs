//! Checks before a run that a program's host layers can be executed.

use super::FloatHost;
use crate::program::{HostEntry, Program};

/// A host layer that cannot be executed here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("host layer \"{layer}\" with {op_types} cannot run: {why} (ONNX nodes {nodes})")]
pub struct HostError {
    /// Its name.
    pub layer: String,
    /// Types of its operators, as a list.
    pub op_types: String,
    /// Names of its nodes, as a list.
    pub nodes: String,
    /// The library's message.
    pub why: String,
}

/// Loads the model of every host layer once, so that an unsupported operator is found before the program
/// runs.
///
/// # Errors
/// The first layer that cannot run.
pub fn prepare(program: &Program) -> Result<(), HostError> {
    let mut host = FloatHost::new();
    for (model, entry) in program.host_models.iter().zip(&program.meta.hosts) {
        host.prepare(entry, model).map_err(|why| {
            let layer = program.meta.layers.get(entry.layer as usize);
            HostError {
                layer: layer.map_or_else(|| "?".into(), |l| l.name.clone()),
                op_types: entry.op_types.join(", "),
                nodes: layer.map(|l| l.onnx_nodes.join(", ")).unwrap_or_default(),
                why,
            }
        })?;
    }
    Ok(())
}

/// A host layer that was compiled for ONNX Runtime, if there is one: that library must be loaded before the
/// program runs.
#[must_use]
pub fn on_onnx_runtime(program: &Program) -> Option<&HostEntry> {
    program.meta.hosts.iter().find(|h| h.onnxruntime)
}

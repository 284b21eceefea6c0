//! The integer graph.

use std::fmt;
use std::path::PathBuf;

use super::error;
use super::{Compile, Program};
use crate::compiler::{self, CompileOptions};
use crate::graph;
use crate::host;
use crate::machine::Machine;
use crate::profile::Profile;

/// The integer graph of a quantized model; its text (`Display`) shows operators, scales and zero points.
#[derive(Debug, Clone)]
pub struct Graph {
    pub(super) graph: graph::Graph,
    /// The model's file, for messages.
    pub(super) path: PathBuf,
    /// Compile options from the model and its import.
    pub(super) options: CompileOptions,
}

impl Graph {
    /// The name of the network.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.graph.name
    }

    /// Compiles the graph for a machine.
    ///
    /// # Errors
    /// The layer that cannot be compiled, and why.
    pub fn compile(&self, machine: &Machine, options: &Compile) -> Result<Program, error::Compile> {
        let options = CompileOptions { dense_weights: options.dense_weights, ..self.options.clone() };
        let program = compiler::compile(&self.graph, machine, &options)
            .map_err(error::Compile::of(&self.path))?
            .program;
        host::prepare(&program)?;
        Ok(Program::of(program, Some(machine.clone()), &self.path))
    }

    /// The cycles of [`compile`](Graph::compile)'s program, without its constants: fast, to compare machines.
    ///
    /// # Errors
    /// The layer that cannot be compiled, and why.
    pub fn estimate(&self, machine: &Machine) -> Result<Profile, error::Compile> {
        let estimate = compiler::estimate::estimate(&self.graph, machine, &self.options);
        let estimate = estimate.map_err(error::Compile::of(&self.path))?;
        Ok(Profile::estimated(machine, &estimate))
    }
}

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&graph::text::print(&self.graph))
    }
}

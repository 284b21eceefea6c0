//! Integer graph → program.
//!
//! There are two levels. `lower` turns each node into a [`TileLayer`]: loops of tiled operations with
//! addresses and extents, but without registers; the passes of [`pipeline`] transform those. Emission turns
//! them into instruction words with conditions between the queues. Before that, [`storage`] decides the
//! layout of every tensor and [`memory`] its address.
//!
//! The compiler does not use the simulator: all it knows of the machine is the machine file.

mod bounds;
mod constants;
mod cost;
mod emit;
mod error;
pub mod estimate;
mod lower;
pub mod memory;
mod options;
mod passes;
pub mod pipeline;
mod price;
pub mod storage;
mod surroundings;
mod sync;
mod tables;
pub mod tile;
mod tiled;
mod verify;

use crate::graph::{Graph, Node, Op, TensorId};
use crate::isa::ISA_VERSION;
use crate::machine::Machine;
use crate::program::{MachineId, Meta, Program};
use constants::Constants;
pub use error::CompileError;
pub use options::{CompileOptions, PreprocessError};
use passes::tensor_placement;
use pipeline::{PASSES, Pass};
use storage::TENSOR_BASE;
use tables::{host_entry, layer_entry, removed_entries, tensor_entries};
use tile::TileLayer;
use tiled::{Tiled, tiled};
pub use verify::{Broken, RULES, Rule};

/// A compiled program and its tiled operations.
#[derive(Debug, Clone, PartialEq)]
pub struct Compiled {
    /// The program.
    pub program: Program,
    /// The tiled operations that it was emitted from.
    pub layers: Vec<TileLayer>,
    /// Comments for a listing, by instruction.
    pub comments: Vec<(usize, String)>,
}

/// Compiles a graph for a machine.
///
/// # Errors
/// [`CompileError`] names the layer and the reason.
pub fn compile(graph: &Graph, machine: &Machine, options: &CompileOptions) -> Result<Compiled, CompileError> {
    let Tiled { plan, mut constants, layers, least } =
        tiled(graph, machine, options, Constants::new, PASSES)?;
    let hosts: Vec<(usize, &Node)> =
        graph.nodes.iter().enumerate().filter(|(_, n)| matches!(n.op, Op::Host(_))).collect();
    let models = hosts.iter().filter_map(|(_, n)| match &n.op {
        Op::Host(model) => Some(model.model.clone()),
        _ => None,
    });
    let host_models = models.collect();

    let base = tensor_placement::base(&layers, constants.len());
    constants.records_for(&machine.control);
    let code = emit::emit(&layers, &mut constants)?;

    let dram_bytes = (base + plan.bytes) as u64;
    if dram_bytes > machine.dram.bytes {
        return Err(CompileError::Dram { need: dram_bytes, have: machine.dram.bytes });
    }
    let place = |id: TensorId| {
        let mut s = plan.storage[&id].clone();
        if s.address >= TENSOR_BASE {
            s.address += base - TENSOR_BASE;
        }
        s
    };
    let meta = Meta {
        name: graph.name.clone(),
        isa_version: ISA_VERSION,
        machine: MachineId { name: machine.name.clone(), hash: format!("{:016x}", machine.hash()) },
        dram_bytes,
        layers: graph.nodes.iter().zip(least).map(|(n, l)| layer_entry(graph, n, l)).collect(),
        provenance: code.provenance,
        tensors: tensor_entries(graph, options, &place),
        hosts: hosts.iter().map(|(i, n)| host_entry(graph, *i, n, &place)).collect(),
        removed: removed_entries(graph),
    };
    let program = Program {
        meta,
        code: code.insns.iter().map(crate::isa::Insn::encode).collect(),
        constants: constants.finish(base as usize).into(),
        host_models,
    };
    Ok(Compiled { program, layers, comments: code.comments })
}

/// The tiled operations of a graph after some of the passes: [`pipeline::up_to`] names them.
///
/// # Errors
/// [`CompileError`], as [`compile`].
pub fn tiles(
    graph: &Graph,
    machine: &Machine,
    options: &CompileOptions,
    passes: &[Pass],
) -> Result<Vec<TileLayer>, CompileError> {
    Ok(tiled(graph, machine, options, Constants::hollow, passes)?.layers)
}

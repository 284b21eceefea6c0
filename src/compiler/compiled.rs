//! The program of one plan: lowered, passed through the pipeline, emitted, with its tables.

use super::emit;
use super::error::CompileError;
use super::passes::tensor_placement;
use super::pipeline::PASSES;
use super::storage::TENSOR_BASE;
use super::tables::{host_entry, layer_entry, removed_entries, tensor_entries};
use super::tile::TileLayer;
use super::tiled::{Plan, Tiled, tiled};
use crate::graph::{Graph, Node, Op, TensorId};
use crate::isa::ISA_VERSION;
use crate::program::{MachineId, Meta, Program};

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

/// Makes the program of a plan.
pub(super) fn assemble(graph: &Graph, how: Plan<'_>) -> Result<Compiled, CompileError> {
    let Plan { machine, options, .. } = how;
    let Tiled { plan, mut constants, layers, least } = tiled(graph, how, PASSES)?;
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
        constants: constants.finish(base as usize),
        host_models,
    };
    Ok(Compiled { program, layers, comments: code.comments })
}

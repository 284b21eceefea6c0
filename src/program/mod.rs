//! The program: code, constants and everything that a simulator, a trace or a user needs to know about them.
//!
//! A [`Program`] is plain data. The [compiler](crate::compiler) and the assembler make it; [`elf`] writes and
//! reads the file; the simulator executes it. ONNX names are strings in it.
//!
//! Address map of DRAM: the constant segment at `[0, constants.len())`, read-only; from
//! [`Program::writable_base`] on inputs, outputs and intermediate tensors.

mod constants;
pub mod elf;
mod kind;
pub mod tables;
mod target;
pub mod text;

use std::sync::Arc;

use crate::isa::Insn;
pub use constants::Constants;
pub use kind::FileKind;
pub use tables::*;
pub use target::TargetError;

/// A loadable program.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Program {
    /// The tables: machine, layers, tensors, provenance, host layers.
    pub meta: Meta,
    /// Instruction words.
    pub code: Vec<u128>,
    /// The constant segment: weights, tables, descriptors.
    pub constants: Constants,
    /// ONNX models of the host layers, by index of [`Meta::hosts`].
    pub host_models: Vec<Arc<[u8]>>,
}

impl Program {
    /// First DRAM address that the program may write: the constants' end, rounded up to 4096.
    #[must_use]
    pub fn writable_base(&self) -> u64 {
        (self.constants.len() as u64).next_multiple_of(4096)
    }

    /// The layer that instruction `pc` belongs to.
    #[must_use]
    pub fn layer_of(&self, pc: usize) -> Option<&Layer> {
        self.meta.layers.get(self.layer_index(pc)? as usize)
    }

    /// The index of the layer that instruction `pc` belongs to.
    #[must_use]
    pub fn layer_index(&self, pc: usize) -> Option<u32> {
        let pc = u32::try_from(pc).ok()?;
        let at = self.meta.provenance.partition_point(|r| r.end <= pc);
        self.meta.provenance.get(at).filter(|r| r.start <= pc).map(|r| r.layer)
    }

    /// The instructions of a layer, by its index, without words that do not decode.
    pub fn layer_instructions(&self, layer: usize) -> impl Iterator<Item = Insn> + '_ {
        let ranges = self.meta.provenance.iter().filter(move |r| r.layer as usize == layer);
        let words = ranges.filter_map(|r| self.code.get(r.start as usize..r.end as usize)).flatten();
        words.filter_map(|word| Insn::decode(*word).ok())
    }
}

//! Instruction words, with what listings and tables need.

use crate::isa::Insn;
use crate::program::CodeRange;

/// Emitted code, with what listings and tables need.
#[derive(Debug, Default)]
pub(in crate::compiler) struct Code {
    pub(in crate::compiler) insns: Vec<Insn>,
    /// Comments, by instruction.
    pub(in crate::compiler) comments: Vec<(usize, String)>,
    pub(in crate::compiler) provenance: Vec<CodeRange>,
}

impl Code {
    pub(in crate::compiler) fn push(&mut self, insn: Insn) {
        self.insns.push(insn);
    }

    pub(in crate::compiler) fn comment(&mut self, text: impl Into<String>) {
        self.comments.push((self.insns.len(), text.into()));
    }

    pub(in crate::compiler) fn here(&self) -> usize {
        self.insns.len()
    }
}

/// Numbers of the next operation and the next loop in program text order.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    pub(super) op: usize,
    pub(super) number: usize,
}

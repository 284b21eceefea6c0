//! Tiled operations → instruction words.
//!
//! Each distinct view gets a tensor descriptor register: its constant fields are loaded once, in front of the
//! outermost statement that uses it first; a field that depends on loop variables is set at the head of the
//! loop that binds the innermost of them. Loops become loops, and conditions come from [`sync`](super::sync).

mod block;
mod code;
mod descriptors;
mod registers;

use super::CompileError;
use super::constants::Constants;
use super::sync;
use super::tile::{Stmt, TileLayer};
use crate::isa::Insn;
use crate::program::CodeRange;
pub(super) use code::Code;
use code::Numbers;

/// Emits all layers, in order, and the final `halt`.
pub(super) fn emit(layers: &[TileLayer], constants: &mut Constants) -> Result<Code, CompileError> {
    let mut code = Code::default();
    let blocks: Vec<Vec<&[Stmt]>> =
        layers.iter().map(|l| block::blocks(&l.body)).collect::<Result<_, CompileError>>()?;
    let conditions = sync::conditions(&blocks);
    let mut at = Numbers::default();
    for (id, (layer, blocks)) in layers.iter().zip(blocks).enumerate() {
        let start = code.here();
        let id = u32::try_from(id).map_err(|_| CompileError::TooBig { what: "layers" })?;
        code.comment(format!("layer {id}: {} {}", layer.kind, layer.name));
        code.push(Insn::LayerBegin { id });
        for body in blocks {
            block::block(body, constants, &conditions, &mut at, &mut code)?;
        }
        code.push(Insn::LayerEnd { id });
        let end = code.here();
        let narrow = |n: usize| u32::try_from(n).map_err(|_| CompileError::TooBig { what: "instructions" });
        code.provenance.push(CodeRange { start: narrow(start)?, end: narrow(end)?, layer: id });
    }
    code.push(Insn::Halt);
    Ok(code)
}

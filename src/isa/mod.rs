//! The instruction set RCN.
//!
//! `isa/rcn.toml` is the only list of instructions; [`kinds`] and [`generated`] are generated from it:
//! registers, flags and other parts of operands, [`Insn`] with its encoder and decoder, the descriptor
//! records, and a table of [`OpcodeInfo`](operand::OpcodeInfo). [`disasm`] prints by that table and [`asm`]
//! parses by it; neither names an instruction. [`blocks`] is the order of pruned weights, [`limits`] has the
//! limits that hold for every machine.

pub mod asm;
pub mod blocks;
pub mod decode;
pub mod disasm;
#[allow(missing_docs, rustdoc::broken_intra_doc_links, clippy::all, clippy::pedantic, unused_qualifications, reason = "generated")]
#[rustfmt::skip]
pub mod generated;
#[allow(missing_docs, rustdoc::broken_intra_doc_links, clippy::all, clippy::pedantic, reason = "generated")]
#[rustfmt::skip]
pub mod kinds;
pub mod limits;
pub mod operand;

pub use blocks::BlockGrid;
pub use decode::{DecodeError, DescriptorError};
pub use generated::*;
pub use kinds::*;
pub use operand::{Cond, Unit, Wait};

#[expect(clippy::derivable_impls, reason = "the type is generated")]
impl Default for Profile {
    fn default() -> Profile {
        Profile::Onnx
    }
}

impl XReg {
    /// `x0`, which reads as zero and ignores writes.
    pub const ZERO: XReg = XReg(0);

    /// Its number, for the step loop: indexing an array of all registers needs no check.
    #[inline(always)]
    pub(crate) const fn slot(self) -> usize {
        self.0 as usize % XReg::COUNT
    }
}

impl EType {
    /// Size of one element in bytes.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            EType::U8 | EType::S8 => 1,
            EType::U16 | EType::S16 => 2,
            EType::S32 | EType::F32 => 4,
            EType::S64 => 8,
        }
    }

    /// Least and greatest value of an 8- or 16-bit type.
    #[must_use]
    pub fn int_range(self) -> Option<[i32; 2]> {
        Some(match self {
            EType::U8 => [0, 255],
            EType::S8 => [-128, 127],
            EType::U16 => [0, 65535],
            EType::S16 => [-32768, 32767],
            EType::S32 | EType::S64 | EType::F32 => return None,
        })
    }
}

impl TensorDesc {
    /// A row-major tensor without gaps, zero point 0, one lane. Strides are in bytes; those beyond 64 bits
    /// are the greatest there is, which no memory contains.
    #[must_use]
    pub fn dense(space: Space, etype: EType, base: i64, dims: [u32; 4]) -> TensorDesc {
        let size = etype.bytes() as i64;
        let [_, b, c, d] = dims.map(i64::from);
        let row = (d * size).saturating_mul(c);
        let strides = [row.saturating_mul(b), row, d * size, size];
        TensorDesc { base, dims, strides, zero_point: 0, space, etype, lanes: 1 }
    }
}

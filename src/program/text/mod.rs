//! Programs as assembly text: [`assemble`] and [`disassemble`].
//!
//! `assemble(disassemble(p)) == p` for every program that [`Program::validate`](super::Program::validate)
//! accepts, if its constants have at most 2^28 bytes in long runs of zeros. A line is a directive, a label,
//! an instruction, or empty; `;` begins a comment.
//!
//! ```text
//! .name "copy"
//! .machine rcn-m                     ; its hash is looked up, or stands behind the name
//! .buffer result, 256                ; bytes of writable DRAM, named
//! .const                             ; the constant segment, from address 0
//! source: .tdesc dram u8 data [1, 1, 1, 256]
//! data:   .u8 1, 2, 3
//!         .zero 253
//! .code
//! loop:   t.load t0, source(x0)
//! ```
//!
//! | directive | meaning |
//! |---|---|
//! | `.name "…"`, `.isa N`, `.machine NAME [HASH]` | heads of the tables |
//! | `.dram N` | bytes of DRAM used; without it, up to the last buffer |
//! | `.buffer NAME, N` | N bytes of writable DRAM at a multiple of 64 |
//! | `.const`, `.code`, `.model` | what follows belongs to constants, code, or a new host model |
//! | `.u8 .s8 .u16 .s16 .s32 .s64 .f32 LIST`, `.hex DIGITS`, `.zero N`, `.align N` | data |
//! | `.tdesc SPACE TYPE BASE [EXTENTS] [STRIDES] zp=N lanes=N` | a tensor descriptor; without strides, row-major |
//! | `.qdesc FIELD=VALUE …`, `.wdesc FIELD=VALUE …` | the other descriptors, fields as in the manual |
//! | `.word 0x…` | a raw instruction word |
//! | `.in N`, `.in none` | instructions from here on belong to layer N, to none |
//! | `.layer .tensor .host .removed {JSON}` | one record of a table |
//! | `.tensor NAME ROLE TYPE [SHAPE] at ADDRESS [layer N]` | a row-major tensor, in short |

mod data;
mod parse;
mod print;

pub use parse::{AsmError, AsmErrors, assemble};
pub use print::{disassemble, disassemble_layer, disassemble_with_comments};

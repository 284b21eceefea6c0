//! The program file: ELF64, little endian, so that `readelf`, `objdump -h` and `file` open it.
//!
//! | section | content |
//! |---|---|
//! | `.rcn.code` | instruction words, 16 bytes each, little endian |
//! | `.rcn.const` | the constant segment, at an offset that is a multiple of 4096; mapped at DRAM address 0 |
//! | `.rcn.meta` | [`Meta`](super::Meta) as JSON |
//! | `.rcn.host` | ONNX models of the host layers: u32 count, then for each u64 length and bytes |
//! | `.rcn.checksum` | xxh3-64 of the whole file with these eight bytes taken as zero |
//!
//! `e_machine` is [`E_MACHINE`], an unregistered number; `e_flags` is [`FORMAT_VERSION`]; the type is
//! `ET_EXEC` with entry 0 and one `PT_LOAD` for the constants.
//!
//! Reading refuses whatever does not match with a typed reason and allocates in proportion to the file, never
//! to a number written in it.

mod check;
mod error;
mod layout;
mod read;
mod write;

use std::path::Path;

use super::Program;
use crate::files;
pub use error::ProgramFileError;
pub use layout::{E_MACHINE, FORMAT_VERSION};

impl Program {
    /// The program as the bytes of a program file. Equal programs give equal bytes.
    ///
    /// # Errors
    /// The tables are inconsistent (see [`Program::validate`]) or contain a number that JSON cannot express
    /// (an infinite scale).
    pub fn to_bytes(&self) -> Result<Vec<u8>, ProgramFileError> {
        write::to_bytes(self)
    }

    /// Reads the bytes of a program file, checks the checksum and [validates](Program::validate) the tables.
    ///
    /// # Errors
    /// [`ProgramFileError`] names the reason; no input makes this panic.
    pub fn from_bytes(bytes: &[u8]) -> Result<Program, ProgramFileError> {
        read::from_bytes(bytes)
    }

    /// Reads a program file.
    ///
    /// # Errors
    /// As [`Program::from_bytes`], or the file cannot be read.
    pub fn read_file(path: &Path) -> Result<Program, ProgramFileError> {
        Program::from_bytes(&files::read(path)?)
    }

    /// Writes a program file to a temporary name and renames it.
    ///
    /// # Errors
    /// As [`Program::to_bytes`], or the file cannot be written.
    pub fn write_file(&self, path: &Path) -> Result<(), ProgramFileError> {
        Ok(files::replace(path, &self.to_bytes()?)?)
    }

    /// Whether the tables are consistent with each other and the code: indices in range, ranges ascending,
    /// tensors inside DRAM, names unique, one model for each host layer. The simulator checks what the code
    /// does.
    ///
    /// # Errors
    /// [`ProgramFileError::Inconsistent`] names the first entry that does not fit.
    pub fn validate(&self) -> Result<(), ProgramFileError> {
        check::check(self).map_err(|reason| ProgramFileError::Inconsistent { reason })
    }
}

/// Whether these bytes look like a program file: an ELF header with RCN's machine number.
#[must_use]
pub fn is_program_file(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x7fELF") && bytes.get(18..20) == Some(&E_MACHINE.to_le_bytes())
}

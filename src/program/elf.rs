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
//! `e_machine` is [`E_MACHINE`], a number that nobody has registered; `e_flags` is [`FORMAT_VERSION`]; the type is
//! `ET_EXEC` with entry 0 and one `PT_LOAD` for the constants.
//!
//! Reading refuses whatever does not match with a typed reason and allocates in proportion to the file, never to a
//! number written in it.

mod check;
mod read;
mod write;

use std::path::Path;

use super::Program;
use crate::files::{self, FileError};

/// ELF machine number of RCN: "RC" read as a little-endian half-word's letters (0x5243), unknown to binutils.
pub const E_MACHINE: u16 = 0x5243;

/// Version of the container, kept in `e_flags`. A reader refuses every other.
pub const FORMAT_VERSION: u32 = 1;

const CODE: &str = ".rcn.code";
const CONST: &str = ".rcn.const";
const META: &str = ".rcn.meta";
const HOST: &str = ".rcn.host";
const CHECKSUM: &str = ".rcn.checksum";

/// Bytes of one instruction word.
const WORD_BYTES: usize = 16;

/// Why a program file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ProgramFileError {
    /// The operating system refuses.
    #[error(transparent)]
    File(#[from] FileError),
    /// Not an ELF file, or its headers point outside.
    #[error("not a program file: {reason}")]
    Elf {
        /// What the ELF reader says.
        reason: String,
    },
    /// An ELF file for something else.
    #[error(
        "an ELF file, but not an RCN program: its machine number is {found:#06x}, RCN's is {E_MACHINE:#06x}"
    )]
    ForeignMachine {
        /// `e_machine` of the file.
        found: u16,
    },
    /// Another version of the container.
    #[error(
        "container version {found}; this build reads version {FORMAT_VERSION}: compile or assemble the program again"
    )]
    FormatVersion {
        /// `e_flags` of the file.
        found: u32,
    },
    /// Bytes were changed, or some are missing.
    #[error(
        "damaged: the checksum in the file is {stored:016x}, its bytes give {computed:016x}; copy or build it again"
    )]
    Checksum {
        /// In the file.
        stored: u64,
        /// Of the bytes found.
        computed: u64,
    },
    /// A section is absent, twice there, or not of the form that it must have.
    #[error("section {section}: {reason}")]
    Section {
        /// Its name.
        section: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The tables contradict themselves or the code.
    #[error("inconsistent tables: {reason}")]
    Inconsistent {
        /// Which entry, and why.
        reason: String,
    },
}

impl Program {
    /// The program as the bytes of a program file. Equal programs give equal bytes.
    ///
    /// # Errors
    /// The tables are inconsistent (see [`Program::validate`]) or hold a number that JSON cannot express (an infinite
    /// scale).
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

    /// Writes a program file beside its place and renames it.
    ///
    /// # Errors
    /// As [`Program::to_bytes`], or the file cannot be written.
    pub fn write_file(&self, path: &Path) -> Result<(), ProgramFileError> {
        Ok(files::replace(path, &self.to_bytes()?)?)
    }

    /// Whether the tables fit each other and the code: indexes in range, ranges ascending, tensors inside DRAM,
    /// names unique, one model per host layer. What the code does is the simulator's to check.
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

/// xxh3-64 of `bytes` with the eight at `field` taken as zero. `None` if the field lies outside.
fn checksum(bytes: &[u8], field: usize) -> Option<u64> {
    let before = bytes.get(..field)?;
    let after = bytes.get(field.checked_add(8)?..)?;
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    hash.update(before);
    hash.update(&[0; 8]);
    hash.update(after);
    Some(hash.digest())
}

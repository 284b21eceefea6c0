//! Why a program file cannot be read or written.

use super::layout::{E_MACHINE, FORMAT_VERSION};
use crate::files::FileError;

/// Why a program file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ProgramFileError {
    /// The operating system refuses.
    #[error(transparent)]
    File(#[from] FileError),
    /// Not an ELF file, or its headers point outside.
    #[error("not a program file: {reason}")]
    Elf {
        /// Message of the ELF reader.
        reason: String,
    },
    /// An ELF file of another kind.
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
        /// Checksum in the file.
        stored: u64,
        /// Checksum of its bytes.
        computed: u64,
    },
    /// A section is missing, occurs twice, or is malformed.
    #[error("section {section}: {reason}")]
    Section {
        /// Its name.
        section: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The tables contradict each other or the code.
    #[error("inconsistent tables: {reason}")]
    Inconsistent {
        /// Which entry, and why.
        reason: String,
    },
}

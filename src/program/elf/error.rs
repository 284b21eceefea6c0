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

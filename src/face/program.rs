//! A compiled program.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Loaded;
use super::error;
use crate::machine::Machine;
use crate::program;
use crate::program::text::{self, AsmErrors};
use crate::sim::{self, Limits};

/// A compiled program: instructions, constants and tables. A clone shares its contents.
#[derive(Debug, Clone)]
pub struct Program {
    program: Arc<program::Program>,
    /// The machine that it was compiled for, where known.
    machine: Option<Machine>,
    /// Where it came from, for messages.
    path: PathBuf,
}

impl Program {
    pub(super) fn of(program: program::Program, machine: Option<Machine>, path: &Path) -> Program {
        Program { program: Arc::new(program), machine, path: path.to_path_buf() }
    }

    /// Opens a program file (ELF).
    ///
    /// # Errors
    /// The file cannot be read, or is not a program.
    pub fn open(path: impl AsRef<Path>) -> Result<Program, error::ProgramFile> {
        let path = path.as_ref();
        let program = program::Program::read_file(path).map_err(error::ProgramFile::of(path))?;
        Ok(Program::of(program, None, path))
    }

    /// Reads a program file in memory.
    ///
    /// # Errors
    /// The bytes are not a program.
    pub fn from_bytes(bytes: &[u8]) -> Result<Program, error::ProgramFile> {
        let path = Path::new("program");
        let program = program::Program::from_bytes(bytes).map_err(error::ProgramFile::of(path))?;
        Ok(Program::of(program, None, path))
    }

    /// Assembles text.
    ///
    /// # Errors
    /// All errors, with lines and columns.
    pub fn assemble(source: &str) -> Result<Program, AsmErrors> {
        Ok(Program::of(text::assemble(source)?, None, Path::new("program")))
    }

    /// The program as assembly text, which can be [assembled](Program::assemble) again.
    #[must_use]
    pub fn disassemble(&self) -> String {
        text::disassemble(&self.program)
    }

    /// Writes a program file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), error::ProgramFile> {
        let path = path.as_ref();
        self.program.write_file(path).map_err(error::ProgramFile::of(path))
    }

    /// The bytes of a program file.
    ///
    /// # Errors
    /// A table is too large for the format.
    pub fn to_bytes(&self) -> Result<Vec<u8>, error::ProgramFile> {
        self.program.to_bytes().map_err(error::ProgramFile::of(&self.path))
    }

    /// The name of the network.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.program.meta.name
    }

    /// The name of the machine that it was compiled for.
    #[must_use]
    pub fn machine(&self) -> &str {
        &self.program.meta.machine.name
    }

    /// Checks everything that the program does, and counts its cycles, on the machine that it was compiled
    /// for; a program opened from a file uses the shipped machine of that name.
    ///
    /// # Errors
    /// The program does not fit the machine, or does something illegal: instruction, layer, and what.
    pub fn load(&self, limits: Limits) -> Result<Loaded, error::Load> {
        let machine = match &self.machine {
            Some(machine) => machine.clone(),
            None => self.program.target(None)?,
        };
        self.load_on(&machine, limits)
    }

    /// As [`load`](Self::load), on a machine from a file, which must be the one that the program was compiled
    /// for.
    ///
    /// # Errors
    /// As [`Program::load`].
    pub fn load_on(&self, machine: &Machine, limits: Limits) -> Result<Loaded, error::Load> {
        let machine = self.program.target(Some(machine.clone()))?;
        let loaded = sim::Loaded::new(Arc::clone(&self.program), &machine, limits);
        Ok(Loaded(loaded.map_err(error::Load::of(&self.path))?))
    }
}

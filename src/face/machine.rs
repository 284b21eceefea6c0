//! Machines by name, or from a file.

use std::path::Path;

use super::error::OpenMachine;
use crate::files;
use crate::machine::Machine;

impl Machine {
    /// Opens a machine: from a file if the path exists or looks like a file (`fast.toml`), else the shipped
    /// machine of that name.
    ///
    /// # Errors
    /// There is no such machine or file, or a field of the file is wrong.
    pub fn open(name_or_path: impl AsRef<Path>) -> Result<Machine, OpenMachine> {
        let path = name_or_path.as_ref();
        let looks_like_a_file = path.extension().is_some() || path.components().count() > 1;
        if looks_like_a_file || path.is_file() {
            return Machine::parse(&files::read_text(path)?).map_err(OpenMachine::of(path));
        }
        Machine::named(&path.to_string_lossy()).map_err(OpenMachine::of(path))
    }
}

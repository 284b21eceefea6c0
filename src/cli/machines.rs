//! Machines: shipped ones by name, others from a file.

use std::path::Path;

use super::given;
use crate::explain::Failure;
use crate::files;
use crate::machine::Machine;
use crate::program::Program;

/// A machine by name, or from a machine file.
pub(super) fn named(name: &str) -> Result<Machine, Failure> {
    let path = Path::new(name);
    let looks_like_a_file = path.extension().is_some() || name.contains(std::path::MAIN_SEPARATOR);
    if looks_like_a_file || files::is_stdin(path) || path.is_file() || files::is_stream(path) {
        let text = given::read_text(path)?;
        return Machine::parse(&text).map_err(|e| Failure::machine(name, &e));
    }
    Machine::named(name).map_err(|e| Failure::machine(name, &e))
}

/// The machine that a program was made for: the shipped one of that name, or the one given with `--machine`,
/// if its hash is the program's.
pub(super) fn of(program: &Program, given: Option<&str>) -> Result<Machine, Failure> {
    program.target(given.map(named).transpose()?).map_err(|e| Failure::target(given, &e))
}

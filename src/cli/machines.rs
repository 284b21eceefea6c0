//! Machines: shipped ones by name, others from a file.

use std::path::Path;

use super::given;
use crate::explain::Failure;
use crate::machine::Machine;
use crate::program::Program;

/// A machine by name, or from a machine file.
pub(super) fn named(name: &str) -> Result<Machine, Failure> {
    let path = Path::new(name);
    let looks_like_a_file = path.extension().is_some() || name.contains(std::path::MAIN_SEPARATOR);
    if looks_like_a_file || given::is_stdin(path) || path.is_file() || crate::files::is_stream(path) {
        let text = given::read_text(path)?;
        return Machine::parse(&text).map_err(|e| Failure::machine(name, &e));
    }
    Machine::named(name).map_err(|e| Failure::machine(name, &e))
}

/// What is to be said of cycles at clocks that no shipped machine has.
pub(super) fn scaling(clocks: impl IntoIterator<Item = u32>) -> &'static str {
    let shipped: Vec<u32> =
        Machine::names().into_iter().filter_map(|n| Machine::named(n).ok()).map(|m| m.clock_mhz).collect();
    if clocks.into_iter().all(|mhz| shipped.contains(&mhz)) {
        return "";
    }
    "DRAM scales along with clock_mhz: its bandwidth and latencies are in cycles; change them too for the same memory\n"
}

/// The machine that a program was made for: the shipped one of that name, or the one given with `--machine`, if its
/// hash is the program's.
pub(super) fn of(program: &Program, given: Option<&str>) -> Result<Machine, Failure> {
    program.target(given.map(named).transpose()?).map_err(|e| Failure::target(given, &e))
}

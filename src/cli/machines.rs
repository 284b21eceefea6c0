//! Machines: shipped ones by name, others from a file.

use std::path::Path;

use super::given;
use crate::explain::{Failure, INPUT};
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

/// The machine that a program was made for: the shipped one of that name, or the one given with `--machine`, if its
/// hash is the program's.
pub(super) fn of(program: &Program, given: Option<&str>) -> Result<Machine, Failure> {
    let id = &program.meta.machine;
    let found = match given {
        Some(name) => named(name)?,
        None => Machine::named(&id.name).map_err(|_| {
            Failure::new(INPUT, format!("the program is for machine '{}', which is not shipped", id.name))
                .help("give its machine file with --machine FILE")
        })?,
    };
    if let Some(typed) = given.filter(|_| found.name != id.name) {
        let why = format!("the program is for the machine {}, this is {}", id.name, found.name);
        return Err(Failure::usage(format!("--machine {typed}: the machine does not match the program"))
            .why(&why)
            .help("leave it out, or compile the model for this machine"));
    }
    let hash = format!("{:016x}", found.hash());
    if found.name != id.name || hash != id.hash {
        let why = format!(
            "the program is for {} with hash {}, this is {} with hash {hash}",
            id.name, id.hash, found.name
        );
        return Err(Failure::new(INPUT, "the machine does not match the program").why(&why).help(
            "compile the program for this machine, or give the machine file that it was compiled for",
        ));
    }
    Ok(found)
}

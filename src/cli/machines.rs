//! Machines: shipped ones by name, others from a file.

use std::path::Path;

use super::given;
use crate::explain::Failure;
use crate::files;
use crate::machine::{Machine, Setting};
use crate::program::Program;

/// A machine by name, or from a machine file.
pub(super) fn named(name: &str) -> Result<Machine, Failure> {
    with(name, &[])
}

/// A machine by name or from a machine file, with some fields set.
pub(super) fn with(name: &str, settings: &[Setting]) -> Result<Machine, Failure> {
    Machine::parse_with(&text(name)?, settings).map_err(|e| Failure::machine(name, &e))
}

/// The text of a machine file, or of a shipped machine's.
pub(super) fn text(name: &str) -> Result<String, Failure> {
    let path = Path::new(name);
    let looks_like_a_file = path.extension().is_some() || name.contains(std::path::MAIN_SEPARATOR);
    if looks_like_a_file || files::is_stdin(path) || path.is_file() || files::is_stream(path) {
        return given::read_text(path);
    }
    Machine::text(name).map(Into::into).map_err(|e| Failure::machine(name, &e))
}

/// Settings of the command line.
pub(super) fn settings(given: &[String]) -> Result<Vec<Setting>, Failure> {
    let mut list: Vec<Setting> = Vec::new();
    for text in given {
        let setting = Setting::parse(text).map_err(|e| Failure::usage(format!("--set: {e}")))?;
        if list.iter().any(|before| before.field() == setting.field()) {
            return Err(Failure::usage(format!("--set {text}: {} is set before", setting.field())));
        }
        list.push(setting);
    }
    Ok(list)
}

/// The machine that a program was made for: the shipped one of that name, or the one given with `--machine`,
/// if its hash is the program's.
pub(super) fn of(program: &Program, given: Option<&str>) -> Result<Machine, Failure> {
    program.target(given.map(named).transpose()?).map_err(|e| Failure::target(given, &e))
}

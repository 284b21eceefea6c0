//! The machine: every size and latency of one modeled accelerator, read from a TOML file.
//!
//! The same [`Machine`] determines tiling (compiler), limits (simulator) and durations (clock). Three
//! machines ship with the program (`isa/machines/`), and some that were fitted to published figures;
//! [`Machine::named`] finds them, [`Machine::parse`] reads any other; its DRAM may be one of the memories in
//! `isa/memories/`, and it may say only what differs from a shipped machine (`base`). Unknown keys are
//! refused, every value is checked, and [`Machine::hash`] identifies the machine in a program file.

mod check;
mod fields;
mod host;
mod layered;
mod memory;
mod rate;
pub mod timing;

use std::sync::OnceLock;

pub use check::MachineError;
pub use fields::{Acc, Control, Dma, Dram, Mac, Machine, Spm, Vector};
pub use host::{HostCosts, HostRate, OTHERS};
pub use layered::Setting;
pub use rate::Rate;

/// The machines that ship with the program: name and TOML text.
const SHIPPED: [(&str, &str); 3] = [
    ("rcn-s", include_str!("../../isa/machines/rcn-s.toml")),
    ("rcn-m", include_str!("../../isa/machines/rcn-m.toml")),
    ("rcn-l", include_str!("../../isa/machines/rcn-l.toml")),
];

/// Machines fitted to published figures of accelerators: name and TOML text. None is a vendor's model.
const FITTED: [(&str, &str); 4] = [
    ("x5h-core-like", include_str!("../../isa/machines/x5h-core-like.toml")),
    ("stm32n6-like", include_str!("../../isa/machines/stm32n6-like.toml")),
    ("tda4vm-like", include_str!("../../isa/machines/tda4vm-like.toml")),
    ("ethos-u65-256-like", include_str!("../../isa/machines/ethos-u65-256-like.toml")),
];

/// Machines that ship with the program, once they were read, in the order of [`SHIPPED`] and [`FITTED`].
static READ: [OnceLock<Machine>; SHIPPED.len() + FITTED.len()] =
    [const { OnceLock::new() }; SHIPPED.len() + FITTED.len()];

impl Machine {
    /// Reads a machine file's text and checks every field.
    ///
    /// # Errors
    /// [`MachineError`] has line, field and reason.
    pub fn parse(text: &str) -> Result<Machine, MachineError> {
        Machine::parse_with(text, &[])
    }

    /// Reads a machine file's text, sets some fields, and checks all.
    ///
    /// # Errors
    /// [`MachineError`] has field and reason.
    pub fn parse_with(text: &str, settings: &[Setting]) -> Result<Machine, MachineError> {
        let machine = layered::read(text, Machine::text, settings)?.machine()?;
        check::check(&machine)?;
        Ok(machine)
    }

    /// A machine that ships with the program: `rcn-s`, `rcn-m`, `rcn-l`, or a [fitted](Machine::fitted) one.
    ///
    /// # Errors
    /// [`MachineError::Unknown`] lists the names that exist.
    pub fn named(name: &str) -> Result<Machine, MachineError> {
        let at = SHIPPED.iter().chain(&FITTED).position(|(n, _)| *n == name);
        let Some(read) = at.and_then(|at| READ.get(at)) else { return Machine::named_with(name, &[]) };
        if let Some(machine) = read.get() {
            return Ok(machine.clone());
        }
        let machine = Machine::named_with(name, &[])?;
        Ok(read.get_or_init(|| machine).clone())
    }

    /// A machine that ships with the program, with some fields set.
    ///
    /// # Errors
    /// As [`Machine::named`] and [`Machine::parse_with`].
    pub fn named_with(name: &str, settings: &[Setting]) -> Result<Machine, MachineError> {
        Machine::parse_with(Machine::text(name)?, settings)
    }

    /// The file of a machine that ships with the program.
    ///
    /// # Errors
    /// [`MachineError::Unknown`] lists the names that exist.
    pub fn text(name: &str) -> Result<&'static str, MachineError> {
        let found = SHIPPED.iter().chain(&FITTED).find(|(n, _)| *n == name).map(|(_, text)| *text);
        let known = || Machine::names().into_iter().chain(Machine::fitted()).collect::<Vec<_>>().join(", ");
        found.ok_or_else(|| MachineError::Unknown { name: name.into(), known: known() })
    }

    /// Names of the machines that were fitted to published figures.
    #[must_use]
    pub fn fitted() -> Vec<&'static str> {
        FITTED.iter().map(|(n, _)| *n).collect()
    }

    /// Names of the shipped machines, smallest first; the fitted ones are not among them.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        SHIPPED.iter().map(|(n, _)| *n).collect()
    }
}

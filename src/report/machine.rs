//! Report of `info --machine`: the fields of a machine.

use serde::Serialize;

use crate::document::Kind;
use crate::machine::Machine;

/// A machine, every field of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct MachineReport {
    /// As its file has it, with what its base and its memory give.
    #[cfg_attr(feature = "schemas", schemars(with = "serde_json::Map<String, serde_json::Value>"))]
    pub machine: Machine,
}

impl Kind for MachineReport {
    const KIND: &'static str = "machine";
}

//! Energy: what a program does times a table of picojoules that the user gives.

use serde::{Deserialize, Serialize};

use crate::sim::clock::Counts;
use crate::sim::{Decoded, Fault};

/// Picojoules of each operation and byte.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Picojoules {
    /// Where the numbers are from, as reports say it.
    pub name: String,
    /// A multiply-accumulate of 8 × 8 bits.
    pub mac_8x8: f64,
    /// Of 16 × 8 bits.
    pub mac_16x8: f64,
    /// Of 16 × 16 bits.
    pub mac_16x16: f64,
    /// An element in a step of the vector unit.
    pub vector_element: f64,
    /// A byte read from or written to the scratchpad.
    pub spm_byte: f64,
    /// Of the accumulator memory.
    pub acc_byte: f64,
    /// Of DRAM.
    pub dram_byte: f64,
}

/// Why a table is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnergyError {
    /// Not TOML, or a field is missing or unknown.
    #[error("{0}")]
    Syntax(String),
    /// Not a finite number of at least 0.
    #[error("{0}: must be a number of at least 0")]
    Negative(&'static str),
}

impl Picojoules {
    /// The name that stands for the table that ships.
    pub const EXAMPLE: &'static str = "example";

    /// The text of the table that ships.
    pub const EXAMPLE_TEXT: &'static str = include_str!("../../isa/energy/example.toml");

    /// The table that ships: an example that names its source.
    ///
    /// # Errors
    /// None for the one that ships.
    pub fn example() -> Result<Picojoules, EnergyError> {
        Picojoules::parse(Picojoules::EXAMPLE_TEXT)
    }

    /// Reads a table, TOML like `isa/energy/example.toml`.
    ///
    /// # Errors
    /// [`EnergyError`] names the field.
    pub fn parse(text: &str) -> Result<Picojoules, EnergyError> {
        let table: Picojoules = toml::from_str(text)
            .map_err(|e| EnergyError::Syntax(e.to_string().trim().replace('\n', "; ")))?;
        for (name, value) in [
            ("mac_8x8", table.mac_8x8),
            ("mac_16x8", table.mac_16x8),
            ("mac_16x16", table.mac_16x16),
            ("vector_element", table.vector_element),
            ("spm_byte", table.spm_byte),
            ("acc_byte", table.acc_byte),
            ("dram_byte", table.dram_byte),
        ] {
            if !value.is_finite() || value < 0.0 {
                return Err(EnergyError::Negative(name));
            }
        }
        Ok(table)
    }

    fn of(&self, c: &Counts) -> Microjoules {
        let sum = |parts: &[(u64, f64)]| parts.iter().map(|(n, pj)| *n as f64 * pj * 1e-6).sum();
        let bytes = |read, written, pj| sum(&[(read, pj), (written, pj)]);
        let array =
            sum(&[(c.macs_8x8, self.mac_8x8), (c.macs_16x8, self.mac_16x8), (c.macs_16x16, self.mac_16x16)]);
        let parts = Microjoules {
            array,
            vector: sum(&[(c.vector_elements, self.vector_element)]),
            spm: bytes(c.spm_read, c.spm_written, self.spm_byte),
            acc: bytes(c.acc_read, c.acc_written, self.acc_byte),
            dram: bytes(c.dram_read, c.dram_written, self.dram_byte),
            total: 0.0,
        };
        Microjoules { total: parts.array + parts.vector + parts.spm + parts.acc + parts.dram, ..parts }
    }
}

/// Energy by part of the machine. Leakage, clock trees, the control core and the host are not in it.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Microjoules {
    /// The MAC array.
    pub array: f64,
    /// The vector unit.
    pub vector: f64,
    /// The scratchpad.
    pub spm: f64,
    /// The accumulator memory.
    pub acc: f64,
    /// DRAM.
    pub dram: f64,
    /// All of them.
    pub total: f64,
}

/// What a layer does, and its energy.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct LayerEnergy {
    /// Its name; empty for instructions outside of layers.
    pub layer: String,
    /// Operations and bytes.
    pub counts: Counts,
    /// Their energy.
    pub microjoules: Microjoules,
}

/// The energy of a program.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Energy {
    /// The table that it was computed with.
    pub picojoules: Picojoules,
    /// Layers in program order.
    pub layers: Vec<LayerEnergy>,
    /// All of them.
    pub counts: Counts,
    /// The energy of an inference.
    pub microjoules: Microjoules,
}

/// The energy of a program, by a table.
///
/// # Errors
/// The program does something illegal.
pub fn energy(program: &Decoded, table: &Picojoules) -> Result<Energy, Fault> {
    let names: Vec<&str> = program.program().meta.layers.iter().map(|l| l.name.as_str()).collect();
    let mut counts = vec![Counts::default(); names.len() + 1];
    program.each(&mut |op| {
        let place = op.layer.map_or(names.len(), |l| l as usize).min(names.len());
        counts[place] += Counts::of(&op.kind, program.machine());
    })?;
    let mut all = Counts::default();
    let layers = names.iter().copied().chain([""]).zip(&counts).map(|(name, c)| {
        all += *c;
        LayerEnergy { layer: name.into(), counts: *c, microjoules: table.of(c) }
    });
    let layers: Vec<LayerEnergy> =
        layers.filter(|l| !l.layer.is_empty() || l.counts != Counts::default()).collect();
    Ok(Energy { picojoules: table.clone(), layers, counts: all, microjoules: table.of(&all) })
}

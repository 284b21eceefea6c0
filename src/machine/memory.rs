//! Memories by name: what a machine file need not say about DRAM.
//!
//! A memory's times are in nanoseconds and its rate in bytes a second, so that the same one serves every
//! clock. What a machine file says itself goes before.

use serde::Deserialize;

use super::check::MachineError;
use super::fields::{Acc, Control, Dma, Dram, Mac, Machine, Spm, Vector};
use super::host::HostCosts;
use super::rate::Rate;

/// Name and TOML text of each, by falling rate.
const KNOWN: [(&str, &str); 5] = [
    ("lpddr5-6400-64", include_str!("../../isa/memories/lpddr5-6400-64.toml")),
    ("lpddr5-6400", include_str!("../../isa/memories/lpddr5-6400.toml")),
    ("ddr4-3200", include_str!("../../isa/memories/ddr4-3200.toml")),
    ("lpddr4x-4266", include_str!("../../isa/memories/lpddr4x-4266.toml")),
    ("octo-spi-flash", include_str!("../../isa/memories/octo-spi-flash.toml")),
];

/// Fields of DRAM that a memory gives.
pub(super) const GIVES: [&str; 10] = [
    "bytes_per_cycle",
    "read_latency_cycles",
    "write_latency_cycles",
    "burst_bytes",
    "row_bytes",
    "banks",
    "row_miss_cycles",
    "turnaround_cycles",
    "refresh_interval_cycles",
    "refresh_cycles",
];

/// A memory, whatever the clock of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Memory {
    megabytes_per_second: u64,
    burst_bytes: u32,
    row_bytes: u32,
    banks: u32,
    row_miss_ns: u64,
    turnaround_ns: u64,
    refresh_interval_ns: u64,
    refresh_ns: u64,
    read_latency_ns: u64,
    write_latency_ns: u64,
}

/// A machine file: a [`Machine`] whose DRAM may be a memory's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MachineFile {
    name: String,
    isa_version: u32,
    clock_mhz: u32,
    profiles: Vec<String>,
    mac: Mac,
    vec: Vector,
    acc: Acc,
    spm: Spm,
    dram: DramFile,
    dma: Dma,
    control: Control,
    host: Option<HostCosts>,
}

/// The fields of [`Dram`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DramFile {
    memory: Option<String>,
    bytes: u64,
    bytes_per_cycle: Option<Rate>,
    other_masters_percent: u32,
    read_latency_cycles: Option<u32>,
    write_latency_cycles: Option<u32>,
    burst_bytes: Option<u32>,
    grant_bytes: u32,
    batch_segments: u32,
    row_bytes: Option<u32>,
    banks: Option<u32>,
    row_miss_cycles: Option<u32>,
    turnaround_cycles: Option<u32>,
    refresh_interval_cycles: Option<u32>,
    refresh_cycles: Option<u32>,
    outstanding: u32,
}

impl MachineFile {
    /// The machine, with what its memory says in cycles.
    pub(super) fn machine(self) -> Result<Machine, MachineError> {
        Ok(Machine {
            name: self.name,
            isa_version: self.isa_version,
            clock_mhz: self.clock_mhz,
            profiles: self.profiles,
            mac: self.mac,
            vec: self.vec,
            acc: self.acc,
            spm: self.spm,
            dram: self.dram.at(self.clock_mhz)?,
            dma: self.dma,
            control: self.control,
            host: self.host,
        })
    }
}

impl DramFile {
    fn at(self, clock_mhz: u32) -> Result<Dram, MachineError> {
        let memory = self.memory.as_deref().map(Memory::named).transpose()?;
        let clock = u64::from(clock_mhz);
        let cycles = |field, own: Option<u32>, of: fn(&Memory) -> u64| {
            let known = memory.as_ref().map(|m| (of(m) * clock).div_ceil(1000));
            own.or(known.map(|n| u32::try_from(n).unwrap_or(u32::MAX))).ok_or(MachineError::Missing { field })
        };
        let size = |field, own: Option<u32>, of: fn(&Memory) -> u32| {
            own.or(memory.as_ref().map(of)).ok_or(MachineError::Missing { field })
        };
        let rate = |m: &Memory| Rate::of_thousandths(m.megabytes_per_second * 1000 / clock.max(1));
        Ok(Dram {
            bytes_per_cycle: self
                .bytes_per_cycle
                .or(memory.as_ref().map(rate))
                .ok_or(MachineError::Missing { field: "dram.bytes_per_cycle" })?,
            read_latency_cycles: cycles("dram.read_latency_cycles", self.read_latency_cycles, |m| {
                m.read_latency_ns
            })?,
            write_latency_cycles: cycles("dram.write_latency_cycles", self.write_latency_cycles, |m| {
                m.write_latency_ns
            })?,
            burst_bytes: size("dram.burst_bytes", self.burst_bytes, |m| m.burst_bytes)?,
            row_bytes: size("dram.row_bytes", self.row_bytes, |m| m.row_bytes)?,
            banks: size("dram.banks", self.banks, |m| m.banks)?,
            row_miss_cycles: cycles("dram.row_miss_cycles", self.row_miss_cycles, |m| m.row_miss_ns)?,
            turnaround_cycles: cycles("dram.turnaround_cycles", self.turnaround_cycles, |m| m.turnaround_ns)?,
            refresh_interval_cycles: cycles(
                "dram.refresh_interval_cycles",
                self.refresh_interval_cycles,
                |m| m.refresh_interval_ns,
            )?,
            refresh_cycles: cycles("dram.refresh_cycles", self.refresh_cycles, |m| m.refresh_ns)?,
            bytes: self.bytes,
            other_masters_percent: self.other_masters_percent,
            grant_bytes: self.grant_bytes,
            batch_segments: self.batch_segments,
            outstanding: self.outstanding,
            memory: self.memory,
        })
    }
}

impl Memory {
    fn named(name: &str) -> Result<Memory, MachineError> {
        let unknown =
            || MachineError::Memory { name: name.into(), known: KNOWN.map(|(name, _)| name).join(", ") };
        let (_, text) = KNOWN.iter().find(|(known, _)| *known == name).ok_or_else(unknown)?;
        toml::from_str(text).map_err(|e| MachineError::syntax(text, &e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// rcn-m with a memory instead of its own numbers.
    fn with(memory: &str, clock_mhz: u32, own: &str) -> Result<Machine, MachineError> {
        let text = include_str!("../../isa/machines/rcn-m.toml");
        let mut section = "";
        let kept = text.lines().filter_map(|line| {
            if line.starts_with('[') {
                section = line;
            }
            let key = line.split(' ').next().unwrap_or_default();
            let of_memory = section == "[dram]"
                && ["bytes_per", "read_lat", "write_lat", "burst", "row_", "banks", "turn", "refresh"]
                    .iter()
                    .any(|k| key.starts_with(k));
            match key {
                _ if of_memory => None,
                "clock_mhz" => Some(format!("clock_mhz = {clock_mhz}")),
                "[dram]" => Some(format!("[dram]\n{memory}\n{own}")),
                _ => Some(line.to_string()),
            }
        });
        Machine::parse(&kept.collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn every_memory_makes_a_machine_at_any_clock() {
        for (name, _) in KNOWN {
            for clock in [200, 850, 1000, 2000] {
                let machine = with(&format!("memory = \"{name}\""), clock, "").unwrap();
                let bytes = machine.dram.bytes_per_cycle.to_f64() * f64::from(clock) / 1000.0;
                let memory = Memory::named(name).unwrap();
                assert!((bytes * 1000.0 / memory.megabytes_per_second as f64 - 1.0).abs() < 0.01, "{name}");
                // What is written is the same machine.
                let again = Machine::parse(&toml::to_string(&machine).unwrap()).unwrap();
                assert_eq!(again, machine);
            }
        }
    }

    #[test]
    fn times_follow_the_clock_and_own_numbers_go_before() {
        let at = |clock| with("memory = \"lpddr5-6400\"", clock, "banks = 4").unwrap().dram;
        assert_eq!([500, 1000].map(|c| at(c).row_miss_cycles), [18, 36]);
        assert_eq!([500, 1000].map(|c| at(c).bytes_per_cycle.thousandths()), [51_200, 25_600]);
        assert_eq!(at(1000).banks, 4);
    }

    #[test]
    fn what_is_missing_is_named() {
        let of = |memory| with(memory, 1000, "").unwrap_err().to_string();
        assert!(of("").contains("dram.bytes_per_cycle is missing"), "{}", of(""));
        let unknown = of("memory = \"ddr9\"");
        assert!(unknown.contains("'ddr9'") && unknown.contains("lpddr4x-4266"), "{unknown}");
    }
}

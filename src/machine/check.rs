//! The rules of a machine file, and the errors.

use super::{Control, HostCosts, Machine};
use crate::isa::Profile;
use crate::isa::limits::{MAX_ACC, MAX_BANKS, MAX_DRAM, MAX_SPM};

/// Why a machine file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MachineError {
    /// Not TOML, an unknown key, a missing key or a wrong type.
    #[error("line {line}, column {column}: {message}")]
    Syntax {
        /// 1-based.
        line: usize,
        /// 1-based.
        column: usize,
        /// Message of the TOML parser.
        message: String,
    },
    /// A field of DRAM that no memory gives.
    #[error("{field} is missing: give it, or name a memory that has it, as in memory = \"lpddr5-6400\"")]
    Missing {
        /// Path of the field.
        field: &'static str,
    },
    /// No memory has this name.
    #[error("dram.memory: no memory is named '{name}'; known are {known}")]
    Memory {
        /// What was asked for.
        name: String,
        /// Comma-separated.
        known: String,
    },
    /// A field is to be set that no machine has, or to what it cannot be.
    #[error("with its base and settings: {message}")]
    Layered {
        /// Message of the TOML parser.
        message: String,
    },
    /// Not the name of a machine.
    #[error("base: must be the name of a shipped machine, as in base = \"rcn-m\"")]
    Base,
    /// A setting without a field or a value.
    #[error("'{text}' is not FIELD=VALUE, as in spm.bytes=1MiB or dram.memory=lpddr5-6400")]
    Setting {
        /// What was given.
        text: String,
    },
    /// A field outside its legal range.
    #[error("{field} = {value}: {rule}")]
    Field {
        /// Path of the field, `dram.burst_bytes`.
        field: &'static str,
        /// Its value.
        value: u64,
        /// The rule.
        rule: &'static str,
    },
    /// Profiles missing or unknown.
    #[error("profiles: {reason} (known: {})", Profile::ALL.map(Profile::name).join(", "))]
    Profiles {
        /// What is wrong with the list.
        reason: String,
    },
    /// The machine executes another version of the instruction set.
    #[error(
        "isa_version = {found}: this build knows version {known}; begin with a shipped machine file of this \
         version (isa/machines) and put your numbers in, the manual's *Versions* says which fields are new"
    )]
    IsaVersion {
        /// Version in the file.
        found: u32,
        /// Version of this build.
        known: u32,
    },
    /// No shipped machine has this name.
    #[error("no machine is named '{name}'; shipped are {known}, or give the path of a machine file")]
    Unknown {
        /// What was asked for.
        name: String,
        /// Comma-separated.
        known: String,
    },
}

impl MachineError {
    pub(super) fn syntax(text: &str, error: &toml::de::Error) -> MachineError {
        let at = error.span().map_or(0, |s| s.start).min(text.len());
        let before = text.get(..at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
        MachineError::Syntax { line, column, message: error.message().trim().replace('\n', "; ") }
    }
}

pub(super) fn check(m: &Machine) -> Result<(), MachineError> {
    if m.profiles.is_empty() {
        return Err(MachineError::Profiles { reason: "empty".into() });
    }
    if let Some(unknown) =
        m.profiles.iter().find(|p| Profile::ALL.iter().all(|known| known.name() != p.as_str()))
    {
        return Err(MachineError::Profiles { reason: format!("'{unknown}' is not known") });
    }
    let positive = "must be at least 1 and at most 1,000,000";
    for (field, value) in [
        ("clock_mhz", m.clock_mhz),
        ("mac.oc_lanes", m.mac.oc_lanes),
        ("mac.ic_lanes", m.mac.ic_lanes),
        ("mac.depthwise_taps", m.mac.depthwise_taps),
        ("mac.pixel_lanes", m.mac.pixel_lanes),
        ("mac.activation_bytes_per_cycle", m.mac.activation_bytes_per_cycle),
        ("mac.weight_bytes_per_cycle", m.mac.weight_bytes_per_cycle),
        ("mac.sum_bytes_per_cycle", m.mac.sum_bytes_per_cycle),
        ("mac.queue_depth", m.mac.queue_depth),
        ("vec.lanes", m.vec.lanes),
        ("vec.source_bytes_per_cycle", m.vec.source_bytes_per_cycle),
        ("vec.result_bytes_per_cycle", m.vec.result_bytes_per_cycle),
        ("vec.sum_bytes_per_cycle", m.vec.sum_bytes_per_cycle),
        ("vec.queue_depth", m.vec.queue_depth),
        ("spm.bytes_per_cycle", m.spm.bytes_per_cycle),
        ("dram.batch_segments", m.dram.batch_segments),
        ("dram.outstanding", m.dram.outstanding),
        ("dma.in_queue_depth", m.dma.in_queue_depth),
        ("dma.out_queue_depth", m.dma.out_queue_depth),
        ("control.const_load_cycles", m.control.const_load_cycles),
    ] {
        if value == 0 || value > 1_000_000 {
            return Err(MachineError::Field { field, value: value.into(), rule: positive });
        }
    }
    for (field, value) in [
        ("mac.fill_cycles", m.mac.fill_cycles),
        ("mac.drain_cycles", m.mac.drain_cycles),
        ("vec.latency_cycles", m.vec.latency_cycles),
        ("dram.read_latency_cycles", m.dram.read_latency_cycles),
        ("dram.write_latency_cycles", m.dram.write_latency_cycles),
        ("dram.row_miss_cycles", m.dram.row_miss_cycles),
        ("dram.turnaround_cycles", m.dram.turnaround_cycles),
        ("dram.refresh_cycles", m.dram.refresh_cycles),
        ("dram.refresh_interval_cycles", m.dram.refresh_interval_cycles),
        ("control.const_miss_cycles", m.control.const_miss_cycles),
    ] {
        if value > 1_000_000 {
            return Err(MachineError::Field {
                field,
                value: value.into(),
                rule: "must be at most 1,000,000",
            });
        }
    }
    for (field, value) in [("dram.burst_bytes", m.dram.burst_bytes), ("dram.row_bytes", m.dram.row_bytes)] {
        if !value.is_power_of_two() || value > 1 << 20 {
            return Err(MachineError::Field {
                field,
                value: value.into(),
                rule: "must be a power of two up to 2^20",
            });
        }
    }
    if m.dram.grant_bytes == 0
        || !m.dram.grant_bytes.is_multiple_of(m.dram.burst_bytes)
        || m.dram.grant_bytes > 1 << 20
    {
        return Err(MachineError::Field {
            field: "dram.grant_bytes",
            value: m.dram.grant_bytes.into(),
            rule: "must be a multiple of dram.burst_bytes, at most 2^20",
        });
    }
    if m.dram.row_bytes < m.dram.burst_bytes {
        return Err(MachineError::Field {
            field: "dram.row_bytes",
            value: m.dram.row_bytes.into(),
            rule: "must be at least dram.burst_bytes",
        });
    }
    let thousandths = m.dram.bytes_per_cycle.thousandths();
    if !(1..=1_000_000_000).contains(&thousandths) {
        return Err(MachineError::Field {
            field: "dram.bytes_per_cycle",
            value: thousandths / 1000,
            rule: "must be at least 0.001 and at most 1,000,000",
        });
    }
    if m.dram.other_masters_percent > 95 {
        return Err(MachineError::Field {
            field: "dram.other_masters_percent",
            value: m.dram.other_masters_percent.into(),
            rule: "must be at most 95",
        });
    }
    if m.dram.refresh_cycles > 0 && m.dram.refresh_interval_cycles <= m.dram.refresh_cycles {
        return Err(MachineError::Field {
            field: "dram.refresh_interval_cycles",
            value: m.dram.refresh_interval_cycles.into(),
            rule: "must be larger than dram.refresh_cycles",
        });
    }
    for (field, banks) in
        [("acc.banks", m.acc.banks), ("spm.banks", m.spm.banks), ("dram.banks", m.dram.banks)]
    {
        if banks == 0 || banks > MAX_BANKS {
            return Err(MachineError::Field {
                field,
                value: banks.into(),
                rule: "must be at least 1 and at most 64",
            });
        }
    }
    for (field, bytes, banks, limit) in
        [("acc.bytes", m.acc.bytes, m.acc.banks, MAX_ACC), ("spm.bytes", m.spm.bytes, m.spm.banks, MAX_SPM)]
    {
        if bytes < 4096 || bytes > limit || !bytes.is_multiple_of(u64::from(banks) * 64) {
            let rule = "must be at least 4096, at most 2^28 (acc) or 2^30 (spm), and a multiple of 64 bytes in each bank";
            return Err(MachineError::Field { field, value: bytes, rule });
        }
    }
    if let Some(host) = &m.host {
        host_is_legal(host)?;
    }
    let Control { const_cache_bytes: cache, const_line_bytes: line, .. } = m.control;
    if !line.is_power_of_two() || !(64..=4096).contains(&line) {
        return Err(MachineError::Field {
            field: "control.const_line_bytes",
            value: line.into(),
            rule: "must be a power of two from 64 to 4096",
        });
    }
    if cache != 0 && (!cache.is_power_of_two() || cache < line || cache > 1 << 20) {
        return Err(MachineError::Field {
            field: "control.const_cache_bytes",
            value: cache.into(),
            rule: "must be 0, or a power of two from control.const_line_bytes to 2^20",
        });
    }
    if m.dram.bytes < 1 << 20 || m.dram.bytes > MAX_DRAM {
        let rule = "must be at least 2^20 and at most 2^40";
        return Err(MachineError::Field { field: "dram.bytes", value: m.dram.bytes, rule });
    }
    Ok(())
}

fn host_is_legal(host: &HostCosts) -> Result<(), MachineError> {
    for (field, ns) in [("host.start_ns", host.start_ns), ("host.layer_ns", host.layer_ns)] {
        let ns = ns.unwrap_or(0);
        if ns > 1_000_000_000_000 {
            return Err(MachineError::Field { field, value: ns, rule: "must be at most 10^12" });
        }
    }
    let positive = "must be more than 0";
    if host.megabytes_per_second == Some(0) {
        return Err(MachineError::Field { field: "host.megabytes_per_second", value: 0, rule: positive });
    }
    for rate in host.operators.values() {
        for (field, rate) in
            [("host.operators: gflops", rate.gflops), ("host.operators: gb_per_second", rate.gb_per_second)]
        {
            if rate.thousandths() == 0 {
                return Err(MachineError::Field { field, value: 0, rule: positive });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_machines_are_legal_and_distinct() {
        let rates: Vec<u64> =
            Machine::names().iter().map(|n| Machine::named(n).unwrap().macs_per_cycle()).collect();
        assert_eq!(rates, [256, 4096, 16384]);
        let hashes: std::collections::BTreeSet<u64> =
            Machine::names().iter().map(|n| Machine::named(n).unwrap().hash()).collect();
        assert_eq!(hashes.len(), 3);
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let text = include_str!("../../isa/machines/rcn-m.toml").replace("lanes = 64  ", "lames = 64  ");
        let error = Machine::parse(&text).unwrap_err().to_string();
        assert!(error.contains("lames") && error.starts_with("line "), "{error}");
    }

    #[test]
    fn every_cut_is_refused_or_legal_but_never_panics() {
        let text = include_str!("../../isa/machines/rcn-m.toml");
        for at in 0..text.len() {
            if let Some(cut) = text.get(..at) {
                let _ = Machine::parse(cut);
            }
        }
    }

    #[test]
    fn out_of_range_values_name_the_field() {
        let text =
            include_str!("../../isa/machines/rcn-m.toml").replace("burst_bytes = 64", "burst_bytes = 63");
        let error = Machine::parse(&text).unwrap_err().to_string();
        assert_eq!(error, "dram.burst_bytes = 63: must be a power of two up to 2^20");
    }
}

//! Report of `bench`: the duration of a program on this computer, and its parts.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use crate::batch::Measured;
use crate::document::Kind;
use crate::kernels::cpu::Level;
use crate::readable;
use crate::sim::Loaded;

/// Layers that are listed.
const LISTED: usize = 12;

/// Durations of a program on this computer, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct BenchReport {
    /// Program.
    pub program: String,
    /// Machine of the program.
    pub machine: String,
    /// Kernel level that was used.
    pub kernels: String,
    /// Number of threads that were asked for.
    pub threads: usize,
    /// Multiply-accumulates of one run.
    pub macs: u64,
    /// Loading the program: checks, clock and plan.
    pub load_ms: f64,
    /// The first run, which is not among the others.
    pub first_ms: f64,
    /// Median duration of the clock alone; none unless instructions are timed.
    pub clock_ms: Option<f64>,
    /// The median run.
    pub median_ms: f64,
    /// The fastest run.
    pub least_ms: f64,
    /// 10⁹ multiply-accumulates a second in the median run.
    pub gmac_per_s: f64,
    /// Each run.
    pub times_ms: Vec<f64>,
    /// Durations by layer and instruction; empty unless instructions are timed.
    pub spent: Vec<SpentRow>,
}

/// Duration of the instructions of one kind in one layer, in a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct SpentRow {
    /// Layer.
    pub layer: String,
    /// Mnemonic, or several for instructions executed as one.
    pub insn: String,
    /// How many are executed in a run.
    pub count: f64,
    /// Milliseconds of a run.
    pub ms: f64,
}

impl Kind for BenchReport {
    const KIND: &'static str = "bench";
}

/// The first line of `bench --serve`, when it is ready; a line with the milliseconds of a run follows for
/// each line of input.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct BenchReady {
    /// Loading the program.
    pub load_ms: f64,
    /// The first run.
    pub first_ms: f64,
}

impl Kind for BenchReady {
    const KIND: &'static str = "bench-ready";
}

/// The median; 0 if empty.
fn median(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

impl BenchReport {
    /// A report of measurements; `load` and `first` are in seconds.
    #[must_use]
    pub fn new(
        loaded: &Loaded,
        (level, threads): (Level, usize),
        [load, first]: [f64; 2],
        measured: &Measured,
    ) -> BenchReport {
        let meta = &loaded.program().meta;
        let macs: u64 = meta.layers.iter().map(|l| l.macs).sum();
        let runs = measured.times.len().max(1) as f64;
        let name = |layer: Option<u32>| {
            layer.and_then(|l| meta.layers.get(l as usize)).map_or("(prologue)", |l| l.name.as_str())
        };
        let spent = measured.spent.iter().map(|((layer, insn), taken)| SpentRow {
            layer: name(*layer).into(),
            insn: (*insn).into(),
            count: taken.count as f64 / runs,
            ms: taken.seconds * 1e3 / runs,
        });
        let median_s = median(&measured.times);
        BenchReport {
            program: meta.name.clone(),
            machine: loaded.machine().name.clone(),
            kernels: level.name().into(),
            threads,
            macs,
            load_ms: load * 1e3,
            first_ms: first * 1e3,
            clock_ms: (!measured.clock.is_empty()).then(|| median(&measured.clock) * 1e3),
            median_ms: median_s * 1e3,
            least_ms: measured.times.iter().copied().reduce(f64::min).unwrap_or(0.0) * 1e3,
            gmac_per_s: if median_s > 0.0 { macs as f64 / median_s / 1e9 } else { 0.0 },
            times_ms: measured.times.iter().map(|t| t * 1e3).collect(),
            spent: spent.collect(),
        }
    }

    /// The report as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let threads = if self.threads > 1 { format!(", {} threads", self.threads) } else { String::new() };
        let _ = writeln!(text, "{} on {}, {} kernels{threads}", self.program, self.machine, self.kernels);
        let _ = writeln!(
            text,
            "load {:.2} ms, first run {:.2} ms; {} runs: median {:.2} ms, least {:.2} ms; {:.1} GMAC/s",
            self.load_ms,
            self.first_ms,
            self.times_ms.len(),
            self.median_ms,
            self.least_ms,
            self.gmac_per_s
        );
        text = readable::prose(&text);
        if let Some(clock) = self.clock_ms {
            text.push_str(&self.tables(clock));
        }
        text
    }

    /// Durations by instruction, and the layers that take most.
    fn tables(&self, clock: f64) -> String {
        let total = self.times_ms.iter().sum::<f64>() / self.times_ms.len().max(1) as f64;
        let mut by_insn: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
        let mut by_layer: BTreeMap<&str, f64> = BTreeMap::new();
        for row in &self.spent {
            let entry = by_insn.entry(&row.insn).or_default();
            *entry = (entry.0 + row.count, entry.1 + row.ms);
            *by_layer.entry(&row.layer).or_default() += row.ms;
        }
        let executed: f64 = by_insn.values().map(|(_, ms)| ms).sum();
        let row = |name: &str, count: String, ms: f64| {
            vec![name.to_string(), count, format!("{ms:.3}"), format!("{:.1}%", 100.0 * ms / total)]
        };
        let mut insns: Vec<_> = by_insn.into_iter().collect();
        insns.sort_by(|a, b| b.1.1.total_cmp(&a.1.1));
        let mut rows: Vec<_> =
            insns.into_iter().map(|(insn, (n, ms))| row(insn, readable::grouped(n as u64), ms)).collect();
        rows.push(row("(clock)", String::new(), clock));
        // The rest includes the measurement itself, about 50 ns for each instruction.
        let rest = (total - executed - clock).max(0.0);
        rows.push(row("(inputs, outputs, measuring)", String::new(), rest));
        let mut text = readable::table(&["instruction", "count", "ms", "share"], &[1, 2, 3], rows);
        let mut layers: Vec<_> = by_layer.into_iter().collect();
        layers.sort_by(|a, b| b.1.total_cmp(&a.1));
        let rows = layers.into_iter().take(LISTED).map(|(l, ms)| row(l, String::new(), ms)).collect();
        text.push('\n');
        text.push_str(&readable::table(&["layer", "", "ms", "share"], &[2, 3], rows));
        text
    }
}

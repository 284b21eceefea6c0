//! Where the cycles of a program went, by layer and by unit, with lower bounds for each layer.
//!
//! A [`Profile`] is made from a program and its clock alone: cycles do not depend on inputs.

mod energy;
mod invocation;
mod lifetimes;
mod widths;

pub use energy::{Energy, EnergyError, LayerEnergy, Microjoules, Picojoules, energy};
pub use invocation::Invocation;
pub use lifetimes::{Lifetime, lifetimes};
pub use widths::{ExpectError, LayerWidths, WrongWidths, or_none, unlike_asked, unlike_expected, widths};

use std::collections::BTreeMap;

use serde::Serialize;

use crate::compiler::estimate::Estimate;
use crate::machine::Machine;
use crate::program::{Layer, Least, Program};
use crate::sim::Loaded;
use crate::sim::clock::{Cause, Causes, ClockReport, ControlCycles, UnitCycles, Units, Waits};

/// What limits the speed of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Bound {
    /// The MAC array executes most of the time.
    Mac,
    /// The vector unit executes most of the time.
    Vec,
    /// DMA moves data most of the time.
    Dram,
    /// No unit is busy for half of the time: they wait for each other, or for latencies.
    Sync,
    /// The accelerator does nothing: another view of the same memory, or work of the host.
    None,
}

impl Bound {
    /// Name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Bound::Mac => "MAC",
            Bound::Vec => "VEC",
            Bound::Dram => "DRAM",
            Bound::Sync => "sync",
            Bound::None => "-",
        }
    }
}

/// The least work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Work {
    /// Cycles of the MAC array.
    pub mac_cycles: u64,
    /// Cycles of the vector unit.
    pub vec_cycles: u64,
    /// Bytes over the DRAM channel.
    pub dram_bytes: u64,
}

/// A layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Operator kind.
    pub kind: String,
    /// Whether it runs on the host, outside the clock.
    pub host: bool,
    /// ONNX nodes that it came from.
    pub onnx_nodes: Vec<String>,
    /// Its share of the total.
    pub cycles: u64,
    /// Share of the total, 0 to 1.
    pub share: f64,
    /// Multiply-accumulates of the operator.
    pub macs: u64,
    /// Share of the array's peak, 0 to 1.
    pub mac_utilization: f64,
    /// Bytes read from DRAM.
    pub bytes_in: u64,
    /// Bytes written to DRAM.
    pub bytes_out: u64,
    /// Multiply-accumulates for each byte of DRAM traffic; none without traffic.
    pub intensity: Option<f64>,
    /// Tera-operations a second, two for each multiply-accumulate.
    pub tops: f64,
    /// What limits its speed.
    pub bound: Bound,
    /// The least cycles that it would take if nothing ran beside it: the largest of its three bounds. Layers
    /// overlap, so its share of the total can be less.
    pub alone: u64,
    /// The least work of MAC array, vector unit and DRAM channel, whatever its tiles.
    pub work: Work,
    /// Multiply-accumulates that the array executes for it, without padding and skipped blocks.
    pub executed_macs: u64,
    /// Queue instructions.
    pub instructions: u64,
    /// What the units did for its instructions, and what they waited for.
    pub units: Units<Causes>,
    /// Which queues its instructions waited for, by the unit that waited.
    pub waits: Units<Waits>,
    /// Seconds on the host; none for a layer of the device, and where the machine file does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_seconds: Option<f64>,
}

/// A whole program.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Profile {
    /// Program.
    pub program: String,
    /// Machine.
    pub machine: String,
    /// Its clock in MHz.
    pub clock_mhz: u32,
    /// The memory that its DRAM is, if its file names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// Multiply-accumulates in a cycle at most.
    pub macs_per_cycle: u64,
    /// Bytes in a cycle over the DRAM channel at most.
    pub dram_bytes_per_cycle: f64,
    /// The same in 10⁹ bytes a second, which scales with the clock.
    pub dram_gb_per_second: f64,
    /// All cycles.
    pub cycles: u64,
    /// One inference, in seconds.
    pub seconds: f64,
    /// Inferences a second.
    pub frames_per_second: f64,
    /// Multiply-accumulates of all layers.
    pub macs: u64,
    /// Share of the array's peak, 0 to 1.
    pub mac_utilization: f64,
    /// Tera-operations a second.
    pub tops: f64,
    /// Bytes read from DRAM.
    pub bytes_in: u64,
    /// Bytes written to DRAM.
    pub bytes_out: u64,
    /// A lower bound of all cycles: the work of the busiest of MAC array, vector unit and DRAM channel, each
    /// of which does one thing at a time.
    pub least: u64,
    /// Cycles if layers did not overlap and each took its least cycles.
    pub alone: u64,
    /// Cycles before the first layer.
    pub prologue: u64,
    /// Cycles after the last layer.
    pub epilogue: u64,
    /// Layers in program order.
    pub layers: Vec<Row>,
    /// The control core.
    pub control: ControlCycles,
    /// The units.
    pub units: Units<UnitCycles>,
    /// Which queues the units waited for.
    pub waits: Units<Waits>,
    /// From the call to its answer, of which the cycles are a part.
    pub invocation: Invocation,
}

impl Profile {
    /// The profile of a loaded program.
    #[must_use]
    pub fn of(loaded: &Loaded) -> Profile {
        Profile::new(loaded.program(), loaded.machine(), loaded.clock())
    }

    /// The profile of an estimated network.
    #[must_use]
    pub fn estimated(machine: &Machine, estimate: &Estimate) -> Profile {
        Profile::new(&estimate.program, machine, &estimate.clock)
    }

    fn new(program: &Program, machine: &Machine, clock: &ClockReport) -> Profile {
        let hosts: BTreeMap<u32, Option<f64>> = program
            .meta
            .hosts
            .iter()
            .map(|entry| {
                let macs = program.meta.layers.get(entry.layer as usize).map_or(0, |l| l.macs);
                (entry.layer, invocation::host_seconds(entry, macs, machine.host.as_ref()))
            })
            .collect();
        let layers = (0..).zip(program.meta.layers.iter().zip(&clock.layers));
        let layers: Vec<Row> = layers
            .map(|(at, (layer, c))| Row {
                instructions: c.instructions,
                executed_macs: layer.macs.min(c.macs),
                waits: c.waits,
                host_seconds: hosts.get(&at).copied().flatten(),
                ..row(layer, machine, clock.total, c.cycles, [c.bytes_in, c.bytes_out], c.units)
            })
            .collect();
        let cycles = clock.total;
        let seconds = cycles as f64 / (f64::from(machine.clock_mhz) * 1e6);
        let macs = layers.iter().filter(|l| !l.host).map(|l| l.macs).sum();
        let sum = |of: fn(&Row) -> u64| layers.iter().map(of).sum::<u64>();
        let dram = machine.dram.least_cycles(sum(|l| l.work.dram_bytes));
        let launched = layers.iter().filter(|l| !l.host && l.instructions > 0).count() as u64;
        let hosts: Vec<Option<f64>> = hosts.into_values().collect();
        let invocation = Invocation::new(program, machine, seconds, launched, &hosts);
        Profile {
            program: program.meta.name.clone(),
            machine: machine.name.clone(),
            clock_mhz: machine.clock_mhz,
            memory: machine.dram.memory.clone(),
            macs_per_cycle: machine.macs_per_cycle(),
            dram_bytes_per_cycle: machine.dram.rate() as f64 / 1e3,
            dram_gb_per_second: machine.dram.rate() as f64 / 1e3 * f64::from(machine.clock_mhz) / 1e3,
            cycles,
            seconds,
            frames_per_second: ratio(1.0, seconds),
            macs,
            mac_utilization: utilization(macs, cycles, machine),
            tops: tops(macs, cycles, machine),
            bytes_in: sum(|l| l.bytes_in),
            bytes_out: sum(|l| l.bytes_out),
            least: sum(|l| l.work.mac_cycles).max(sum(|l| l.work.vec_cycles)).max(dram),
            alone: sum(|l| l.alone),
            prologue: clock.prologue,
            epilogue: clock.epilogue,
            layers,
            control: clock.control,
            units: clock.units,
            waits: clock.waits,
            invocation,
        }
    }

    /// The same profile with the layers of another program of the same network, in which fusion removed less.
    /// A layer's row is at the last of those that came from its ONNX nodes; the others have no cycles.
    #[must_use]
    pub fn told_by(&self, layers: &[Layer]) -> Profile {
        let mut rows: Vec<Row> = layers.iter().map(silent).collect();
        for row in &self.layers {
            let same =
                |l: &Layer| l.name == row.name || l.onnx_nodes.iter().any(|n| row.onnx_nodes.contains(n));
            let Some((layer, at)) = layers.iter().zip(&mut rows).rev().find(|(l, _)| same(l)) else {
                continue;
            };
            let before = (at.cycles, at.share);
            *at = Row { name: layer.name.clone(), kind: layer.kind.clone(), ..row.clone() };
            // Two layers of this program can be one there.
            (at.cycles, at.share) = (at.cycles + before.0, at.share + before.1);
        }
        Profile { layers: rows, ..self.clone() }
    }
}

/// A row without cycles.
fn silent(layer: &Layer) -> Row {
    Row {
        name: layer.name.clone(),
        kind: layer.kind.clone(),
        host: layer.host,
        onnx_nodes: layer.onnx_nodes.clone(),
        cycles: 0,
        share: 0.0,
        macs: layer.macs,
        mac_utilization: 0.0,
        bytes_in: 0,
        bytes_out: 0,
        intensity: None,
        tops: 0.0,
        bound: Bound::None,
        alone: 0,
        work: Work::default(),
        executed_macs: 0,
        instructions: 0,
        units: Units::default(),
        waits: Units::default(),
        host_seconds: None,
    }
}

impl Row {
    /// The layer's point in a roofline plot: multiply-accumulates for each byte of DRAM traffic, and
    /// tera-operations a second in the time of its busiest unit. Its share of the total cycles can be less
    /// where it overlaps with others, but the machine cannot work faster. None without traffic, or without
    /// products.
    #[must_use]
    pub fn roofline(&self, profile: &Profile) -> Option<[f64; 2]> {
        let bytes = self.bytes_in + self.bytes_out;
        if self.host || self.executed_macs == 0 || bytes == 0 {
            return None;
        }
        let busy = self.units.iter().map(|(_, u)| u[Cause::Busy]).max().unwrap_or(0);
        let channel = ratio(bytes as f64, profile.dram_bytes_per_cycle).ceil() as u64;
        let cycles = self.cycles.max(busy).max(channel);
        let tops = ratio(2.0 * self.executed_macs as f64, cycles as f64) * f64::from(profile.clock_mhz) / 1e6;
        Some([self.executed_macs as f64 / bytes as f64, tops])
    }
}

fn ratio(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a / b }
}

fn utilization(macs: u64, cycles: u64, machine: &Machine) -> f64 {
    ratio(macs as f64, cycles as f64 * machine.macs_per_cycle() as f64)
}

fn tops(macs: u64, cycles: u64, machine: &Machine) -> f64 {
    ratio(2.0 * macs as f64, cycles as f64) * f64::from(machine.clock_mhz) * 1e6 / 1e12
}

/// The least work of MAC array, vector unit and DRAM channel for a layer. The compiler's bounds are for any
/// tiling of the layer in the graph; where the program needs less, because it skips zero blocks of weights or
/// reuses an operand's memory for the result, that is the bound.
fn work(least: &Least, [_, _, mac, vec]: [u64; 4], traffic: u64) -> Work {
    Work {
        mac_cycles: least.mac_cycles.min(mac),
        vec_cycles: least.vec_cycles.min(vec),
        dram_bytes: least.dram_bytes.min(traffic),
    }
}

fn row(
    layer: &Layer,
    machine: &Machine,
    total: u64,
    cycles: u64,
    [bytes_in, bytes_out]: [u64; 2],
    units: Units<Causes>,
) -> Row {
    let busy = units.map(|u| u[Cause::Busy]).0;
    let [dma_in, dma_out, mac, vec] = busy;
    let dram = dma_in + dma_out;
    let bound = match [mac, vec, dram].into_iter().max().unwrap_or(0) {
        0 => Bound::None,
        most if most * 2 < cycles => Bound::Sync,
        most if most == mac => Bound::Mac,
        most if most == vec => Bound::Vec,
        _ => Bound::Dram,
    };
    let traffic = bytes_in + bytes_out;
    let work = work(&layer.least, busy, traffic);
    Row {
        name: layer.name.clone(),
        kind: layer.kind.clone(),
        host: layer.host,
        onnx_nodes: layer.onnx_nodes.clone(),
        cycles,
        share: ratio(cycles as f64, total as f64),
        macs: layer.macs,
        mac_utilization: if layer.host { 0.0 } else { utilization(layer.macs, cycles, machine) },
        bytes_in,
        bytes_out,
        intensity: (traffic > 0).then(|| layer.macs as f64 / traffic as f64),
        tops: if layer.host { 0.0 } else { tops(layer.macs, cycles, machine) },
        bound,
        alone: work.mac_cycles.max(work.vec_cycles).max(machine.dram.least_cycles(work.dram_bytes)),
        work,
        executed_macs: if layer.host { 0 } else { layer.macs },
        instructions: 0,
        units,
        waits: Units::default(),
        host_seconds: None,
    }
}

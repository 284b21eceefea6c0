//! Report of `estimate`: the cycles of programs on one or several machines.

use std::fmt::Write;

use serde::Serialize;

use super::{advice, energy};
use crate::document::Kind;
use crate::explore::Advice;
use crate::isa::Queue;
use crate::machine::Machine;
use crate::profile::{Energy, Invocation, Lifetime, Profile, Row};
use crate::readable;
use crate::sim::clock::{Cause, awaited, unit};

/// The cycles of a program on some machines.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct EstimateReport {
    /// One profile for each machine, in the order given.
    pub profiles: Vec<Profile>,
    /// What larger machines and thinner layers would save, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<Advice>,
    /// Energy by a table of picojoules, if one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub energy: Option<Energy>,
    /// What lies in the scratchpad, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifetimes: Option<Vec<Lifetime>>,
}

impl Kind for EstimateReport {
    const KIND: &'static str = "estimate";
}

impl EstimateReport {
    /// The report as text: one profile as tables, several side by side.
    #[must_use]
    pub fn text(&self) -> String {
        match self.profiles.as_slice() {
            [one] => {
                let advice = self.advice.as_ref().map(|a| advice::text(a, one.cycles));
                let energy = self.energy.as_ref().map(energy::text);
                [Some(table(one)), advice, energy].into_iter().flatten().collect()
            }
            several => side_by_side(several),
        }
    }
}

/// Note on cycles at clocks that no shipped machine has, unless the machine names its memory.
pub(super) fn scaling<'a>(machines: impl IntoIterator<Item = (u32, &'a Option<String>)>) -> &'static str {
    let shipped = |mhz: u32| {
        let names = Machine::names().into_iter().chain(Machine::fitted());
        names.filter_map(|n| Machine::named(n).ok()).any(|m| m.clock_mhz == mhz)
    };
    if machines.into_iter().all(|(mhz, memory)| memory.is_some() || shipped(mhz)) {
        return "";
    }
    "DRAM scales along with clock_mhz: its bandwidth and latencies are in cycles; change them too for the same memory, or name it \
     (dram.memory)\n"
}

/// What a program takes on a machine.
pub(super) fn took(program: &str, machine: &str, cycles: u64, clock_mhz: u32) -> String {
    let time = readable::time(cycles, clock_mhz);
    format!("{program} on {machine}: {} cycles = {time} at {clock_mhz} MHz", readable::grouped(cycles))
}

fn percent(part: f64) -> String {
    format!("{:.1}%", 100.0 * part)
}

/// The profile of a program as tables: layers, units, totals.
pub(super) fn table(p: &Profile) -> String {
    let header = [
        "#", "layer", "kind", "cycles", "share", "alone", "bound", "MACs", "of peak", "DRAM in", "out",
        "MAC/B", "waits",
    ];
    let mut rows = Vec::new();
    let outside = |name: &str, cycles: u64| {
        let mut row = vec![String::new(); header.len()];
        row[1] = name.into();
        row[3] = readable::grouped(cycles);
        row[4] = percent(cycles as f64 / p.cycles as f64);
        row
    };
    if p.prologue > 0 {
        rows.push(outside("(prologue)", p.prologue));
    }
    for (i, l) in p.layers.iter().enumerate() {
        let no_macs = l.macs == 0 || l.host;
        rows.push(vec![
            i.to_string(),
            l.name.clone(),
            if l.host { format!("{} (host)", l.kind) } else { l.kind.clone() },
            readable::grouped(l.cycles),
            percent(l.share),
            readable::grouped(l.alone),
            l.bound.name().into(),
            if l.macs == 0 { String::new() } else { readable::grouped(l.macs) },
            if no_macs { String::new() } else { percent(l.mac_utilization) },
            readable::bytes(l.bytes_in),
            readable::bytes(l.bytes_out),
            if no_macs { String::new() } else { l.intensity.map_or("-".into(), |x| format!("{x:.1}")) },
            waits(l),
        ]);
    }
    if p.epilogue > 0 {
        rows.push(outside("(epilogue)", p.epilogue));
    }
    let mut text = readable::table(&header, &[0, 3, 4, 5, 7, 8, 9, 10, 11], rows);
    text.push('\n');
    text.push_str(&unit_table(p));
    let mut sums = String::new();
    let _ = writeln!(
        sums,
        "\n{}, {:.1} frames/s; {:.3} TOPS, {} of the array's peak; DRAM {:.1} GB/s",
        took(&p.program, &p.machine, p.cycles, p.clock_mhz),
        p.frames_per_second,
        p.tops,
        percent(p.mac_utilization),
        p.dram_gb_per_second,
    );
    let times = |least: u64| p.cycles as f64 / least.max(1) as f64;
    let _ = writeln!(
        sums,
        "at least {} cycles, the work of the busiest of MAC, VEC and DRAM channel: {:.2} times that; {} if layers did not \
         overlap and each took its largest bound alone: {:.2} times that",
        readable::grouped(p.least),
        times(p.least),
        readable::grouped(p.alone),
        times(p.alone),
    );
    sums.push_str(scaling([(p.clock_mhz, &p.memory)]));
    sums.push_str(&invocation(&p.invocation));
    text + &readable::prose(&sums)
}

/// From the call to its answer.
fn invocation(i: &Invocation) -> String {
    let known = |what: &str, seconds: Option<f64>| {
        format!("{what} {}", seconds.map_or_else(|| "unknown".into(), readable::seconds))
    };
    let mut text = format!(
        "an invocation: {}, {}, {} ({}), {} ({} launches)",
        known("device", Some(i.device_seconds)),
        known("host", i.host_seconds),
        known("transfer", i.transfer_seconds),
        readable::bytes(i.transfer_bytes),
        known("start", i.start_seconds),
        i.launches
    );
    if let Some(cpu) = &i.cpu {
        let _ = write!(text, ", on {cpu}");
    }
    match (i.end_to_end_seconds, i.frames_per_second) {
        (Some(seconds), Some(rate)) => {
            let _ = writeln!(text, "; end to end: {} = {rate:.1} frames/s", readable::seconds(seconds));
        }
        _ => {
            let _ = writeln!(
                text,
                "; end to end: unknown, since the machine file does not give {}",
                i.unknown.join(", ")
            );
        }
    }
    text
}

/// The two largest things that MAC and VEC waited for in a layer.
fn waits(row: &Row) -> String {
    let mut list: Vec<(u64, String)> = Vec::new();
    for queue in [Queue::Mac, Queue::Vec] {
        let causes = row.units[queue].iter();
        let others = causes.filter(|(c, _)| *c != Cause::Busy && !c.is_condition());
        list.extend(others.map(|(c, n)| (n, format!("{} waits for {}", unit(queue), c.waited_for()))));
        let orders = row.waits[queue].iter();
        let text = |other| format!("{} waits for {}: {}", unit(queue), unit(other), awaited(queue, other));
        list.extend(orders.map(|(other, n)| (n, text(other))));
    }
    list.sort_by_key(|(n, _)| std::cmp::Reverse(*n));
    let texts = list.iter().take(2).map(|(n, text)| format!("{text} ({})", readable::grouped(*n)));
    texts.collect::<Vec<_>>().join("; ")
}

/// What the units did in all cycles.
fn unit_table(p: &Profile) -> String {
    let share = |n: u64| percent(n as f64 / p.cycles.max(1) as f64);
    let mut header = vec!["unit", "instructions", "busy", "waits for an instruction"];
    header.extend(Queue::ALL.map(unit));
    let others = [Cause::Bank, Cause::DramLatency, Cause::Outstanding, Cause::DramBusy];
    header.extend(["bank port", "DRAM answer", "transfers in flight", "DRAM channel"]);
    let rows = p.units.iter().map(|(queue, cycles)| {
        let mut row = vec![unit(queue).to_string(), readable::grouped(cycles.instructions)];
        row.extend([Cause::Busy, Cause::NothingIssued].map(|c| share(cycles.causes[c])));
        row.extend(Queue::ALL.map(|other| share(p.waits[queue][other])));
        row.extend(others.map(|c| share(cycles.causes[c])));
        row
    });
    let right: Vec<usize> = (1..header.len()).collect();
    let text = readable::table(&header, &right, rows.collect());
    let c = &p.control;
    let core = format!(
        "control core: busy {}, constant load {}, queue full {}, fence {}, halted {}\n",
        share(c.busy),
        share(c.constant_load),
        share(c.queue_full),
        share(c.fence),
        share(c.halted)
    );
    text + &readable::prose(&core)
}

/// Several machines side by side.
fn side_by_side(profiles: &[Profile]) -> String {
    let mut header = vec!["#".to_string(), "layer".into(), "kind".into()];
    header.extend(profiles.iter().flat_map(|p| [format!("{} cycles", p.machine), "bound".into()]));
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let rows = profiles.first().map_or(&[][..], |p| &p.layers).iter().enumerate().map(|(i, l)| {
        let mut row = vec![i.to_string(), l.name.clone(), l.kind.clone()];
        for p in profiles {
            let [cycles, bound] = p
                .layers
                .get(i)
                .map_or_else(Default::default, |l| [readable::grouped(l.cycles), l.bound.name().to_string()]);
            row.extend([cycles, bound]);
        }
        row
    });
    let right: Vec<usize> = [0].into_iter().chain((0..profiles.len()).map(|i| 3 + 2 * i)).collect();
    let mut text = readable::table(&header, &right, rows.collect());
    text.push('\n');
    let header = [
        "machine",
        "cycles",
        "time",
        "frames/s",
        "TOPS",
        "of peak",
        "DRAM in",
        "out",
        "least",
        "times least",
        "times alone",
    ];
    let rows = profiles.iter().map(|p| {
        vec![
            p.machine.clone(),
            readable::grouped(p.cycles),
            readable::time(p.cycles, p.clock_mhz),
            format!("{:.1}", p.frames_per_second),
            format!("{:.3}", p.tops),
            percent(p.mac_utilization),
            readable::bytes(p.bytes_in),
            readable::bytes(p.bytes_out),
            readable::grouped(p.least),
            format!("{:.2}", p.cycles as f64 / p.least.max(1) as f64),
            format!("{:.2}", p.cycles as f64 / p.alone.max(1) as f64),
        ]
    });
    text.push_str(&readable::table(&header, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], rows.collect()));
    text.push_str(&readable::prose(scaling(profiles.iter().map(|p| (p.clock_mhz, &p.memory)))));
    text
}

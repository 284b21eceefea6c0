//! `rcar-iss estimate`: cycles without tensors, on one machine or several side by side.

use std::fmt::Write;
use std::sync::Arc;

use serde_json::json;

use super::args::{EstimateArgs, ModelArgs};
use super::{Report, effect, machines, places, source};
use crate::explain::Failure;
use crate::isa::Queue;
use crate::machine::Machine;
use crate::profile::{Method, Profile, Row};
use crate::program::FileKind;
use crate::readable;
use crate::sim::clock::{Cause, ControlCycles, UnitCycles, awaited, unit};
use crate::sim::{Limits, Loaded};

pub(super) fn run(args: &EstimateArgs) -> Result<Report, Failure> {
    let model = source::kind_of(&args.file)? == FileKind::Model;
    check(args, model)?;
    if let Some(path) = &args.plot {
        places::writes("--plot", path)?;
    }
    let machines: Vec<Option<String>> = if args.machine.is_empty() {
        vec![None]
    } else if args.machine.iter().any(|m| m == "all") {
        Machine::names().into_iter().map(|n| Some(n.to_string())).collect()
    } else {
        args.machine.iter().cloned().map(Some).collect()
    };
    distinct(&args.machine)?;
    let profiles = if !args.exact && model {
        closed_form(args, &machines)?
    } else {
        let mut profiles = Vec::new();
        for machine in machines {
            let model = ModelArgs { machine, graph: args.graph.clone() };
            let (program, machine) = source::program(&args.file, &model)?;
            let loaded = Loaded::new(Arc::new(program), &machine, Limits::default())
                .map_err(|e| Failure::load(&args.file, &e))?;
            profiles.push(Profile::of(&loaded));
        }
        profiles
    };
    if let Some(path) = &args.plot {
        let plot = crate::report::roofline(&profiles).map_err(|e| Failure::file(path, &e))?;
        places::write(path, plot.as_bytes())?;
    }
    let text = match profiles.as_slice() {
        _ if args.json => format!("{:#}\n", json!({ "profiles": profiles })),
        [one] => table(one),
        several => side_by_side(several),
    };
    Ok(Report::fine(text))
}

fn check(args: &EstimateArgs, model: bool) -> Result<(), Failure> {
    if args.exact && !model {
        return Err(effect::none("--exact", &"the cycles of a program are always those of the clock"));
    }
    for (at, name) in args.machine.iter().enumerate() {
        if args.machine.len() > 1 && args.machine.iter().any(|m| m == "all") && name != "all" {
            return Err(effect::none(
                &format!("--machine {name}"),
                &"`--machine all` names every machine that is shipped",
            )
            .help("leave one of the two out; a machine file needs a call of its own, or names beside it"));
        }
        if args.machine[..at].contains(name) {
            return Err(effect::none(&format!("--machine {name}"), &"it is named before"));
        }
    }
    Ok(())
}

/// Refuses a machine that another option names already, by its name or in a file.
fn distinct(names: &[String]) -> Result<(), Failure> {
    let mut known: Vec<(&str, Machine)> = Vec::new();
    for name in names.iter().filter(|name| names.len() > 1 && *name != "all") {
        let machine = machines::named(name)?;
        if let Some((before, _)) = known.iter().find(|(_, m)| *m == machine) {
            let why = format!("it is the same machine as --machine {before}");
            return Err(effect::none(&format!("--machine {name}"), &why));
        }
        known.push((name, machine));
    }
    Ok(())
}

fn closed_form(args: &EstimateArgs, machines: &[Option<String>]) -> Result<Vec<Profile>, Failure> {
    let named = machines.iter().map(|m| machines::named(m.as_deref().unwrap_or("rcn-m")));
    let machines = named.collect::<Result<Vec<Machine>, Failure>>()?;
    let model = ModelArgs { machine: None, graph: args.graph.clone() };
    let estimates = super::model::estimate(&args.file, &model, &machines)?;
    let rows = machines.iter().zip(&estimates);
    Ok(rows.map(|(machine, (name, estimate))| Profile::estimated(name, machine, estimate)).collect())
}

/// What is to be said of cycles that no clock counted.
const CLOSED_FORM: &str = "closed form, without compiling; --exact compiles and runs the clock";

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
    if p.outside[0] > 0 {
        rows.push(outside("(prologue)", p.outside[0]));
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
            readable::bytes(l.bytes[0]),
            readable::bytes(l.bytes[1]),
            if no_macs { String::new() } else { l.intensity.map_or("-".into(), |x| format!("{x:.1}")) },
            waits(l),
        ]);
    }
    if p.outside[1] > 0 {
        rows.push(outside("(epilogue)", p.outside[1]));
    }
    let mut text = readable::table(&header, &[0, 3, 4, 5, 7, 8, 9, 10, 11], rows);
    text.push('\n');
    match (&p.units, &p.control) {
        (Some(units), Some(control)) => text.push_str(&unit_table(p, units, control)),
        _ => {
            let _ = writeln!(text, "{CLOSED_FORM}");
        }
    }
    let mut sums = String::new();
    let _ = writeln!(
        sums,
        "\n{} on {}: {} cycles = {} at {} MHz, {:.1} frames/s; {:.3} TOPS, {} of the array's peak; DRAM {:.1} GB/s",
        p.program,
        p.machine,
        readable::grouped(p.cycles),
        readable::time(p.cycles, p.clock_mhz),
        p.clock_mhz,
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
    sums.push_str(machines::scaling([p.clock_mhz]));
    text + &readable::prose(&sums)
}

/// The two largest things that MAC and VEC waited for in a layer.
fn waits(row: &Row) -> String {
    let Some(waits) = &row.waits else { return String::new() };
    let mut list: Vec<(u64, String)> = Vec::new();
    for queue in [Queue::Mac, Queue::Vec] {
        let causes = row.units[queue.index()].iter();
        let others = causes.filter(|(c, _)| *c != Cause::Busy && !c.is_condition());
        list.extend(others.map(|(c, n)| (n, format!("{} waits for {}", unit(queue), c.waited_for()))));
        let orders = waits[queue.index()].iter();
        let text = |other| format!("{} waits for {}: {}", unit(queue), unit(other), awaited(queue, other));
        list.extend(orders.map(|(other, n)| (n, text(other))));
    }
    list.sort_by_key(|(n, _)| std::cmp::Reverse(*n));
    let texts = list.iter().take(2).map(|(n, text)| format!("{text} ({})", readable::grouped(*n)));
    texts.collect::<Vec<_>>().join("; ")
}

/// What the units did in all cycles.
fn unit_table(p: &Profile, units: &[UnitCycles; 4], c: &ControlCycles) -> String {
    let share = |n: u64| percent(n as f64 / p.cycles.max(1) as f64);
    let mut header = vec!["unit", "instructions", "busy", "waits for an instruction"];
    header.extend(Queue::ALL.map(unit));
    let others = [Cause::Bank, Cause::DramLatency, Cause::Outstanding, Cause::DramBusy];
    header.extend(["bank port", "DRAM answer", "transfers in flight", "DRAM channel"]);
    let waits = p.waits.unwrap_or_default();
    let rows = Queue::ALL.into_iter().zip(units).map(|(queue, cycles)| {
        let mut row = vec![unit(queue).to_string(), readable::grouped(cycles.instructions)];
        row.extend([Cause::Busy, Cause::NothingIssued].map(|c| share(cycles.causes[c])));
        row.extend(Queue::ALL.map(|other| share(waits[queue.index()][other])));
        row.extend(others.map(|c| share(cycles.causes[c])));
        row
    });
    let right: Vec<usize> = (1..header.len()).collect();
    let text = readable::table(&header, &right, rows.collect());
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

/// Several machines beside each other.
fn side_by_side(profiles: &[Profile]) -> String {
    let mut header = vec!["#".to_string(), "layer".into(), "kind".into()];
    header.extend(profiles.iter().flat_map(|p| [format!("{} cycles", p.machine), "bound".into()]));
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let rows = profiles[0].layers.iter().enumerate().map(|(i, l)| {
        let mut row = vec![i.to_string(), l.name.clone(), l.kind.clone()];
        for p in profiles {
            let l = &p.layers[i];
            row.extend([readable::grouped(l.cycles), l.bound.name().to_string()]);
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
            readable::bytes(p.bytes[0]),
            readable::bytes(p.bytes[1]),
            readable::grouped(p.least),
            format!("{:.2}", p.cycles as f64 / p.least.max(1) as f64),
            format!("{:.2}", p.cycles as f64 / p.alone.max(1) as f64),
        ]
    });
    text.push_str(&readable::table(&header, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], rows.collect()));
    text.push_str(&readable::prose(machines::scaling(profiles.iter().map(|p| p.clock_mhz))));
    if profiles.iter().any(|p| p.method == Method::ClosedForm) {
        let _ = writeln!(text, "{CLOSED_FORM}");
    }
    text
}

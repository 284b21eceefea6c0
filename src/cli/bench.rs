//! `rcar-iss bench`: how long a program takes here, and where the time goes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::{Value, json};

use super::args::BenchArgs;
use super::{Report, effect, given, inputs, kernels, places, source};
use crate::explain::{Failure, ILLEGAL};
use crate::host::FloatHost;
use crate::inputs::{Samples, bytes_of};
use crate::outputs;
use crate::readable;
use crate::sim::engine::{Probe, Work};
use crate::sim::op::{OpKind, QueueOp};
use crate::sim::{self, Limits, Loaded, Session};

/// Seconds by layer (none: before the first) and instruction.
type Spent = BTreeMap<(Option<u32>, &'static str), (u64, f64)>;

pub(super) fn run(args: &BenchArgs) -> Result<Report, Failure> {
    let level = kernels::level(&args.kernels)?;
    let (program, machine) = source::executed(&args.file, &args.model)?;
    if program.meta.hosts.is_empty() {
        effect::engine(&args.model.graph.engine, "there are no host layers")?;
    }
    let inputs = inputs::of_program(&program.meta, &args.input, &args.pictures, &args.file)?;
    if inputs.count() > 1 {
        let why = format!("bench runs on one input, {} are given", inputs.count());
        return Err(Failure::usage("--input")
            .why(&why)
            .help("give one array or picture; `rcar-iss run` times many"));
    }
    let begin = now();
    let loaded = Loaded::new(Arc::new(program), &machine, Limits::default())
        .map_err(|e| Failure::load(&args.file, &e))?;
    let load = begin.elapsed().as_secs_f64();
    let spent: Arc<Mutex<Spent>> = Arc::default();
    let threads = sim::worthwhile(&loaded, args.threads.get());
    let mut session = Session::builder(&loaded).threads(threads).kernels(level);
    if args.profile {
        let (loaded, spent) = (loaded.clone(), Arc::clone(&spent));
        let timed = move || Timed { begin: now(), loaded: loaded.clone(), spent: Arc::clone(&spent) };
        session = session.probe(move || Box::new(timed()));
    }
    let mut session = session.build();
    let mut host = FloatHost::new();
    let sample = given::declared(inputs.read(0))?;
    let values = bytes_of(&sample);
    let mut once = || -> Result<f64, Failure> {
        let begin = now();
        session
            .run(&values, &mut host, &mut ())
            .map_err(|e| Failure::new(ILLEGAL, format!("'{}'", args.file.display())).why(&e))?;
        for tensor in outputs::of(&loaded.program().meta) {
            std::hint::black_box(session.tensor(tensor));
        }
        Ok(begin.elapsed().as_secs_f64())
    };
    let first = once()?;
    if args.serve {
        return serve(&mut once, load, first);
    }
    if let Ok(mut spent) = spent.lock() {
        spent.clear();
    }
    let times: Vec<f64> = (0..args.repeat.get()).map(|_| once()).collect::<Result<_, _>>()?;
    let spent = spent.lock().map(|s| s.clone()).unwrap_or_default();
    let clocks = if args.profile { args.repeat.get() } else { 0 };
    let clock: Vec<f64> = (0..clocks).map(|_| clock_once(args, &loaded)).collect::<Result<_, _>>()?;
    Ok(Report::fine(report(args, &loaded, &Measured { load, first, times, clock, spent })))
}

/// Seconds of the clock alone.
fn clock_once(args: &BenchArgs, loaded: &Loaded) -> Result<f64, Failure> {
    let begin = now();
    let report = loaded
        .clock_anew()
        .map_err(|e| Failure::new(ILLEGAL, format!("'{}'", args.file.display())).why(&e).fault(e))?;
    std::hint::black_box(report);
    Ok(begin.elapsed().as_secs_f64())
}

/// Seconds.
struct Measured {
    load: f64,
    first: f64,
    times: Vec<f64>,
    /// The clock alone; empty without `--profile`.
    clock: Vec<f64>,
    spent: Spent,
}

/// One line on stdout when ready; then one repetition and its milliseconds for each line on stdin.
fn serve(once: &mut dyn FnMut() -> Result<f64, Failure>, load: f64, first: f64) -> Result<Report, Failure> {
    let mut out = std::io::stdout().lock();
    let ready = json!({ "load_ms": load * 1e3, "first_ms": first * 1e3 });
    let mut said = writeln!(out, "{ready}").and_then(|()| out.flush());
    let mut lines = std::io::stdin().lock().lines();
    while said.is_ok() && lines.next().is_some_and(|l| l.is_ok()) {
        let time = once()?;
        said = writeln!(out, "{}", time * 1e3).and_then(|()| out.flush());
    }
    // Whoever listens may stop listening: then there is nothing left to do.
    places::written(said)?;
    Ok(Report::fine(String::new()))
}

/// The median; 0 of nothing.
fn median(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

fn report(args: &BenchArgs, loaded: &Loaded, measured: &Measured) -> String {
    let Measured { load, first, times, clock, spent } = measured;
    let meta = &loaded.program().meta;
    let macs: u64 = meta.layers.iter().map(|l| l.macs).sum();
    let (clock, median, least) =
        (median(clock), median(times), times.iter().copied().fold(f64::INFINITY, f64::min));
    let rate = macs as f64 / median / 1e9;
    let kernels = kernels::chosen(&args.kernels);
    let name = |layer: Option<u32>| {
        layer.and_then(|l| meta.layers.get(l as usize)).map_or("(prologue)", |l| l.name.as_str())
    };
    let runs = times.len() as f64;
    if args.json {
        let spent: Vec<Value> = spent
            .iter()
            .map(|((layer, insn), (n, s))| json!({ "layer": name(*layer), "insn": insn, "count": *n as f64 / runs, "ms": s * 1e3 / runs }))
            .collect();
        let value = json!({
            "program": meta.name,
            "machine": loaded.machine().name,
            "kernels": kernels,
            "threads": args.threads,
            "macs": macs,
            "load_ms": load * 1e3,
            "first_ms": first * 1e3,
            "clock_ms": args.profile.then_some(clock * 1e3),
            "median_ms": median * 1e3,
            "least_ms": least * 1e3,
            "gmac_per_s": rate,
            "times_ms": times.iter().map(|t| t * 1e3).collect::<Vec<_>>(),
            "spent": spent,
        });
        return format!("{value:#}\n");
    }
    let mut text = String::new();
    let threads = if args.threads.get() > 1 { format!(", {} threads", args.threads) } else { String::new() };
    let _ = writeln!(text, "{} on {}, {kernels} kernels{threads}", meta.name, loaded.machine().name);
    let _ = writeln!(
        text,
        "load {:.2} ms, first run {:.2} ms; {} runs: median {:.2} ms, least {:.2} ms; {rate:.1} GMAC/s",
        load * 1e3,
        first * 1e3,
        times.len(),
        median * 1e3,
        least * 1e3
    );
    text = readable::prose(&text);
    if args.profile {
        text.push_str(&tables(spent, clock, runs, times.iter().sum(), &name));
    }
    text
}

/// Time by instruction, and the layers that take most.
///
/// With several threads, times of instructions that ran beside each other add up to more than the whole.
fn tables<'a>(
    spent: &Spent,
    clock: f64,
    runs: f64,
    total: f64,
    name: &dyn Fn(Option<u32>) -> &'a str,
) -> String {
    let mut by_insn: BTreeMap<&str, (u64, f64)> = BTreeMap::new();
    let mut by_layer: BTreeMap<Option<u32>, f64> = BTreeMap::new();
    for ((layer, insn), (n, s)) in spent {
        let entry = by_insn.entry(insn).or_default();
        *entry = (entry.0 + n, entry.1 + s);
        *by_layer.entry(*layer).or_default() += s;
    }
    let executed: f64 = by_insn.values().map(|(_, s)| s).sum();
    let row = |name: &str, count: String, s: f64| {
        vec![name.to_string(), count, format!("{:.3}", s * 1e3 / runs), format!("{:.1}%", 100.0 * s / total)]
    };
    let mut insns: Vec<_> = by_insn.into_iter().collect();
    insns.sort_by(|a, b| b.1.1.total_cmp(&a.1.1));
    let mut rows: Vec<_> = insns
        .into_iter()
        .map(|(insn, (n, s))| row(insn, readable::grouped((n as f64 / runs) as u64), s))
        .collect();
    rows.push(row("(clock)", String::new(), clock * runs));
    // What is left: also the watch itself, some 50 ns for each instruction.
    let rest = (total - executed - clock * runs).max(0.0);
    rows.push(row("(inputs, outputs, measuring)", String::new(), rest));
    let mut text = readable::table(&["instruction", "count", "ms", "share"], &[1, 2, 3], rows);
    let mut layers: Vec<_> = by_layer.into_iter().collect();
    layers.sort_by(|a, b| b.1.total_cmp(&a.1));
    let rows = layers.into_iter().take(12).map(|(l, s)| row(name(l), String::new(), s)).collect();
    text.push('\n');
    text.push_str(&readable::table(&["layer", "", "ms", "share"], &[2, 3], rows));
    text
}

#[expect(clippy::disallowed_methods, reason = "real time is what is measured")]
fn now() -> Instant {
    Instant::now()
}

/// Measures how long each piece of work takes.
struct Timed {
    begin: Instant,
    loaded: Loaded,
    spent: Arc<Mutex<Spent>>,
}

impl Probe for Timed {
    fn before(&mut self, _: Work<'_>) {
        self.begin = now();
    }

    fn after(&mut self, work: Work<'_>) {
        let time = self.begin.elapsed().as_secs_f64();
        let op = work.first();
        let insn = if work.is_one() {
            self.loaded.code().get(op.pc as usize).map_or("?", |i| i.opcode().info().mnemonic)
        } else {
            fused_name(op)
        };
        if let Ok(mut spent) = self.spent.lock() {
            let entry = spent.entry((op.layer, insn)).or_default();
            *entry = (entry.0 + 1, entry.1 + time);
        }
    }
}

/// What a product and its requantization are called; tiles that are executed as one count once.
fn fused_name(product: &QueueOp) -> &'static str {
    if matches!(product.kind, OpKind::Depthwise(_)) {
        "mac.dw + vec.requant"
    } else {
        "mac.conv + vec.requant"
    }
}

//! `rcar-iss run`: executes a program on one or many inputs.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::json;

use super::args::{EngineArg, RunArgs};
use super::progress::Progress;
use super::widths::{self, Widths};
use super::{
    Report, effect, estimate, finite, given, inputs, kernels, machines, outputs as files, places, source,
    trace,
};
use crate::dump::{self, DumpStack, DumpWriter, Selection};
use crate::explain::{Failure, ILLEGAL, INPUT};
use crate::host::FloatHost;
use crate::inputs::{Feed, NotFinite, Samples, bytes_of, read_classes};
use crate::outputs::{self, Class};
use crate::profile::Profile;
use crate::program::{Meta, Program, Role, TensorEntry};
use crate::readable;
use crate::sim::clock::Cause;
use crate::sim::engine::fast::Fast;
use crate::sim::{
    self, EngineKind, GRAIN, Limits, Loaded, Memory, Observer, RunError, RunSummary, Sees, Session,
};
use crate::trace::TraceWriter;

/// More runs than this are not listed one by one.
const LISTED_RUNS: usize = 20;

/// So many of a classifier's classes are shown.
const BEST: usize = 5;

/// One finished run.
struct Finished {
    summary: RunSummary,
    /// Bytes of every output, in the order of the tensor table.
    outputs: Vec<Vec<u8>>,
}

pub(super) fn run(args: &RunArgs) -> Result<Report, Failure> {
    if args.engine == EngineArg::Reference && args.kernels.kernels.is_some() {
        return Err(effect::none(
            "--kernels",
            &"the reference engine has no kernels; this is for --engine fast",
        ));
    }
    if let Some(dir) = &args.dump_layers {
        places::replaces("--dump-layers", dir)?;
        dump::check_target(dir)?;
    }
    if let Some(path) = &args.trace {
        places::is_file("--trace", path)?;
        places::writes("--trace", path)?;
    }
    let (mut program, machine) = source::executed(&args.file, &args.model)?;
    if program.meta.hosts.is_empty() {
        effect::engine(&args.model.graph.engine, "there are no host layers")?;
    }
    if args.output.is_some() && outputs::of(&program.meta).next().is_none() {
        return Err(effect::none("--output", &"the program has no outputs"));
    }
    if args.dump_layers.is_some() && program.meta.tensors.is_empty() {
        return Err(effect::none("--dump-layers", &"the program names no tensors"));
    }
    if let Some(dir) = &args.output {
        files::declare(dir, &program.meta)?;
    }
    if let Some(path) = &args.classes {
        let names = given::declared(read_classes(path, given::reader()))?;
        effect::classes(&outputs::name_classes(&mut program.meta, &names), names.len())?;
    }
    let defaults = Limits::default();
    let limits = Limits {
        instructions: args.max_instructions.map_or(defaults.instructions, std::num::NonZero::get),
        macs: args.max_macs.unwrap_or(defaults.macs),
        bytes: args.max_bytes.unwrap_or(defaults.bytes),
        unordered: args.max_unordered.unwrap_or(defaults.unordered),
        comparisons: args.max_comparisons.unwrap_or(defaults.comparisons),
    };
    let inputs = inputs::of_program(&program.meta, &args.input, &args.pictures, &args.file)?;
    if let Some(threads) = args.threads.filter(|n| n.get() > 1)
        && (inputs.count(), args.engine) == (1, EngineArg::Reference)
    {
        let why = "the reference engine works on one thread for each input, and there is one";
        return Err(effect::none(&format!("--threads {threads}"), &why));
    }
    if args.trace.is_some() && inputs.count() > 1 {
        return Err(Failure::usage(format!("--trace needs one input, there are {}", inputs.count()))
            .help("give an array without the leading dimension, or one picture"));
    }
    let loaded =
        Loaded::new(Arc::new(program), &machine, limits).map_err(|e| Failure::load(&args.file, &e))?;
    let widths = widths::of(&loaded, &args.widths)?;
    let begin = now();
    let finished = run_all(args, &loaded, &inputs)?;
    let seconds = begin.elapsed().as_secs_f64();
    let runs: Vec<Vec<Vec<u8>>> = finished.iter().map(|f| f.outputs.clone()).collect();
    let files = match &args.output {
        Some(dir) => files::write(dir, &loaded.program().meta, &runs)?,
        None => Vec::new(),
    };
    let not_finite = inputs.not_finite()?;
    let text = if args.json {
        json(args, &loaded, &widths, &inputs, &finished, (&files, &not_finite))
    } else {
        text(args, &loaded, &widths, (&inputs, &not_finite), &finished, seconds)
    };
    Ok(Report { text, status: widths.status() })
}

fn run_all(args: &RunArgs, loaded: &Loaded, inputs: &Feed) -> Result<Vec<Finished>, Failure> {
    let level = kernels::level(&args.kernels)?;
    let available = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let all = args.threads.map_or(available, std::num::NonZero::get);
    let threads = all.min(inputs.count());
    // Inputs first: what runs by itself waits for nobody. To cut one input's tiles takes longer than a run.
    let each = if args.threads.is_some() { (all / threads.max(1)).max(1) } else { 1 };
    let each = sim::worthwhile(loaded, each);
    let layers = loaded.program().meta.layers.len().max(1);
    let progress = Progress::new((inputs.count() * layers) as u64, "layers");
    let stack = match &args.dump_layers {
        Some(dir) if inputs.count() > 1 => Some(DumpStack::create(dir)?),
        _ => None,
    };
    let next = AtomicUsize::new(0);
    let results: Mutex<BTreeMap<usize, Result<Finished, Failure>>> = Mutex::default();
    let worker = || {
        let mut session = match engine(args) {
            EngineKind::Fast => Session::with_threads(loaded, each, GRAIN, &|| Box::new(Fast::at(level))),
            reference => Session::new(loaded, reference),
        };
        let mut host = FloatHost::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= inputs.count() {
                return;
            }
            let result =
                one(args, loaded, (&mut session, &mut host), inputs, at, (stack.as_ref(), &progress));
            let failed = result.is_err();
            // A poisoned lock means that another worker panicked: its panic is what the user sees.
            if let Ok(mut results) = results.lock() {
                results.insert(at, result);
            }
            if failed {
                next.store(inputs.count(), Ordering::Relaxed);
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(worker);
        }
        worker();
    });
    progress.finish();
    let finished = results.into_inner().unwrap_or_default().into_values().collect::<Result<Vec<_>, _>>()?;
    if let Some(stack) = stack {
        stack.finish()?;
    }
    Ok(finished)
}

#[expect(clippy::disallowed_methods, reason = "the throughput of many runs is measured")]
fn now() -> Instant {
    Instant::now()
}

fn engine(args: &RunArgs) -> EngineKind {
    match args.engine {
        EngineArg::Reference => EngineKind::Reference,
        EngineArg::Fast => EngineKind::Fast,
    }
}

fn one(
    args: &RunArgs,
    loaded: &Loaded,
    (session, host): (&mut Session<'_>, &mut FloatHost),
    inputs: &Feed,
    at: usize,
    (stack, progress): (Option<&DumpStack>, &Progress),
) -> Result<Finished, Failure> {
    let meta = &loaded.program().meta;
    let sample = inputs.read(at)?;
    let values = bytes_of(&sample);
    let mut watch = LayerDumps { meta, dump: None, failed: None, progress };
    if let Some(dir) = &args.dump_layers {
        let selection = if args.dump_layer.is_empty() {
            Selection::All
        } else {
            Selection::Named(args.dump_layer.clone())
        };
        let mut dump = match stack {
            Some(stack) => stack.dump(&format!("{at:06}"), meta, &selection, args.dequantize)?,
            None => DumpWriter::create(dir, meta, &selection, args.dequantize)?,
        };
        dump.name_input(&inputs.name(at));
        for (tensor, (_, bytes)) in meta.tensors.iter().filter(|t| t.role == Role::Input).zip(&values) {
            dump.tensor(tensor, bytes)?;
        }
        watch.dump = Some(dump);
    }
    let mut tracer = match &args.trace {
        Some(path) => Some(TraceWriter::create(path, loaded).map_err(|e| trace::failure(path, &e))?),
        None => None,
    };
    let result = match &mut tracer {
        Some(tracer) => session.run(&values, host, &mut (&mut watch, tracer)),
        None => session.run(&values, host, &mut watch),
    };
    let summary = result.map_err(|e| match e {
        RunError::Input { .. } => Failure::new(INPUT, e.to_string()),
        RunError::Fault(fault) => {
            Failure::new(ILLEGAL, format!("'{}'", args.file.display())).why(&fault).fault(fault)
        }
    })?;
    if let Some(failed) = watch.failed {
        return Err(failed);
    }
    if let Some(dump) = watch.dump {
        dump.finish()?;
    }
    if let (Some(tracer), Some(path)) = (tracer, &args.trace) {
        let (records, bytes) = tracer.finish().map_err(|e| trace::failure(path, &e))?;
        tracing::info!(records, bytes, "trace written");
    }
    let outputs = outputs::of(meta).map(|t| session.tensor(t)).collect();
    Ok(Finished { summary, outputs })
}

/// Dumps tensors at the end of their layer, and counts layers.
struct LayerDumps<'a> {
    meta: &'a Meta,
    dump: Option<DumpWriter>,
    failed: Option<Failure>,
    progress: &'a Progress,
}

impl Observer for LayerDumps<'_> {
    const SEES: Sees = Sees::Layers;

    fn layer_end(&mut self, layer: u32, memory: &Memory) {
        self.progress.step();
        let Some(dump) = &mut self.dump else { return };
        let of_layer = |t: &&TensorEntry| t.layer == Some(layer);
        for tensor in self.meta.tensors.iter().filter(of_layer) {
            if self.failed.is_none()
                && dump.wants(&tensor.name)
                && let Err(e) = dump.tensor(tensor, &memory.gather(tensor))
            {
                self.failed = Some(e.into());
            }
        }
    }
}

/// The best classes of every output of a run.
fn classes(program: &Program, run: &Finished) -> Vec<(String, Vec<Class>)> {
    let named = outputs::of(&program.meta).zip(&run.outputs);
    named.map(|(t, bytes)| (t.name.clone(), outputs::best(t, bytes, BEST))).collect()
}

fn json(
    args: &RunArgs,
    loaded: &Loaded,
    widths: &Widths,
    inputs: &Feed,
    finished: &[Finished],
    (files, not_finite): (&[String], &[NotFinite]),
) -> String {
    let program = loaded.program();
    let clock = loaded.clock();
    let layers: Vec<_> = program
        .meta
        .layers
        .iter()
        .zip(&clock.layers)
        .zip(&widths.layers)
        .map(|((l, c), w)| {
            json!({
                "name": l.name, "kind": l.kind, "host": l.host, "macs": l.macs, "onnx_nodes": l.onnx_nodes, "clock": c,
                "asked": w.asked, "executed": w.executed,
            })
        })
        .collect();
    let runs: Vec<_> = finished
        .iter()
        .enumerate()
        .map(|(at, f)| {
            let outputs: Vec<_> = outputs::of(&program.meta)
                .zip(&f.outputs)
                .map(|(t, bytes)| {
                    json!({
                        "name": t.name,
                        "digest": format!("{:016x}", xxhash_rust::xxh3::xxh3_64(bytes)),
                        "best": outputs::best(t, bytes, BEST),
                    })
                })
                .collect();
            json!({ "input": inputs.name(at), "instructions": f.summary.instructions, "wraps": f.summary.wraps, "outputs": outputs })
        })
        .collect();
    let value = json!({
        "program": program.meta.name,
        "machine": loaded.machine().name,
        "clock_mhz": loaded.machine().clock_mhz,
        "engine": engine(args).name(),
        "cycles": clock.total,
        "prologue": clock.prologue,
        "epilogue": clock.epilogue,
        "control": clock.control,
        "units": { "dmain": clock.units[0], "dmaout": clock.units[1], "mac": clock.units[2], "vec": clock.units[3] },
        "layers": layers,
        "files": files,
        "not_finite_inputs": not_finite,
        "wrong_widths": widths.wrong,
        "runs": runs,
        "profile": args.profile.then(|| Profile::of(loaded)),
    });
    format!("{value:#}\n")
}

fn text(
    args: &RunArgs,
    loaded: &Loaded,
    widths: &Widths,
    (inputs, not_finite): (&Feed, &[NotFinite]),
    finished: &[Finished],
    seconds: f64,
) -> String {
    let program = loaded.program();
    let table =
        if args.profile { estimate::table(&Profile::of(loaded)) } else { layer_table(loaded, widths) };
    let mut text = String::new();
    let all: u64 = program.meta.layers.iter().map(|l| l.macs).sum();
    if !args.profile {
        text.push_str(&totals(loaded));
    }
    for host in &program.meta.hosts {
        let layer = program.meta.layers.get(host.layer as usize);
        let macs = layer.map_or(0, |l| l.macs);
        let share = if macs == 0 {
            String::new()
        } else {
            format!(" {} MACs ({:.1}% of all),", readable::short(macs), 100.0 * macs as f64 / all as f64)
        };
        let _ = writeln!(
            text,
            "host layer \"{}\": {} ran on the host:{share} no cycles, outside bit-exactness ({})",
            layer.map_or("?", |l| l.name.as_str()),
            host.op_types.join(", "),
            host.reason
        );
    }
    text.push_str(&widths.text());
    let wraps: u64 = finished.iter().map(|f| f.summary.wraps).sum();
    if wraps > 0 {
        let _ = writeln!(text, "{} accumulations wrapped around 32 bits", readable::grouped(wraps));
    }
    if finished.len() > 1 {
        let runs = finished.len() as f64;
        let _ = writeln!(
            text,
            "\n{} runs in {seconds:.2} s: {:.1} inferences/s, {:.1} GMAC/s",
            readable::grouped(finished.len() as u64),
            runs / seconds,
            runs * all as f64 / seconds / 1e9
        );
    }
    for (name, from) in inputs.sources() {
        let _ = writeln!(text, "input {name}: {from}");
    }
    text.push_str(&finite::text(not_finite));
    if finished.len() > LISTED_RUNS {
        text.push_str(&histogram(program, finished));
    } else {
        for (i, run) in finished.iter().enumerate() {
            let name = (finished.len() > 1).then(|| inputs.name(i));
            text.push_str(&run_text(program, run, name.as_deref()));
        }
    }
    if let Some(dir) = &args.output {
        let _ = writeln!(text, "outputs written to {}", dir.display());
    }
    if let Some(path) = &args.trace {
        let _ = writeln!(text, "trace written to {}", path.display());
    }
    if let Some(dir) = &args.dump_layers {
        let _ = writeln!(text, "layers written to {}", dir.display());
    }
    table + &readable::prose(&text)
}

fn run_text(program: &Program, run: &Finished, input: Option<&str>) -> String {
    let mut text = String::new();
    if let Some(input) = input {
        let _ = writeln!(text, "{input}:");
    }
    for (tensor, (name, best)) in outputs::of(&program.meta).zip(classes(program, run)) {
        let _ = writeln!(text, "output {name}: {} {}", tensor.dtype, readable::shape(&tensor.shape));
        let width = best.iter().map(|c| c.class.to_string().len()).max().unwrap_or(0);
        for c in &best {
            let label = c.label.as_deref().unwrap_or("");
            let _ = writeln!(text, "  {:>width$}  {:>10.4}  {label}", c.class, c.value);
        }
    }
    text
}

/// How often each class came first.
fn histogram(program: &Program, finished: &[Finished]) -> String {
    let mut text = String::new();
    for (i, tensor) in outputs::of(&program.meta).enumerate() {
        let mut count: BTreeMap<usize, u64> = BTreeMap::new();
        for run in finished {
            if let Some(first) = outputs::best(tensor, &run.outputs[i], 1).first() {
                *count.entry(first.class).or_default() += 1;
            }
        }
        if count.is_empty() {
            continue;
        }
        let _ = writeln!(text, "output {}: best class, and how often", tensor.name);
        for (class, n) in count {
            let label = tensor.labels.get(class).map_or("", String::as_str);
            let _ = writeln!(text, "  {class:>5}  {:>8}  {label}", readable::grouped(n));
        }
    }
    text
}

fn layer_table(loaded: &Loaded, widths: &Widths) -> String {
    let program = loaded.program();
    let clock = loaded.clock();
    let machine = loaded.machine();
    let percent = |part: u64, whole: u64| if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 };
    let mut rows = Vec::new();
    let plain = |name: &str, cycles: u64| {
        let mut row = vec![String::new(); 10];
        row[1] = name.into();
        row[6] = readable::grouped(cycles);
        row[7] = format!("{:.1}%", percent(cycles, clock.total));
        row
    };
    if clock.prologue > 0 {
        rows.push(plain("(prologue)", clock.prologue));
    }
    for (i, (layer, cycles)) in program.meta.layers.iter().zip(&clock.layers).enumerate() {
        let output = program.meta.tensors.iter().find(|t| t.layer.is_some_and(|l| l as usize == i));
        let peak = cycles.cycles * machine.macs_per_cycle();
        rows.push(vec![
            i.to_string(),
            layer.name.clone(),
            if layer.host { format!("{} (host)", layer.kind) } else { layer.kind.clone() },
            output.map_or_else(String::new, |t| format!("{} {}", t.dtype, readable::shape(&t.shape))),
            widths.executed(i),
            if layer.macs == 0 { String::new() } else { readable::grouped(layer.macs) },
            readable::grouped(cycles.cycles),
            format!("{:.1}%", percent(cycles.cycles, clock.total)),
            if layer.macs == 0 || layer.host {
                String::new()
            } else {
                format!("{:.1}%", percent(layer.macs, peak))
            },
            readable::bytes(cycles.bytes_in + cycles.bytes_out),
        ]);
    }
    if clock.epilogue > 0 {
        rows.push(plain("(epilogue)", clock.epilogue));
    }
    let header = ["#", "layer", "kind", "output", "bits", "MACs", "cycles", "share", "of peak", "DRAM"];
    readable::table(&header, &[0, 5, 6, 7, 8, 9], rows)
}

fn totals(loaded: &Loaded) -> String {
    let clock = loaded.clock();
    let machine = loaded.machine();
    let mut text = String::new();
    let macs: u64 = loaded.program().meta.layers.iter().map(|l| l.macs).sum();
    let _ = writeln!(
        text,
        "\n{} on {}: {} cycles = {} at {} MHz; {} instructions, {} MACs",
        loaded.program().meta.name,
        machine.name,
        readable::grouped(clock.total),
        readable::time(clock.total, machine.clock_mhz),
        machine.clock_mhz,
        readable::grouped(clock.instructions),
        readable::short(macs),
    );
    let busy = |cycles: u64| if clock.total == 0 { 0.0 } else { 100.0 * cycles as f64 / clock.total as f64 };
    let units = ["DMA-in", "DMA-out", "MAC", "VEC"];
    let parts: Vec<String> = units
        .iter()
        .zip(&clock.units)
        .map(|(name, u)| format!("{name} {:.1}%", busy(u.causes[Cause::Busy])))
        .collect();
    let _ = writeln!(text, "busy: {}", parts.join(", "));
    text.push_str(machines::scaling([machine.clock_mhz]));
    text
}

//! `rcar-iss tune`.

use std::fmt::Write;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use prost::Message;

use super::args::TuneArgs;
use super::feed::Feed;
use super::progress::Progress;
use super::quantize::{self as command, Prepared, with_ending};
use super::{Report, effect, finite, given, machines, model, pareto, places, sidecar};
use crate::compiler::CompileOptions;
use crate::document;
use crate::explain::{Failure, INPUT, NO, UNSUPPORTED};
use crate::files::{self, Batch};
use crate::float::Engine;
use crate::onnx::proto::ModelProto;
use crate::quantize::{self, Input, Inputs, Method, Settings, TensorSettings};
use crate::readable;
use crate::report::{TuneFiles, TuneReport};
use crate::tensor_file::Element;
use crate::tune::{self, Candidate, Goal, Item, Reporter, State, Task, TuneError, Tuned};

/// Methods that tensors in 8 bits choose from.
const METHODS: [Method; 4] =
    [Method::MinMax, Method::Percentile(99.99), Method::Percentile(99.999), Method::Mse];

pub(super) fn run(args: &TuneArgs) -> Result<Report, Failure> {
    let kept = with_ending(&args.output, "tune.json");
    Written::of(&args.output).declare(&args.output, &kept)?;
    let machine = machines::named(&args.machine)?;
    let max_cycles = args.max_cycles.as_deref().map(percent).transpose()?;
    check(args)?;
    let settings = command::settings(&args.how)?;
    chooses(&settings)?;
    if settings.bias_correction {
        return Err(Failure::usage("bias_correction in --config: tune does not know it").help(
            "the correction depends on the widths: add it to OUT.recipe.toml and run quantize with that",
        ));
    }
    let own = own_inputs(args)?;
    let files = (args.model_file.as_path(), args.output.as_path());
    let prepared = command::prepare(files, &args.how, settings, None, own.as_ref())?;
    let Some(feed) = own.as_ref().or(prepared.feed.as_ref()) else {
        return Err(Failure::usage("inputs to measure on are missing").help("give --inputs, or --calib"));
    };
    let inputs = measured_inputs(args, feed)?;
    let labels = args.labels.as_deref().map(|path| labels(path, inputs.len(), feed)).transpose()?;
    let side = sidecar::read_beside(&args.model_file).unwrap_or_default();
    let compile = CompileOptions {
        preprocess: prepared.pictures.clone(),
        labels: side.labels.clone(),
        ..CompileOptions::default()
    };
    let goal = match (args.target_sqnr, args.target_top1) {
        (Some(db), _) => Goal::Sqnr(db),
        (None, Some(share)) => Goal::Top1(share),
        (None, None) => Goal::Default,
    };
    let mut methods = vec![prepared.choice.method];
    methods.extend(METHODS.into_iter().filter(|m| *m != prepared.choice.method));
    let task = Task {
        key: key(args, &prepared, &inputs, &machine, labels.as_deref()),
        clean: &prepared.clean.model,
        places: &prepared.places,
        seen: &prepared.seen,
        choice: &prepared.choice,
        methods,
        inputs: &inputs,
        labels: labels.as_deref(),
        engine: prepared.engine.clone(),
        machine: &machine,
        import: model::calibrated_options(&args.how)?,
        compile,
        goal,
        max_cycles,
        threads: prepared.threads,
    };
    let state = if args.fresh { State::default() } else { earlier(&kept) };
    let watch = Keeper { path: kept.clone(), progress: Mutex::default(), failed: AtomicBool::new(false) };
    let tuned = tune::tune(&task, state, &watch).map_err(|e| failure(&args.model_file, &e))?;
    watch.finish();
    let settings = recipe(&prepared, &tuned);
    let written = write(args, &prepared, &task, &tuned, &settings)?;
    let text = if args.json { json(args, &tuned, &written) } else { text(args, &prepared, &tuned, &written) };
    Ok(Report { text, status: if tuned.reached { 0 } else { NO } })
}

/// What was typed, before anything is read.
fn check(args: &TuneArgs) -> Result<(), Failure> {
    effect::calibration(&args.how, false, Some(!args.inputs.is_empty()))?;
    if let Some(share) = args.target_top1.filter(|s| !(0.0..=1.0).contains(s)) {
        return Err(effect::wrong("--target-top1", &share, "it is a share of the inputs, 0 to 1"));
    }
    if let Some(db) = args.target_sqnr.filter(|db| !db.is_finite()) {
        return Err(effect::wrong("--target-sqnr", &db, "it must be a number of decibels"));
    }
    Ok(())
}

/// Settings of widths are what tune looks for.
fn chooses(settings: &Settings) -> Result<(), Failure> {
    let plain = Settings::default();
    let tensor = settings.tensors.values().any(|t| t.bits.is_some());
    let found = [
        ((settings.bits, settings.weight_bits) != (plain.bits, plain.weight_bits), "bits"),
        (!settings.layers.is_empty(), "[layers]"),
        (tensor, "bits of [tensors]"),
    ];
    match found.iter().find(|(there, _)| *there) {
        Some((_, what)) => {
            Err(effect::none(&format!("{what} in --config"), &"tune chooses all widths itself")
                .help("leave it out; `rcar-iss quantize --config` takes it"))
        }
        None => Ok(()),
    }
}

/// `+20%` → 0.2; either sign may be left out.
fn percent(text: &str) -> Result<f64, Failure> {
    let number = text.strip_prefix('+').unwrap_or(text);
    let number = number.strip_suffix('%').unwrap_or(number);
    match number.parse::<f64>() {
        // Rust reads a plus sign of its own.
        Ok(p) if p >= 0.0 && p.is_finite() && !number.starts_with('+') => Ok(p / 100.0),
        _ => {
            Err(Failure::usage(format!("--max-cycles {text}"))
                .help("write how many more are allowed, like +20%"))
        }
    }
}

/// Inputs on which models are measured when nobody says how many.
const SAMPLES: usize = 16;

/// What `--inputs` names.
fn own_inputs(args: &TuneArgs) -> Result<Option<Feed>, Failure> {
    if args.inputs.is_empty() {
        return Ok(None);
    }
    let float = model::load(&args.model_file)?.model;
    let options = model::graph_options(&args.how.shapes)?;
    Feed::of(&args.model_file, &float, &args.inputs, &args.how.pictures, &options).map(Some)
}

/// The inputs to measure on.
fn measured_inputs(args: &TuneArgs, feed: &Feed) -> Result<Vec<Input>, Failure> {
    let samples = args.samples.map_or(SAMPLES.min(feed.count()), NonZero::get);
    if samples > feed.count() {
        let why = format!("there are {} inputs to measure on", feed.count());
        return Err(effect::none(&format!("--samples {samples}"), &why));
    }
    let read = (0..samples).map(|at| feed.read(at).map_err(|why| Failure::new(INPUT, why)));
    let inputs: Vec<Input> = read.collect::<Result<_, _>>()?;
    let label = |at: usize| feed.names().get(at).cloned().unwrap_or_default();
    for (at, input) in inputs.iter().enumerate() {
        let floats = input.iter().filter(|(_, t)| t.element == Element::F32);
        let found: Vec<_> =
            floats.filter_map(|(n, t)| crate::report::NotFinite::among(n, &t.bytes, || label(at))).collect();
        finite::numbers(&found)?;
    }
    Ok(inputs)
}

/// The labels of the first `count` inputs. The file has one for each of those, or of all that are used, or of all that are
/// given.
fn labels(path: &Path, count: usize, feed: &Feed) -> Result<Vec<usize>, Failure> {
    let array = super::content::array(path, given::read(path)?, &["y", "labels"])?;
    let size = array.element.bytes();
    let signed = matches!(array.element, Element::S8 | Element::S16 | Element::S32 | Element::S64);
    let value = |chunk: &[u8]| {
        let negative = signed && chunk.last().is_some_and(|top| *top > 127);
        let mut wide = [0; 8];
        wide[..size].copy_from_slice(chunk);
        usize::try_from(u64::from_le_bytes(wide)).ok().filter(|_| !negative)
    };
    if !matches!(array.shape[..], [_] | [_, 1]) {
        let shape: Vec<u64> = array.shape.iter().map(|d| *d as u64).collect();
        return Err(Failure::usage(format!("--labels {}", path.display()))
            .why(&format!("the array has shape {}", readable::shape(&shape)))
            .help("labels have one axis, or Nx1: one class for each input"));
    }
    let float = array.element.is_float();
    let all: Option<Vec<usize>> = array.bytes.chunks_exact(size).map(value).collect();
    match all.filter(|_| !float) {
        Some(all) if [count, feed.count(), feed.given()].contains(&all.len()) => Ok(all[..count].to_vec()),
        Some(all) => {
            let given = match (feed.count(), feed.given()) {
                (used, given) if used == given => format!("{given} inputs"),
                (used, given) => format!("{given} inputs, of which {used} are used"),
            };
            Err(Failure::usage(format!("--labels {}", path.display()))
                .why(&format!("{} labels for {given}", all.len()))
                .help("give one label for each input, in their order"))
        }
        None => Err(Failure::file(path, &"labels are integers from 0")
            .help("save them with array.astype(numpy.int64)")),
    }
}

/// Digest of all that the measurements depend on: network, settings, statistics, machine, inputs, labels, the libraries, and
/// this very program, so that another build of it measures again.
fn key(
    args: &TuneArgs,
    prepared: &Prepared,
    inputs: &[Input],
    machine: &crate::machine::Machine,
    labels: Option<&[usize]>,
) -> String {
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    hash.update(&prepared.clean.model.encode_to_vec());
    hash.update(serde_json::to_string(&prepared.settings).unwrap_or_default().as_bytes());
    hash.update(serde_json::to_string(&prepared.seen).unwrap_or_default().as_bytes());
    hash.update(&machine.hash().to_le_bytes());
    hash.update(format!("{:?} {:?} {labels:?}", args.how.shapes.shape, args.how.shapes.dim).as_bytes());
    for (name, tensor) in inputs.iter().flatten() {
        hash.update(format!("{name} {:?} {:?}", tensor.element, tensor.shape).as_bytes());
        hash.update(&tensor.bytes);
    }
    let mut files = vec![std::env::current_exe().unwrap_or_default()];
    if let Engine::OnnxRuntime(runtime) = &prepared.engine {
        files.push(runtime.library().into());
    }
    for file in files {
        hash.update(file.to_string_lossy().as_bytes());
        match files::read_regular(&file) {
            Ok(bytes) => hash.update(&bytes),
            // What cannot be read may be another one next time: a key that no other run has.
            Err(_) => hash.update(&std::process::id().to_le_bytes()),
        }
    }
    format!("{:032x}", hash.digest128())
}

/// What an earlier run left; nothing if that cannot be read.
fn earlier(path: &Path) -> State {
    let text = files::read_regular(path).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.and_then(|text| document::read(&text).ok()).unwrap_or_default()
}

/// Shows progress, and writes the state after each step.
struct Keeper {
    path: PathBuf,
    progress: Mutex<Option<Progress>>,
    /// Measurements could not be kept, which has been said.
    failed: AtomicBool,
}

impl Reporter for Keeper {
    fn begin(&self, what: &'static str, steps: usize) {
        if let Ok(mut progress) = self.progress.lock() {
            if let Some(old) = progress.take() {
                old.finish();
            }
            *progress = Some(Progress::new(steps as u64, what));
        }
    }

    fn step(&self, state: &State) {
        if let Ok(progress) = self.progress.lock()
            && let Some(progress) = &*progress
        {
            progress.step();
        }
        if let Err(e) = files::replace(&self.path, document::pretty(state).as_bytes())
            && !self.failed.swap(true, Ordering::Relaxed)
        {
            tracing::warn!("{e}: measurements are not kept, and a run that is broken off begins anew");
        }
    }
}

impl Keeper {
    fn finish(self) {
        if let Some(progress) = self.progress.into_inner().ok().flatten() {
            progress.finish();
        }
    }
}

fn failure(path: &Path, error: &TuneError) -> Failure {
    match error {
        TuneError::Quantize(e) => command::failure(path, e),
        TuneError::Compile(_) => Failure::new(UNSUPPORTED, format!("'{}'", path.display())).why(error),
        TuneError::Label(_) => Failure::usage("--labels").why(error),
        TuneError::Run(_) => Failure::new(INPUT, format!("'{}'", path.display())).why(error),
    }
}

/// Settings with which `quantize --config` writes the same model.
fn recipe(prepared: &Prepared, tuned: &Tuned) -> Settings {
    let mut settings = prepared.settings.clone();
    (settings.bits, settings.weight_bits) = (8, 8);
    settings.layers =
        tuned.choice.layers.iter().map(|(node, w)| (node.clone(), w.name().to_string())).collect();
    settings.tensors.clear();
    for (tensor, bits) in &tuned.choice.bits {
        settings.tensors.entry(tensor.clone()).or_default().bits = Some(*bits);
    }
    for (tensor, method) in &tuned.choice.methods {
        let entry: &mut TensorSettings = settings.tensors.entry(tensor.clone()).or_default();
        entry.method = Some(method.name());
    }
    settings
}

/// What is written beside the model.
struct Written {
    program: PathBuf,
    plot: PathBuf,
    recipe: PathBuf,
    calibration: PathBuf,
}

impl Written {
    fn of(output: &Path) -> Written {
        Written {
            program: with_ending(output, "rcn"),
            plot: with_ending(output, "svg"),
            recipe: with_ending(output, "recipe.toml"),
            calibration: with_ending(output, "calibration.json"),
        }
    }

    /// Declares all files, that of the measurements too.
    fn declare(&self, output: &Path, kept: &Path) -> Result<(), Failure> {
        places::is_among("--output", output)?;
        places::writes("--output", output)?;
        let beside = [&self.program, &self.plot, &self.recipe, &self.calibration];
        beside.into_iter().try_for_each(|path| places::writes("beside it:", path))?;
        places::writes("beside it:", kept)
    }
}

fn write(
    args: &TuneArgs,
    prepared: &Prepared,
    task: &Task<'_>,
    tuned: &Tuned,
    settings: &Settings,
) -> Result<Written, Failure> {
    let refused = |e: quantize::QuantizeError| command::failure(&args.model_file, &e);
    let graph = prepared.clean.model.graph.clone().unwrap_or_default();
    let parameters =
        quantize::choose(&graph, &prepared.places, &prepared.seen, &tuned.choice).map_err(refused)?;
    let quantized: ModelProto =
        quantize::write(&prepared.clean.model, &prepared.places, &parameters).map_err(refused)?;
    let record = prepared.record(&tuned.choice, &parameters);
    let candidate = Candidate::compile(&quantized, task.machine, &task.import, &task.compile)
        .map_err(|e| failure(&args.model_file, &e))?;
    let written = Written::of(&args.output);
    let settings = toml::to_string(settings).map_err(|e| Failure::file(&written.recipe, &e))?;
    let program = candidate.program().to_bytes().map_err(|e| Failure::program(&written.program, e))?;
    let title = args.model_file.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
    let plot = pareto::plot(&written.plot, &title, tuned)?;
    let mut batch = Batch::new();
    prepared.sidecar.before(&mut batch);
    batch.file(&args.output, &quantized.encode_to_vec())?;
    batch.file(&written.calibration, command::to_json(&record).as_bytes())?;
    batch.file(&written.recipe, settings.as_bytes())?;
    batch.file(&written.program, &program)?;
    batch.file(&written.plot, plot.as_bytes())?;
    prepared.sidecar.after(&mut batch)?;
    batch.finish()?;
    Ok(written)
}

fn json(args: &TuneArgs, tuned: &Tuned, written: &Written) -> String {
    let name = |path: &Path| path.to_string_lossy().into_owned();
    let files = TuneFiles {
        model: name(&args.output),
        program: name(&written.program),
        plot: name(&written.plot),
        recipe: name(&written.recipe),
        calibration: name(&written.calibration),
    };
    document::pretty(&TuneReport::new(tuned, files))
}

fn text(args: &TuneArgs, prepared: &Prepared, tuned: &Tuned, written: &Written) -> String {
    let mut text = String::new();
    let share = tuned.best.point.top1 == Some(tuned.best.value);
    let shown = |v: f64| if share { format!("{:.2}%", 100.0 * v) } else { format!("{v:.2} dB") };
    let raised = &tuned.best.point.raised;
    if !raised.is_empty() {
        let rows = tuned.order.iter().filter(|o| raised.contains(&o.0)).map(|(item, noise, cycles)| {
            vec![
                item.text(),
                layers(prepared, item),
                format!("{:.2}", -10.0 * noise.log10()),
                readable::grouped(*cycles),
            ]
        });
        text.push_str(&readable::table(
            &["in 16 bits", "layers", "alone in 8, dB", "cycles"],
            &[2, 3],
            rows.collect(),
        ));
    }
    for (tensor, method) in &tuned.methods {
        let _ = writeln!(text, "tensor {tensor}: range by {}", method.name());
    }
    let line = |name: &str, p: &tune::Point| {
        let more = 100.0 * (p.cycles as f64 / tuned.plain.point.cycles as f64 - 1.0);
        let top1 = p.top1.map_or_else(String::new, |t| format!("{:.2}%", 100.0 * t));
        let bits = format!("{}", p.raised.len());
        vec![
            name.into(),
            bits,
            format!("{:.2}", p.sqnr),
            top1,
            readable::grouped(p.cycles),
            format!("{more:+.1}%"),
        ]
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    for p in &tuned.tried {
        let name = if *p == tuned.best.point {
            "→ chosen"
        } else if p.what == "first 0" {
            "8 bits, best ranges"
        } else {
            &p.what
        };
        rows.push(line(name, p));
    }
    text.push_str(&readable::table(
        &["tried", "in 16 bits", "SQNR dB", "top-1", "cycles", "more"],
        &[1, 2, 3, 4, 5],
        rows,
    ));
    let tables = text;
    let mut text = String::new();
    let verdict = if tuned.reached { "reached" } else { "NOT reached" };
    let _ = writeln!(
        text,
        "target {} {verdict}: {} with {} of {} tensors and weights in 16 bits, {} cycles ({:+.1}% against plain 8 bits, {:+.1}% against all in 16)",
        shown(tuned.target),
        shown(tuned.best.value),
        raised.len(),
        tuned.order.len(),
        readable::grouped(tuned.best.point.cycles),
        100.0 * (tuned.best.point.cycles as f64 / tuned.plain.point.cycles as f64 - 1.0),
        100.0 * (tuned.best.point.cycles as f64 / tuned.wide.point.cycles as f64 - 1.0),
    );
    let _ = writeln!(
        text,
        "written: {}, {}, {}, {}",
        args.output.display(),
        written.program.display(),
        written.plot.display(),
        written.recipe.display()
    );
    tables + &readable::prose(&text)
}

/// The nodes that a tensor lies between, or whose weights these are.
fn layers(prepared: &Prepared, item: &Item) -> String {
    let Item::Tensor(name) = item else { return String::new() };
    let Some(graph) = &prepared.clean.model.graph else { return String::new() };
    let named = |n: &crate::onnx::proto::NodeProto| n.name().to_string();
    let from = graph.node.iter().find(|n| n.output.contains(name)).map_or_else(|| "input".into(), named);
    let to: Vec<String> = graph.node.iter().filter(|n| n.input.contains(name)).map(named).collect();
    format!("{from} → {}", if to.is_empty() { "output".into() } else { to.join(", ") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_cycles_has_one_sign_of_each_kind() {
        for text in ["+20%", "20%", "+20", "20"] {
            assert_eq!(percent(text).unwrap(), 0.2, "{text}");
        }
        for text in ["++20%", "+20%%", "-20%", "%", "+", "", "+inf%", "+nan", "2 0%"] {
            assert!(percent(text).is_err(), "{text}");
        }
    }
}

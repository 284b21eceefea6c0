//! `rcar-iss tune`.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::args::TuneArgs;
use super::progress::Bars;
use super::quantize::{self as command, Prepared};
use super::{Report, effect, given, inputs, machines, model, places};
use crate::document;
use crate::explain::{Failure, NO};
use crate::files::Batch;
use crate::inputs::{Feed, NotFinite, Sample, Samples, Sidecar, read_labels};
use crate::report::{self, TuneFiles, TuneReport};
use crate::tune::{self, Goal, Kept, Product, Reporter, Search, State, Tuned};
use prost::Message;

pub(super) fn run(args: &TuneArgs) -> Result<Report, Failure> {
    let refused = |e| Failure::tune(&args.model_file, &e);
    let (files, kept) = (TuneFiles::beside(&args.output), args.output.with_extension("tune.json"));
    declare(&files, &kept)?;
    let machine = machines::named(&args.machine)?;
    let max_cycles = args.max_cycles.as_deref().map(tune::more_cycles).transpose()?;
    check(args)?;
    let settings = command::settings(&args.how)?;
    tune::admits(&settings).map_err(refused)?;
    let own = own_inputs(args)?;
    let model = (args.model_file.as_path(), args.output.as_path());
    let prepared = command::prepare(model, &args.how, settings, None, own.as_ref())?;
    let Some(feed) = own.as_ref().or(prepared.feed.as_ref()) else {
        return Err(Failure::usage("inputs to measure on are missing").help("give --input, or --calib"));
    };
    let inputs = measured_inputs(args, feed)?;
    let labels = args.labels.as_deref().map(|path| {
        let counts = (feed.count(), feed.given());
        given::declared(read_labels(path, inputs.len(), counts, given::reader()))
    });
    let labels = labels.transpose()?;
    let side = Sidecar::beside(&args.model_file, given::reader()).unwrap_or_default();
    let goal = match (args.target_sqnr, args.target_top1) {
        (Some(db), _) => Goal::Sqnr(db),
        (None, Some(share)) => Goal::Top1(share),
        (None, None) => Goal::Default,
    };
    let search = Search::new(&prepared.calibrated, &inputs, &machine)
        .map_err(refused)?
        .labels(labels.as_deref())
        .class_names(side.classes)
        .import(model::calibrated_options(&args.how)?)
        .goal(goal)
        .max_cycles(max_cycles);
    let keeper = Keeper { kept: Kept::at(&kept), bars: Bars::default(), failed: AtomicBool::new(false) };
    let state = if args.fresh { State::default() } else { keeper.kept.read() };
    let tuned = search.run(state, &keeper).map_err(refused)?;
    keeper.bars.finish();
    let product = search.write(&tuned).map_err(refused)?;
    write(args, &prepared, &tuned, &product, &files)?;
    let report = TuneReport::new(files, &prepared.calibrated, &tuned);
    let text = if args.json { document::pretty(&report) } else { report.text() };
    Ok(Report { text, status: if tuned.reached { 0 } else { NO } })
}

/// Declares all output files, including that of the measurements.
fn declare(files: &TuneFiles, kept: &Path) -> Result<(), Failure> {
    let TuneFiles { model, program, plot, recipe, calibration } = files;
    places::needs_regular("--output", model)?;
    places::writes("--output", model)?;
    let beside: [&PathBuf; 4] = [program, plot, recipe, calibration];
    beside.into_iter().try_for_each(|path| places::writes("beside it:", path))?;
    places::writes("beside it:", kept)
}

/// Checks the options, before any file is read.
fn check(args: &TuneArgs) -> Result<(), Failure> {
    effect::calibration(&args.how, false, Some(!args.input.is_empty()))?;
    if let Some(share) = args.target_top1.filter(|s| !(0.0..=1.0).contains(s)) {
        return Err(effect::wrong("--target-top1", &share, "it is a share of the inputs, 0 to 1"));
    }
    if let Some(db) = args.target_sqnr.filter(|db| !db.is_finite()) {
        return Err(effect::wrong("--target-sqnr", &db, "it must be a number of decibels"));
    }
    Ok(())
}

/// Default number of inputs on which models are measured.
const SAMPLES: usize = 16;

/// The inputs of `--input`.
fn own_inputs(args: &TuneArgs) -> Result<Option<Feed>, Failure> {
    if args.input.is_empty() {
        return Ok(None);
    }
    let float = model::load(&args.model_file)?.model;
    let options = model::graph_options(&args.how.shapes)?;
    let given = ("--input", &args.input[..]);
    inputs::of_network(&args.model_file, &float, given, &args.how.pictures, &options).map(Some)
}

/// The inputs to measure on.
fn measured_inputs(args: &TuneArgs, feed: &Feed) -> Result<Vec<Sample>, Failure> {
    let samples = args.input_limit.map_or(SAMPLES.min(feed.count()), NonZero::get);
    if samples > feed.count() {
        let why = format!("there are {} inputs to measure on", feed.count());
        return Err(effect::none(&format!("--input-limit {samples}"), &why));
    }
    let read = (0..samples).map(|at| given::declared(feed.read(at)));
    let inputs: Vec<Sample> = read.collect::<Result<_, _>>()?;
    for (at, input) in inputs.iter().enumerate() {
        let odd = input.iter().filter_map(|(name, t)| NotFinite::among(name, t, || feed.name(at)));
        inputs::numbers(odd.collect())?;
    }
    Ok(inputs)
}

/// Shows progress, and saves the state after each step.
struct Keeper {
    kept: Kept,
    bars: Bars,
    /// Whether saving has failed, which has been reported.
    failed: AtomicBool,
}

impl Reporter for Keeper {
    fn begin(&self, what: &'static str, steps: usize) {
        self.bars.begin(what, steps);
    }

    fn step(&self, state: &State) {
        self.bars.step();
        if let Err(e) = self.kept.write(state)
            && !self.failed.swap(true, Ordering::Relaxed)
        {
            tracing::warn!("{e}: measurements are not kept, and a run that is broken off begins anew");
        }
    }
}

fn write(
    args: &TuneArgs,
    prepared: &Prepared,
    tuned: &Tuned,
    product: &Product,
    files: &TuneFiles,
) -> Result<(), Failure> {
    let recipe = product.recipe.to_toml().map_err(|e| Failure::file(&files.recipe, &e))?;
    let program = product.candidate.program().to_bytes();
    let program = program.map_err(|e| Failure::program(&files.program, e))?;
    let title = args.model_file.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
    let plot = report::pareto(&title, tuned).map_err(|e| Failure::file(&files.plot, &e))?;
    let mut batch = Batch::new();
    prepared.sidecar.before(&mut batch);
    batch.file(&files.model, &product.quantized.model.encode_to_vec())?;
    batch.file(&files.calibration, product.quantized.record.to_json().as_bytes())?;
    batch.file(&files.recipe, recipe.as_bytes())?;
    batch.file(&files.program, &program)?;
    batch.file(&files.plot, plot.as_bytes())?;
    prepared.sidecar.after(&mut batch)?;
    Ok(batch.finish()?)
}

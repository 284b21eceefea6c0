//! `rcar-iss tune`.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use prost::Message;
use serde_json::json;

use super::args::TuneArgs;
use super::feed::Feed;
use super::progress::Bars;
use super::quantize::{self as command, Prepared};
use super::{Report, effect, finite, given, machines, model, places, sidecar};
use crate::explain::{Failure, INPUT, NO};
use crate::files::Batch;
use crate::quantize::{Input, Inputs};
use crate::readable;
use crate::report::{self, TuneFiles, TuneReport};
use crate::tensor_file::Element;
use crate::tune::{self, Goal, Kept, Product, Reporter, Search, State, Tuned};

pub(super) fn run(args: &TuneArgs) -> Result<Report, Failure> {
    let refused = |e| Failure::tune(&args.model_file, &e);
    let (files, kept) = (TuneFiles::beside(&args.output), args.output.with_extension("tune.json"));
    declare(&files, &kept)?;
    let machine = machines::named(&args.machine)?;
    let max_cycles = args.max_cycles.as_deref().map(percent).transpose()?;
    check(args)?;
    let settings = command::settings(&args.how)?;
    tune::admits(&settings).map_err(refused)?;
    let own = own_inputs(args)?;
    let model = (args.model_file.as_path(), args.output.as_path());
    let prepared = command::prepare(model, &args.how, settings, None, own.as_ref())?;
    let Some(feed) = own.as_ref().or(prepared.feed.as_ref()) else {
        return Err(Failure::usage("inputs to measure on are missing").help("give --inputs, or --calib"));
    };
    let inputs = measured_inputs(args, feed)?;
    let labels = args.labels.as_deref().map(|path| labels(path, inputs.len(), feed)).transpose()?;
    let goal = match (args.target_sqnr, args.target_top1) {
        (Some(db), _) => Goal::Sqnr(db),
        (None, Some(share)) => Goal::Top1(share),
        (None, None) => Goal::Default,
    };
    let search = Search::new(&prepared.calibrated, &inputs, &machine)
        .map_err(refused)?
        .labels(labels.as_deref())
        .class_names(sidecar::read_beside(&args.model_file).unwrap_or_default().labels)
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
    let text = if args.json { format!("{:#}\n", json!(report)) } else { report.text() };
    Ok(Report { text, status: if tuned.reached { 0 } else { NO } })
}

/// Declares all files, that of the measurements too.
fn declare(files: &TuneFiles, kept: &Path) -> Result<(), Failure> {
    let TuneFiles { model, program, plot, recipe, calibration } = files;
    places::is_among("--output", model)?;
    places::writes("--output", model)?;
    let beside: [&PathBuf; 4] = [program, plot, recipe, calibration];
    beside.into_iter().try_for_each(|path| places::writes("beside it:", path))?;
    places::writes("beside it:", kept)
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
        let found: Vec<_> = floats.filter_map(|(n, t)| finite::among(n, &t.bytes, || label(at))).collect();
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

/// Shows progress, and keeps the state after each step.
struct Keeper {
    kept: Kept,
    bars: Bars,
    /// Measurements could not be kept, which has been said.
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

//! `rcar-iss quantize`.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::path::Path;

use prost::Message;

use super::args::{CalibrationArgs, QuantizeArgs};
use super::progress::Bars;
use super::{Report, effect, engine, given, inputs, machines, model, places};
use crate::document;
use crate::explain::Failure;
use crate::files::Batch;
use crate::inputs::{Feed, NextSidecar, Samples};
use crate::quantize::{Calibrated, CalibrationSet, Pipeline, Pruning, Record, Settings};
use crate::report::QuantizeReport;
use crate::tune::Costs;

/// The machine that a pruned network is executed on.
const DEFAULT_MACHINE: &str = "rcn-m";

pub(super) fn run(args: &QuantizeArgs) -> Result<Report, Failure> {
    let calibration = args.output.with_extension("calibration.json");
    places::needs_regular("--output", &args.output)?;
    places::writes("--output", &args.output)?;
    places::writes("the calibration", &calibration)?;
    let settings = all_settings(args)?;
    let prepared = prepare((&args.model_file, &args.output), &args.how, settings, pruning(args)?, None)?;
    let Prepared { calibrated, feed, sidecar } = &prepared;
    let refused = |e| Failure::quantize(&args.model_file, &e);
    let quantized = calibrated.write().map_err(refused)?;
    let mut written = Batch::new();
    sidecar.before(&mut written);
    written.file(&args.output, &quantized.model.encode_to_vec())?;
    written.file(&calibration, quantized.record.to_json().as_bytes())?;
    let sidecar = sidecar.after(&mut written)?;
    written.finish()?;
    let costs = match feed {
        Some(feed) => {
            let (machine, import) =
                (machines::named(DEFAULT_MACHINE)?, model::calibrated_options(&args.how)?);
            Costs::measure(calibrated, &quantized.model, feed, &machine, &import).map_err(refused)?
        }
        None => None,
    };
    let files = (args.output.as_path(), calibration.as_path());
    let done = QuantizeReport {
        sidecar: sidecar.map(Into::into),
        ..QuantizeReport::new(files, calibrated, &quantized.parameters, costs)
    };
    Ok(Report::fine(if args.json { document::pretty(&done) } else { done.text() }))
}

/// The settings of the file, overridden by the options of `quantize`.
fn all_settings(args: &QuantizeArgs) -> Result<Settings, Failure> {
    let mut settings = settings(&args.how)?;
    effect::calibration(&args.how, settings.bias_correction || args.bias_correction, None)?;
    settings.bits = args.bits.unwrap_or(settings.bits);
    settings.weight_bits = args.weight_bits.unwrap_or(settings.weight_bits);
    settings.bias_correction |= args.bias_correction;
    let mut typed = BTreeMap::new();
    for option in &args.layer {
        let Some((name, width)) = option.rsplit_once('=') else {
            return Err(Failure::usage(format!("--layer {option}")).help("write NAME=a16w8 or NAME=a16w16"));
        };
        effect::once(&mut typed, "--layer", name.to_string(), width.to_string())?;
        settings.set_layer(name, width);
    }
    let typed: BTreeSet<&str> = typed.keys().map(String::as_str).collect();
    settings.check_layers().map_err(|idle| Failure::idle_width(&idle, typed.contains(idle.node.as_str())))?;
    Ok(settings)
}

/// The settings of the file, overridden by the options.
pub(super) fn settings(args: &CalibrationArgs) -> Result<Settings, Failure> {
    let mut s = match &args.config {
        Some(path) => Settings::from_toml(&given::read_text(path)?).map_err(|e| Failure::file(path, &e))?,
        None => Settings::default(),
    };
    if let Some(m) = &args.method {
        s.method.clone_from(m);
    }
    if let Some(a) = &args.activations {
        s.activations.clone_from(a);
    }
    s.symmetric |= args.symmetric;
    s.equalize |= args.equalize;
    if args.per_channel || args.per_tensor {
        s.per_channel = args.per_channel;
    }
    s.skip.extend(args.skip.iter().cloned());
    Ok(s)
}

fn pruning(args: &QuantizeArgs) -> Result<Option<Pruning>, Failure> {
    match args.prune {
        Some(0.0) => Err(effect::none("--prune 0", &"it sets no block to zero")),
        Some(share) if (0.0..=1.0).contains(&share) => Ok(Some(Pruning {
            share,
            per_layer: args.prune_per_layer,
            block: block(args.prune_block.as_deref().unwrap_or("16x16"))?,
        })),
        Some(share) => Err(Failure::usage(format!("--prune {share}: it is a share, 0 to 1"))),
        None => Ok(None),
    }
}

fn block(text: &str) -> Result<[usize; 2], Failure> {
    let parsed = text.split_once('x').and_then(|(o, i)| Some([o.parse().ok()?, i.parse().ok()?]));
    parsed.filter(|b: &[usize; 2]| b.iter().all(|n| *n > 0 && n.is_multiple_of(16))).ok_or_else(|| {
        Failure::usage(format!("--prune-block {text}")).help("write OUTxIN, multiples of 16, like 64x16")
    })
}

/// A calibrated network, and the files that belong to it.
pub(super) struct Prepared {
    pub(super) calibrated: Calibrated,
    pub(super) feed: Option<Feed>,
    pub(super) sidecar: NextSidecar,
}

/// Calibrates the model at `path`, which will be written at `output`. `measured`: inputs on which it is
/// measured afterwards.
pub(super) fn prepare(
    (path, output): (&Path, &Path),
    args: &CalibrationArgs,
    settings: Settings,
    pruning: Option<Pruning>,
    measured: Option<&Feed>,
) -> Result<Prepared, Failure> {
    let refused = |e| Failure::pipeline(path, e);
    let float = model::load(path)?;
    let bars = Bars::default();
    let watch = |stage: crate::quantize::Stage, done, all| match done {
        0 => bars.begin(stage.name(), all),
        _ => bars.step(),
    };
    let mut pipeline = Pipeline::new(&float.model, settings).map_err(refused)?;
    let options = model::graph_options(&args.shapes)?;
    effect::extents(float.graph(), &options)?;
    let threads = args.threads.or(std::thread::available_parallelism().ok()).map_or(1, NonZero::get);
    pipeline = pipeline.engine(engine::chosen(args.engine.wanted())?).threads(threads).watch(&watch);
    if let Some(pruning) = pruning {
        pipeline = pipeline.prune(pruning);
    }
    let feed = match args.calib.as_slice() {
        [] => None,
        given => {
            let feed = inputs::of_network(path, &float.model, ("--calib", given), &args.pictures, &options)?;
            let limit = args.calib_limit.map(NonZero::get);
            if let Some(limit) = limit.filter(|l| *l > feed.count()) {
                let why = format!("there are {} calibration inputs", feed.count());
                return Err(effect::none(&format!("--calib-limit {limit}"), &why));
            }
            Some(feed.limited(limit))
        }
    };
    if feed.is_some() || measured.is_some() {
        effect::pictures(&args.pictures, feed.iter().chain(measured).flat_map(Feed::held))?;
    }
    let samples = feed.as_ref().map(|feed| CalibrationSet {
        inputs: feed,
        names: feed.names(),
        pictures: feed.preprocess().map(|(name, how)| (name.to_string(), how.clone())).collect(),
    });
    let mut pictures = samples.as_ref().map(|s| s.pictures.clone());
    if let Some(path) = &args.statistics {
        let record = Record::from_json(&given::read_text(path)?).map_err(|e| Failure::file(path, &e))?;
        pictures = pictures.or_else(|| Some(record.preprocess()));
        pipeline = pipeline.reuse(record).map_err(|e| Failure::earlier_calibration(path, &e))?;
    }
    let pictures = pictures.unwrap_or_default();
    let sidecar = given::declared(NextSidecar::plan(path, output, &pictures, given::reader()))?;
    sidecar.changes().map_or(Ok(()), |file| places::writes("the sidecar", file))?;
    let calibrated = pipeline.calibrate(samples.as_ref()).map_err(refused)?;
    bars.finish();
    Ok(Prepared { calibrated, feed, sidecar })
}

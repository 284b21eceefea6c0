//! `rcar-iss quantize`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use prost::Message;

use super::args::{CalibrationArgs, QuantizeArgs};
use super::feed::Feed;
use super::progress::Progress;
use super::{Report, beside, effect, engine, given, machines, model, places};
use crate::compiler::CompileOptions;
use crate::document;
use crate::explain::{Failure, INPUT, UNSUPPORTED};
use crate::files::Batch;
use crate::float::Engine;
use crate::onnx::proto::ModelProto;
use crate::program::Preprocess;
use crate::quantize::{
    self, Calibration, Choice, Cleaned, Input, Inputs, Outputs, Parameters, Places, PrunedLayer, Pruning,
    QuantizeError, Record, Settings,
};
use crate::readable;
use crate::report::{PruneReport, PrunedWeights, QuantizeReport};
use crate::tune::Candidate;

/// Where a pruned network is executed.
const DEFAULT_MACHINE: &str = "rcn-m";
/// Inputs on which the error of pruning is measured.
const PRUNED_ON: usize = 20;

/// A float network that is ready to be written as integers.
pub(super) struct Prepared {
    pub(super) clean: Cleaned,
    pub(super) places: Places,
    pub(super) seen: Calibration,
    pub(super) settings: Settings,
    pub(super) choice: Choice,
    pub(super) inputs: Vec<String>,
    pub(super) feed: Option<Feed>,
    /// How pictures become inputs, or became when the earlier statistics were made.
    pub(super) pictures: BTreeMap<String, Preprocess>,
    pub(super) sidecar: beside::Planned,
    pub(super) engine: Engine,
    pub(super) threads: usize,
    /// The library that computed what was seen; of earlier statistics the one that they name.
    pub(super) seen_by: String,
    pub(super) pruned: Option<Pruned>,
    /// Pairs of convolutions that were equalized.
    equalized: usize,
    /// Nodes whose biases were corrected.
    corrected: usize,
}

impl Prepared {
    /// What calibration saw, and what was made of it.
    pub(super) fn record(&self, choice: &Choice, parameters: &Parameters) -> Record {
        let seen_by = (self.seen_by.as_str(), self.settings.equalize);
        let record = Record::of(seen_by, self.inputs.clone(), &self.places, &self.seen, choice, parameters);
        let one = |p: &Preprocess| quantize::Pictures {
            resize: p.resize,
            mean: p.mean.clone(),
            std: p.std.clone(),
            bgr: p.bgr,
        };
        Record { pictures: self.pictures.iter().map(|(name, p)| (name.clone(), one(p))).collect(), ..record }
    }
}

/// What pruning did.
pub(super) struct Pruned {
    layers: Vec<PrunedLayer>,
    /// Float outputs of the whole network, and of the pruned one.
    outputs: [Outputs; 2],
}

/// What pruning and quantization cost at the outputs, in dB of signal to noise.
struct Costs {
    /// The pruned float network against the whole one.
    pruning: f64,
    /// The quantized network against the pruned float one, and against the whole one; none if it cannot be executed.
    quantization: Option<[f64; 2]>,
    inputs: usize,
}

impl Costs {
    /// Executes the quantized network on the inputs on which pruning was measured.
    fn of(args: &QuantizeArgs, p: &Prepared, model: &ModelProto) -> Result<Option<Costs>, Failure> {
        let (Some(pruned), Some(feed)) = (&p.pruned, &p.feed) else { return Ok(None) };
        let [whole, sparse] = &pruned.outputs;
        let inputs: Vec<Input> = (0..sparse.len())
            .map(|at| feed.read(at).map_err(|why| Failure::new(INPUT, why)))
            .collect::<Result<_, _>>()?;
        let import = model::calibrated_options(&args.how)?;
        let machine = machines::named(DEFAULT_MACHINE)?;
        // Every machine gives the same values.
        let found = Candidate::compile(model, &machine, &import, &CompileOptions::default())
            .and_then(|c| c.run(&inputs, p.threads));
        Ok(Some(Costs {
            pruning: quantize::sqnr(whole, sparse),
            quantization: found.ok().map(|f| [quantize::sqnr(sparse, &f), quantize::sqnr(whole, &f)]),
            inputs: inputs.len(),
        }))
    }
}

pub(super) fn run(args: &QuantizeArgs) -> Result<Report, Failure> {
    let calibration = with_ending(&args.output, "calibration.json");
    places::is_among("--output", &args.output)?;
    places::writes("--output", &args.output)?;
    places::writes("the calibration", &calibration)?;
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
        let plain = width == format!("a{}w{}", settings.bits, settings.weight_bits);
        // Only the width that the file gives a layer can be taken back.
        if plain && settings.layers.get(name).is_some_and(|of_file| of_file != width) {
            settings.layers.remove(name);
        } else {
            settings.layers.insert(name.into(), width.into());
        }
    }
    effective(&settings, &typed)?;
    let pruning = match args.prune {
        Some(0.0) => return Err(effect::none("--prune 0", &"it sets no block to zero")),
        Some(share) if (0.0..=1.0).contains(&share) => Some(Pruning {
            share,
            per_layer: args.prune_per_layer,
            block: block(args.prune_block.as_deref().unwrap_or("16x16"))?,
        }),
        Some(share) => return Err(Failure::usage(format!("--prune {share}: it is a share, 0 to 1"))),
        None => None,
    };
    let mut prepared = prepare((&args.model_file, &args.output), &args.how, settings, pruning, None)?;
    if prepared.settings.bias_correction {
        correct_biases(&args.model_file, &mut prepared)?;
    }
    let (model, parameters) = write(&args.model_file, &prepared, &prepared.choice)?;
    let record = prepared.record(&prepared.choice, &parameters);
    let mut written = Batch::new();
    prepared.sidecar.before(&mut written);
    written.file(&args.output, &model.encode_to_vec())?;
    written.file(&calibration, to_json(&record).as_bytes())?;
    let sidecar = prepared.sidecar.after(&mut written)?;
    written.finish()?;
    let costs = Costs::of(args, &prepared, &model)?;
    let text = if args.json {
        json(args, &prepared, &parameters, &calibration, costs.as_ref())
    } else {
        text(args, &prepared, &parameters, &calibration, (sidecar, costs.as_ref()))
    };
    Ok(Report::fine(text))
}

/// Refuses widths of layers that change nothing, whether they were typed or stand in the file.
fn effective(settings: &Settings, typed: &BTreeMap<String, String>) -> Result<(), Failure> {
    let plain = format!("a{}w{}", settings.bits, settings.weight_bits);
    for (name, width) in &settings.layers {
        let what = if typed.contains_key(name) {
            format!("--layer {name}={width}")
        } else {
            format!("\"{name}\" = \"{width}\" of [layers] in --config")
        };
        if settings.skip.contains(name) {
            return Err(effect::none(&what, &"--skip, or skip in --config, leaves this node in float"));
        }
        if *width == plain {
            return Err(effect::none(&what, &"all layers have this width"));
        }
    }
    Ok(())
}

pub(super) fn to_json(record: &Record) -> String {
    document::line(record)
}

/// `dir/q.onnx` → `dir/q.calibration.json`.
pub(super) fn with_ending(output: &Path, ending: &str) -> PathBuf {
    output.with_extension(ending)
}

/// Cleans, prunes and calibrates the model at `path`, which will be written at `output`. `measured`: inputs on which it is
/// measured afterwards.
pub(super) fn prepare(
    (path, output): (&Path, &Path),
    args: &CalibrationArgs,
    settings: Settings,
    pruning: Option<Pruning>,
    measured: Option<&Feed>,
) -> Result<Prepared, Failure> {
    let choice = settings
        .choice()
        .map_err(|e| Failure::usage(e.to_string()).nearest(e.found(), e.known().iter().copied()))?;
    let float = model::load(path)?.model;
    let mut clean = quantize::clean(&float).map_err(|e| failure(path, &e))?;
    let graph = clean.model.graph.clone().unwrap_or_default();
    if let Some(name) = settings.skip.iter().find(|s| graph.node.iter().all(|n| n.name() != s.as_str())) {
        return Err(no_node(name).nearest(name, graph.node.iter().map(|n| n.name())));
    }
    if let Some(name) = settings.layers.keys().find(|l| graph.node.iter().all(|n| n.name() != l.as_str())) {
        return Err(no_node(name).nearest(name, graph.node.iter().map(|n| n.name())));
    }
    let mut places = Places::of(&graph, &settings.skip);
    if let Some(name) = settings.tensors.keys().find(|t| places.tensors.iter().all(|(known, _)| known != *t))
    {
        return Err(Failure::usage(QuantizeError::NoSuchTensor(name.clone()).to_string())
            .nearest(name, places.tensors.iter().map(|(known, _)| known.as_str())));
    }
    let options = model::graph_options(&args.shapes)?;
    effect::extents(float.graph.as_ref().unwrap_or(&graph), &options)?;
    let engine = engine::chosen(args.engine.wanted())?;
    let threads = args.threads.or(std::thread::available_parallelism().ok()).map_or(1, NonZero::get);
    let feed = if args.calib.is_empty() {
        None
    } else {
        let feed = Feed::of(path, &float, &args.calib, &args.pictures, &options)?;
        let limit = args.limit.map(NonZero::get);
        if let Some(limit) = limit.filter(|l| *l > feed.count()) {
            let why = format!("there are {} calibration inputs", feed.count());
            return Err(effect::none(&format!("--limit {limit}"), &why));
        }
        Some(feed.limited(limit))
    };
    if feed.is_some() || measured.is_some() {
        effect::pictures(&args.pictures, feed.iter().chain(measured).flat_map(Feed::held))?;
    }
    let earlier = args.calibration.as_deref().map(|p| earlier(p, &settings)).transpose()?;
    let pictures = match (&feed, &earlier) {
        (Some(feed), _) => feed.preprocess().map(|(name, how)| (name.to_string(), how.clone())).collect(),
        (None, Some(record)) => pictures(record),
        (None, None) => BTreeMap::new(),
    };
    let sidecar = beside::plan(path, output, &pictures)?;
    sidecar.declare()?;
    let pruned = match (pruning, &feed) {
        (None, _) => None,
        (Some(pruning), Some(feed)) => {
            let (model, layers) = quantize::prune(&clean.model, &places, &pruning);
            let count = feed.count().min(PRUNED_ON);
            let progress = Progress::new(2 * count as u64, "pruning");
            let outputs = |m: &ModelProto| {
                quantize::float_outputs(m, feed, count, &engine, &|| progress.step())
                    .map_err(|e| failure(path, &e))
            };
            let outputs = [outputs(&clean.model)?, outputs(&model)?];
            progress.finish();
            clean.model = model;
            Some(Pruned { layers, outputs })
        }
        (Some(_), None) => {
            return Err(Failure::usage("--prune needs --calib: the network is calibrated after it"));
        }
    };
    let mut equalized = 0;
    if settings.equalize {
        (clean.model, equalized) = quantize::equalize(&clean.model);
        places = Places::of(clean.model.graph.as_ref().unwrap_or(&graph), &settings.skip);
    }
    let (seen, inputs, seen_by) = match (earlier, &feed) {
        (Some(record), _) => (record.statistics(), record.inputs, record.float_engine),
        (None, Some(feed)) => {
            let tensors: BTreeSet<String> = places.own().map(str::to_string).collect();
            let progress = Progress::new(feed.count() as u64, "calibrating");
            let seen =
                quantize::calibrate(&clean.model, &tensors, feed, &engine, threads, &|| progress.step())
                    .map_err(|e| failure(path, &e))?;
            progress.finish();
            (seen, feed.names(), engine.short_name().to_string())
        }
        (None, None) => {
            return Err(Failure::usage("calibration inputs are missing").help(
                "give --calib with a folder of pictures or .npy files, or --calibration with a saved calibration.json",
            ));
        }
    };
    Ok(Prepared {
        clean,
        places,
        seen,
        settings,
        choice,
        inputs,
        feed,
        pictures,
        sidecar,
        engine,
        threads,
        seen_by,
        pruned,
        equalized,
        corrected: 0,
    })
}

/// The statistics of an earlier run.
fn earlier(path: &Path, settings: &Settings) -> Result<Record, Failure> {
    let record: Record = document::read(&given::read_text(path)?).map_err(|e| Failure::file(path, &e))?;
    if record.equalized != settings.equalize {
        let [was, is] = [record.equalized, settings.equalize].map(|e| if e { "with" } else { "without" });
        return Err(Failure::file(path, &format!("it was made {was} --equalize, this run is {is} it"))
            .help("tensors have other ranges then: use the same option, or calibrate again"));
    }
    Ok(record)
}

/// How pictures became inputs in an earlier run.
fn pictures(record: &Record) -> BTreeMap<String, Preprocess> {
    let one = |p: &quantize::Pictures| Preprocess {
        resize: p.resize,
        mean: p.mean.clone(),
        std: p.std.clone(),
        bgr: p.bgr,
    };
    record.pictures.iter().map(|(name, p)| (name.clone(), one(p))).collect()
}

/// Corrects the biases of the float network for the weights that will be written.
fn correct_biases(path: &Path, p: &mut Prepared) -> Result<(), Failure> {
    let Some(feed) = &p.feed else {
        return Err(Failure::usage("--bias-correction needs --calib: errors are measured on inputs"));
    };
    let graph = p.clean.model.graph.clone().unwrap_or_default();
    let refused = |e: QuantizeError| failure(path, &e);
    let parameters = quantize::choose(&graph, &p.places, &p.seen, &p.choice).map_err(refused)?;
    let progress = Progress::new(feed.count() as u64, "correcting biases");
    let what = (&p.places, &parameters);
    let step = || progress.step();
    let (model, corrected) =
        quantize::correct_biases(&p.clean.model, what, feed, &p.engine, p.threads, &step).map_err(refused)?;
    progress.finish();
    p.places = Places::of(model.graph.as_ref().unwrap_or(&graph), &p.settings.skip);
    p.clean.model = model;
    p.corrected = corrected;
    Ok(())
}

/// The model that a choice gives.
fn write(path: &Path, prepared: &Prepared, choice: &Choice) -> Result<(ModelProto, Parameters), Failure> {
    let graph = prepared.clean.model.graph.clone().unwrap_or_default();
    let parameters =
        quantize::choose(&graph, &prepared.places, &prepared.seen, choice).map_err(|e| failure(path, &e))?;
    let model = quantize::write(&prepared.clean.model, &prepared.places, &parameters)
        .map_err(|e| failure(path, &e))?;
    Ok((model, parameters))
}

fn no_node(name: &str) -> Failure {
    Failure::usage(format!("the model has no node '{name}'"))
        .help("nodes without a name are called by type and number, like Conv_12")
}

pub(super) fn failure(path: &Path, error: &QuantizeError) -> Failure {
    match error {
        QuantizeError::Input { .. } | QuantizeError::NoInputs | QuantizeError::NotFinite { .. } => {
            Failure::new(INPUT, error.to_string())
        }
        QuantizeError::NoSuchNode(name) => no_node(name),
        QuantizeError::NoSuchTensor(_) => Failure::usage(error.to_string()),
        _ => Failure::new(UNSUPPORTED, format!("'{}' cannot be quantized", path.display())).why(error),
    }
}

/// The file's settings, with what was typed on top.
pub(super) fn settings(args: &CalibrationArgs) -> Result<Settings, Failure> {
    let mut s: Settings = match &args.config {
        Some(path) => toml::from_str(&given::read_text(path)?).map_err(|e| Failure::file(path, &e))?,
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

fn block(text: &str) -> Result<[usize; 2], Failure> {
    let parsed = text.split_once('x').and_then(|(o, i)| Some([o.parse().ok()?, i.parse().ok()?]));
    parsed.filter(|b: &[usize; 2]| b.iter().all(|n| *n > 0 && n.is_multiple_of(16))).ok_or_else(|| {
        Failure::usage(format!("--prune-block {text}")).help("write OUTxIN, multiples of 16, like 64x16")
    })
}

/// How many tensors have this many bits.
fn with_bits(parameters: &Parameters, bytes: usize) -> usize {
    parameters.activations.values().filter(|a| a.dtype.bytes() == bytes).count()
}

fn json(
    args: &QuantizeArgs,
    p: &Prepared,
    parameters: &Parameters,
    calibration: &Path,
    costs: Option<&Costs>,
) -> String {
    let pruned = p.pruned.as_ref().map(|pruned| PruneReport {
        sqnr_db: costs.map(|c| c.pruning),
        quantization_sqnr_db: costs.and_then(|c| c.quantization).map(|q| q[0]),
        both_sqnr_db: costs.and_then(|c| c.quantization).map(|q| q[1]),
        measured_on: costs.map(|c| c.inputs),
        layers: pruned
            .layers
            .iter()
            .map(|l| PrunedWeights { node: l.node.clone(), zero_blocks: l.blocks[0], blocks: l.blocks[1] })
            .collect(),
    });
    document::pretty(&QuantizeReport {
        model: args.output.to_string_lossy().into_owned(),
        calibration: calibration.to_string_lossy().into_owned(),
        inputs: p.inputs.len(),
        float_engine: p.engine.name().into(),
        tensors_8: with_bits(parameters, 1),
        tensors_16: with_bits(parameters, 2),
        weights: parameters.weights.len(),
        settings: p.settings.clone(),
        removed: p.clean.removed.iter().map(Into::into).collect(),
        equalized_pairs: p.equalized,
        corrected_biases: p.corrected,
        pruned,
    })
}

fn text(
    args: &QuantizeArgs,
    p: &Prepared,
    parameters: &Parameters,
    calibration: &Path,
    (sidecar, costs): (Option<&Path>, Option<&Costs>),
) -> String {
    let mut text = String::new();
    if !p.clean.removed.is_empty() {
        let _ = writeln!(text, "{} nodes folded into others or removed", p.clean.removed.len());
    }
    if p.settings.equalize {
        let _ = writeln!(text, "{} pairs of convolutions equalized", p.equalized);
    }
    if p.settings.bias_correction {
        let _ = writeln!(text, "biases of {} nodes corrected", p.corrected);
    }
    if let Some(pruned) = &p.pruned {
        let zero: usize = pruned.layers.iter().map(|l| l.blocks[0]).sum();
        let all: usize = pruned.layers.iter().map(|l| l.blocks[1]).sum();
        let _ = writeln!(
            text,
            "pruning: {} of {} blocks are zero, in {} layers",
            readable::grouped(zero as u64),
            readable::grouped(all as u64),
            pruned.layers.len(),
        );
    }
    if let Some(costs) = costs {
        let _ = writeln!(text, "signal to noise at the outputs, on {} inputs:", costs.inputs);
        let _ = writeln!(
            text,
            "  pruning alone       {:6.2} dB  pruned float network against the whole one",
            costs.pruning
        );
        match costs.quantization {
            Some([own, both]) => {
                let _ = writeln!(
                    text,
                    "  quantization alone  {own:6.2} dB  quantized network against the pruned float one"
                );
                let _ = writeln!(
                    text,
                    "  both                {both:6.2} dB  quantized network against the whole one"
                );
            }
            None => text.push_str(
                "  quantization: not measured, this tool cannot execute the network (see rcar-iss check)\n",
            ),
        }
    }
    let _ = writeln!(
        text,
        "{}: {} tensors in 8 bits, {} in 16, weights of {} nodes {}, {} ranges from {} inputs",
        args.output.display(),
        with_bits(parameters, 1),
        with_bits(parameters, 2),
        parameters.weights.len(),
        if p.settings.per_channel { "per channel" } else { "per tensor" },
        p.settings.method,
        p.inputs.len()
    );
    if args.how.calibration.is_none() {
        let _ = writeln!(text, "float network run by {}", p.engine.name());
    }
    let _ = writeln!(text, "statistics written to {}", calibration.display());
    if let Some(path) = sidecar {
        let _ = writeln!(text, "preprocessing of pictures written to {}", path.display());
    }
    readable::prose(&text)
}

//! `rcar-iss diagnose`: why layers lose accuracy, with the figures.

use std::num::NonZero;
use std::sync::Arc;

use super::args::DiagnoseArgs;
use super::compare;
use super::progress::Progress;
use super::{Report, effect, given, inputs, model, reference, source};
use crate::analysis::{self, Case, FloatWeights, Reference, Thresholds};
use crate::document;
use crate::explain::{Failure, NO};
use crate::inputs::Samples;
use crate::profile::Profile;
use crate::program::FileKind;
use crate::quantize;
use crate::report::DiagnosisReport;
use crate::sim::{Limits, Loaded};

pub(super) fn run(args: &DiagnoseArgs) -> Result<Report, Failure> {
    if source::kind_of(&args.model_file)? != FileKind::Model {
        return Err(Failure::usage(format!("'{}' is no ONNX model", args.model_file.display()))
            .help("experiments need the quantized model, not a program"));
    }
    let thresholds: Thresholds = match &args.thresholds {
        Some(path) => toml::from_str(&given::read_text(path)?).map_err(|e| Failure::file(path, &e))?,
        None => Thresholds::default(),
    };
    thresholds.check().map_err(|why| match &args.thresholds {
        Some(path) => Failure::file(path, &why),
        None => Failure::usage(why),
    })?;
    let mut options = args.sides.model.clone();
    if !options.graph.observe.is_empty() {
        return Err(effect::none("--observe", &"diagnose keeps every tensor"));
    }
    options.graph.observe = vec!["all".into()];
    let compiled = model::compile(&args.model_file, &options)?;
    let program = Arc::new(compiled.compiled.program);
    let given = [&args.sides.input[..], &args.calib];
    let (inputs, calibration) =
        inputs::with_calibration(&program.meta, given, &args.sides.pictures, &args.model_file)?;
    for feed in [&inputs].into_iter().chain(&calibration) {
        inputs::numbers(feed.not_finite()?)?;
    }
    let given = reference::given(&args.sides.reference, &args.sides.model.graph.engine, &program.meta)?;
    let weights = match &given.reference {
        Reference::Network { model, .. } => {
            let clean = quantize::clean(&model.model).ok().and_then(|c| c.model.graph);
            FloatWeights::of(&[Some(model.graph()), clean.as_ref()].into_iter().flatten().collect::<Vec<_>>())
        }
        Reference::Files { .. } => FloatWeights::default(),
    };
    let bound = given.bind(&program.meta)?;
    let loaded = Loaded::new(Arc::clone(&program), &compiled.machine, Limits::default())
        .map_err(|e| Failure::load(&args.model_file, &e))?;
    let threads = args.sides.threads.or(std::thread::available_parallelism().ok()).map_or(1, NonZero::get);
    let progress = Progress::new(inputs.count() as u64, "inputs");
    let comparison = analysis::compare(&loaded, &bound, &inputs, threads, &|| progress.step());
    progress.finish();
    let mut comparison = comparison?;
    let (plain, _) = model::import(&args.model_file, &args.sides.model)?;
    let deployed = Profile::of(&compare::plain(&args.model_file, &args.sides.model)?);
    comparison.charge(&deployed.told_by(&loaded.program().meta.layers));
    let case = Case {
        graph: &compiled.imported.graph,
        plain: &plain.graph,
        machine: &compiled.machine,
        comparison: &comparison,
        reference: &bound,
        meta: &program.meta,
        inputs: &inputs,
        calibration: calibration.as_ref().map(|c| c as &dyn Samples),
        weights: &weights,
        threads,
    };
    let progress = Progress::new(inputs.count() as u64, "inputs, experiments");
    let diagnosis = analysis::diagnose(&case, &thresholds, &|| progress.step());
    progress.finish();
    let diagnosis = diagnosis?;
    let reference = args.sides.reference.reference.display().to_string();
    let report = DiagnosisReport::new(diagnosis, &comparison, &reference, inputs.names());
    let text = if args.sides.json { document::pretty(&report) } else { report.text() };
    Ok(Report { text, status: if report.healthy() { 0 } else { NO } })
}

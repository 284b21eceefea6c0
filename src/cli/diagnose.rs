//! `rcar-iss diagnose`: why layers lose accuracy, with the numbers that say so.

use std::fmt::Write;
use std::num::NonZero;
use std::sync::Arc;

use super::args::DiagnoseArgs;
use super::compare::{self, decibels};
use super::picture::Pictures;
use super::progress::Progress;
use super::{Report, effect, finite, given, input, model, reference, source};
use crate::analysis::{
    self, Case, Cause, Comparison, Diagnosis, Finding, FloatWeights, How, Inputs, Reference, Thresholds,
};
use crate::explain::{Failure, NO};
use crate::program::FileKind;
use crate::quantize;
use crate::readable;
use crate::sim::{Limits, Loaded};

/// More inherited layers than this are counted, not listed.
const LISTED: usize = 12;

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
    let pictures = Pictures { typed: &args.sides.pictures, model: &args.model_file };
    let (inputs, calibration) = input::read_both(&program.meta, [&args.sides.input, &args.calib], &pictures)?;
    finite::numbers(&finite::of(&program.meta, &inputs))?;
    if let Some(images) = &calibration {
        finite::numbers(&finite::of(&program.meta, images))?;
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
    let progress = Progress::new(inputs.runs() as u64, "inputs");
    let comparison = analysis::compare(&loaded, &bound, &inputs, threads, &|| progress.step());
    progress.finish();
    let mut comparison = comparison?;
    let (plain, _) = model::import(&args.model_file, &args.sides.model)?;
    comparison
        .charge(&compare::plain(&args.model_file, &args.sides.model)?.told_by(&loaded.program().meta.layers));
    let case = Case {
        graph: &compiled.imported.graph,
        plain: &plain.graph,
        machine: &compiled.machine,
        comparison: &comparison,
        reference: &bound,
        meta: &program.meta,
        inputs: &inputs,
        calibration: calibration.as_ref().map(|c| c as &dyn Inputs),
        weights: &weights,
        threads,
    };
    let progress = Progress::new(inputs.runs() as u64, "inputs, experiments");
    let diagnosis = analysis::diagnose(&case, &thresholds, &|| progress.step());
    progress.finish();
    let diagnosis = diagnosis?;
    let status = if diagnosis.findings.is_empty() && !comparison.not_finite() { 0 } else { NO };
    let text = if args.sides.json {
        json(&inputs, &comparison, &diagnosis)?
    } else {
        readable::prose(&text(args, &inputs, &comparison, &diagnosis))
    };
    Ok(Report { text, status })
}

fn json(inputs: &input::Inputs, comparison: &Comparison, diagnosis: &Diagnosis) -> Result<String, Failure> {
    let failed = |e: serde_json::Error| Failure::new(NO, e.to_string());
    let mut value = serde_json::to_value(diagnosis).map_err(failed)?;
    let outputs = comparison.layers.iter().filter(|l| l.output);
    let outputs: Vec<_> = outputs
        .map(|l| serde_json::json!({ "tensor": l.tensor, "sqnr_db": l.accumulated.sqnr_db, "cosine": l.accumulated.cosine,
            "nan": l.accumulated.nan, "infinite": l.accumulated.infinite }))
        .collect();
    value["outputs"] = outputs.into();
    value["cycles"] = comparison.cycles.into();
    value["remarks"] = serde_json::json!(comparison.remarks);
    value["input_names"] = (0..inputs.runs).map(|i| inputs.label(i)).collect::<Vec<_>>().into();
    value["reference_library"] = comparison.reference_library.as_str().into();
    Ok(format!("{value:#}\n"))
}

fn verdict(cause: Cause) -> &'static str {
    match cause {
        Cause::Calibration => "(a) calibration: the range does not fit these inputs",
        Cause::Range => "(b) range too wide for 8 bits",
        Cause::Weights => "weights need more bits",
        Cause::Pruning => "pruning: weights were set to zero",
        Cause::Operator => "the operator's own arithmetic, or weights that are not the float network's",
    }
}

fn text(args: &DiagnoseArgs, inputs: &input::Inputs, comparison: &Comparison, d: &Diagnosis) -> String {
    let mut text = String::new();
    for l in comparison.layers.iter().filter(|l| l.output) {
        let _ = writeln!(
            text,
            "output \"{}\": {} dB over {} inputs (reference {}; library: {})",
            l.tensor,
            decibels(l.accumulated.sqnr_db),
            d.inputs,
            args.sides.reference.reference.display(),
            comparison.reference_library
        );
    }
    text.push_str(&finite::tensors(comparison));
    for remark in &comparison.remarks {
        let _ = writeln!(text, "warning: {remark}");
    }
    if d.findings.is_empty() && !comparison.not_finite() {
        text.push_str("no layer is at fault\n");
    }
    let poor = comparison.layers.iter().any(|l| {
        l.output && l.accumulated.not_finite() == 0 && l.accumulated.sqnr_db < d.thresholds.inherited_db
    });
    if poor && d.findings.is_empty() {
        text.push_str(
            "the noise of many layers adds up; `rcar-iss tune` finds the fewest that must have 16 bits\n",
        );
    }
    for f in &d.findings {
        text.push('\n');
        text.push_str(&finding(inputs, comparison, f));
    }
    if !d.inherited.is_empty() {
        let _ = writeln!(text, "\n{} layers are fine alone and inherit an error:", d.inherited.len());
        for i in d.inherited.iter().take(LISTED) {
            let _ = writeln!(
                text,
                "  {}: {} dB as it runs, {} alone; from {}{}",
                i.layer,
                decibels(i.accumulated_db),
                decibels(i.isolated_db),
                i.from,
                if i.faulty { "" } else { " (the worst before it; no layer there is at fault)" }
            );
        }
        if d.inherited.len() > LISTED {
            let _ = writeln!(text, "  … (--json lists all)");
        }
    }
    if !d.ordinary.is_empty() {
        let _ = writeln!(text, "\nordinary rounding adds up, nothing is at fault: {}", d.ordinary.join(", "));
    }
    for s in &d.skipped {
        let _ = writeln!(text, "not examined: {s}");
    }
    text
}

fn range(r: Option<[f32; 2]>) -> String {
    r.map_or_else(|| "?".into(), |[lo, hi]| format!("[{lo:.4}, {hi:.4}]"))
}

fn finding(inputs: &input::Inputs, comparison: &Comparison, f: &Finding) -> String {
    let mut text = format!("layer \"{}\": {}\n", f.layer, verdict(f.cause));
    if !f.tensors.is_empty() {
        let _ = writeln!(
            text,
            "  tensor {}: range {}, these inputs reach {}, best 8-bit range {}",
            f.tensors.join(", "),
            range(f.range),
            range(f.reached),
            range(f.ideal)
        );
    }
    for e in f.evidence.iter().take(3) {
        let how = match e.how {
            How::Executed => "executed",
            How::Interpolated => "by its function",
            How::Rounded => "rounded",
        };
        let _ = writeln!(
            text,
            "  at {} ({how}): {} dB; all in 16 bits but this tensor: {} dB as it is, {} with the best 8-bit range, {} with 16 bits",
            e.layer,
            decibels(e.isolated_db),
            decibels(e.trial.as_is_db),
            decibels(e.trial.ideal_db),
            decibels(e.trial.sixteen_db)
        );
    }
    if let Some(w) = &f.weights {
        let optional = |db: Option<f64>| db.map_or_else(|| "unknown".into(), decibels);
        let _ = writeln!(
            text,
            "  all activations in 16 bits: {} dB; with the float weights rounded: {}, in 16 bits: {}",
            decibels(w.as_is_db),
            optional(w.rounded_db),
            optional(w.sixteen_db)
        );
    }
    if let Some(share) = f.pruned.filter(|s| *s > 0.0) {
        let _ =
            writeln!(text, "  {:.1}% of its weights are zero, the float network's are not", share * 100.0);
    }
    if f.weights.is_some() && !f.channels.is_empty() {
        let _ = writeln!(text, "  all channels share one scale; the widest: {}", channels(f));
    }
    match f.cause {
        Cause::Calibration => calibration(inputs, f, &mut text),
        Cause::Range => wide(comparison, f, &mut text),
        _ => {}
    }
    text
}

fn calibration(inputs: &input::Inputs, f: &Finding, text: &mut String) {
    if f.beyond.is_empty() {
        text.push_str(
            "  the range is wider than any of these inputs needs: calibrate with inputs like these\n",
        );
    } else {
        let shown = f.beyond.iter().take(6).map(|b| {
            format!("{} ({}, {:.2}%)", inputs.label(b.input), range(Some(b.reached)), b.share * 100.0)
        });
        let more = if f.beyond.len() > 6 { ", …" } else { "" };
        let _ = writeln!(
            text,
            "  {} of the inputs go beyond it: {}{more}",
            f.beyond.len(),
            shown.collect::<Vec<_>>().join(", ")
        );
    }
    if !f.mend.is_empty() {
        let names: Vec<String> = f.mend.iter().map(|i| inputs.label(*i)).collect();
        let _ = writeln!(text, "  among the calibration images these would mend it: {}", names.join(", "));
    }
    if let Some(c) = &f.calibration {
        let _ = writeln!(
            text,
            "  the calibration images reach {}: {}",
            range(Some(c.reached)),
            if c.sufficient {
                "enough; the model was calibrated with others, or by a method that cuts"
            } else {
                "not what these inputs need"
            }
        );
    }
}

fn channels(f: &Finding) -> String {
    let list = f.channels.iter().map(|c| format!("{} ({:.0} times the median channel)", c.channel, c.ratio));
    list.collect::<Vec<_>>().join(", ")
}

fn wide(comparison: &Comparison, f: &Finding, text: &mut String) {
    if !f.channels.is_empty() {
        let _ = writeln!(text, "  channels that make it wide: {}", channels(f));
    }
    match &f.price {
        Some(p) => {
            let more = 100.0 * (p.sixteen as f64 / p.now.max(1) as f64 - 1.0);
            let _ = writeln!(
                text,
                "  in 16 bits the network takes {} cycles instead of {} ({more:+.1}%) on {}",
                readable::grouped(p.sixteen),
                readable::grouped(p.now),
                comparison.machine
            );
        }
        None => {
            text.push_str("  cycles in 16 bits: not known, an operator that touches it has 8 bits only\n")
        }
    }
}

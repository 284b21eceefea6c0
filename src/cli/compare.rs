//! `rcar-iss compare`: a quantized network against its float reference, layer by layer.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use super::args::{CompareArgs, ModelArgs};
use super::picture::Pictures;
use super::progress::Progress;
use super::{Report, effect, finite, input, places, reference, source};
use crate::analysis::{self, Comparison, Errors, Inputs, LayerComparison, PERFECT_STEPS};
use crate::explain::{Failure, NO};
use crate::files::Batch;
use crate::profile::Profile;
use crate::program::FileKind;
use crate::readable;
use crate::report;
use crate::sim::{Limits, Loaded};

pub(super) fn run(args: &CompareArgs) -> Result<Report, Failure> {
    effect::compare(args)?;
    for (option, path) in [("--csv", &args.csv), ("--report", &args.report)] {
        path.iter().try_for_each(|path| places::writes(option, path))?;
    }
    let mut model = args.sides.model.clone();
    let is_model = source::kind_of(&args.file)? == FileKind::Model;
    if is_model && model.graph.observe.iter().any(|o| o == "all") {
        return Err(effect::none("--observe all", &"compare keeps every tensor of a model"));
    }
    if is_model && model.graph.observe.is_empty() {
        model.graph.observe.push("all".into());
    }
    let (program, machine) = source::executed(&args.file, &model)?;
    let pictures = Pictures { typed: &args.sides.pictures, model: &args.file };
    let inputs = input::read(&program.meta, &args.sides.input, &pictures)?;
    let given = reference::given(&args.sides.reference, &args.sides.model.graph.engine, &program.meta)?;
    let bound = given.bind(&program.meta)?;
    let loaded = Loaded::new(Arc::new(program), &machine, Limits::default())
        .map_err(|e| Failure::load(&args.file, &e))?;
    let threads = args.sides.threads.or(std::thread::available_parallelism().ok());
    let progress = Progress::new(inputs.runs() as u64, "inputs");
    let result =
        analysis::compare(&loaded, &bound, &inputs, threads.map_or(1, std::num::NonZero::get), &|| {
            progress.step();
        });
    progress.finish();
    let mut comparison = result?;
    let profile = if is_model {
        plain(&args.file, &args.sides.model)?.told_by(&loaded.program().meta.layers)
    } else {
        Profile::of(&loaded)
    };
    comparison.charge(&profile);
    let not_finite = finite::of(&loaded.program().meta, &inputs);
    let mut written = Batch::new();
    if let Some(path) = &args.csv {
        places::stage(&mut written, path, csv(&comparison).as_bytes())?;
    }
    if let Some(path) = &args.report {
        let page = report::html(&comparison, &profile, &loaded.program().meta, &inputs.labels())
            .map_err(|e| Failure::new(NO, e.to_string()))?;
        places::stage(&mut written, path, page.as_bytes())?;
    }
    written.finish()?;
    let failed = args.fail_under.map(|least| below(&comparison, least)).unwrap_or_default();
    let text = if args.sides.json {
        let mut value = serde_json::to_value(&comparison).map_err(|e| Failure::new(NO, e.to_string()))?;
        value["not_finite_inputs"] = serde_json::json!(not_finite);
        value["input_names"] = inputs.labels().into();
        value["fail_under"] = serde_json::json!({ "least_db": args.fail_under, "failed": failed });
        format!("{value:#}\n")
    } else {
        text(args, &comparison, &failed) + &finite::text(&not_finite)
    };
    // What is no number agrees with nothing.
    let status = if failed.is_empty() && !comparison.not_finite() { 0 } else { NO };
    Ok(Report { text, status })
}

/// The profile of a model's program as it is used: without tensors that are kept only to be looked at.
pub(super) fn plain(path: &Path, args: &ModelArgs) -> Result<Profile, Failure> {
    let mut args = args.clone();
    args.graph.observe.clear();
    let (program, machine) = source::program(path, &args)?;
    let loaded =
        Loaded::new(Arc::new(program), &machine, Limits::default()).map_err(|e| Failure::load(path, &e))?;
    Ok(Profile::of(&loaded))
}

/// Outputs with a lower ratio, in words; without a comparable output, all tensors count.
fn below(comparison: &Comparison, least: f64) -> Vec<String> {
    let outputs = comparison.layers.iter().any(|l| l.output);
    let judged = comparison.layers.iter().filter(|l| l.output || !outputs);
    let low = judged.filter(|l| l.accumulated.sqnr_db < least);
    let sentence = |l: &LayerComparison| match (l.accumulated.nan, l.accumulated.infinite) {
        (0, 0) => format!("\"{}\" has {:.2} dB, less than {least}", l.tensor, l.accumulated.sqnr_db),
        (nan, infinite) => {
            format!("\"{}\": {} here or in the reference", l.tensor, finite::words(nan, infinite))
        }
    };
    low.map(sentence).collect()
}

/// Decibels; the value that stands for no error is not a number to print.
pub(super) fn decibels(db: f64) -> String {
    if db >= analysis::NO_NOISE_DB {
        "exact".into()
    } else if db <= analysis::NAN_DB {
        "NaN".into()
    } else {
        format!("{db:.1}")
    }
}

fn percent(share: f64) -> String {
    if share == 0.0 { "0".into() } else { format!("{:.2}%", share * 100.0) }
}

fn steps(e: &Errors) -> String {
    e.rms_steps.map_or_else(String::new, |s| format!("{s:.2}"))
}

fn row(l: &LayerComparison) -> Vec<String> {
    vec![
        l.index.to_string(),
        l.layer.clone(),
        l.kind.clone(),
        l.dtype.to_string(),
        decibels(l.accumulated.sqnr_db),
        decibels(l.isolated.sqnr_db),
        format!("{:.5}", l.accumulated.cosine),
        format!("{:.4}", l.accumulated.max_abs),
        format!("{:.5}", l.accumulated.mean_abs),
        steps(&l.accumulated),
        steps(&l.isolated),
        percent(l.range.clip_low),
        percent(l.range.clip_high),
        l.range.utilization.map_or_else(String::new, |u| format!("{:.0}%", u * 100.0)),
        l.headroom_bits.map_or_else(String::new, |b| format!("{b:.1}")),
    ]
}

fn text(args: &CompareArgs, c: &Comparison, failed: &[String]) -> String {
    let header = [
        "#",
        "layer",
        "kind",
        "type",
        "SQNR",
        "isolated",
        "cosine",
        "max error",
        "mean",
        "steps",
        "isolated",
        "clip low",
        "high",
        "codes",
        "headroom",
    ];
    let table = readable::table(
        &header,
        &[0, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14],
        c.layers.iter().map(row).collect(),
    );
    let mut text = String::new();
    let _ = writeln!(
        text,
        "\n{} on {}: {} cycles; {} {}; SQNR in dB, steps: root mean square error in quantization steps (a perfect quantizer has {PERFECT_STEPS:.2}), headroom in bits",
        c.program,
        c.machine,
        readable::grouped(c.cycles),
        c.inputs,
        if c.inputs == 1 { "input" } else { "inputs" }
    );
    let _ = writeln!(
        text,
        "reference: {}; library: {}",
        args.sides.reference.reference.display(),
        c.reference_library
    );
    for l in c.layers.iter().filter(|l| l.output) {
        let _ = writeln!(
            text,
            "output \"{}\": {} dB, cosine {:.6}",
            l.tensor,
            decibels(l.accumulated.sqnr_db),
            l.accumulated.cosine
        );
    }
    text.push_str(&finite::tensors(c));
    for remark in &c.remarks {
        let _ = writeln!(text, "warning: {remark}");
    }
    if !c.unmatched.is_empty() {
        let _ = writeln!(text, "\n{} tensors have no reference:", c.unmatched.len());
        for u in &c.unmatched {
            let _ = writeln!(text, "  {} (layer {}): {}", u.tensor, u.layer, u.reason);
        }
    }
    if !c.unused.is_empty() {
        let _ = writeln!(
            text,
            "{} reference tensors belong to no tensor of the program: {}",
            c.unused.len(),
            listed(&c.unused)
        );
    }
    for line in failed {
        let _ = writeln!(text, "--fail-under: {line}");
    }
    table + &readable::prose(&text)
}

/// The first few names.
fn listed(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(12).map(String::as_str).collect();
    let more = if names.len() > shown.len() { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

fn csv(c: &Comparison) -> String {
    let quoted = |s: &str| format!("\"{}\"", s.replace('"', "\"\""));
    let mut text = String::from(
        "index,layer,kind,tensor,reference,dtype,sqnr_db,cosine,max_abs,mean_abs,rms_steps,isolated_sqnr_db,\
         isolated_cosine,isolated_max_abs,isolated_mean_abs,isolated_rms_steps,rounding_sqnr_db,clip_low,clip_high,\
         utilization,headroom_bits,cycles,nan,infinite\n",
    );
    let optional = |v: Option<f64>| v.map_or_else(String::new, |v| v.to_string());
    for l in &c.layers {
        let (a, i) = (&l.accumulated, &l.isolated);
        let numbers = [
            a.sqnr_db.to_string(),
            a.cosine.to_string(),
            a.max_abs.to_string(),
            a.mean_abs.to_string(),
            optional(a.rms_steps),
            i.sqnr_db.to_string(),
            i.cosine.to_string(),
            i.max_abs.to_string(),
            i.mean_abs.to_string(),
            optional(i.rms_steps),
            l.rounding.sqnr_db.to_string(),
            l.range.clip_low.to_string(),
            l.range.clip_high.to_string(),
            optional(l.range.utilization),
            optional(l.headroom_bits),
            l.cycles.to_string(),
            a.nan.to_string(),
            a.infinite.to_string(),
        ];
        let _ = writeln!(
            text,
            "{},{},{},{},{},{},{}",
            l.index,
            quoted(&l.layer),
            l.kind,
            quoted(&l.tensor),
            quoted(&l.reference),
            l.dtype,
            numbers.join(",")
        );
    }
    text
}

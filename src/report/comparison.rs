//! Report of `compare`: a quantized network against its float reference, layer by layer.

use std::fmt::Write;

use serde::Serialize;

use super::not_finite;
use crate::analysis::{self, Comparison, Errors, LayerComparison, PERFECT_STEPS};
use crate::document::Kind;
use crate::inputs::NotFinite;
use crate::readable;

/// A comparison with its verdict.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct ComparisonReport {
    /// The figures.
    #[serde(flatten)]
    pub comparison: Comparison,
    /// Source of the float values, as it was given.
    pub reference: String,
    /// Names of the inputs.
    pub input_names: Vec<String>,
    /// Inputs with NaN or infinities.
    pub not_finite_inputs: Vec<NotFinite>,
    /// The required accuracy, and which outputs miss it.
    pub fail_under: FailUnder,
}

/// The required accuracy of the outputs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct FailUnder {
    /// Least signal-to-noise ratio of every output (dB); none if not required.
    pub least_db: Option<f64>,
    /// Outputs with less, one sentence each.
    pub failed: Vec<String>,
}

impl Kind for ComparisonReport {
    const KIND: &'static str = "compare";
}

impl ComparisonReport {
    /// The report of a comparison; `names` and `not_finite` are those of its inputs, `reference` is the
    /// source of the float values.
    #[must_use]
    pub fn new(
        comparison: Comparison,
        reference: &str,
        (input_names, not_finite_inputs): (Vec<String>, Vec<NotFinite>),
        least_db: Option<f64>,
    ) -> ComparisonReport {
        let failed = least_db.map(|least| below(&comparison, least)).unwrap_or_default();
        ComparisonReport {
            comparison,
            reference: reference.into(),
            input_names,
            not_finite_inputs,
            fail_under: FailUnder { least_db, failed },
        }
    }

    /// Whether all requirements are met. NaN and infinities never meet one.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.fail_under.failed.is_empty() && !self.comparison.not_finite()
    }

    /// The report as text.
    #[must_use]
    pub fn text(&self) -> String {
        text(self) + &not_finite::text(&self.not_finite_inputs)
    }
}

/// Outputs with a lower ratio, in words; all tensors, if no output can be compared.
fn below(comparison: &Comparison, least: f64) -> Vec<String> {
    let outputs = comparison.layers.iter().any(|l| l.output);
    let judged = comparison.layers.iter().filter(|l| l.output || !outputs);
    let low = judged.filter(|l| l.accumulated.sqnr_db < least);
    let sentence = |l: &LayerComparison| match (l.accumulated.nan, l.accumulated.infinite) {
        (0, 0) => format!("\"{}\" has {:.2} dB, less than {least}", l.tensor, l.accumulated.sqnr_db),
        (nan, infinite) => {
            format!("\"{}\": {} here or in the reference", l.tensor, readable::not_finite(nan, infinite))
        }
    };
    low.map(sentence).collect()
}

/// Decibels as text, with words for a ratio without noise.
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
    e.rms_steps.map_or_else(String::new, |s| error(s, 2))
}

/// An error with so many decimals; that of a mask of the least float is a power of ten.
fn error(value: f64, decimals: usize) -> String {
    if value.abs() < 1e9 { format!("{value:.decimals$}") } else { format!("{value:.1e}") }
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
        error(l.accumulated.max_abs, 4),
        error(l.accumulated.mean_abs, 5),
        steps(&l.accumulated),
        steps(&l.isolated),
        percent(l.range.clip_low),
        percent(l.range.clip_high),
        l.range.utilization.map_or_else(String::new, |u| format!("{:.0}%", u * 100.0)),
        l.headroom_bits.map_or_else(String::new, |b| format!("{b:.1}")),
    ]
}

fn text(report: &ComparisonReport) -> String {
    let c = &report.comparison;
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
    let _ = writeln!(text, "reference: {}; library: {}", report.reference, c.reference_library);
    for l in c.layers.iter().filter(|l| l.output) {
        let _ = writeln!(
            text,
            "output \"{}\": {} dB, cosine {:.6}",
            l.tensor,
            decibels(l.accumulated.sqnr_db),
            l.accumulated.cosine
        );
    }
    text.push_str(&not_finite::tensors(c));
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
    for line in &report.fail_under.failed {
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

/// The table as comma-separated values.
#[must_use]
pub fn comparison_csv(c: &Comparison) -> String {
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

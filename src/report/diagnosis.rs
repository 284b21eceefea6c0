//! Report of `diagnose`: why layers lose accuracy.

use std::fmt::Write;

use serde::Serialize;

use super::comparison::decibels;
use super::not_finite;
use crate::analysis::{Cause, Comparison, Diagnosis, Finding, How};
use crate::document::Kind;
use crate::readable;

/// With more inherited layers than this, they are counted instead of listed.
const LISTED: usize = 12;

/// A diagnosis.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct DiagnosisReport {
    /// The diagnosis.
    #[serde(flatten)]
    pub diagnosis: Diagnosis,
    /// Errors of the network's outputs.
    pub outputs: Vec<OutputErrors>,
    /// Machine that the cycles are for.
    pub machine: String,
    /// Cycles of one run.
    pub cycles: u64,
    /// Remarks on the reference for the user, one sentence each.
    pub remarks: Vec<String>,
    /// Names of the inputs, in the order of their numbers.
    pub input_names: Vec<String>,
    /// Source of the float values, as it was given.
    pub reference: String,
    /// Library or tool that computed them.
    pub reference_library: String,
    /// Sentences on NaN and infinities, on either side.
    #[serde(skip)]
    not_finite: String,
}

/// Errors of an output of the network.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct OutputErrors {
    /// ONNX name.
    pub tensor: String,
    /// Signal to noise (dB).
    pub sqnr_db: f64,
    /// Cosine of the angle between both tensors as vectors.
    pub cosine: f64,
    /// Pairs in which a value is NaN.
    pub nan: u64,
    /// Pairs in which one value is infinite and the other is not.
    pub infinite: u64,
}

impl Kind for DiagnosisReport {
    const KIND: &'static str = "diagnose";
}

impl DiagnosisReport {
    /// The report of a diagnosis, and of the comparison that it is based on.
    #[must_use]
    pub fn new(
        diagnosis: Diagnosis,
        comparison: &Comparison,
        reference: &str,
        input_names: Vec<String>,
    ) -> DiagnosisReport {
        let outputs = comparison.layers.iter().filter(|l| l.output).map(|l| OutputErrors {
            tensor: l.tensor.clone(),
            sqnr_db: l.accumulated.sqnr_db,
            cosine: l.accumulated.cosine,
            nan: l.accumulated.nan,
            infinite: l.accumulated.infinite,
        });
        DiagnosisReport {
            diagnosis,
            outputs: outputs.collect(),
            machine: comparison.machine.clone(),
            cycles: comparison.cycles,
            remarks: comparison.remarks.clone(),
            input_names,
            reference: reference.into(),
            reference_library: comparison.reference_library.clone(),
            not_finite: not_finite::tensors(comparison),
        }
    }

    /// Whether no layer is at fault. A network with NaN or infinities is not healthy.
    #[must_use]
    pub fn healthy(&self) -> bool {
        self.diagnosis.findings.is_empty() && self.not_finite.is_empty()
    }

    /// The name of an input.
    fn name(&self, input: usize) -> &str {
        self.input_names.get(input).map_or("?", String::as_str)
    }

    /// The report as text.
    #[must_use]
    pub fn text(&self) -> String {
        readable::prose(&text(self))
    }
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

fn text(report: &DiagnosisReport) -> String {
    let d = &report.diagnosis;
    let mut text = String::new();
    for o in &report.outputs {
        let _ = writeln!(
            text,
            "output \"{}\": {} dB over {} inputs (reference {}; library: {})",
            o.tensor,
            decibels(o.sqnr_db),
            d.inputs,
            report.reference,
            report.reference_library
        );
    }
    text.push_str(&report.not_finite);
    for remark in &report.remarks {
        let _ = writeln!(text, "warning: {remark}");
    }
    if report.healthy() {
        text.push_str("no layer is at fault\n");
    }
    let poor =
        report.outputs.iter().any(|o| o.nan + o.infinite == 0 && o.sqnr_db < d.thresholds.inherited_db);
    if poor && d.findings.is_empty() {
        text.push_str(
            "the noise of many layers adds up; `rcar-iss tune` finds the fewest that must have 16 bits\n",
        );
    }
    for f in &d.findings {
        text.push('\n');
        text.push_str(&finding(report, f));
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

fn finding(report: &DiagnosisReport, f: &Finding) -> String {
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
        Cause::Calibration => calibration(report, f, &mut text),
        Cause::Range => wide(report, f, &mut text),
        _ => {}
    }
    text
}

fn calibration(report: &DiagnosisReport, f: &Finding, text: &mut String) {
    if f.beyond.is_empty() {
        text.push_str(
            "  the range is wider than any of these inputs needs: calibrate with inputs like these\n",
        );
    } else {
        let shown = f.beyond.iter().take(6).map(|b| {
            format!("{} ({}, {:.2}%)", report.name(b.input), range(Some(b.reached)), b.share * 100.0)
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
        let names: Vec<&str> = f.mend.iter().map(|i| report.name(*i)).collect();
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

fn wide(report: &DiagnosisReport, f: &Finding, text: &mut String) {
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
                report.machine
            );
        }
        None => {
            text.push_str("  cycles in 16 bits: not known, an operator that touches it has 8 bits only\n")
        }
    }
}

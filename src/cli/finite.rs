//! Inputs and references that hold what is no number: every command that judges a network by them says so.

use std::fmt::Write;

use serde::Serialize;

use super::input::Inputs;
use crate::analysis::{Comparison, Inputs as _};
use crate::dtype::DType;
use crate::explain::{Failure, INPUT};
use crate::program::{Meta, Role};

/// More inputs than this are counted, not listed.
const LISTED: usize = 8;

/// One input of one run.
#[derive(Debug, Serialize)]
pub(super) struct NotFinite {
    input: String,
    /// File, with its number in a stack.
    label: String,
    nan: u64,
    infinite: u64,
    values: u64,
}

/// The inputs with NaN or infinities, in the order of the runs.
pub(super) fn of(meta: &Meta, inputs: &Inputs) -> Vec<NotFinite> {
    let floats = |name: &str| {
        let entry = meta.tensors.iter().find(|t| t.role == Role::Input && t.name == name);
        entry.is_some_and(|t| t.dtype == DType::F32)
    };
    let mut found: Vec<NotFinite> = Vec::new();
    for run in 0..inputs.runs {
        for (name, bytes) in inputs.sample(run) {
            // An input that serves all runs is told once.
            if floats(name) && (run == 0 || inputs.varies(name)) {
                found.extend(among(name, bytes, || inputs.label_of(name, run)));
            }
        }
    }
    found
}

/// One input of floats, if it has NaN or infinities.
pub(super) fn among(name: &str, bytes: &[u8], label: impl FnOnce() -> String) -> Option<NotFinite> {
    let (mut nan, mut infinite) = (0, 0);
    for v in bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)) {
        nan += u64::from(v.is_nan());
        infinite += u64::from(v.is_infinite());
    }
    let values = bytes.len() as u64 / 4;
    (nan + infinite > 0).then(|| NotFinite { input: name.into(), label: label(), nan, infinite, values })
}

/// Refuses inputs that are no numbers where nothing could be learned from a run on them.
pub(super) fn numbers(found: &[NotFinite]) -> Result<(), Failure> {
    match found.first() {
        Some(f) => Err(Failure::new(INPUT, format!("input \"{}\" from {}", f.input, f.label))
            .why(&format!("of {} values {}; no integer stands for that", f.values, words(f.nan, f.infinite)))
            .help("leave it out, or write numbers in their place")),
        None => Ok(()),
    }
}

/// `3 are NaN and 1 is infinite`.
pub(super) fn words(nan: u64, infinite: u64) -> String {
    let is = |n: u64| if n == 1 { "is" } else { "are" };
    let parts = [(nan, "NaN"), (infinite, "infinite")].into_iter().filter(|(n, _)| *n > 0);
    parts.map(|(n, what)| format!("{n} {} {what}", is(n))).collect::<Vec<_>>().join(" and ")
}

/// The compared tensors that are no numbers on a side, one line each.
pub(super) fn tensors(comparison: &Comparison) -> String {
    let mut text = String::new();
    for l in &comparison.layers {
        // A layer alone may give what the whole run does not.
        let [run, alone] = [&l.accumulated, &l.isolated];
        let errors = if run.not_finite() > 0 { run } else { alone };
        if errors.not_finite() > 0 {
            let _ = writeln!(
                text,
                "warning: tensor \"{}\": {} on one side or both; what is no number agrees with nothing",
                l.tensor,
                words(errors.nan, errors.infinite)
            );
        }
    }
    text
}

/// One line each.
pub(super) fn text(found: &[NotFinite]) -> String {
    let mut text = String::new();
    for f in found.iter().take(LISTED) {
        let _ = writeln!(
            text,
            "warning: input \"{}\" from {}: of {} values {}; no integer stands for that",
            f.input,
            f.label,
            f.values,
            words(f.nan, f.infinite)
        );
    }
    if found.len() > LISTED {
        let _ = writeln!(text, "warning: … and {} more inputs with such values", found.len() - LISTED);
    }
    text
}

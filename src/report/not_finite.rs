//! Inputs and references that hold what is no number: every result that judges a network by them says so.

use std::fmt::Write;

use schemars::JsonSchema;
use serde::Serialize;

use crate::analysis::Comparison;

/// More inputs than this are counted, not listed.
const LISTED: usize = 8;

/// One input of one run that holds NaN or infinities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NotFinite {
    /// Input.
    pub input: String,
    /// File, with its number in a stack.
    pub label: String,
    /// Values that are NaN.
    pub nan: u64,
    /// Values that are infinite.
    pub infinite: u64,
    /// All values.
    pub values: u64,
}

impl NotFinite {
    /// An input of floats, if it has NaN or infinities.
    pub fn among(input: &str, bytes: &[u8], label: impl FnOnce() -> String) -> Option<NotFinite> {
        let (mut nan, mut infinite) = (0, 0);
        for v in bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)) {
            nan += u64::from(v.is_nan());
            infinite += u64::from(v.is_infinite());
        }
        let values = bytes.len() as u64 / 4;
        (nan + infinite > 0).then(|| NotFinite { input: input.into(), label: label(), nan, infinite, values })
    }

    /// `of 4 values 3 are NaN; no integer stands for that`.
    #[must_use]
    pub fn reason(&self) -> String {
        format!("of {} values {}; no integer stands for that", self.values, words(self.nan, self.infinite))
    }
}

/// `3 are NaN and 1 is infinite`.
#[must_use]
pub fn words(nan: u64, infinite: u64) -> String {
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
        let _ = writeln!(text, "warning: input \"{}\" from {}: {}", f.input, f.label, f.reason());
    }
    if found.len() > LISTED {
        let _ = writeln!(text, "warning: … and {} more inputs with such values", found.len() - LISTED);
    }
    text
}

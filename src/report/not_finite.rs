//! Inputs and references that hold what is no number: every result that judges a network by them says so.

use std::fmt::Write;

use crate::analysis::Comparison;
use crate::inputs::NotFinite;
use crate::readable::not_finite as words;

/// More inputs than this are counted, not listed.
const LISTED: usize = 8;

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
        let _ = writeln!(text, "warning: {f}");
    }
    if found.len() > LISTED {
        let _ = writeln!(text, "warning: … and {} more inputs with such values", found.len() - LISTED);
    }
    text
}

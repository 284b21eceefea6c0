//! Inputs and references with NaN or infinities, for every report that judges a network on them.

use std::fmt::Write;

use crate::analysis::Comparison;
use crate::inputs::NotFinite;
use crate::readable::not_finite as words;

/// With more inputs than this, they are counted instead of listed.
const LISTED: usize = 8;

/// The compared tensors with NaN or infinities on one side, one line each.
pub(super) fn tensors(comparison: &Comparison) -> String {
    let mut text = String::new();
    for l in &comparison.layers {
        // The isolated layer may have some where the full run has none.
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

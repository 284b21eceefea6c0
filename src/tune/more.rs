//! Parsing of the allowed additional cycles.

/// A text that is not a number of additional cycles.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} does not say how many more cycles are allowed, like +20%")]
pub struct MoreCyclesError {
    /// As given.
    pub text: String,
}

/// `+20%` → 0.2, as [`Search::max_cycles`](super::Search::max_cycles) takes it; the plus and percent signs
/// are optional.
///
/// # Errors
/// It is no such share.
pub fn more_cycles(text: &str) -> Result<f64, MoreCyclesError> {
    let number = text.strip_prefix('+').unwrap_or(text);
    let number = number.strip_suffix('%').unwrap_or(number);
    match number.parse::<f64>() {
        // Rust accepts a second plus sign.
        Ok(p) if p >= 0.0 && p.is_finite() && !number.starts_with('+') => Ok(p / 100.0),
        _ => Err(MoreCyclesError { text: text.into() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_cycles_has_one_sign_of_each_kind() {
        for text in ["+20%", "20%", "+20", "20"] {
            assert_eq!(more_cycles(text).unwrap(), 0.2, "{text}");
        }
        for text in ["++20%", "+20%%", "-20%", "%", "+", "", "+inf%", "+nan", "2 0%"] {
            assert!(more_cycles(text).is_err(), "{text}");
        }
    }
}

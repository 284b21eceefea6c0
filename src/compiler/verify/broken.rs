//! A violated rule.

/// A layer breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("after {pass}, layer \"{layer}\" breaks the rule {rule}: {why}")]
pub struct Broken {
    /// The pass after which the rule was violated; `lowering` if before all passes.
    pub pass: &'static str,
    /// Layer.
    pub layer: String,
    /// Name of the rule.
    pub rule: &'static str,
    /// Which operation, and what is wrong with it.
    pub why: String,
}

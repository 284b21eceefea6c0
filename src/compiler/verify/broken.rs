//! A rule that does not hold.

/// A layer breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("after {pass}, layer \"{layer}\" breaks the rule {rule}: {why}")]
pub struct Broken {
    /// The pass that left it so; `lowering` if it was so before all passes.
    pub pass: &'static str,
    /// Layer.
    pub layer: String,
    /// Name of the rule.
    pub rule: &'static str,
    /// Which operation, and what is wrong with it.
    pub why: String,
}

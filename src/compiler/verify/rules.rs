//! The rules, as a list.

use super::broken::Broken;
use super::scope::{At, Fact, Scope};
use super::{bytes, lives, loops, operands, quantization};
use crate::compiler::tile::TileLayer;

/// A rule.
pub struct Rule {
    /// What it is called.
    pub name: &'static str,
    /// What it says, in a line.
    pub says: &'static str,
    /// What must have been brought about before it holds.
    since: Option<Fact>,
    holds: fn(&At<'_>) -> Result<(), String>,
}

const fn rule(name: &'static str, says: &'static str, holds: fn(&At<'_>) -> Result<(), String>) -> Rule {
    Rule { name, says, since: None, holds }
}

impl Rule {
    const fn since(self, fact: Fact) -> Rule {
        Rule { since: Some(fact), ..self }
    }
}

/// The rules that hold for the layers wherever they are in the pipeline, or from a pass on. The first that is broken is reported.
/// One more compares the layers before and after a pass: `SAME_RESULTS`.
pub const RULES: &[Rule] = &[
    rule(
        "loops",
        "a loop makes a trip, binds a variable of its own, higher than those around it",
        loops::loops,
    ),
    rule("variables", "a loop variable is used inside its loop only", loops::variables),
    rule(
        "operands",
        "an operation has the operands of its code, in the memories where it takes them",
        operands::operands,
    ),
    rule("types", "element types are those that the code takes", operands::types),
    rule("extents", "extents are 1 to 2^24, and those of an operation's operands agree", operands::extents),
    rule("alignment", "bases and strides are multiples of the element's bytes", bytes::alignment),
    rule(
        "in_memory",
        "a buffer lies in its memory: where it may lie at this place of the pipeline",
        bytes::in_memory,
    ),
    rule("in_buffer", "an operand lies in its buffer", bytes::in_buffer),
    rule("distinct", "the elements of a destination have bytes of their own", bytes::distinct),
    rule("constants_kept", "nothing writes to the constants", bytes::constants_kept),
    rule("quantization", "zero points and clamps are values of the element type", quantization::ranges),
    rule("rescaled", "factors are in the form of the numeric profile", quantization::rescaled)
        .since(Fact::Rescaled),
    rule("written_first", "a buffer is written before it is read", lives::written_first),
    rule("read_later", "a buffer that is written is read, but for values of the f32 lane", lives::read_later),
    rule("apart", "buffers in use at the same time share no byte", lives::apart).since(Fact::BuffersPlaced),
    rule(
        "sides",
        "a double buffer has one distance between its sides, and a loop that changes them",
        loops::sides,
    ),
];

/// Holds all rules against all layers, as `pass` has left them.
pub(in crate::compiler) fn layers(
    pass: &'static str,
    layers: &[TileLayer],
    scope: &Scope<'_>,
) -> Result<(), Broken> {
    for (index, layer) in layers.iter().enumerate() {
        let at = At::new(layer, scope, index);
        for rule in RULES.iter().filter(|r| r.since.is_none_or(|fact| scope.has(fact))) {
            (rule.holds)(&at).map_err(|why| Broken {
                pass,
                layer: layer.name.clone(),
                rule: rule.name,
                why,
            })?;
        }
    }
    Ok(())
}

//! The rules, as a list.

use super::broken::Broken;
use super::scope::{At, Fact, Scope};
use super::{bytes, lives, loops, operands, quantization};
use crate::compiler::tile::TileLayer;

/// A rule.
pub struct Rule {
    /// Its name.
    pub name: &'static str,
    /// The rule in one line.
    pub says: &'static str,
    /// What must have happened before it holds.
    since: Option<Fact>,
    /// Whether it holds for every network. Otherwise legal layers may violate it, and it is checked in test
    /// cases only.
    sure: bool,
    holds: fn(&At<'_>) -> Result<(), String>,
}

const fn rule(name: &'static str, says: &'static str, holds: fn(&At<'_>) -> Result<(), String>) -> Rule {
    Rule { name, says, since: None, sure: true, holds }
}

impl Rule {
    const fn since(self, fact: Fact) -> Rule {
        Rule { since: Some(fact), ..self }
    }

    const fn of_cases(self) -> Rule {
        Rule { sure: false, ..self }
    }
}

/// The rules that hold for layers anywhere in the pipeline, or from a pass on. The first violation is
/// reported. A further rule compares the layers before and after a pass: `SAME_RESULTS`.
pub const RULES: &[Rule] = &[
    rule(
        "loops",
        "a loop makes at least one trip, and binds a new variable, higher than those of outer loops",
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
        "a buffer lies in the part of its memory that it may use at this point of the pipeline",
        bytes::in_memory,
    ),
    rule("in_buffer", "an operand lies in its buffer", bytes::in_buffer),
    rule("distinct", "the elements of a destination share no byte", bytes::distinct),
    rule("constants_kept", "nothing writes to the constants", bytes::constants_kept),
    rule("quantization", "zero points and clamps are values of the element type", quantization::ranges),
    rule("rescaled", "factors are in the form of the numeric profile", quantization::rescaled)
        .since(Fact::Rescaled),
    rule("written_first", "a buffer is written before it is read", lives::written_first),
    // Expressions of f32 may load integers that they do not use.
    rule(
        "read_later",
        "a buffer that is written is read, except values of f32 expressions",
        lives::read_later,
    )
    .of_cases(),
    // A buffer is identified by its address: one that reuses an address looks like the same buffer with a
    // longer life.
    rule("apart", "buffers in use at the same time share no byte", lives::apart)
        .since(Fact::BuffersPlaced)
        .of_cases(),
    rule(
        "sides",
        "a double buffer has one distance between its sides, and a loop that changes them",
        loops::sides,
    ),
];

/// Checks the rules on all layers, as `pass` has left them; with `all` not only the sure ones.
pub(in crate::compiler) fn layers(
    pass: &'static str,
    layers: &[TileLayer],
    scope: &Scope<'_>,
    all: bool,
) -> Result<(), Broken> {
    for (index, layer) in layers.iter().enumerate() {
        let at = At::new(layer, scope, index);
        for rule in RULES.iter().filter(|r| (all || r.sure) && r.since.is_none_or(|fact| scope.has(fact))) {
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

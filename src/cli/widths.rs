//! The proof of widths: what every layer was executed with, against what was asked for.

use std::collections::BTreeMap;

use super::args::WidthArgs;
use super::effect;
use crate::explain::{Failure, NO};
use crate::profile::{self, LayerWidths};
use crate::program::Bits;
use crate::sim::Loaded;

/// Widths of all layers, and what of them is not as wanted.
pub(super) struct Widths {
    pub(super) layers: Vec<LayerWidths>,
    /// One sentence each.
    pub(super) wrong: Vec<String>,
}

impl Widths {
    /// The status of a command that is otherwise fine.
    pub(super) fn status(&self) -> u8 {
        if self.wrong.is_empty() { 0 } else { NO }
    }
}

/// The widths of a loaded program, judged by what the model asks for and by `--expect-bits`.
pub(super) fn of(loaded: &Loaded, args: &WidthArgs) -> Result<Widths, Failure> {
    let layers = profile::widths(loaded);
    let mut wrong = Vec::new();
    for l in layers.iter().filter(|l| l.differs()) {
        if let (Some(asked), Some(executed)) = (&l.asked, &l.executed) {
            wrong.push(format!(
                "layer \"{}\" was executed with {executed}, the model asks for {asked}",
                l.layer
            ));
        }
    }
    let mut expected: BTreeMap<String, String> = BTreeMap::new();
    for option in &args.expect_bits {
        if layers.iter().any(|l| l.layer == *option) {
            return Err(Failure::usage(format!("--expect-bits {option}: =BITS is missing")).help(format!(
                "write {option}=16x8; `rcar-iss info --layers` shows the bits of each layer"
            )));
        }
        let named = option
            .rsplit_once('=')
            .and_then(|(name, bits)| Some((layers.iter().find(|l| l.layer == name)?, bits.trim())));
        let Some((layer, bits)) = named else {
            let name = option.rsplit_once('=').map_or(option.as_str(), |(name, _)| name);
            return Err(Failure::usage(format!("--expect-bits {option}: no such layer"))
                .help("write LAYER=16x8; `rcar-iss info --layers` lists the layers")
                .nearest(name, layers.iter().map(|l| l.layer.as_str())));
        };
        if !are_bits(bits) {
            return Err(effect::wrong("--expect-bits", option, "no layer can be executed with such bits")
                .help("write bits like 16x8, 8, 8+16 or f32; `rcar-iss info --layers` shows those of each layer"));
        }
        effect::once(&mut expected, "--expect-bits", layer.layer.clone(), bits.to_string())?;
        let executed = layer.executed.as_ref();
        if !executed.is_some_and(|e| e.operands == bits || e.to_string() == bits) {
            let found = executed.map_or_else(|| "no instruction".into(), ToString::to_string);
            wrong.push(format!(
                "layer \"{}\" was executed with {found}, --expect-bits says {bits}",
                layer.layer
            ));
        }
    }
    Ok(Widths { layers, wrong })
}

/// Whether a text has the form of [`Bits`](crate::program::Bits), with or without the result.
fn are_bits(text: &str) -> bool {
    let one = |part: &str| part == Bits::FLOAT || matches!(part, "8" | "16" | "32" | "64");
    let (operands, result) = text.split_once(" to ").unwrap_or((text, "8"));
    operands.split(['x', '+']).all(one) && one(result)
}

//! Verification of widths: those that every layer was executed with, against those that were asked for.

use std::collections::BTreeMap;

use super::args::WidthArgs;
use super::effect;
use crate::explain::{Failure, NO};
use crate::profile::{self, LayerWidths, WrongWidths};
use crate::sim::Loaded;

/// Widths of all layers, and the violations.
pub(super) struct Widths {
    pub(super) layers: Vec<LayerWidths>,
    /// One sentence each.
    pub(super) wrong: Vec<String>,
}

impl Widths {
    /// The exit status of a command that has succeeded otherwise.
    pub(super) fn status(&self) -> u8 {
        if self.wrong.is_empty() { 0 } else { NO }
    }
}

/// The widths of a loaded program, checked against the model and `--expect-bits`.
pub(super) fn of(loaded: &Loaded, args: &WidthArgs) -> Result<Widths, Failure> {
    let layers = profile::widths(loaded);
    let mut expected: BTreeMap<String, String> = BTreeMap::new();
    for option in &args.expect_bits {
        if layers.iter().any(|l| l.layer == *option) {
            return Err(Failure::usage(format!("--expect-bits {option}: =BITS is missing")).help(format!(
                "write {option}=16x8; `rcar-iss info --layers` shows the bits of each layer"
            )));
        }
        let (name, bits) = option.rsplit_once('=').unwrap_or((option, ""));
        effect::once(&mut expected, "--expect-bits", name.to_string(), bits.trim().to_string())?;
    }
    let unlike = profile::unlike_expected(&layers, &expected).map_err(Failure::expect_bits)?;
    let wrong = profile::unlike_asked(&layers).into_iter().chain(unlike).map(|w| match w {
        WrongWidths::Asked { .. } => w.to_string(),
        WrongWidths::Expected { layer, expected, executed } => {
            let found = profile::or_none(executed.as_ref());
            format!("layer \"{layer}\" was executed with {found}, --expect-bits says {expected}")
        }
    });
    Ok(Widths { wrong: wrong.collect(), layers })
}

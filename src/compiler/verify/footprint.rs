//! The bytes of tensors that layers write, before and after a pass.

use super::broken::Broken;
use super::bytes::touched;
use super::scope::{At, Scope};
use super::trips::each;
use crate::compiler::tile::TileLayer;
use crate::isa::Space;

/// The rule that a pass does not change which bytes of tensors a layer writes.
pub(super) const SAME_RESULTS: &str = "same_results";

/// Bytes of tensors that a layer writes, sorted and without overlaps; DRAM addresses count from the first
/// tensor.
pub(in crate::compiler) type Footprint = Vec<(Space, i64, i64)>;

/// The footprints of all layers.
pub(in crate::compiler) fn footprints(layers: &[TileLayer], scope: &Scope<'_>) -> Vec<Footprint> {
    layers.iter().enumerate().map(|(i, layer)| footprint(&At::new(layer, scope, i))).collect()
}

fn footprint(at: &At<'_>) -> Footprint {
    let mut all: Footprint = Vec::new();
    // The callback returns no error.
    let _: Result<(), String> = each(&at.layer.body, &mut |op, trip| {
        if let Some(view) = op.views.first().filter(|v| !at.is_buffer(v.space, &v.buffer)) {
            let (lo, hi) = touched(op, 0, trip);
            let base = if view.space == Space::Dram { at.scope.tensors() } else { 0 };
            all.push((view.space, lo - base, hi - base));
        }
        Ok(())
    });
    all.sort_unstable();
    let mut merged: Footprint = Vec::new();
    for (space, lo, hi) in all {
        match merged.last_mut().filter(|(s, _, end)| *s == space && lo <= *end) {
            Some((.., end)) => *end = hi.max(*end),
            None => merged.push((space, lo, hi)),
        }
    }
    merged
}

/// Checks that a pass has left layers that write the same bytes of tensors.
pub(in crate::compiler) fn same_results(
    pass: &'static str,
    layers: &[TileLayer],
    before: &[Footprint],
    after: &[Footprint],
) -> Result<(), Broken> {
    let text = |f: &Footprint| {
        let parts: Vec<String> =
            f.iter().map(|(space, lo, hi)| format!("{} {lo} to {hi}", space.name())).collect();
        if parts.is_empty() { "nothing".to_string() } else { parts.join(", ") }
    };
    let mut pairs = layers.iter().zip(before.iter().zip(after));
    match pairs.find(|(_, (before, after))| before != after) {
        Some((layer, (before, after))) => Err(Broken {
            pass,
            layer: layer.name.clone(),
            rule: SAME_RESULTS,
            why: format!("of tensors it wrote {}, now it writes {}", text(before), text(after)),
        }),
        None if layers.len() != before.len() => Err(Broken {
            pass,
            layer: layers.last().map_or_else(String::new, |l| l.name.clone()),
            rule: SAME_RESULTS,
            why: format!("there were {} layers, now there are {}", before.len(), layers.len()),
        }),
        None => Ok(()),
    }
}

//! Attention masks: numbers so low that a Softmax returns zero wherever they are added.
//!
//! Exporters use −∞, the most negative float or −10000 for masked positions. A range that includes them would
//! have one step for all real scores. It need not include them: a Softmax depends on differences to the
//! largest score of a row, and `e^−16` is a thirtieth of the resolution of 16 bits. So scores are counted as
//! if the lowest were 16 below the largest of their row, and the integers of masks and of masked scores
//! saturate there. Where a maximum follows, what is masked counts as a little lower than the rest.

use std::collections::{BTreeMap, BTreeSet};

use super::network::{Network, int};
use super::parameters::{Activation, ActivationFormat, Parameters};
use super::places::Places;
use crate::onnx::proto::{GraphProto, ModelProto, NodeProto};
use crate::onnx::{Role, role};

/// How far below the largest score of its row a masked score is counted.
const DEEP: f32 = 16.0;
/// Values further below than this are masked: real scores of a row are closer to each other.
const MASKED: f32 = 40.0;
/// A row without anything larger is masked entirely.
const NOTHING: f32 = -1e30;
/// How many times further below zero than the largest value, or than one, is masked for a maximum.
const DWARFED: f32 = 1000.0;
/// The part of the other values' range by which masked ones are below them.
const BELOW: f32 = 1.0 / 32.0;
/// How far a range must exceed the values that change a result before it is cut; rounded limits do not
/// suffice.
const BEYOND: f32 = 1.25;

/// The scores of a network, and what they are computed from.
#[derive(Debug, Default)]
pub(super) struct Masks {
    /// Tensors that only a Softmax reads.
    rows: BTreeMap<String, Row>,
    /// Tensors that may contain −∞, because a Softmax or a maximum follows.
    open: BTreeSet<String>,
    /// Tensors of which only maxima are read.
    peaks: BTreeSet<String>,
}

/// A row of a Softmax.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Row {
    axis: i64,
    /// Whether all axes from that one on are one row, as before opset 13.
    rest: bool,
    /// The difference that becomes one after scaling.
    unit: f32,
}

impl Masks {
    pub(super) fn of(model: &ModelProto) -> Masks {
        let Some(graph) = &model.graph else { return Masks::default() };
        let opset = model.opset_import.iter().find(|o| matches!(o.domain(), "" | "ai.onnx"));
        let old = opset.is_some_and(|o| o.version() < 13);
        let network = Network::of(graph);
        let mut masks = Masks::default();
        let values = graph.node.iter().flat_map(|n| &n.output).rev();
        for name in values.chain(graph.input.iter().filter_map(|i| i.name.as_ref())) {
            let row = |node: &NodeProto| {
                if node.op_type() == "Softmax" {
                    let axis = int(node, "axis", if old { 1 } else { -1 });
                    return Some(Row { axis, rest: old, unit: 1.0 });
                }
                let row = *masks.rows.get(node.output.first()?)?;
                let last = row.axis == -1 && !row.rest;
                let mut numbers = node.input.iter().filter_map(|i| network.number(i));
                match (node.op_type(), numbers.next()) {
                    // The last axis is assumed to stay the last.
                    ("Reshape" | "Squeeze" | "Unsqueeze", _) => last.then_some(row),
                    ("Identity" | "Max", _) => Some(row),
                    ("Mul", Some(by)) if by > 0.0 => Some(Row { unit: row.unit / by, ..row }),
                    ("Div", Some(by)) if by > 0.0 && node.input.first() == Some(name) => {
                        Some(Row { unit: row.unit * by, ..row })
                    }
                    _ => None,
                }
            };
            let peak = |at: &usize| {
                let node = &graph.node[*at];
                let moved = role(node) == Some(Role::Move) && node.input.first() == Some(name);
                matches!(node.op_type(), "ReduceMax" | "MaxPool" | "GlobalMaxPool" | "ArgMax")
                    || moved && node.output.iter().all(|o| masks.peaks.contains(o))
            };
            let readers = network.readers(name);
            if !readers.is_empty() && !network.is_output(name) && readers.iter().all(peak) {
                masks.peaks.insert(name.clone());
            }
            let mut rows = readers.iter().map(|at| row(&graph.node[*at]));
            if let Some(Some(first)) = rows.next()
                && rows.all(|r| r == Some(first))
                && !network.is_output(name)
            {
                masks.rows.insert(name.clone(), first);
            }
        }
        let mut from: Vec<&String> = masks.rows.keys().chain(&masks.peaks).collect();
        while let Some(name) = from.pop() {
            let Some(at) = network.producer(name) else { continue };
            let node = &graph.node[at];
            let inputs = match node.op_type() {
                "Add" | "Sub" | "Mul" | "Max" | "Min" | "Sum" | "Concat" => &node.input[..],
                "Where" => node.input.get(1..).unwrap_or_default(),
                "Cast" | "Log" | "Trilu" => node.input.get(..1).unwrap_or_default(),
                _ if role(node) == Some(Role::Move) => node.input.get(..1).unwrap_or_default(),
                _ => continue,
            };
            from.extend(inputs.iter().filter(|i| masks.open.insert((*i).clone())));
        }
        masks.open.extend(masks.rows.keys().cloned());
        masks
    }

    /// The values of a tensor to be counted, if they differ from its own.
    pub(super) fn counted(&self, name: &str, shape: &[usize], values: &[f32]) -> Option<Vec<f32>> {
        let (peak, open) = (self.peaks.contains(name), self.open.contains(name));
        if !peak && !open {
            return None;
        }
        let least = values.iter().copied().fold(f32::INFINITY, f32::min);
        let greatest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if peak {
            let masked = -DWARFED * greatest.abs().max(1.0);
            return (least < masked && greatest > NOTHING).then(|| beside(values, masked));
        }
        match self.rows.get(name).and_then(|row| Some((row.unit, row.extents(shape)?))) {
            Some((unit, extents)) if least < greatest - MASKED * unit || greatest < NOTHING => {
                Some(unmasked(values, extents, unit))
            }
            None if least == f32::NEG_INFINITY => Some(values.iter().map(|v| v.max(f32::MIN)).collect()),
            _ => None,
        }
    }
}

impl Row {
    /// Number of adjacent rows, values of a row, and the distance between them.
    fn extents(self, shape: &[usize]) -> Option<[usize; 2]> {
        let rank = i64::try_from(shape.len()).ok()?;
        let axis = usize::try_from(if self.axis < 0 { self.axis + rank } else { self.axis }).ok()?;
        let behind: usize = shape.get(axis + 1..)?.iter().product();
        Some(if self.rest { [shape[axis] * behind, 1] } else { [shape[axis], behind] })
    }
}

/// Values of which those below a limit count as a little lower than the others.
fn beside(values: &[f32], limit: f32) -> Vec<f32> {
    let others = || values.iter().copied().filter(|v| *v >= limit);
    let (least, greatest) = (others().fold(f32::INFINITY, f32::min), others().fold(0.0, f32::max));
    let low = least.min(0.0) - (greatest - least.min(0.0)) * BELOW;
    values.iter().map(|v| if *v < limit { low } else { *v }).collect()
}

/// Rows of `length` values at a distance of `step`.
fn unmasked(values: &[f32], [length, step]: [usize; 2], unit: f32) -> Vec<f32> {
    let mut counted = values.to_vec();
    for block in counted.chunks_mut((length * step).max(1)) {
        for row in 0..step {
            let of_row = || (row..block.len()).step_by(step.max(1));
            let greatest = of_row().map(|i| block[i]).fold(f32::NEG_INFINITY, f32::max);
            for i in of_row() {
                if greatest < NOTHING && !block[i].is_nan() {
                    block[i] = 0.0;
                } else if block[i] < greatest - MASKED * unit {
                    block[i] = greatest - DEEP * unit;
                }
            }
        }
    }
    counted
}

/// Range and format of a tensor.
pub(super) type Given<'a> = BTreeMap<&'a str, ([f32; 2], ActivationFormat)>;

/// Cuts the ranges of tensors whose outer values only saturate what is computed from them: where `s + m` is
/// clipped at `lo`, an `m` below `lo − max s` is equivalent to that. Nothing is lost.
pub(super) fn cut(graph: &GraphProto, places: &Places, given: &Given<'_>, parameters: &mut Parameters) {
    let network = Network::of(graph);
    let source: BTreeMap<&str, &str> =
        places.tensors.iter().map(|(t, of)| (t.as_str(), of.as_str())).collect();
    let mut limits: BTreeMap<&str, [f32; 2]> = BTreeMap::new();
    let inputs = graph.input.iter().filter_map(|i| i.name.as_ref());
    for name in graph.node.iter().flat_map(|n| &n.output).rev().chain(inputs) {
        let readers = network.readers(name);
        if readers.is_empty() || network.is_output(name) || !source.contains_key(name.as_str()) {
            continue;
        }
        let range = |value: &str| match source.get(value).and_then(|s| parameters.activations.get(*s)) {
            Some(a) => Some(a.range()),
            None => network.floats(value).map(|f| extremes(&f.values)),
        };
        let mut limit = [f32::INFINITY, f32::NEG_INFINITY];
        for node in readers.iter().map(|at| &graph.node[*at]) {
            let output = node.output.first().map_or("", String::as_str);
            let of = match source.get(output) {
                Some(_) if role(node) == Some(Role::Move) => limits.get(output).copied(),
                Some(_) => range(output).and_then(|r| saturating(node, name, r, range)),
                None => None,
            };
            let [lo, hi] = of.unwrap_or([f32::NEG_INFINITY, f32::INFINITY]);
            limit = [limit[0].min(lo), limit[1].max(hi)];
        }
        limits.insert(name, limit);
        if let Some((known, format)) = given.get(name.as_str()) {
            let kept = within(*known, limit);
            if kept != *known {
                parameters.activations.insert(name.clone(), Activation::covering(kept, *format));
            }
        }
    }
}

/// The values of an operand beyond which the result saturates at its own range. `None` if it never does.
pub(super) fn saturating(
    node: &NodeProto,
    operand: &str,
    result: [f32; 2],
    range: impl Fn(&str) -> Option<[f32; 2]>,
) -> Option<[f32; 2]> {
    let open = [f32::NEG_INFINITY, f32::INFINITY];
    let places: Vec<usize> =
        node.input.iter().enumerate().filter(|(_, i)| *i == operand).map(|(at, _)| at).collect();
    let ([place], [a, b, ..]) = (places.as_slice(), node.input.as_slice()) else { return None };
    let other = range(if *place == 0 { b } else { a });
    Some(match (node.op_type(), place) {
        ("Add", _) => [result[0] - other?[1], open[1]],
        ("Sub", 0) => [result[0] + other?[0], open[1]],
        ("Sub", 1) => [open[0], other?[1] - result[0]],
        ("Max", _) | ("Where", 1 | 2) => [result[0], open[1]],
        _ => return None,
    })
}

/// A range, cut to limits that it exceeds by far.
pub(super) fn within([lo, hi]: [f32; 2], limit: [f32; 2]) -> [f32; 2] {
    let far = |value: f32, limit: f32| value.abs() > limit.abs() * BEYOND || !value.is_finite();
    let lo = if lo < limit[0] && far(lo, limit[0]) { limit[0].min(0.0) } else { lo };
    let hi = if hi > limit[1] && far(hi, limit[1]) { limit[1].max(0.0) } else { hi };
    [lo, hi]
}

/// The least and the greatest of values, and zero.
pub(super) fn extremes(values: &[f32]) -> [f32; 2] {
    let lo = values.iter().copied().fold(0.0, f32::min);
    let hi = values.iter().copied().fold(0.0, f32::max);
    [lo, hi]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masked_scores_count_as_just_low_enough() {
        let inf = f32::NEG_INFINITY;
        assert_eq!(
            unmasked(&[1.0, -3.0, inf, 4.0, f32::MIN, inf], [3, 1], 1.0),
            [1.0, -3.0, -15.0, 4.0, -12.0, -12.0]
        );
        // Rows along another axis; one of them is masked entirely.
        assert_eq!(unmasked(&[1.0, inf, -1e4, f32::MIN], [2, 2], 1.0), [1.0, 0.0, -15.0, 0.0]);
    }

    #[test]
    fn for_a_maximum_they_count_as_a_little_lower_than_the_rest() {
        assert_eq!(beside(&[3.0, -1e9, -1.0, f32::NEG_INFINITY], -1e3), [3.0, -1.125, -1.0, -1.125]);
    }

    #[test]
    fn only_what_is_far_beyond_is_cut() {
        let none = [f32::NEG_INFINITY, f32::INFINITY];
        assert_eq!(within([-10.0, 2.0], none), [-10.0, 2.0]);
        assert_eq!(within([-10.0, 2.0], [-9.0, f32::INFINITY]), [-10.0, 2.0]);
        assert_eq!(within([f32::NEG_INFINITY, 2.0], [-9.0, f32::INFINITY]), [-9.0, 2.0]);
        assert_eq!(within([-1.0, 1e9], [f32::NEG_INFINITY, 20.0]), [-1.0, 20.0]);
    }
}

//! Recurrent layers over sequences of different lengths, which the library ignores: the layer is run over all
//! steps, and results behind a sequence's end are set to zero, as ONNX defines.
//!
//! A reverse direction reverses each sequence separately. Each direction becomes a layer of its own, because
//! only one of them is reversed. The state after the last step of a sequence is the output of that step; an
//! LSTM's cell state is not among its outputs, so a layer whose last cell state is read cannot be rewritten.

use std::collections::BTreeSet;

use super::attributes::{attribute, int};
use super::rewrite::{Writer, Written, whole};
use crate::onnx::Data;
use crate::onnx::names::Names;
use crate::onnx::proto::tensor_proto::DataType;
use crate::onnx::proto::{AttributeProto, NodeProto};

/// Index of `sequence_lens` among a layer's inputs.
const LENGTHS: usize = 4;

/// Rewrites a GRU or LSTM with `sequence_lens` as layers without, and drops unused outputs. `None` if it has
/// none, or if its states cannot be derived from its outputs. `read` are the values that are used.
pub(super) fn rewritten(
    node: &NodeProto,
    opset: i64,
    read: &BTreeSet<String>,
    names: &mut Names,
) -> Option<Written> {
    let gates = match node.op_type() {
        "LSTM" => 3,
        "GRU" => 2,
        _ => return None,
    };
    let wanted = |at: usize| node.output.get(at).filter(|o| read.contains(*o));
    let given = |at: usize| node.input.get(at).map(String::as_str).filter(|i| !i.is_empty());
    let lengths = given(LENGTHS)?;
    let hidden = attribute(node, "hidden_size")?.i();
    // Range and GatherND do not exist in earlier versions.
    if opset < 11 || wanted(2).is_some() || int(node, "layout", 0) != 0 || hidden <= 0 {
        return None;
    }
    let directions: &[&str] = match attribute(node, "direction").map_or(&b"forward"[..], |a| a.s()) {
        b"forward" => &["forward"],
        b"reverse" => &["reverse"],
        b"bidirectional" => &["forward", "reverse"],
        _ => return None,
    };
    let mut by = Writer::of(node, names);
    let steps = Steps::written(&mut by, given(0)?, lengths);
    let [mut all, mut last] = [Vec::new(), Vec::new()];
    for (d, direction) in directions.iter().enumerate() {
        let turned = *direction == "reverse";
        let input =
            if turned { by.value("GatherND", &[given(0)?, &steps.turned]) } else { given(0)?.to_string() };
        let part = |by: &mut Writer<'_>, at: usize| match given(at) {
            Some(whole) if directions.len() == 1 => whole.to_string(),
            Some(whole) => {
                let [from, to, axis] = [d, d + 1, 0].map(|v| by.constant(vec![1], Data::S64(vec![v as i64])));
                by.value("Slice", &[whole, &from, &to, &axis])
            }
            None => String::new(),
        };
        let mut inputs = vec![input];
        for at in 1..node.input.len() {
            inputs.push(if at == LENGTHS { String::new() } else { part(&mut by, at) });
        }
        while inputs.last().is_some_and(String::is_empty) {
            inputs.pop();
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let y = by.value_with(node.op_type(), &inputs, attributes(node, d, gates));
        // [step, 1, batch, hidden] with zeros behind the ends.
        let y = by.value("Mul", &[&y, &steps.inside]);
        let rows = by.constant(vec![3], Data::S64(vec![0, -1, hidden]));
        let rows = by.value("Reshape", &[&y, &rows]);
        if wanted(1).is_some() {
            let state = by.value("GatherND", &[&rows, &steps.last]);
            let shape = by.constant(vec![3], Data::S64(vec![1, -1, hidden]));
            last.push(by.value("Reshape", &[&state, &shape]));
        }
        if wanted(0).is_some() && turned {
            let back = by.value("GatherND", &[&rows, &steps.turned]);
            let shape = by.constant(vec![4], Data::S64(vec![0, 1, -1, hidden]));
            all.push(by.value("Reshape", &[&back, &shape]));
        } else {
            all.push(y);
        }
    }
    for (output, parts, axis) in [(wanted(0), all, 1), (wanted(1), last, 0)] {
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match (output, parts.as_slice()) {
            (None, _) => {}
            (Some(output), [one]) => by.put("Identity", &[one], output, vec![]),
            (Some(output), parts) => by.put("Concat", parts, output, vec![whole("axis", axis)]),
        }
    }
    Some(by.into())
}

/// The attributes of one direction's layer: `activations` lists those of one direction after those of the
/// other.
fn attributes(node: &NodeProto, direction: usize, gates: usize) -> Vec<AttributeProto> {
    let kept = node.attribute.iter().filter(|a| a.name() != "direction");
    kept.map(|a| {
        let mut a = a.clone();
        if a.name() == "activations" {
            a.strings = a.strings.into_iter().skip(direction * gates).take(gates).collect();
        }
        a
    })
    .collect()
}

/// Names of values on steps and sequences.
struct Steps {
    /// [step, 1, batch, 1]: 1 where a sequence has the step, else 0.
    inside: String,
    /// [step, batch, 2]: the step and the sequence at each place after reversing each sequence.
    turned: String,
    /// [batch, 2]: each sequence's last step, or the first if it has none, and the sequence.
    last: String,
}

impl Steps {
    /// For sequences `x` [step, batch, input] of `lengths` [batch].
    fn written(by: &mut Writer<'_>, x: &str, lengths: &str) -> Steps {
        let [column, row, pair, image] = [vec![-1, 1], vec![1, -1], vec![0, -1, 1], vec![0, 1, -1, 1]]
            .map(|shape| by.constant(vec![shape.len()], Data::S64(shape)));
        let [zero, one] = [0, 1].map(|v| by.constant(vec![], Data::S64(vec![v])));
        let shape = by.value("Shape", &[x]);
        let [step, sequence] = [&zero, &one].map(|axis| {
            let extent = by.value("Gather", &[&shape, axis]);
            by.value("Range", &[&zero, &extent, &one])
        });
        let lengths = by.value_with("Cast", &[lengths], vec![whole("to", DataType::Int64 as i64)]);
        let lengths = by.value("Reshape", &[&lengths, &row]);
        let step = by.value("Reshape", &[&step, &column]);
        let is_inside = by.value("Less", &[&step, &lengths]);
        let inside = by.value_with("Cast", &[&is_inside], vec![whole("to", DataType::Float as i64)]);
        let inside = by.value("Reshape", &[&inside, &image]);
        let end = by.value("Sub", &[&lengths, &one]);
        let other = by.value("Sub", &[&end, &step]);
        let other = by.value("Where", &[&is_inside, &other, &step]);
        let other = by.value("Reshape", &[&other, &pair]);
        let grid = by.value("Shape", &[&is_inside]);
        let sequences = by.value("Expand", &[&sequence, &grid]);
        let sequences = by.value("Reshape", &[&sequences, &pair]);
        let turned = by.value_with("Concat", &[&other, &sequences], vec![whole("axis", 2)]);
        let last = by.value("Max", &[&end, &zero]);
        let [last, sequence] = [&last, &sequence].map(|v| by.value("Reshape", &[v, &column]));
        let last = by.value_with("Concat", &[&last, &sequence], vec![whole("axis", 1)]);
        Steps { inside, turned, last }
    }
}

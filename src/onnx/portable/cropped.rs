//! ConvTranspose whose result has given extents, which the library does not read: all products are computed,
//! and what the extents leave is cut out of them, or added behind them.

use super::attributes::{attribute, ints};
use super::rewrite::{Writer, Written, whole};
use crate::onnx::Data;
use crate::onnx::names::Names;
use crate::onnx::proto::NodeProto;

/// Writes a ConvTranspose with `output_shape` as one without, and a Pad and a Slice. Nothing for any other
/// node.
pub(super) fn rewritten(node: &NodeProto, opset: i64, names: &mut Names) -> Option<Written> {
    if node.op_type() != "ConvTranspose" || opset < 11 {
        return None;
    }
    let out = attribute(node, "output_shape")?.ints.clone();
    let output = node.output.first()?;
    if out.is_empty() || out.iter().any(|n| *n < 1) {
        return None;
    }
    let upper = attribute(node, "auto_pad").is_some_and(|a| a.s() == b"SAME_UPPER");
    let mut by = Writer::of(node, names);
    let mut kept = node.attribute.clone();
    kept.retain(|a| !matches!(a.name(), "output_shape" | "auto_pad" | "pads"));
    kept.push(ints("pads", vec![0; 2 * out.len()]));
    let full = by.value_with("ConvTranspose", &[&node.input[0], node.input.get(1)?], kept);
    let mut vector = |values: Vec<i64>| by.constant(vec![values.len()], Data::S64(values));
    let axes = vector((2..).take(out.len()).collect());
    let wanted = vector(out.clone());
    let [zero, two] = [0, 2].map(|v| vector(vec![v]));
    let begin = vector(vec![0; out.len() + 4]);
    let column = vector([1, -1].into_iter().chain(out.iter().map(|_| 1)).collect());
    let shape = vector([0, 0].into_iter().chain(out).collect());
    let all = by.value("Shape", &[&full]);
    let extents = by.value("Gather", &[&all, &axes]);
    // What is wanted beyond the products lies behind them, and is bias alone.
    let missing = by.value("Sub", &[&wanted, &extents]);
    let missing = by.value("Max", &[&missing, &zero]);
    let pads = by.value_with("Concat", &[&begin, &missing], vec![whole("axis", 0)]);
    let full = by.value("Pad", &[&full, &pads]);
    let extents = by.value("Add", &[&extents, &missing]);
    let total = by.value("Sub", &[&extents, &wanted]);
    let half = by.value("Div", &[&total, &two]);
    // An odd row too many is taken off the beginning, unless SAME_UPPER says otherwise.
    let first = if upper { half } else { by.value("Sub", &[&total, &half]) };
    let end = by.value("Add", &[&first, &wanted]);
    let part = by.value("Slice", &[&full, &first, &end, &axes]);
    match node.input.get(2).filter(|b| !b.is_empty()) {
        None => by.put("Reshape", &[&part, &shape], output, vec![]),
        Some(bias) => {
            let part = by.value("Reshape", &[&part, &shape]);
            let bias = by.value("Reshape", &[bias, &column]);
            by.put("Add", &[&part, &bias], output, vec![]);
        }
    }
    Some(by.into())
}

//! Linear interpolation of images whose channels stand last: the library resizes the last two axes only, so
//! the image is turned round before and after.

use super::attributes::{attribute, ints};
use super::known::Known;
use super::rewrite::{Writer, Written};
use crate::onnx::Data;
use crate::onnx::names::Names;
use crate::onnx::proto::NodeProto;

/// Writes a linear Resize by `[1, a, b, 1]` as one by `[1, 1, a, b]`. Nothing for any other node.
pub(super) fn rewritten(node: &NodeProto, opset: i64, known: &Known, names: &mut Names) -> Option<Written> {
    let linear = attribute(node, "mode").is_some_and(|a| a.s() == b"linear");
    if node.op_type() != "Resize" || !linear || opset < 11 || attribute(node, "axes").is_some() {
        return None;
    }
    let (x, scales, y) = (node.input.first()?, node.input.get(2)?, node.output.first()?);
    let [1.0, rows, columns, 1.0] = known.numbers.get(scales)?[..] else { return None };
    let extents = node.input.get(3).is_some_and(|i| !i.is_empty());
    if extents || (rows, columns) == (1.0, 1.0) {
        return None;
    }
    let mut by = Writer::of(node, names);
    let image = by.value_with("Transpose", &[x], vec![ints("perm", vec![0, 3, 1, 2])]);
    let scales = by.constant(vec![4], Data::F32(vec![1.0, 1.0, rows, columns]));
    let roi = node.input.get(1).map_or("", String::as_str);
    let resized = by.value_with("Resize", &[&image, roi, &scales], node.attribute.clone());
    by.put("Transpose", &[&resized], y, vec![ints("perm", vec![0, 2, 3, 1])]);
    Some(by.into())
}

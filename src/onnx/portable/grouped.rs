//! GroupNormalization, which the library does not have: InstanceNormalization of each group's elements as one
//! row.

use super::attributes::{attribute, int};
use super::rewrite::{Writer, Written};
use crate::onnx::Data;
use crate::onnx::names::Names;
use crate::onnx::proto::NodeProto;

/// Writes a GroupNormalization. Nothing for any other node. Scale and bias have one number for each group
/// before opset 21, one for each channel since.
pub(super) fn rewritten(node: &NodeProto, opset: i64, names: &mut Names) -> Option<Written> {
    let ([x, scale, bias], Some(y)) = (node.input.as_slice(), node.output.first()) else { return None };
    let groups = int(node, "num_groups", 0);
    if node.op_type() != "GroupNormalization" || opset < 18 || !(1..=1 << 16).contains(&groups) {
        return None;
    }
    // Half precision for the sums is the float library's own, f32.
    let epsilon = attribute(node, "epsilon").cloned();
    let mut by = Writer::of(node, names);
    let shape = by.value("Shape", &[x]);
    let rows = by.constant(vec![3], Data::S64(vec![0, groups, -1]));
    let rows = by.value("Reshape", &[x, &rows]);
    let each = |by: &mut Writer<'_>, value: f32| {
        by.constant(vec![groups as usize], Data::F32(vec![value; groups as usize]))
    };
    let attributes: Vec<_> = epsilon.into_iter().collect();
    if opset < 21 {
        let unit = by.value_with("InstanceNormalization", &[&rows, scale, bias], attributes);
        by.put("Reshape", &[&unit, &shape], y, vec![]);
        return Some(by.into());
    }
    let (one, zero) = (each(&mut by, 1.0), each(&mut by, 0.0));
    let unit = by.value_with("InstanceNormalization", &[&rows, &one, &zero], attributes);
    let unit = by.value("Reshape", &[&unit, &shape]);
    let channels = by.constant(vec![3], Data::S64(vec![0, 0, -1]));
    let column = by.constant(vec![3], Data::S64(vec![1, -1, 1]));
    let unit = by.value("Reshape", &[&unit, &channels]);
    let [scale, bias] = [scale, bias].map(|v| by.value("Reshape", &[v, &column]));
    let scaled = by.value("Mul", &[&unit, &scale]);
    let shifted = by.value("Add", &[&scaled, &bias]);
    by.put("Reshape", &[&shifted, &shape], y, vec![]);
    Some(by.into())
}

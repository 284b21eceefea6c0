//! Convolutions and pools: optional attributes.

use super::attributes::{attribute, int, ints};
use super::known::Known;
use crate::onnx::proto::NodeProto;

/// Most elements that padding and steps may add for each existing one.
const MOST: f64 = (1_u64 << 24) as f64;

/// Adds attributes whose defaults depend on the rank of the operands, which the library does not use. True if
/// some were missing.
pub(super) fn fill(node: &mut NodeProto, known: &Known) -> Result<bool, String> {
    let pool = match node.op_type() {
        "Conv" | "ConvTranspose" | "ConvInteger" => false,
        "MaxPool" | "AveragePool" => true,
        _ => return Ok(false),
    };
    let before = node.attribute.len();
    // An empty list counts as omitted.
    node.attribute.retain(|a| {
        !(matches!(a.name(), "strides" | "dilations" | "pads" | "kernel_shape") && a.ints.is_empty())
    });
    let mut changed = node.attribute.len() != before;
    modest(node)?;
    if let Some(axes) = spatial(node, pool, known) {
        for (name, value, each) in [("strides", 1, 1), ("dilations", 1, 1), ("pads", 0, 2)] {
            // Not every opset has dilations of pools.
            let left_out = attribute(node, name).is_none() && !(pool && name == "dilations");
            if left_out && !(name == "pads" && is_automatic(node)) {
                node.attribute.push(ints(name, vec![value; each * axes]));
                changed = true;
            }
        }
    }
    lower(node, known).map(|moved| moved || changed)
}

/// Refuses windows whose padding or steps make huge images from nothing: the library would allocate without
/// checking.
fn modest(node: &NodeProto) -> Result<(), String> {
    for name in ["strides", "dilations", "pads", "kernel_shape", "output_padding"] {
        let all = attribute(node, name).map_or(&[][..], |a| &a.ints);
        let made: f64 = all.iter().map(|v| (*v as f64).abs() + 1.0).product();
        if made > MOST {
            return Err(format!("{name} of {all:?} are too large for the float library"));
        }
    }
    Ok(())
}

fn auto_pad(node: &NodeProto) -> &[u8] {
    attribute(node, "auto_pad").map_or(b"NOTSET".as_slice(), |a| a.s())
}

fn is_automatic(node: &NodeProto) -> bool {
    auto_pad(node).starts_with(b"SAME")
}

/// Number of spatial axes of the windows.
fn spatial(node: &NodeProto, pool: bool, known: &Known) -> Option<usize> {
    let listed = |name: &str, each: usize| Some(attribute(node, name)?.ints.len() / each);
    let of = |value: Option<&String>| known.rank(value)?.checked_sub(2);
    listed("kernel_shape", 1)
        .or_else(|| listed("strides", 1))
        .or_else(|| listed("dilations", 1))
        .or_else(|| listed("pads", 2))
        .or_else(|| of(node.input.get(1)).filter(|_| !pool))
        .or_else(|| of(node.input.first()))
        .or_else(|| of(node.output.first()))
}

/// The library puts the odd row of padding at the end, as for SAME_UPPER. SAME_LOWER is replaced by numbers
/// where they do not depend on the input's extents.
fn lower(node: &mut NodeProto, known: &Known) -> Result<bool, String> {
    if auto_pad(node) != b"SAME_LOWER" {
        return Ok(false);
    }
    let weights = node.input.get(1).and_then(|w| known.constants.get(w)).and_then(|d| d.get(2..));
    let kernel =
        attribute(node, "kernel_shape").map(|a| a.ints.clone()).or_else(|| weights.map(<[i64]>::to_vec));
    let refused = || Err("auto_pad SAME_LOWER is not known to the float library".to_string());
    let Some(kernel) = kernel.filter(|_| node.op_type() != "ConvTranspose") else { return refused() };
    let list = |name: &str| attribute(node, name).map_or_else(|| vec![1; kernel.len()], |a| a.ints.clone());
    let (strides, dilations) = (list("strides"), list("dilations"));
    if strides.iter().any(|s| *s != 1) || dilations.len() != kernel.len() || int(node, "ceil_mode", 0) != 0 {
        return refused();
    }
    let total: Vec<i64> = kernel.iter().zip(&dilations).map(|(k, d)| (k - 1) * d).collect();
    let begin = total.iter().map(|t| t - t / 2);
    let pads = begin.chain(total.iter().map(|t| t / 2)).collect();
    node.attribute.retain(|a| !matches!(a.name(), "auto_pad" | "pads"));
    node.attribute.push(ints("pads", pads));
    Ok(true)
}

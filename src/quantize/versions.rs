//! The opset that a QDQ model needs.

use super::QuantizeError;
use crate::onnx::proto::{GraphProto, ModelProto, NodeProto, OperatorSetIdProto};

/// Since this opset a DequantizeLinear may have a scale for each channel.
const PER_CHANNEL: i64 = 13;
/// Since this opset quantizers support 16 bits.
const WIDE: i64 = 21;
/// The first version of the file format with opset 21.
const WIDE_IR: i64 = 10;

/// Operators that changed their form from opset 11 or 12 to 13.
const CHANGED_13: &[&str] =
    &["Squeeze", "Unsqueeze", "Split", "ReduceSum", "Softmax", "LogSoftmax", "Hardmax"];
/// Operators that changed their form from opset 13 to 21.
const CHANGED_21: &[&str] = &[
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceSumSquare",
    "Split",
    "Upsample",
    "GridSample",
    "GroupNormalization",
    "Scatter",
    "RoiAlign",
    "DFT",
];

/// Raises the model's opset as far as quantizers need it, and returns their domain: ONNX's own, or that of
/// ONNX Runtime, which supports 16 bits at every opset, if some operator of the network would change its
/// meaning.
pub(super) fn raise(
    model: &mut ModelProto,
    graph: &GraphProto,
    wide: bool,
    per_channel: bool,
) -> Result<&'static str, QuantizeError> {
    let own = |o: &&mut OperatorSetIdProto| matches!(o.domain(), "" | "ai.onnx");
    let Some(opset) = model.opset_import.iter_mut().find(own) else {
        return Err(QuantizeError::Model("it names no opset of ONNX".into()));
    };
    let version = opset.version();
    let uses = |names: &[&str]| {
        any(graph, &|n| names.contains(&n.op_type()) && matches!(n.domain(), "" | "ai.onnx"))
    };
    let mut target = version;
    if target < PER_CHANNEL && (per_channel || wide) {
        if version < 11 || uses(CHANGED_13) {
            return Err(QuantizeError::Opset { found: version, needed: PER_CHANNEL });
        }
        target = PER_CHANNEL;
    }
    let mut domain = "";
    if wide && target < WIDE {
        if uses(CHANGED_21) {
            domain = "com.microsoft";
        } else {
            target = WIDE;
        }
    }
    opset.version = Some(target);
    if target >= WIDE && model.ir_version() < WIDE_IR {
        model.ir_version = Some(WIDE_IR);
    }
    if !domain.is_empty() && !model.opset_import.iter().any(|o| o.domain() == domain) {
        model.opset_import.push(OperatorSetIdProto { domain: Some(domain.into()), version: Some(1) });
    }
    Ok(domain)
}

fn any(graph: &GraphProto, what: &dyn Fn(&NodeProto) -> bool) -> bool {
    graph
        .node
        .iter()
        .any(|n| what(n) || n.attribute.iter().filter_map(|a| a.g.as_ref()).any(|g| any(g, what)))
}

//! Signatures by operator and version.

use super::generated::{MICROSOFT, ONNX};
use super::signature::Signature;

/// The signature of an operator in this version of its operator set.
pub(super) fn find(domain: &str, operator: &str, opset: i64) -> Option<&'static Signature> {
    let table = match domain {
        "" | "ai.onnx" => ONNX,
        "com.microsoft" => MICROSOFT,
        _ => return None,
    };
    let end = table.partition_point(|s| (s.operator, s.since) <= (operator, opset));
    table[..end].last().filter(|s| s.operator == operator && !s.gone)
}

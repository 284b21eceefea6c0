//! The versions of operators that a model asks for, against those that are checked.

use serde_json::{Value, json};

use crate::onnx::OPSETS;
use crate::onnx::proto::ModelProto;

/// The name of a domain; ONNX leaves out its own.
fn domain(name: &str) -> &str {
    if name.is_empty() { "ai.onnx" } else { name }
}

/// `opsets: ai.onnx 17, com.microsoft 1`.
pub(super) fn list(model: &ModelProto) -> String {
    let named: Vec<String> =
        model.opset_import.iter().map(|o| format!("{} {}", domain(o.domain()), o.version())).collect();
    if named.is_empty() { "none".into() } else { named.join(", ") }
}

/// The model's opsets, and those that are supported, in one line.
pub(super) fn line(model: &ModelProto) -> String {
    let own = model.opset_import.iter().find(|o| domain(o.domain()) == "ai.onnx").map(|o| o.version());
    let outside = match own {
        Some(n) if n < *OPSETS.start() => {
            ": this one is older; its operators are taken as that version defines them, but not checked against ONNX Runtime"
        }
        Some(n) if n > *OPSETS.end() => {
            ": this one is newer; its operators are taken as the newest known version defines them"
        }
        _ => "",
    };
    format!(
        "opsets: {} (of ai.onnx {} to {} are supported{outside})\n",
        list(model),
        OPSETS.start(),
        OPSETS.end()
    )
}

pub(super) fn as_json(model: &ModelProto) -> Value {
    let one = |o: &crate::onnx::proto::OperatorSetIdProto| json!({ "domain": domain(o.domain()), "version": o.version() });
    model.opset_import.iter().map(one).collect()
}

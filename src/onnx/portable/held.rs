//! What the float library was tested for against ONNX Runtime: one row of [`TABLE`] for each operator, or for
//! each part of one.
//!
//! A row is valid because a test has run each of its lines against ONNX Runtime
//! (`tests/it/host_operators.rs`): every definition of the operator, every element type, every attribute that
//! may be given or omitted, and every value of those that have few. Nodes that no row accepts are not given
//! to the library.

use std::collections::BTreeSet;

use super::row::{Asked, Row};
use super::table::TABLE;

/// The lines of the table that a node needs.
///
/// # Errors
/// Why no row accepts it.
pub(super) fn judged(asked: &Asked) -> Result<BTreeSet<String>, String> {
    let domain = match asked.node.domain() {
        "ai.onnx" => "",
        other => other,
    };
    let rows = TABLE.iter().filter(|r| r.operator == asked.node.op_type() && r.domain == domain);
    let mut why: Option<String> = None;
    for row in rows {
        match row.judge(asked) {
            Ok(lines) => return Ok(lines),
            // Of several reasons, the one for the operator's version is reported.
            Err(reason) if row.definition(asked.opset).is_some() || why.is_none() => why = Some(reason),
            Err(_) => {}
        }
    }
    let what = why.map_or_else(|| "this operator".into(), |why| format!("this operator {why}"));
    Err(format!(
        "rten, the built-in float library, is not known to compute {what} as ONNX Runtime does; \
         --float-engine onnxruntime uses that instead"
    ))
}

/// Every line of the table, for the test that runs them.
#[must_use]
pub fn held() -> BTreeSet<String> {
    TABLE.iter().flat_map(Row::lines).collect()
}

//! What the float library was held to ONNX Runtime in: one row of [`TABLE`] for each operator, or for each part of one.
//!
//! A row is believed because a test has run each of its lines against ONNX Runtime (`tests/it/host_operators.rs`): every
//! definition of the operator, every element type, every attribute that may be given or left out, and every value of those
//! that have few. What no row takes is not handed to the library, whatever the library says of itself.

use std::collections::BTreeSet;

use super::row::{Asked, Row};
use super::table::TABLE;

/// The lines of the table that a node leans on.
///
/// # Errors
/// Why no row takes it.
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
            // Of several reasons the one that stands with the operator's version is the user's.
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

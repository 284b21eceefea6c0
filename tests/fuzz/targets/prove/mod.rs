//! What must hold of an input, whatever it is: it is read or refused with a typed error, never with a panic;
//! what is read survives a trip through the other forms; what is accepted runs, on both engines alike.

pub(super) mod array;
pub(super) mod execute;
pub(super) mod machine;
pub(super) mod onnx;
pub(super) mod picture;
pub(super) mod program;
pub(super) mod trace;

/// An error must say something.
fn said(text: &str) -> Result<(), String> {
    if text.trim().is_empty() { Err("it is refused without a word".into()) } else { Ok(()) }
}

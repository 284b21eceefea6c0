//! Writes `docs/book/src/reference/operators.md`: what of ONNX is understood, from the table that the
//! importer and `quantize` work on.

use std::collections::BTreeSet;
use std::fmt::Write;

use rcar_iss::internals::onnx::{Role, operators};

/// What the page says of a role.
fn meaning(role: Role) -> &'static str {
    match role {
        Role::Product => {
            "Computed by the MAC array. `quantize` gives their constant weights and biases integers of their own."
        }
        Role::Function => {
            "One table of 256 entries, however many follow each other; of 16 bits, the f32 lane."
        }
        Role::Pair => {
            "Integer instructions where ONNX Runtime has an integer kernel, else the f32 lane. With one constant operand they are \
             functions."
        }
        Role::Move => "They move integers. `quantize` gives their results the parameters of what they read.",
        Role::Whole => "Their results have parameters of their own.",
        Role::Plain => "Known at import, or another reading of the same values.",
        Role::Quantized => {
            "As exporters of quantized networks write them; `quantize` takes no network that has them."
        }
    }
}

pub(super) fn generate() -> String {
    let mut out = String::from(
        "# Operators\n\n\
         Written from the importer's table by `RCN_BLESS=1 cargo test --test it generated`. Operators of ONNX Runtime's own domain, \
         `com.microsoft`, are marked with \\*. What is not listed runs on the host, if it is an operator of floats; `rcar-iss check \
         MODEL.onnx --all` says for each node what computes it, or why nothing does. `If` is taken apart at import where its \
         condition is known.\n",
    );
    for role in Role::ALL {
        let mut names: Vec<String> = operators()
            .filter(|(_, _, r)| *r == role)
            .map(|(domain, name, _)| if domain.is_empty() { name.into() } else { format!("{name}\\*") })
            .collect();
        names.sort_unstable();
        let title = role.name();
        let title = title[..1].to_uppercase() + &title[1..];
        let _ = write!(out, "\n## {title}\n\n{}\n\n{}\n", meaning(role), names.join(", "));
    }
    out
}

/// Words of the guide's list of operators that the table does not have.
pub(super) fn unknown_in(page: &str) -> Vec<String> {
    let known: BTreeSet<&str> = operators().map(|(_, name, _)| name).chain(["ONNX", "QDQ", "If"]).collect();
    let list = page.split("- Conv and").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap();
    let words = list.split(|c: char| !c.is_ascii_alphanumeric());
    let operator = |w: &&str| w.len() > 1 && w.starts_with(|c: char| c.is_ascii_uppercase());
    words.filter(operator).filter(|w| !known.contains(w)).map(Into::into).collect()
}

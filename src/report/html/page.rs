//! The page: a template that holds the figures, and a script that draws.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment};
use serde::Serialize;

use super::data::Data;
use crate::analysis::{Comparison, LayerComparison, NAN_DB, NO_NOISE_DB, Unmatched};
use crate::profile::Profile;
use crate::program::Meta;

/// The template; text in double braces is escaped.
const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPTS: [&str; 3] = [include_str!("chart.js"), include_str!("pictures.js"), include_str!("page.js")];

/// Why the page cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The data have no JSON form.
    #[error("the data of the report: {0}")]
    Data(#[from] serde_json::Error),
    /// The template cannot be rendered.
    #[error("the page of the report: {0}")]
    Page(#[from] minijinja::Error),
}

/// The static part of the page.
#[derive(Serialize)]
struct Head<'a> {
    program: &'a str,
    machine: &'a str,
    library: &'a str,
    inputs: usize,
    cycles: u64,
    microseconds: String,
    outputs: Vec<Output<'a>>,
    unmatched: &'a [Unmatched],
    unused: &'a [String],
    scratchpad: &'a str,
    remarks: &'a [String],
    version: &'static str,
    style: &'static str,
    script: String,
    data: String,
}

#[derive(Serialize)]
struct Output<'a> {
    tensor: &'a str,
    sqnr: String,
    cosine: String,
}

fn output(layer: &LayerComparison) -> Output<'_> {
    let db = layer.accumulated.sqnr_db;
    Output {
        tensor: &layer.tensor,
        sqnr: if db >= NO_NOISE_DB {
            "exact".into()
        } else if db <= NAN_DB {
            "NaN".into()
        } else {
            format!("{db:.1} dB")
        },
        cosine: format!("{:.6}", layer.accumulated.cosine),
    }
}

/// The page for a comparison. `meta` and `profile` are of the program that was compared: they give the edges
/// of the graph, the layers without a reference, and the cycles; `names` says what the inputs are called,
/// `scratchpad` is a picture of it as SVG. The same arguments give the same bytes.
///
/// # Errors
/// See [`PageError`]; no comparison is known to cause one.
pub fn page(
    comparison: &Comparison,
    profile: &Profile,
    meta: &Meta,
    names: &[String],
    scratchpad: &str,
) -> Result<String, PageError> {
    let head = Head {
        program: &comparison.program,
        machine: &comparison.machine,
        library: &comparison.reference_library,
        inputs: comparison.inputs,
        cycles: comparison.cycles,
        microseconds: format!("{:.1}", profile.seconds * 1e6),
        outputs: comparison.layers.iter().filter(|l| l.output).map(output).collect(),
        unmatched: &comparison.unmatched,
        unused: &comparison.unused,
        scratchpad,
        remarks: &comparison.remarks,
        version: env!("CARGO_PKG_VERSION"),
        style: STYLE,
        script: SCRIPTS.concat(),
        data: in_script(&serde_json::to_string(&Data::of(comparison, profile, meta, names))?),
    };
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    Ok(environment.render_str(PAGE, Serde(&head))?)
}

/// JSON that is safe inside a script element: no name in it can end the element or start a comment.
fn in_script(json: &str) -> String {
    json.replace('<', "\\u003c")
}

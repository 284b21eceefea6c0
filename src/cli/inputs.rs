//! From `--input` and `--calib` to samples for a program or a float network.

use std::path::Path;

use super::args::PictureArgs;
use super::{effect, given};
use crate::explain::{Failure, nearest};
use crate::inputs::{Feed, NotFinite, Ports, Reading, Sidecar};
use crate::onnx::proto::ModelProto;
use crate::onnx::{ImportOptions, given_inputs};
use crate::program::Meta;

/// Inputs of the program of a file.
pub(super) fn of_program(
    meta: &Meta,
    options: &[String],
    pictures: &PictureArgs,
    file: &Path,
) -> Result<Feed, Failure> {
    let feed = one(meta, ("--input", options), pictures, file)?;
    effect::pictures(pictures, feed.held())?;
    Ok(feed)
}

/// As [`of_program`], with optional calibration inputs: options for pictures apply to both.
pub(super) fn with_calibration(
    meta: &Meta,
    [options, calib]: [&[String]; 2],
    pictures: &PictureArgs,
    file: &Path,
) -> Result<(Feed, Option<Feed>), Failure> {
    let feed = one(meta, ("--input", options), pictures, file)?;
    let calib = if calib.is_empty() { None } else { Some(one(meta, ("--calib", calib), pictures, file)?) };
    effect::pictures(pictures, feed.held().chain(calib.iter().flat_map(Feed::held)))?;
    Ok((feed, calib))
}

fn one(
    meta: &Meta,
    (option, given): (&str, &[String]),
    pictures: &PictureArgs,
    file: &Path,
) -> Result<Feed, Failure> {
    effect::normalization(pictures)?;
    let ports = Ports::of_program(meta, &pictures.library(), Some(file));
    let feed = Feed::open(ports, given, Reading::AtOnce, given::reader());
    given::declared(feed.map_err(|e| Failure::inputs(option, e)))
}

/// Inputs of a float network, of which only a few are in memory at a time.
pub(super) fn of_network(
    file: &Path,
    model: &ModelProto,
    (option, given): (&str, &[String]),
    pictures: &PictureArgs,
    options: &ImportOptions,
) -> Result<Feed, Failure> {
    let graph = model.graph.as_ref();
    if let Some(graph) = graph {
        effect::extents(graph, options)?;
    }
    let names = graph.map(given_inputs).unwrap_or_default();
    let side = sidecar(file, &names.iter().map(String::as_str).collect::<Vec<_>>())?;
    let feed = Ports::of_network(graph, file, options, &side, &pictures.library())
        .and_then(|ports| Feed::open(ports, given, Reading::WhenNeeded, given::reader()));
    given::declared(feed.map_err(|e| Failure::inputs(option, e)))
}

/// The sidecar's information on the inputs of a model. Other inputs in it are reported.
pub(super) fn sidecar(file: &Path, inputs: &[&str]) -> Result<Sidecar, Failure> {
    let (side, strange) = given::declared(Sidecar::find(file, given::reader()))?.about(inputs);
    for name in strange {
        let like = nearest::question(&name, inputs.iter().copied());
        let hint = like.map_or_else(String::new, |q| format!(" ({q})"));
        let (file, all) = (side.path.as_deref().unwrap_or(file).display(), inputs.join(", "));
        tracing::warn!("'{file}' describes input '{name}'{hint}; the model's inputs are {all}");
    }
    Ok(side)
}

/// Refuses inputs with NaN or infinities where a run on them is not meaningful.
pub(super) fn numbers(found: Vec<NotFinite>) -> Result<(), Failure> {
    match found.into_iter().next() {
        Some(odd) => Err(crate::inputs::InputError::from(odd).into()),
        None => Ok(()),
    }
}

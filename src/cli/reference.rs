//! `--reference`, `--map` and `--reference-layout`: float references for compare and diagnose.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::args::{EngineArgs, LayoutArg, ReferenceArgs};
use super::failure::Failure;
use super::{engine, given, model};
use crate::analysis::{CompareError, RefLayout, Reference};

/// A reference as it was given, not matched yet.
pub(super) struct Given {
    pub(super) reference: Reference,
    pub(super) map: BTreeMap<String, String>,
    pub(super) layout: RefLayout,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Map {
    tensors: BTreeMap<String, String>,
}

pub(super) fn given(args: &ReferenceArgs, by: &EngineArgs) -> Result<Given, Failure> {
    let path = args.reference.as_path();
    let files = path.is_dir() || path.extension().is_some_and(|e| e == "npz");
    let reference = if files {
        Reference::files(path).map_err(CompareError::from)?
    } else {
        let engine = engine::chosen(&by.float_engine)?;
        Reference::Network { model: Box::new(model::load(path)?), engine }
    };
    let map = args.map.as_deref().map_or(Ok(BTreeMap::new()), map)?;
    let layout = match args.reference_layout {
        LayoutArg::Auto => RefLayout::Auto,
        LayoutArg::Nchw => RefLayout::Nchw,
        LayoutArg::Nhwc => RefLayout::Nhwc,
    };
    Ok(Given { reference, map, layout })
}

fn map(path: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let text = given::read_text(path)?;
    let map: Map = toml::from_str(&text).map_err(|e| {
        Failure::file(path, &e).help("write [tensors], then lines like \"conv1\" = \"model/conv1/Relu\"")
    })?;
    Ok(map.tensors)
}

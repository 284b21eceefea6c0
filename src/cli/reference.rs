//! `--reference`, `--map` and `--reference-layout`: float references for compare and diagnose.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::args::{EngineArgs, LayoutArg, ReferenceArgs};
use super::{effect, engine, given, model, places};
use crate::analysis::{Bound, CompareError, Matching, RefLayout, Reference, map_from_toml};
use crate::explain::Failure;
use crate::program::Meta;

/// A reference before matching.
pub(super) struct Given {
    pub(super) reference: Reference,
    map: BTreeMap<String, String>,
    map_file: Option<PathBuf>,
    layout: RefLayout,
}

/// Reads the reference of a program's tensors.
pub(super) fn given(args: &ReferenceArgs, by: &EngineArgs, meta: &Meta) -> Result<Given, Failure> {
    let path = args.reference.as_path();
    let files = Reference::is_files(path);
    Reference::reads(path).iter().try_for_each(|file| places::reads(file))?;
    effect::reference(args, files)?;
    if files && meta.hosts.is_empty() {
        effect::engine(by, "the reference is read from files; no float network is run")?;
    }
    let reference = if files {
        Reference::files(path).map_err(CompareError::from)?
    } else {
        let engine = engine::chosen(by.wanted())?;
        Reference::Network { model: Box::new(model::load(path)?), engine }
    };
    let map = match &args.map {
        Some(path) => map_from_toml(&given::read_text(path)?).map_err(|e| {
            Failure::file(path, &e).help("write [tensors], then lines like \"conv1\" = \"model/conv1/Relu\"")
        })?,
        None => BTreeMap::new(),
    };
    let layout = match args.reference_layout {
        None | Some(LayoutArg::Auto) => RefLayout::Auto,
        Some(LayoutArg::Nchw) => RefLayout::Nchw,
        Some(LayoutArg::Nhwc) => RefLayout::Nhwc,
    };
    Ok(Given { reference, map, map_file: args.map.clone(), layout })
}

impl Given {
    /// The reference, matched with a program.
    pub(super) fn bind(&self, meta: &Meta) -> Result<Bound<'_>, Failure> {
        let bound = self.reference.bind(meta, &self.map, self.layout).map_err(CompareError::from)?;
        if let Some(path) = &self.map_file {
            let plain = Matching::of(meta, &self.reference.offer(), &BTreeMap::new());
            if plain.is_ok_and(|plain| plain.pairs == bound.matching.pairs) {
                let why = "the names say all that it says";
                return Err(effect::none(&format!("--map {}", path.display()), &why));
            }
        }
        Ok(bound)
    }
}

//! The argument of `--emit-tiles`.

use std::path::{Path, PathBuf};

use crate::compiler::pipeline::{LOWERING, PASSES, Pass, up_to};
use crate::explain::Failure;
use crate::readable;

/// What `--emit-tiles` asks for.
pub(super) enum Tiles {
    /// The names of the passes.
    List,
    /// The tiled operations after some passes, into a file.
    After(&'static [Pass], PathBuf),
}

/// Reads `FILE`, which means all passes, `after:NAME:FILE`, `after:NAME` for standard output, or
/// `after:list`.
pub(super) fn asked(typed: &Path) -> Result<Tiles, Failure> {
    let Some(after) = typed.to_str().and_then(|t| t.strip_prefix("after:")) else {
        return Ok(Tiles::After(PASSES, typed.into()));
    };
    let (name, file) = after.split_once(':').unwrap_or((after, "-"));
    if after == "list" {
        return Ok(Tiles::List);
    }
    let names = || [LOWERING].into_iter().chain(PASSES.iter().map(|p| p.name));
    let passes = up_to(name).ok_or_else(|| {
        Failure::usage(format!("--emit-tiles after:{name}: there is no such pass"))
            .why(&format!("the passes are {}", names().collect::<Vec<_>>().join(", ")))
            .help("`--emit-tiles after:list` says what each does")
            .nearest(name, names())
    })?;
    if file.is_empty() {
        return Err(Failure::usage(format!("--emit-tiles {}: no file is named", typed.display()))
            .help("write after:NAME:FILE, or after:NAME for standard output"));
    }
    Ok(Tiles::After(passes, file.into()))
}

/// All passes in order, with what they do.
pub(super) fn list() -> String {
    let lowering = vec![LOWERING.to_string(), "turns each layer into loops of tiled operations".to_string()];
    let passes = PASSES.iter().map(|p| vec![p.name.to_string(), p.does.to_string()]);
    readable::table(&["pass", "what it does"], &[], [lowering].into_iter().chain(passes).collect())
}

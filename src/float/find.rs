//! Finding the library that runs float networks: by name, by path, or among what is installed.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::engine::Engine;
use super::onnxruntime::RuntimeError;

/// The environment variable with the path of ONNX Runtime's library, as other programs use it.
pub const VARIABLE: &str = "ORT_DYLIB_PATH";

/// Which library is requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// The one in [`VARIABLE`], else `rten`.
    Auto,
    /// `rten`.
    Rten,
    /// ONNX Runtime: the one in [`VARIABLE`], else that of an installed Python package, else the system's.
    OnnxRuntime,
    /// ONNX Runtime from this file.
    File(PathBuf),
}

impl Wanted {
    /// `auto`, `rten`, `onnxruntime` or a path.
    #[must_use]
    pub fn named(name: &str) -> Wanted {
        match name {
            "auto" => Wanted::Auto,
            "rten" => Wanted::Rten,
            "onnxruntime" => Wanted::OnnxRuntime,
            path => Wanted::File(path.into()),
        }
    }

    /// The shared library that this means; `None` for `rten`, which is part of this program. Nothing is
    /// loaded or executed.
    #[must_use]
    pub fn library(&self) -> Option<Library> {
        let variable = || {
            let path = env::var_os(VARIABLE).filter(|v| !v.is_empty()).map(PathBuf::from)?;
            Some(Library { path, by_variable: true })
        };
        let file = |path| Library { path, by_variable: false };
        match self {
            Wanted::Rten => None,
            Wanted::Auto => variable(),
            Wanted::OnnxRuntime => Some(variable().unwrap_or_else(|| {
                let installed = python_prefixes().iter().find_map(|p| in_prefix(p).pop());
                file(installed.unwrap_or_else(|| library_name().into()))
            })),
            Wanted::File(path) => Some(file(path.clone())),
        }
    }
}

/// A library that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// Its file.
    pub path: PathBuf,
    /// Whether [`VARIABLE`] names it.
    pub by_variable: bool,
}

/// Why a library cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// There is no library at a path.
    #[error("'{}' cannot be loaded: it is no regular file", path.display())]
    NoFile {
        /// The place.
        path: PathBuf,
    },
    /// It cannot be loaded.
    #[error(transparent)]
    Load(#[from] RuntimeError),
}

impl Engine {
    /// ONNX Runtime from a library that was found.
    ///
    /// # Errors
    /// See [`FindError`].
    pub fn of_library(library: &Library) -> Result<Engine, FindError> {
        let path = &library.path;
        // The system's loader would block on a pipe, and read a device to its end. It searches for a bare
        // name itself.
        if path.exists() && !path.is_file() {
            return Err(FindError::NoFile { path: path.clone() });
        }
        Ok(Engine::onnx_runtime(path)?)
    }
}

/// The file name of the library on this system.
#[must_use]
pub fn library_name() -> String {
    format!("{}onnxruntime{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX)
}

/// Prefixes of Python installations: the active environment, then those of the search path. Nothing is
/// executed.
fn python_prefixes() -> Vec<PathBuf> {
    let active = ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(env::var_os).map(PathBuf::from);
    let mut prefixes: Vec<PathBuf> = active.collect();
    for folder in env::split_paths(&env::var_os("PATH").unwrap_or_default()) {
        let python = ["python3", "python", "python.exe"].iter().any(|p| folder.join(p).is_file());
        let Some(parent) = folder.parent().filter(|_| python) else { continue };
        prefixes.push(parent.into());
        // A command in the search path may be a shim for the versions beside it (pyenv).
        prefixes.extend(sorted(&parent.join("versions"), |_| true));
    }
    prefixes
}

/// Libraries of the package `onnxruntime` below a prefix, the newest version of the library last.
fn in_prefix(prefix: &Path) -> Vec<PathBuf> {
    let mut sites = vec![prefix.join("Lib")];
    sites.extend(sorted(&prefix.join("lib"), |name| name.starts_with("python3")));
    let stem = format!("{}onnxruntime.", env::consts::DLL_PREFIX);
    let is_library = |name: &str| {
        // libonnxruntime.so.1.32.0, libonnxruntime.1.32.0.dylib, onnxruntime.dll
        name.starts_with(&stem) && name.contains(env::consts::DLL_EXTENSION)
    };
    sites
        .iter()
        .flat_map(|site| ["site-packages", "dist-packages"].map(|p| site.join(p).join("onnxruntime/capi")))
        .flat_map(|folder| sorted(&folder, is_library))
        .collect()
}

/// Members of a folder by name; nothing if it cannot be read.
fn sorted(folder: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<OsString> =
        entries.map(|e| e.file_name()).filter(|n| wanted(&n.to_string_lossy())).collect();
    names.sort();
    names.into_iter().map(|n| folder.join(n)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_of_an_installed_package_is_found_by_its_name() {
        let prefix = env::temp_dir().join(format!("rcar-iss-find-{}", std::process::id()));
        let capi = prefix.join("lib/python3.11/site-packages/onnxruntime/capi");
        std::fs::create_dir_all(&capi).unwrap();
        let library = format!("{}.1.32.0", library_name());
        for name in [&library, "libonnxruntime_providers_shared.so", "onnxruntime_pybind11_state.so"] {
            std::fs::write(capi.join(name), b"").unwrap();
        }
        assert_eq!(in_prefix(&prefix), [capi.join(&library)]);
        assert!(in_prefix(&prefix.join("lib")).is_empty());
        std::fs::remove_dir_all(&prefix).unwrap();
    }
}

//! `--float-engine`: which library runs float networks and host layers, and where ONNX Runtime is found.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::args::EngineArgs;
use crate::explain::{Failure, INPUT, UNSUPPORTED};
use crate::float::{Engine, RuntimeError};
use crate::program::Program;

/// The variable that names the library, as other programs on top of ONNX Runtime have it.
const VARIABLE: &str = "ORT_DYLIB_PATH";

/// The engine that was asked for: `auto`, `rten`, `onnxruntime` or a path.
pub(super) fn chosen(name: &str) -> Result<Engine, Failure> {
    let named = env::var_os(VARIABLE).filter(|v| !v.is_empty()).map(PathBuf::from);
    match (name, named) {
        ("rten", _) | ("auto", None) => Ok(Engine::Rten),
        ("auto" | "onnxruntime", Some(path)) => load(&path, &format!("environment variable {VARIABLE}")),
        ("onnxruntime", None) => {
            let installed = python_prefixes().iter().find_map(|p| in_prefix(p).pop());
            let path = installed.unwrap_or_else(|| library_name().into());
            load(&path, "--float-engine onnxruntime")
        }
        (path, _) => load(Path::new(path), &format!("--float-engine {path}")),
    }
}

/// The engine that a model's host layers are compiled for: `rten` unless another is named, so that a program does not
/// depend on a variable.
pub(super) fn of_models(args: &EngineArgs) -> Result<Engine, Failure> {
    match args.wanted() {
        "auto" => Ok(Engine::Rten),
        name => chosen(name),
    }
}

/// Loads what the host layers of a program were compiled for.
pub(super) fn for_hosts(path: &Path, program: &Program, args: &EngineArgs) -> Result<(), Failure> {
    let Some(host) = program.meta.hosts.iter().find(|h| h.onnxruntime) else { return Ok(()) };
    match chosen(args.wanted())? {
        Engine::OnnxRuntime(_) => Ok(()),
        Engine::Rten => {
            let types = host.op_types.join(", ");
            Err(Failure::new(UNSUPPORTED, format!("'{}'", path.display()))
                .why(&format!("its host layer with {types} was compiled for ONNX Runtime, not for rten"))
                .help("run it with --float-engine onnxruntime"))
        }
    }
}

fn load(path: &Path, why: &str) -> Result<Engine, Failure> {
    super::places::reads(path)?;
    // The system's loader would wait for a pipe, and read a device to its end. A bare name is searched for by it.
    if path.exists() && !path.is_file() {
        let reason = format!("'{}' cannot be loaded: it is no regular file", path.display());
        let help = format!("name the file {}; --float-engine rten needs no library", library_name());
        return Err(Failure::new(INPUT, why).why(&reason).help(help));
    }
    Engine::onnx_runtime(path).map_err(|e| {
        let help = match e {
            RuntimeError::Load { .. } => format!(
                "install ONNX Runtime 1.17 or later (pip install onnxruntime), or name its {} by --float-engine or {VARIABLE}; \
                 --float-engine rten needs no library",
                library_name()
            ),
            RuntimeError::Another { .. } => "name the same library everywhere".into(),
        };
        Failure::new(INPUT, why).why(&e).help(help)
    })
}

/// What the library is called on this system.
fn library_name() -> String {
    format!("{}onnxruntime{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX)
}

/// Folders in which a Python is installed: the active environment, then those of the search path. Nothing is executed.
fn python_prefixes() -> Vec<PathBuf> {
    let active = ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(env::var_os).map(PathBuf::from);
    let mut prefixes: Vec<PathBuf> = active.collect();
    for folder in env::split_paths(&env::var_os("PATH").unwrap_or_default()) {
        let python = ["python3", "python", "python.exe"].iter().any(|p| folder.join(p).is_file());
        let Some(parent) = folder.parent().filter(|_| python) else { continue };
        prefixes.push(parent.into());
        // What stands in the search path may be a shim for the versions beside it (pyenv).
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
        let prefix = env::temp_dir().join(format!("rcar-iss-engine-{}", std::process::id()));
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

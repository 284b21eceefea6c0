//! Files that stand on the command line. They may be pipes (`<(…)`, `/dev/stdin`, and `-` for standard input), which give their bytes once only, while
//! commands read a file several times: to tell what it is, to compile it for every machine, to read it again in each
//! pass over the inputs. So what a pipe gave is kept.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::places;
use crate::explain::Failure;
use crate::files::{self, FileError};

/// Most bytes that standard input may give, as of other pipes.
const STDIN_LIMIT: u64 = 1 << 28;

/// What pipes gave, by the path that was typed.
static STREAMS: Mutex<BTreeMap<PathBuf, Arc<Vec<u8>>>> = Mutex::new(BTreeMap::new());

/// The content of a pipe.
fn stream(path: &Path) -> Result<Arc<Vec<u8>>, FileError> {
    // A poisoned lock: another thread panicked, and a map of whole contents is not left half changed.
    let mut streams = STREAMS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(bytes) = streams.get(path) {
        return Ok(Arc::clone(bytes));
    }
    let bytes = Arc::new(if is_stdin(path) { stdin(path)? } else { files::read(path)? });
    streams.insert(path.to_path_buf(), Arc::clone(&bytes));
    Ok(bytes)
}

/// Whether the path is `-`, which stands for standard input.
pub(super) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// What is made of a file that says no name itself is called.
pub(super) fn stem(path: &Path) -> String {
    if is_stdin(path) {
        return "stdin".into();
    }
    path.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned())
}

/// The path of a file that is read here and there: standard input must be one, then, not a pipe.
pub(super) fn seekable(path: &Path) -> &Path {
    if is_stdin(path) { Path::new("/dev/stdin") } else { path }
}

fn is_stream(path: &Path) -> bool {
    is_stdin(path) || files::is_stream(path)
}

fn stdin(path: &Path) -> Result<Vec<u8>, FileError> {
    let failed = |source| FileError { action: "read", path: path.to_path_buf(), source };
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(STDIN_LIMIT + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > STDIN_LIMIT {
        let why = "standard input may give 256 MiB at most";
        return Err(failed(std::io::Error::new(std::io::ErrorKind::FileTooLarge, why)));
    }
    Ok(bytes)
}

/// The whole content.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    // Standard input may be a file.
    places::reads(if is_stdin(path) { Path::new("/dev/stdin") } else { path })?;
    if is_stream(path) {
        return Ok(stream(path)?.to_vec());
    }
    Ok(files::read(path)?)
}

/// The whole content, as text.
pub(super) fn read_text(path: &Path) -> Result<String, Failure> {
    Ok(files::text(path, read(path)?)?)
}

/// The first bytes, `limit` at most.
pub(super) fn head(path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
    if is_stream(path) {
        return stream(path).map(|bytes| bytes.iter().take(limit).copied().collect());
    }
    files::head(path, limit as u64)
}

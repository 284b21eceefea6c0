//! Files that stand on the command line. They may be pipes (`<(…)`, `/dev/stdin`), which give their bytes once only, while
//! commands read a file several times: to tell what it is, to compile it for every machine, to read it again in each
//! pass over the inputs. So what a pipe gave is kept.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::failure::Failure;
use super::places;
use crate::files::{self, FileError};

/// What pipes gave, by the path that was typed.
static STREAMS: Mutex<BTreeMap<PathBuf, Arc<Vec<u8>>>> = Mutex::new(BTreeMap::new());

/// The content of a pipe.
fn stream(path: &Path) -> Result<Arc<Vec<u8>>, FileError> {
    // A poisoned lock: another thread panicked, and a map of whole contents is not left half changed.
    let mut streams = STREAMS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(bytes) = streams.get(path) {
        return Ok(Arc::clone(bytes));
    }
    let bytes = Arc::new(files::read(path)?);
    streams.insert(path.to_path_buf(), Arc::clone(&bytes));
    Ok(bytes)
}

/// The whole content.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    if files::is_stream(path) {
        return Ok(stream(path)?.to_vec());
    }
    places::reads(path)?;
    Ok(files::read(path)?)
}

/// The whole content, as text.
pub(super) fn read_text(path: &Path) -> Result<String, Failure> {
    Ok(files::text(path, read(path)?)?)
}

/// The first bytes, `limit` at most.
pub(super) fn head(path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
    if files::is_stream(path) {
        return stream(path).map(|bytes| bytes.iter().take(limit).copied().collect());
    }
    files::head(path, limit as u64)
}

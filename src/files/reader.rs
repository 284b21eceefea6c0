//! Reads files that may be pipes (`<(…)`, `/dev/stdin`, and `-` for standard input). A pipe can be read only
//! once, but files are often read several times: to determine their kind, to compile them for every machine,
//! to read them in each pass over the inputs. So the contents of pipes are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{FileError, head, is_stream, read, read_regular, text};

/// Most bytes read from standard input, as from other pipes.
const STDIN_LIMIT: u64 = 1 << 28;

/// Whether the path is `-`, which means standard input.
#[must_use]
pub fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// The path of a file in the file system; for `-` that of standard input.
#[must_use]
pub fn system_path(path: &Path) -> &Path {
    if is_stdin(path) { Path::new("/dev/stdin") } else { path }
}

/// The default name of something made from a file: the file's name without extension.
#[must_use]
pub fn stem(path: &Path) -> String {
    if is_stdin(path) {
        return "stdin".into();
    }
    path.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned())
}

/// Reads files, keeps the contents of pipes, and records which files were read. Clones share their state.
#[derive(Debug, Clone, Default)]
pub struct Reader(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// Contents of pipes, by path.
    streams: Mutex<BTreeMap<PathBuf, Arc<Vec<u8>>>>,
    /// Files that were read since the last call of [`take_noted`](Reader::take_noted).
    read: Mutex<BTreeSet<PathBuf>>,
}

/// A poisoned lock: another thread panicked; map entries are complete.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reader {
    /// A reader that has read nothing.
    #[must_use]
    pub fn new() -> Reader {
        Reader::default()
    }

    /// The contents of a file, a pipe, or standard input.
    ///
    /// # Errors
    /// As [`files::read`](crate::files::read).
    pub fn read(&self, path: &Path) -> Result<Vec<u8>, FileError> {
        self.note(path);
        if is_stdin(path) || is_stream(path) {
            return Ok(self.stream(path)?.to_vec());
        }
        read(path)
    }

    /// The contents of a regular file that the user did not name.
    ///
    /// # Errors
    /// As [`files::read_regular`](crate::files::read_regular).
    pub fn read_regular(&self, path: &Path) -> Result<Vec<u8>, FileError> {
        self.note(path);
        read_regular(path)
    }

    /// The contents as text.
    ///
    /// # Errors
    /// As [`Reader::read`]; also bytes that are not UTF-8.
    pub fn read_text(&self, path: &Path) -> Result<String, FileError> {
        text(path, self.read(path)?)
    }

    /// The first bytes, at most `limit`.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn head(&self, path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
        if is_stdin(path) || is_stream(path) {
            return Ok(self.stream(path)?.iter().take(limit).copied().collect());
        }
        head(path, limit as u64)
    }

    /// Records that a file is read.
    pub fn note(&self, path: &Path) {
        locked(&self.0.read).insert(system_path(path).into());
    }

    /// Returns the files that were read since the last call; standard input under its path in the file
    /// system.
    #[must_use]
    pub fn take_noted(&self) -> Vec<PathBuf> {
        std::mem::take(&mut *locked(&self.0.read)).into_iter().collect()
    }

    /// The contents of a pipe.
    fn stream(&self, path: &Path) -> Result<Arc<Vec<u8>>, FileError> {
        let mut streams = locked(&self.0.streams);
        if let Some(bytes) = streams.get(path) {
            return Ok(Arc::clone(bytes));
        }
        let bytes = Arc::new(if is_stdin(path) { stdin(path)? } else { read(path)? });
        streams.insert(path.to_path_buf(), Arc::clone(&bytes));
        Ok(bytes)
    }
}

fn stdin(path: &Path) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .take(STDIN_LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(FileError::at("read", path))?;
    if bytes.len() as u64 > STDIN_LIMIT {
        let why = "standard input may give 256 MiB at most";
        let source = std::io::Error::new(std::io::ErrorKind::FileTooLarge, why);
        return Err(FileError::at("read", path)(source));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_know_of_each_file_once() {
        let path = std::env::temp_dir().join(format!("rcar-iss-reader-{}", std::process::id()));
        std::fs::write(&path, "text").unwrap();
        let reader = Reader::new();
        let twin = reader.clone();
        assert_eq!(twin.read_text(&path).unwrap(), "text");
        assert_eq!(twin.read_regular(&path).unwrap(), b"text");
        assert_eq!(reader.head(&path, 2).unwrap(), b"te");
        assert_eq!(reader.take_noted(), std::slice::from_ref(&path));
        assert!(reader.take_noted().is_empty() && twin.take_noted().is_empty());
        std::fs::remove_file(&path).unwrap();
        assert!(reader.read(&path).is_err());
        assert_eq!(twin.take_noted(), [path]);
    }
}

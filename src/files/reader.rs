//! Reading files that may be pipes (`<(…)`, `/dev/stdin`, and `-` for standard input), which give their bytes
//! once only, while a file is often read several times: to tell what it is, to compile it for every machine,
//! to read it again in each pass over the inputs. So what a pipe gave is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{FileError, head, is_stream, read, read_regular, text};

/// Most bytes that standard input may give, as of other pipes.
const STDIN_LIMIT: u64 = 1 << 28;

/// Whether the path is `-`, which stands for standard input.
#[must_use]
pub fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// The path under which the system knows a file: that of standard input, for `-`.
#[must_use]
pub fn system_path(path: &Path) -> &Path {
    if is_stdin(path) { Path::new("/dev/stdin") } else { path }
}

/// What is made of a file is called if the file says no name itself: its name without extension.
#[must_use]
pub fn stem(path: &Path) -> String {
    if is_stdin(path) {
        return "stdin".into();
    }
    path.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned())
}

/// Reads files, keeps what pipes gave, and knows which files were read. A clone shares all of it.
#[derive(Debug, Clone, Default)]
pub struct Reader(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// What pipes gave, by path.
    streams: Mutex<BTreeMap<PathBuf, Arc<Vec<u8>>>>,
    /// Files that were read since this was last asked.
    read: Mutex<BTreeSet<PathBuf>>,
}

/// A poisoned lock: another thread panicked, and maps of whole entries are not left half changed.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reader {
    /// One that has read nothing.
    #[must_use]
    pub fn new() -> Reader {
        Reader::default()
    }

    /// The whole content of a file, a pipe, or standard input.
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

    /// The whole content of a regular file that nobody named one by one.
    ///
    /// # Errors
    /// As [`files::read_regular`](crate::files::read_regular).
    pub fn read_regular(&self, path: &Path) -> Result<Vec<u8>, FileError> {
        self.note(path);
        read_regular(path)
    }

    /// The whole content, as text.
    ///
    /// # Errors
    /// As [`Reader::read`]; also bytes that are not UTF-8.
    pub fn read_text(&self, path: &Path) -> Result<String, FileError> {
        text(path, self.read(path)?)
    }

    /// The first bytes, `limit` at most.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn head(&self, path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
        if is_stdin(path) || is_stream(path) {
            return Ok(self.stream(path)?.iter().take(limit).copied().collect());
        }
        head(path, limit as u64)
    }

    /// Says that a file is read, by whomever.
    pub fn note(&self, path: &Path) {
        locked(&self.0.read).insert(system_path(path).into());
    }

    /// The files that were read since this was last asked, standard input under the system's name.
    #[must_use]
    pub fn take_noted(&self) -> Vec<PathBuf> {
        std::mem::take(&mut *locked(&self.0.read)).into_iter().collect()
    }

    /// The content of a pipe.
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

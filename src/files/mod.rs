//! Files: read with a limit, written to a temporary file and renamed, so that no reader sees half a file and
//! a failed run leaves nothing behind. All changes of the file system go through one thin layer,
//! [`operation`], in which tests make the n-th operation fail or the process end.

mod account;
mod folder;
mod guard;
mod identity;
pub mod operation;
mod reader;
mod write;

pub use account::{Account, PlaceError, is_stdout, needs_file, needs_folder, needs_regular, try_folder};
pub use folder::Folder;
pub use guard::{Panicked, guarded, is_guarded, quiet};
pub use identity::{Identity, resolved};
pub use reader::{Reader, is_stdin, stem, system_path};
pub use write::{Batch, Staged, replace, replace_with, try_place};

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Most bytes read from a pipe, whose length is unknown.
const STREAM_LIMIT: u64 = 1 << 28;

/// A file operation that failed, with the path.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} '{}': {source}", path.display())]
pub struct FileError {
    /// `read`, `write`, `create the folder` …
    pub action: &'static str,
    /// Which file.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

impl FileError {
    /// Makes an error from a path, for `map_err`.
    pub(crate) fn at<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> FileError + 'a {
        move |source| FileError { action, path: path.to_path_buf(), source }
    }
}

/// The contents of a file. A pipe is read up to 256 MiB; devices are refused, as some of them never end.
///
/// # Errors
/// The file cannot be opened or read, is a folder or a device, or a pipe exceeds the limit.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let read = open(path, true).and_then(|file| read_bounded(file, u64::MAX));
    read.map_err(FileError::at("read", path))
}

/// The contents of a regular file. For files that the user did not name (members of folders, files that other
/// files refer to): a pipe among them would block forever.
///
/// # Errors
/// As [`read`]; also for a pipe.
pub fn read_regular(path: &Path) -> Result<Vec<u8>, FileError> {
    let read = open(path, false).and_then(|file| read_bounded(file, u64::MAX));
    read.map_err(FileError::at("read", path))
}

/// The first bytes of a regular file, at most `limit`.
///
/// # Errors
/// As [`read_regular`].
pub fn head(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let read = open(path, false).and_then(|file| read_bounded(file, limit));
    read.map_err(FileError::at("read", path))
}

/// Opens a regular file for reading piece by piece, up to its present length.
///
/// # Errors
/// It cannot be opened, or is no regular file.
pub fn open_regular(path: &Path) -> Result<fs::File, FileError> {
    open(path, false).map_err(FileError::at("read", path))
}

/// Whether this path is a pipe, which can be read only once.
#[must_use]
pub fn is_stream(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|about| !about.is_file() && !about.is_dir() && !is_device(&about))
}

#[cfg(unix)]
fn is_device(about: &fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    about.file_type().is_char_device() || about.file_type().is_block_device()
}

#[cfg(not(unix))]
fn is_device(_: &fs::Metadata) -> bool {
    false
}

/// Opens a file, or, if `streams`, a pipe. Its type is checked before: opening a pipe waits for a writer.
fn open(path: &Path, streams: bool) -> io::Result<fs::File> {
    let about = fs::metadata(path)?;
    if about.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder, a file is needed"));
    }
    if is_device(&about) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a device, no regular file"));
    }
    if !streams && !about.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a pipe, no regular file"));
    }
    fs::File::open(path)
}

fn read_bounded(file: fs::File, limit: u64) -> io::Result<Vec<u8>> {
    let about = file.metadata()?;
    let mut bytes = Vec::new();
    if about.is_file() {
        let len = about.len().min(limit);
        operation::reserve(&mut bytes, usize::try_from(len).unwrap_or(usize::MAX))?;
        // A file that grows while it is read must not make the read endless.
        file.take(len).read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    file.take(STREAM_LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > STREAM_LIMIT {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "a pipe may give 256 MiB at most"));
    }
    Ok(bytes)
}

/// The contents of a UTF-8 text file.
///
/// # Errors
/// As [`read`]; also bytes that are not UTF-8, with their offset.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    text(path, read(path)?)
}

/// The bytes of a file as text.
///
/// # Errors
/// They are not UTF-8; the offset is named.
pub fn text(path: &Path, bytes: Vec<u8>) -> Result<String, FileError> {
    String::from_utf8(bytes).map_err(|e| {
        let why = format!("not UTF-8 text (byte {})", e.utf8_error().valid_up_to());
        FileError {
            action: "read",
            path: path.to_path_buf(),
            source: io::Error::new(io::ErrorKind::InvalidData, why),
        }
    })
}

//! Input files: those on the command line, and those that they refer to. One reader for the whole process
//! keeps what was read from pipes, and reports the files to [`places`], which knows the outputs.

use std::path::Path;
use std::sync::LazyLock;

use super::places;
use crate::explain::Failure;
use crate::files::{FileError, Reader};

static READER: LazyLock<Reader> = LazyLock::new(Reader::new);

/// The reader of this process. Results of its use go through [`declared`].
pub(super) fn reader() -> &'static Reader {
    &READER
}

/// Passes on the result of reading, after checking the files against the outputs: that an input is also an
/// output takes precedence over other errors.
///
/// # Errors
/// A file is also an output, or reading failed.
pub(super) fn declared<T, E: Into<Failure>>(made: Result<T, E>) -> Result<T, Failure> {
    READER.take_noted().iter().try_for_each(|file| places::reads(file))?;
    made.map_err(Into::into)
}

/// Reads a whole file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    declared(READER.read(path))
}

/// Reads a whole file as text.
pub(super) fn read_text(path: &Path) -> Result<String, Failure> {
    declared(READER.read_text(path))
}

/// Reads the first bytes of a file, at most `limit`.
pub(super) fn head(path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
    READER.head(path, limit)
}

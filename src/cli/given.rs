//! Files that stand on the command line, or that others name: one reader for the whole process, which keeps
//! what pipes gave. What it read is told to [`places`], which knows the outputs.

use std::path::Path;
use std::sync::LazyLock;

use super::places;
use crate::explain::Failure;
use crate::files::{FileError, Reader};

static READER: LazyLock<Reader> = LazyLock::new(Reader::new);

/// The reader of this process. What comes of its use goes through [`declared`].
pub(super) fn reader() -> &'static Reader {
    &READER
}

/// What came of reading, after it is told which files were read: that one of them is an output counts more
/// than what is wrong with it.
///
/// # Errors
/// A file is also an output, or reading failed.
pub(super) fn declared<T, E: Into<Failure>>(made: Result<T, E>) -> Result<T, Failure> {
    READER.take_noted().iter().try_for_each(|file| places::reads(file))?;
    made.map_err(Into::into)
}

/// The whole content.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    declared(READER.read(path))
}

/// The whole content, as text.
pub(super) fn read_text(path: &Path) -> Result<String, Failure> {
    declared(READER.read_text(path))
}

/// The first bytes, `limit` at most.
pub(super) fn head(path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
    READER.head(path, limit)
}

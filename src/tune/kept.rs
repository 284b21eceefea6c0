//! Progress of a search, and the file in which its measurements are kept.

use std::path::{Path, PathBuf};

use super::state::State;
use crate::document;
use crate::files::{self, FileError};

/// Receives progress and measurements of a search.
pub trait Reporter: Sync {
    /// A part of the work with `steps` steps begins.
    fn begin(&self, what: &'static str, steps: usize);
    /// A step is done; `state` has all measurements so far.
    fn step(&self, state: &State);
}

impl Reporter for () {
    fn begin(&self, _: &'static str, _: usize) {}
    fn step(&self, _: &State) {}
}

/// A file in which measurements are kept between runs, so that an interrupted run can be continued.
#[derive(Debug, Clone)]
pub struct Kept {
    path: PathBuf,
}

impl Kept {
    /// The file at `path`, which need not exist.
    #[must_use]
    pub fn at(path: &Path) -> Kept {
        Kept { path: path.into() }
    }

    /// The state of an earlier run; empty if it cannot be read.
    #[must_use]
    pub fn read(&self) -> State {
        files::read_regular(&self.path)
            .ok()
            .and_then(|bytes| document::read(&String::from_utf8(bytes).ok()?).ok())
            .unwrap_or_default()
    }

    /// Writes the state.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, state: &State) -> Result<(), FileError> {
        // Strings and numbers always have a JSON form.
        let text = document::pretty(state);
        files::replace(&self.path, text.as_bytes())
    }
}

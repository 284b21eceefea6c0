//! What a search tells while it works, and the file in which it keeps what it measured.

use std::path::{Path, PathBuf};

use super::state::State;
use crate::document;
use crate::files::{self, FileError};

/// What the search reports while it works, and where it keeps what it measured.
pub trait Reporter: Sync {
    /// A part of the work begins, of so many steps.
    fn begin(&self, what: &'static str, steps: usize);
    /// A step is done; here is everything that is known.
    fn step(&self, state: &State);
}

impl Reporter for () {
    fn begin(&self, _: &'static str, _: usize) {}
    fn step(&self, _: &State) {}
}

/// A file in which measurements are kept between runs: one that is broken off goes on from there.
#[derive(Debug, Clone)]
pub struct Kept {
    path: PathBuf,
}

impl Kept {
    /// The file at `path`, which need not be there.
    #[must_use]
    pub fn at(path: &Path) -> Kept {
        Kept { path: path.into() }
    }

    /// What an earlier run left; nothing if that cannot be read.
    #[must_use]
    pub fn read(&self) -> State {
        files::read_regular(&self.path)
            .ok()
            .and_then(|bytes| document::read(&String::from_utf8(bytes).ok()?).ok())
            .unwrap_or_default()
    }

    /// Writes what is known now.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, state: &State) -> Result<(), FileError> {
        // Strings and numbers always have a JSON form.
        let text = document::pretty(state);
        files::replace(&self.path, text.as_bytes())
    }
}

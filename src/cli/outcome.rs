//! What comes of a command.

use std::io::Write;

use crate::explain::Failure;

/// What a command has to say, and its exit status.
pub(super) struct Report {
    pub(super) text: String,
    pub(super) status: u8,
}

/// What comes of a command.
pub(super) enum Outcome {
    Report(Report),
    /// Writes what is too long to be held in memory.
    Stream(Stream),
}

pub(super) type Stream = Box<dyn FnOnce(&mut dyn Write) -> Result<(), Failure>>;

impl Report {
    pub(super) fn fine(text: String) -> Report {
        Report { text, status: 0 }
    }
}

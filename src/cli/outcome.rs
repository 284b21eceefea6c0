//! Results of commands.

use std::io::Write;

use crate::explain::Failure;

/// The output of a command, and its exit status.
pub(super) struct Report {
    pub(super) text: String,
    pub(super) status: u8,
}

/// The result of a command.
pub(super) enum Outcome {
    Report(Report),
    /// Output that is too long to be held in memory.
    Stream(Stream),
}

pub(super) type Stream = Box<dyn FnOnce(&mut dyn Write) -> Result<(), Failure>>;

impl Report {
    pub(super) fn fine(text: String) -> Report {
        Report { text, status: 0 }
    }
}

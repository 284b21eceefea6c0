//! The account of the files that this process reads and writes, and standard output.

use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) use crate::files::{is_stdout, needs_file, needs_folder, needs_regular, try_folder};

use crate::explain::{Failure, INPUT};
use crate::files::{self, Account, Batch};

/// A process runs one command.
static ACCOUNT: Mutex<Account> = Mutex::new(Account::new());

fn account() -> MutexGuard<'static, Account> {
    // Maps and lists are never left half changed.
    ACCOUNT.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn stdout_taken() -> bool {
    account().stdout_taken()
}

pub(super) fn writes(option: &str, path: &Path) -> Result<(), Failure> {
    Ok(account().writes(option, path)?)
}

pub(super) fn writes_in_folder(option: &str, path: &Path) -> Result<(), Failure> {
    Ok(account().writes_in_folder(option, path)?)
}

pub(super) fn replaces(option: &str, path: &Path) -> Result<(), Failure> {
    Ok(account().replaces(option, path)?)
}

pub(super) fn reads(path: &Path) -> Result<(), Failure> {
    Ok(account().reads(path)?)
}

/// Writes one output.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if is_stdout(path) {
        return stdout(bytes);
    }
    match files::replace(path, bytes) {
        // The reader of the pipe has closed it.
        Err(e) if e.source.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        done => Ok(done?),
    }
}

/// Writes one output of a group.
pub(super) fn stage(batch: &mut Batch, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if is_stdout(path) { stdout(bytes) } else { Ok(batch.file(path, bytes)?) }
}

/// Writes to standard output. A closed pipe (`| head`) is not an error; a full disk is.
pub(super) fn stdout(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    written(out.write_all(bytes).and_then(|()| out.flush()))
}

/// Converts the result of writing to standard output.
pub(super) fn written(result: std::io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::new(INPUT, "cannot write to standard output").why(&e))
        }
        _ => Ok(()),
    }
}

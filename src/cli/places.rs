//! What a command reads and where it writes: an output that is also an input, or two outputs that are one file, are refused
//! before anything is written, whatever they are called and however they are linked. `-` is standard output.
//!
//! Outputs are declared first ([`writes`], [`replaces`]), and tried; every file that the command reads says so
//! ([`reads`]). A conflict shows whichever comes first. A process runs one command, so the account is the process's.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::explain::Failure;
use crate::files::{self, Batch, Identity};

/// What stands for standard output.
const STDOUT: [&str; 4] = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];

/// Files of the command of this process.
static ACCOUNT: Mutex<Account> = Mutex::new(Account {
    inputs: BTreeMap::new(),
    outputs: BTreeMap::new(),
    replaced: Vec::new(),
    stdout: None,
});

struct Account {
    /// What was read, as it was called.
    inputs: BTreeMap<Identity, PathBuf>,
    /// Files that are written; there may be thousands.
    outputs: BTreeMap<Identity, Output>,
    /// Folders that are replaced, with all that is in them.
    replaced: Vec<Output>,
    /// The option whose output goes to standard output.
    stdout: Option<String>,
}

struct Output {
    /// The option, and what was typed.
    option: String,
    path: PathBuf,
    /// Where it lies, links resolved.
    resolved: PathBuf,
}

fn account() -> MutexGuard<'static, Account> {
    // Maps and lists are not left half changed.
    ACCOUNT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a path stands for standard output.
pub(super) fn is_stdout(path: &Path) -> bool {
    STDOUT.iter().any(|name| path == Path::new(name))
}

/// Whether an output of this command goes to standard output, so that the report must not.
pub(super) fn stdout_taken() -> bool {
    account().stdout.is_some()
}

/// Declares that the command will write a file, and tries whether it can.
///
/// # Errors
/// It is an input or another output, or cannot be written.
pub(super) fn writes(option: &str, path: &Path) -> Result<(), Failure> {
    declare(option, path, false)?;
    if is_stdout(path) { Ok(()) } else { Ok(files::try_place(path)?) }
}

/// Declares that the command will write a file into a folder that it makes if there is none; whether it can is not
/// tried.
///
/// # Errors
/// It is an input or another output.
pub(super) fn writes_in_folder(option: &str, path: &Path) -> Result<(), Failure> {
    declare(option, path, false)
}

/// Declares that the command will replace a folder, with all that is in it, and tries whether it can be made.
///
/// # Errors
/// Something in it is an input, it is an output itself, or nothing can be written where it lies.
pub(super) fn replaces(option: &str, path: &Path) -> Result<(), Failure> {
    is_folder(option, path)?;
    let place = files::resolved(path);
    if std::env::current_dir().is_ok_and(|here| here.starts_with(&place)) {
        return Err(Failure::usage(format!("{option} {}", path.display()))
            .why(&"the folder is replaced, and this is the current one, or one that it lies in")
            .help("choose another place; nothing was written"));
    }
    declare(option, path, true)?;
    try_folder(path)
}

/// A folder, not standard output.
///
/// # Errors
/// It is `-`.
pub(super) fn is_folder(option: &str, path: &Path) -> Result<(), Failure> {
    if is_stdout(path) {
        return Err(Failure::usage(format!("{option} -: a folder is needed, standard output is none")));
    }
    Ok(())
}

/// A file of its own, not standard output: what is written there must be sought in, or appears only at the end.
///
/// # Errors
/// It is `-`.
pub(super) fn is_file(option: &str, path: &Path) -> Result<(), Failure> {
    if is_stdout(path) {
        return Err(Failure::usage(format!("{option} -: a file is needed, standard output is none")));
    }
    Ok(())
}

/// A file that others are written beside.
///
/// # Errors
/// It is `-`, a device or a pipe.
pub(super) fn is_among(option: &str, path: &Path) -> Result<(), Failure> {
    is_file(option, path)?;
    if path.exists() && !path.is_file() && !path.is_dir() {
        return Err(Failure::usage(format!("{option} {}", path.display()))
            .why(&"other files are written beside it, so it must be a regular file"));
    }
    Ok(())
}

/// Tries whether a folder can be made or filled.
///
/// # Errors
/// Nothing can be written where it lies.
pub(super) fn try_folder(path: &Path) -> Result<(), Failure> {
    let existing =
        path.ancestors().find(|p| p.exists() && !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !existing.is_dir() {
        return Err(Failure::file(existing, &"it is a file, a folder is needed"));
    }
    Ok(files::try_place(&existing.join("rcar-iss"))?)
}

fn declare(option: &str, path: &Path, folder: bool) -> Result<(), Failure> {
    let mut account = account();
    if is_stdout(path) {
        if let Some(other) = account.stdout.replace(option.into()) {
            return Err(same(&other, option, "standard output"));
        }
        return Ok(());
    }
    // Devices and pipes may be input and output.
    let Some(identity) = Identity::of(path) else { return Ok(()) };
    let new = Output { option: option.into(), path: path.into(), resolved: files::resolved(path) };
    let taken = account.outputs.get(&identity);
    if let Some(other) = taken.or_else(|| account.replaced.iter().find(|o| o.resolved == new.resolved)) {
        let both = format!("{} and {}", other.path.display(), new.path.display());
        return Err(same(&other.option, option, &both));
    }
    if let Some(outer) = account.replaced.iter().find(|o| new.resolved.starts_with(&o.resolved)) {
        return Err(inside(&new, outer));
    }
    if let Some(inner) = account.outputs.values().find(|o| folder && o.resolved.starts_with(&new.resolved)) {
        return Err(inside(inner, &new));
    }
    if let Some(input) = account.inputs.get(&identity) {
        return Err(conflict(&new, input, false));
    }
    if let Some(input) = account.inputs.values().find(|input| folder && lies_in(input, &new)) {
        return Err(conflict(&new, input, true));
    }
    if folder {
        account.replaced.push(new);
    } else {
        account.outputs.insert(identity, new);
    }
    Ok(())
}

fn same(option: &str, other: &str, names: &str) -> Failure {
    Failure::usage(format!("{option} and {other} name the same file"))
        .why(&names)
        .help("give each output a name of its own")
}

/// An output in a folder that another one replaces.
fn inside(inner: &Output, outer: &Output) -> Failure {
    Failure::usage(format!("{} {}", inner.option, inner.path.display()))
        .why(&format!("it lies in {}, which {} replaces", outer.path.display(), outer.option))
        .help("choose another place; nothing was written")
}

fn lies_in(input: &Path, folder: &Output) -> bool {
    input.canonicalize().is_ok_and(|input| input.starts_with(&folder.resolved))
}

/// `within`: the input lies in the output, a folder that is replaced.
fn conflict(output: &Output, input: &Path, within: bool) -> Failure {
    let Output { option, path, .. } = output;
    let why = if within {
        format!("the folder is replaced, and this command reads '{}' in it", input.display())
    } else if path == input {
        "this command reads it, too".to_string()
    } else {
        format!("this command reads it, too, as '{}'", input.display())
    };
    Failure::usage(format!("{option} {}", path.display()))
        .why(&why)
        .help("choose another place; nothing was written")
}

/// Declares that the command reads a file.
///
/// # Errors
/// It is one of the outputs, or what standard output goes to.
pub(super) fn reads(path: &Path) -> Result<(), Failure> {
    let Some(identity) = Identity::of(path).filter(|_| !path.is_dir()) else { return Ok(()) };
    let mut account = account();
    if let Some(output) = account.outputs.get(&identity) {
        return Err(conflict(output, path, false));
    }
    if let Some(output) = account.replaced.iter().find(|o| lies_in(path, o)) {
        return Err(conflict(output, path, true));
    }
    if Identity::of(Path::new("/dev/stdout")).is_some_and(|stdout| stdout == identity) {
        let why = format!("this command reads '{}', and standard output goes to it", path.display());
        return Err(Failure::usage("standard output").why(&why).help("send it to another file"));
    }
    account.inputs.insert(identity, path.into());
    Ok(())
}

/// Writes one output.
///
/// # Errors
/// It cannot be written.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if is_stdout(path) {
        return stdout(bytes);
    }
    match files::replace(path, bytes) {
        // A pipe whose reader went away.
        Err(e) if e.source.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        done => Ok(done?),
    }
}

/// Writes one output among others that belong together.
///
/// # Errors
/// It cannot be written.
pub(super) fn stage(batch: &mut Batch, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if is_stdout(path) { stdout(bytes) } else { Ok(batch.file(path, bytes)?) }
}

/// Writes to standard output. A reader that went away (`| head`) is no error.
///
/// # Errors
/// The disk that it goes to is full …
pub(super) fn stdout(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    written(out.write_all(bytes).and_then(|()| out.flush()))
}

/// What writing to standard output came to.
///
/// # Errors
/// As [`stdout`].
pub(super) fn written(result: std::io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::new(crate::explain::INPUT, "cannot write to standard output").why(&e))
        }
        _ => Ok(()),
    }
}

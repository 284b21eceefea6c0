//! The files that a command reads and writes: an output that is also an input, or two outputs that are one
//! file, are refused before anything is written, whatever their names and links are. `-` is standard output.
//!
//! Outputs are declared first ([`Account::writes`], [`Account::replaces`]), and checked to be writable; every
//! file that is read is declared, too ([`Account::reads`]). A conflict is found in either order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{FileError, Identity, resolved, try_place};

/// Names of standard output.
const STDOUT: [&str; 4] = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];

/// Whether a path means standard output.
#[must_use]
pub fn is_stdout(path: &Path) -> bool {
    STDOUT.iter().any(|name| path == Path::new(name))
}

/// An output that cannot be written where it is asked for.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The path is not writable.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file exists where a folder is needed.
    #[error("'{}': it is a file, a folder is needed", path.display())]
    NoFolder {
        /// The file.
        path: PathBuf,
    },
    /// Standard output, where a file or folder is needed.
    #[error("{option} -: a {needed} is needed, standard output is none")]
    Stdout {
        /// The output.
        option: String,
        /// `file` or `folder`.
        needed: &'static str,
    },
    /// A device or a pipe, where other files are written beside the output.
    #[error("other files are written beside it, so it must be a regular file")]
    Irregular {
        /// The output.
        option: String,
        /// Its path.
        path: PathBuf,
    },
    /// The current folder, or a parent of it, would be replaced.
    #[error("the folder is replaced, and this is the current one, or one that it lies in")]
    Current {
        /// The output.
        option: String,
        /// Its path.
        path: PathBuf,
    },
    /// Two outputs are one file.
    #[error("{names}")]
    Same {
        /// The outputs.
        options: [String; 2],
        /// Their names.
        names: String,
    },
    /// An output is inside a folder that another output replaces.
    #[error("it lies in {}, which {} replaces", folder.display(), by)]
    Inside {
        /// The output.
        option: String,
        /// Its path.
        path: PathBuf,
        /// The folder.
        folder: PathBuf,
        /// The other output.
        by: String,
    },
    /// An output is also an input.
    #[error("{}", reads(path, input, *within))]
    Read {
        /// The output.
        option: String,
        /// Its path.
        path: PathBuf,
        /// The input.
        input: PathBuf,
        /// Whether the output is a folder that contains the input.
        within: bool,
    },
    /// Standard output is redirected to a file that is read.
    #[error("this command reads '{}', and standard output goes to it", input.display())]
    StdoutRead {
        /// The file.
        input: PathBuf,
    },
}

fn reads(path: &Path, input: &Path, within: bool) -> String {
    if within {
        format!("the folder is replaced, and this command reads '{}' in it", input.display())
    } else if path == input {
        "this command reads it, too".to_string()
    } else {
        format!("this command reads it, too, as '{}'", input.display())
    }
}

/// The files of a command.
#[derive(Debug, Default)]
pub struct Account {
    /// Files that were read, with the names given.
    inputs: BTreeMap<Identity, PathBuf>,
    /// Files that are written; there may be thousands.
    outputs: BTreeMap<Identity, Output>,
    /// Folders that are replaced with their contents.
    replaced: Vec<Output>,
    /// The option whose output goes to standard output.
    stdout: Option<String>,
}

#[derive(Debug)]
struct Output {
    /// The option, and its value.
    option: String,
    path: PathBuf,
    /// Its path with links resolved.
    resolved: PathBuf,
}

impl Account {
    /// An account without files.
    #[must_use]
    pub const fn new() -> Account {
        Account { inputs: BTreeMap::new(), outputs: BTreeMap::new(), replaced: Vec::new(), stdout: None }
    }

    /// Whether an output goes to standard output, so that a report must not.
    #[must_use]
    pub fn stdout_taken(&self) -> bool {
        self.stdout.is_some()
    }

    /// Declares that a file will be written, and checks that it can be.
    ///
    /// # Errors
    /// It is an input or another output, or cannot be written.
    pub fn writes(&mut self, option: &str, path: &Path) -> Result<(), PlaceError> {
        self.declare(option, path, false)?;
        if is_stdout(path) { Ok(()) } else { Ok(try_place(path)?) }
    }

    /// Declares that a file will be written into a folder that is created if necessary; does not check that
    /// it can be.
    ///
    /// # Errors
    /// It is an input or another output.
    pub fn writes_in_folder(&mut self, option: &str, path: &Path) -> Result<(), PlaceError> {
        self.declare(option, path, false)
    }

    /// Declares that a folder and its contents will be replaced, and checks that it can be created.
    ///
    /// # Errors
    /// An input is inside it, it is another output, or its parent is not writable.
    pub fn replaces(&mut self, option: &str, path: &Path) -> Result<(), PlaceError> {
        needs_folder(option, path)?;
        let place = resolved(path);
        if std::env::current_dir().is_ok_and(|here| here.starts_with(&place)) {
            return Err(PlaceError::Current { option: option.into(), path: path.into() });
        }
        self.declare(option, path, true)?;
        try_folder(path)
    }

    /// Declares that a file is read.
    ///
    /// # Errors
    /// It is one of the outputs, or standard output is redirected to it.
    pub fn reads(&mut self, path: &Path) -> Result<(), PlaceError> {
        let Some(identity) = Identity::of(path).filter(|_| !path.is_dir()) else { return Ok(()) };
        if let Some(output) = self.outputs.get(&identity) {
            return Err(output.read(path, false));
        }
        if let Some(output) = self.replaced.iter().find(|o| o.holds(path)) {
            return Err(output.read(path, true));
        }
        if Identity::of(Path::new("/dev/stdout")).is_some_and(|stdout| stdout == identity) {
            return Err(PlaceError::StdoutRead { input: path.into() });
        }
        self.inputs.insert(identity, path.into());
        Ok(())
    }

    fn declare(&mut self, option: &str, path: &Path, folder: bool) -> Result<(), PlaceError> {
        if is_stdout(path) {
            return match self.stdout.replace(option.into()) {
                Some(other) => Err(same(&other, option, "standard output".into())),
                None => Ok(()),
            };
        }
        // Devices and pipes may be both input and output.
        let Some(identity) = Identity::of(path) else { return Ok(()) };
        let new = Output { option: option.into(), path: path.into(), resolved: resolved(path) };
        let taken = self.outputs.get(&identity);
        if let Some(other) = taken.or_else(|| self.replaced.iter().find(|o| o.resolved == new.resolved)) {
            let both = format!("{} and {}", other.path.display(), new.path.display());
            return Err(same(&other.option, option, both));
        }
        if let Some(outer) = self.replaced.iter().find(|o| new.resolved.starts_with(&o.resolved)) {
            return Err(new.inside(outer));
        }
        if let Some(inner) = self.outputs.values().find(|o| folder && o.resolved.starts_with(&new.resolved)) {
            return Err(inner.inside(&new));
        }
        if let Some(input) = self.inputs.get(&identity) {
            return Err(new.read(input, false));
        }
        if let Some(input) = self.inputs.values().find(|input| folder && new.holds(input)) {
            return Err(new.read(input, true));
        }
        if folder {
            self.replaced.push(new);
        } else {
            self.outputs.insert(identity, new);
        }
        Ok(())
    }
}

impl Output {
    fn holds(&self, input: &Path) -> bool {
        input.canonicalize().is_ok_and(|input| input.starts_with(&self.resolved))
    }

    fn read(&self, input: &Path, within: bool) -> PlaceError {
        PlaceError::Read { option: self.option.clone(), path: self.path.clone(), input: input.into(), within }
    }

    fn inside(&self, outer: &Output) -> PlaceError {
        let (folder, by) = (outer.path.clone(), outer.option.clone());
        PlaceError::Inside { option: self.option.clone(), path: self.path.clone(), folder, by }
    }
}

fn same(option: &str, other: &str, names: String) -> PlaceError {
    PlaceError::Same { options: [option.into(), other.into()], names }
}

/// Checks that an output that must be a folder is not standard output.
///
/// # Errors
/// It is `-`.
pub fn needs_folder(option: &str, path: &Path) -> Result<(), PlaceError> {
    if is_stdout(path) {
        return Err(PlaceError::Stdout { option: option.into(), needed: "folder" });
    }
    Ok(())
}

/// Checks that an output that must be a file of its own is not standard output: it needs seeking, or appears
/// only at the end.
///
/// # Errors
/// It is `-`.
pub fn needs_file(option: &str, path: &Path) -> Result<(), PlaceError> {
    if is_stdout(path) {
        return Err(PlaceError::Stdout { option: option.into(), needed: "file" });
    }
    Ok(())
}

/// Checks an output that other files are written beside.
///
/// # Errors
/// It is `-`, a device or a pipe.
pub fn needs_regular(option: &str, path: &Path) -> Result<(), PlaceError> {
    needs_file(option, path)?;
    if path.exists() && !path.is_file() && !path.is_dir() {
        return Err(PlaceError::Irregular { option: option.into(), path: path.into() });
    }
    Ok(())
}

/// Checks that a folder can be created or written to.
///
/// # Errors
/// It or its parent is not writable.
pub fn try_folder(path: &Path) -> Result<(), PlaceError> {
    let existing =
        path.ancestors().find(|p| p.exists() && !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !existing.is_dir() {
        return Err(PlaceError::NoFolder { path: existing.into() });
    }
    Ok(try_place(&existing.join("rcar-iss"))?)
}

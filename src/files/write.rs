//! Writing: to a temporary file, synced, then renamed; several files that belong together are renamed
//! together.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::operation::{self, Output};
use super::{FileError, identity};

/// Longest file name that is included in its temporary name; most systems limit names to 255 bytes.
const LONGEST_BESIDE: usize = 200;

/// Writes a file to a temporary name and renames it: afterwards the path has all of `bytes` or its old
/// contents. Devices and pipes are written directly.
///
/// # Errors
/// The folder does not exist, is read-only, is full …
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    replace_with(path, |out| out.write_all(bytes))
}

/// As [`replace`], with contents that are written piece by piece.
///
/// # Errors
/// As [`replace`], and the error of `write`; the path then keeps its old contents.
pub fn replace_with(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), FileError> {
    let replaced = || {
        let mut staged = Staged::open(path)?;
        write(&mut staged)?;
        staged.put()
    };
    replaced().map_err(FileError::at("write", path))
}

/// Checks before long work that a file can be written: a temporary file is created beside it and removed
/// again.
///
/// # Errors
/// The folder does not exist, is read-only, is full, or the path is a folder.
pub fn try_place(path: &Path) -> Result<(), FileError> {
    let tried = || {
        let Some(beside) = place(path)?.beside else { return Ok(()) };
        Output::create(&beside)?;
        operation::remove_file(&beside)
    };
    tried().map_err(FileError::at("write", path))
}

/// A file under construction. If it is dropped without [`finish`](Staged::finish), the old file stays.
#[derive(Debug)]
pub struct Staged {
    out: BufWriter<Output>,
    target: PathBuf,
    /// The temporary file; `None` if the file is written directly.
    beside: Option<Beside>,
}

impl Staged {
    /// Starts a file.
    ///
    /// # Errors
    /// The folder does not exist, is read-only … or the path is a folder.
    pub fn create(path: &Path) -> Result<Staged, FileError> {
        Staged::open(path).map_err(FileError::at("write", path))
    }

    fn open(path: &Path) -> io::Result<Staged> {
        let Place { target, beside } = place(path)?;
        let Some(beside) = beside else {
            return Ok(Staged { out: BufWriter::new(Output::open(&target)?), target, beside: None });
        };
        let out = Output::create(&beside)?;
        let beside = Beside(beside);
        if let Ok(before) = fs::metadata(&target) {
            // New contents must not change who may read a file; where that fails, the default permissions
            // apply.
            let _ = out.permit(&before);
        }
        Ok(Staged { out: BufWriter::with_capacity(1 << 18, out), target, beside: Some(beside) })
    }

    /// Renames the file into place, once it is on disk.
    ///
    /// # Errors
    /// The disk is full …; the old file then stays.
    pub fn finish(self) -> Result<(), FileError> {
        let path = self.target.clone();
        self.put().map_err(FileError::at("write", &path))
    }

    fn put(self) -> io::Result<()> {
        let (target, beside) = self.close()?;
        let Some(beside) = beside else { return Ok(()) };
        operation::rename(&beside.0, &target)?;
        beside.keep();
        operation::sync_folder(target.parent().unwrap_or(Path::new("")));
        Ok(())
    }

    /// Syncs all bytes, under the temporary name.
    fn close(mut self) -> io::Result<(PathBuf, Option<Beside>)> {
        self.out.flush()?;
        if self.beside.is_some() {
            self.out.get_ref().sync()?;
        }
        Ok((self.target, self.beside))
    }
}

impl Write for Staged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A temporary file; removed when dropped.
#[derive(Debug)]
struct Beside(PathBuf);

impl Beside {
    /// The file is no longer temporary.
    fn keep(mut self) {
        self.0 = PathBuf::new();
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty() {
            // A file that cannot be removed has the same cause as the reported error.
            let _ = operation::remove_file(&self.0);
        }
    }
}

/// Files that belong together. All are written and synced before the first is renamed; if a rename fails, the
/// old files are restored. A process killed between renames leaves some new and some old files, each
/// complete.
#[derive(Debug, Default)]
pub struct Batch {
    steps: Vec<Step>,
    /// Folders that were created for it, outermost first.
    folders: Vec<PathBuf>,
}

#[derive(Debug)]
enum Step {
    /// A path, and the file that replaces it.
    Put(PathBuf, Beside),
    Remove(PathBuf),
}

/// A path that was replaced: its old file, if there was one, has a second link.
#[derive(Debug)]
struct Changed {
    target: PathBuf,
    before: Option<Beside>,
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Batch {
        Batch::default()
    }

    /// Creates a folder for files of the batch, and its parents.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn folder(&mut self, path: &Path) -> Result<(), FileError> {
        let mut missing: Vec<&Path> =
            path.ancestors().take_while(|p| !p.as_os_str().is_empty() && !p.is_dir()).collect();
        missing.reverse();
        for folder in missing {
            operation::create_folder(folder).map_err(FileError::at("create the folder", folder))?;
            self.folders.push(folder.to_path_buf());
        }
        Ok(())
    }

    /// Writes a file.
    ///
    /// # Errors
    /// As [`Staged::create`]; also a full disk.
    pub fn file(&mut self, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
        let written = || {
            let mut staged = Staged::open(path)?;
            staged.write_all(bytes)?;
            // Closed at once: there may be more files than a process can have open.
            staged.close()
        };
        if let (target, Some(beside)) = written().map_err(FileError::at("write", path))? {
            self.steps.push(Step::Put(target, beside));
        }
        Ok(())
    }

    /// Removes a file, if it exists. Paths are changed in the order of the calls.
    pub fn remove(&mut self, path: &Path) {
        self.steps.push(Step::Remove(path.to_path_buf()));
    }

    /// Renames all files into place.
    ///
    /// # Errors
    /// A file cannot be written or renamed; all old files then stay.
    pub fn finish(mut self) -> Result<(), FileError> {
        let done = self.put();
        if done.is_ok() {
            self.folders.clear();
        }
        done
    }

    fn put(&mut self) -> Result<(), FileError> {
        let mut changed: Vec<Changed> = Vec::new();
        for step in std::mem::take(&mut self.steps) {
            let (target, beside) = match step {
                Step::Put(target, beside) => (target, Some(beside)),
                // Removes a link, not its target.
                Step::Remove(path) => (path, None),
            };
            match change(&target, beside) {
                Ok(change) => changed.extend(change),
                Err(error) => {
                    for change in changed.into_iter().rev() {
                        change.undo();
                    }
                    return Err(FileError::at("write", &target)(error));
                }
            }
        }
        let folders: std::collections::BTreeSet<_> =
            changed.iter().filter_map(|c| c.target.parent().map(Path::to_path_buf)).collect();
        for folder in folders {
            operation::sync_folder(&folder);
        }
        Ok(())
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.steps.clear();
        for folder in self.folders.iter().rev() {
            // Another process may have put something there.
            let _ = operation::remove_empty_folder(folder);
        }
    }
}

/// Replaces a path by the file `beside`, or removes it.
fn change(target: &Path, beside: Option<Beside>) -> io::Result<Option<Changed>> {
    let before = if target.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "a folder has taken its place"));
    } else if target.exists() {
        let second = self::beside(target)?;
        if operation::link(target, &second).is_err() {
            // Without links in the file system, the path does not exist for a moment.
            operation::rename(target, &second)?;
        }
        Some(Beside(second))
    } else {
        None
    };
    let Some(beside) = beside else {
        return Ok(match before {
            Some(before) => {
                if target.exists() {
                    operation::remove_file(target)?;
                }
                Some(Changed { target: target.to_path_buf(), before: Some(before) })
            }
            None => None,
        });
    };
    match operation::rename(&beside.0, target) {
        Ok(()) => {
            beside.keep();
            Ok(Some(Changed { target: target.to_path_buf(), before }))
        }
        Err(error) => {
            if !target.exists() {
                Changed { target: target.to_path_buf(), before }.undo();
            }
            Err(error)
        }
    }
}

impl Changed {
    /// Restores the old file.
    fn undo(self) {
        match self.before {
            Some(before) => {
                if operation::rename(&before.0, &self.target).is_ok() || !before.0.exists() {
                    before.keep();
                } else {
                    // It stays under its second name, so that it is not lost.
                    std::mem::forget(before);
                }
            }
            None => {
                let _ = operation::remove_file(&self.target);
            }
        }
    }
}

/// Where a file is written.
struct Place {
    /// The file that the path refers to: a link stays, and its target is replaced.
    target: PathBuf,
    /// The temporary path; `None` for devices and pipes.
    beside: Option<PathBuf>,
}

fn place(path: &Path) -> io::Result<Place> {
    let target = identity::resolved(path);
    match fs::metadata(&target) {
        Ok(about) if about.is_dir() => {
            Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder, a file name is needed"))
        }
        Ok(about) if !about.is_file() => Ok(Place { target, beside: None }),
        _ => {
            let beside = Some(beside(&target)?);
            Ok(Place { target, beside })
        }
    }
}

/// An unused name in the same folder, unique to this run.
pub(super) fn beside(target: &Path) -> io::Result<PathBuf> {
    let Some(name) = target.file_name() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path has no file name"));
    };
    for attempt in 0..1000 {
        let mut candidate = std::ffi::OsString::from(".");
        // Names of nearly the maximum length would become too long with the suffix.
        if name.len() <= LONGEST_BESIDE {
            candidate.push(name);
        } else {
            candidate.push(format!("{:016x}", xxhash_rust::xxh3::xxh3_64(name.as_encoded_bytes())));
        }
        candidate.push(format!(".{}-{attempt}.tmp", std::process::id()));
        let path = target.with_file_name(candidate);
        if fs::symlink_metadata(&path).is_err() {
            return Ok(path);
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "a thousand temporary files of this name exist"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::read;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("rcar-iss-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(dir.join("sub")).unwrap();
        dir
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let dir = scratch("files");
        let path = dir.join("a.bin");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap(), b"two");
        let error = replace(&dir.join("sub"), b"x").unwrap_err().to_string();
        assert!(error.contains("folder"), "{error}");
        assert!(replace(&dir.join("no/such.bin"), b"x").is_err());
        let half = replace_with(&path, |out| {
            out.write_all(b"three")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert!(half.is_err());
        assert!(try_place(&dir.join("no/such.bin")).is_err() && try_place(&dir.join("sub")).is_err());
        try_place(&path).unwrap();
        assert_eq!(read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 2);
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_batch_is_written_as_a_whole_or_not_at_all() {
        let dir = scratch("batch");
        let at = |name: &str| dir.join(name);
        replace(&at("a"), b"old a").unwrap();
        replace(&at("c"), b"old c").unwrap();
        let mut batch = Batch::new();
        batch.folder(&at("new/deep")).unwrap();
        batch.file(&at("a"), b"new a").unwrap();
        batch.file(&at("new/deep/b"), b"new b").unwrap();
        batch.remove(&at("c"));
        // A folder exists at the last path, so that its rename fails.
        batch.file(&at("d"), b"new d").unwrap();
        fs::create_dir_all(at("d/full")).unwrap();
        assert!(batch.finish().is_err());
        assert_eq!(read(&at("a")).unwrap(), b"old a");
        assert_eq!(read(&at("c")).unwrap(), b"old c");
        assert!(!at("new").exists());
        let mut batch = Batch::new();
        batch.folder(&at("new/deep")).unwrap();
        batch.file(&at("a"), b"new a").unwrap();
        batch.file(&at("new/deep/b"), b"new b").unwrap();
        batch.remove(&at("c"));
        batch.finish().unwrap();
        assert_eq!(read(&at("a")).unwrap(), b"new a");
        assert_eq!(read(&at("new/deep/b")).unwrap(), b"new b");
        assert!(!at("c").exists());
        let names: Vec<_> = fs::read_dir(&dir).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names.len(), 4, "{names:?}");
        fs::remove_dir_all(&dir).unwrap();
    }
}

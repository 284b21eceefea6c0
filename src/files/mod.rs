//! Files: read with a bound, written beside and renamed, so that no reader ever sees half a file and a failed run
//! leaves nothing behind.

mod guard;

pub use guard::{Panicked, guarded, is_guarded, quiet};

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Most bytes read from a pipe, which tells no length.
const STREAM_LIMIT: u64 = 1 << 28;

/// Longest name that stands in the name of its temporary file; most systems end names at 255 bytes.
const LONGEST_BESIDE: usize = 200;

/// A file operation that failed, with the path.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} '{}': {source}", path.display())]
pub struct FileError {
    /// `read`, `write`, `create the folder` …
    pub action: &'static str,
    /// Which file.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

impl FileError {
    /// For use in `map_err`.
    pub(crate) fn at<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> FileError + 'a {
        move |source| FileError { action, path: path.to_path_buf(), source }
    }
}

/// The whole content of a file. A pipe is read up to 256 MiB; devices are refused, as some of them never end.
///
/// # Errors
/// The file cannot be opened or read, is a folder or a device, or a pipe gives too much.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let read = open(path, true).and_then(|file| read_bounded(file, u64::MAX));
    read.map_err(FileError::at("read", path))
}

/// The whole content of a regular file. For files that the user did not name one by one (members of folders, files that
/// other files name): a pipe among them would be waited for without end.
///
/// # Errors
/// As [`read`]; also for a pipe.
pub fn read_regular(path: &Path) -> Result<Vec<u8>, FileError> {
    let read = open(path, false).and_then(|file| read_bounded(file, u64::MAX));
    read.map_err(FileError::at("read", path))
}

/// The first bytes of a regular file, `limit` at most.
///
/// # Errors
/// As [`read_regular`].
pub fn head(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let read = open(path, false).and_then(|file| read_bounded(file, limit));
    read.map_err(FileError::at("read", path))
}

/// Opens a regular file for reading piece by piece, as far as its length reaches.
///
/// # Errors
/// It cannot be opened, or is no regular file.
pub fn open_regular(path: &Path) -> Result<fs::File, FileError> {
    open(path, false).map_err(FileError::at("read", path))
}

/// Whether there is something under this name that gives its bytes only once: a pipe.
#[must_use]
pub fn is_stream(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|about| !about.is_file() && !about.is_dir() && !is_device(&about))
}

#[cfg(unix)]
fn is_device(about: &fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    about.file_type().is_char_device() || about.file_type().is_block_device()
}

#[cfg(not(unix))]
fn is_device(_: &fs::Metadata) -> bool {
    false
}

/// Opens what is a file, or, if `streams` may be, a pipe. What it is, is asked before: opening a pipe waits for a writer.
fn open(path: &Path, streams: bool) -> io::Result<fs::File> {
    let about = fs::metadata(path)?;
    if about.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder, a file is needed"));
    }
    if is_device(&about) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a device, no regular file"));
    }
    if !streams && !about.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a pipe, no regular file"));
    }
    fs::File::open(path)
}

fn read_bounded(file: fs::File, limit: u64) -> io::Result<Vec<u8>> {
    let about = file.metadata()?;
    let mut bytes = Vec::new();
    if about.is_file() {
        let len = about.len().min(limit);
        bytes.try_reserve_exact(usize::try_from(len).unwrap_or(usize::MAX))?;
        // A file that grows while it is read must not make the read endless.
        file.take(len).read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    file.take(STREAM_LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > STREAM_LIMIT {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "a pipe may give 256 MiB at most"));
    }
    Ok(bytes)
}

/// The content of a UTF-8 text file.
///
/// # Errors
/// As [`read`]; also bytes that are not UTF-8, with their offset.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    text(path, read(path)?)
}

/// The bytes of a file as text.
///
/// # Errors
/// They are not UTF-8; the offset is named.
pub fn text(path: &Path, bytes: Vec<u8>) -> Result<String, FileError> {
    String::from_utf8(bytes).map_err(|e| {
        let why = format!("not UTF-8 text (byte {})", e.utf8_error().valid_up_to());
        FileError {
            action: "read",
            path: path.to_path_buf(),
            source: io::Error::new(io::ErrorKind::InvalidData, why),
        }
    })
}

/// Writes a file beside its place and renames it: afterwards the path holds all of `bytes` or what it held before.
/// Devices and pipes are written directly.
///
/// # Errors
/// The folder does not exist, is read-only, is full …
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    replace_with(path, |out| out.write_all(bytes))
}

/// [`replace`] for content that is written piece by piece, however long it is.
///
/// # Errors
/// As [`replace`], and what `write` returns; then the path holds what it held before.
pub fn replace_with(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), FileError> {
    replace_file(path, write).map_err(FileError::at("write", path))
}

fn replace_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let write = |file: fs::File| {
        let mut out = io::BufWriter::new(file);
        write(&mut out)?;
        out.flush()
    };
    // A link stays a link: what it points to is replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    match fs::metadata(&target) {
        Ok(about) if about.is_dir() => {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder, a file name is needed"));
        }
        Ok(about) if !about.is_file() => {
            return write(fs::OpenOptions::new().write(true).open(&target)?);
        }
        _ => {}
    }
    let beside = beside(&target)?;
    let written = fs::File::create_new(&beside).and_then(write);
    match written.and_then(|()| fs::rename(&beside, &target)) {
        Ok(()) => Ok(()),
        Err(error) => {
            // The first error matters; a leftover that cannot be removed has the same cause.
            let _ = fs::remove_file(&beside);
            Err(error)
        }
    }
}

/// A name in the same folder that no other run uses and nothing exists under.
pub(crate) fn beside(target: &Path) -> io::Result<PathBuf> {
    let Some(name) = target.file_name() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path has no file name"));
    };
    for attempt in 0..1000 {
        let mut candidate = std::ffi::OsString::from(".");
        // With the rest, a name that is nearly as long as names may be would be too long.
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

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let dir = std::env::temp_dir().join(format!("rcar-iss-files-{}", std::process::id()));
        fs::create_dir_all(dir.join("sub")).unwrap();
        let path = dir.join("a.bin");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap(), b"two");
        let error = replace(&dir.join("sub"), b"x").unwrap_err().to_string();
        assert!(error.contains("folder"), "{error}");
        assert!(replace(&dir.join("no/such.bin"), b"x").is_err());
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 2);
        fs::remove_dir_all(&dir).unwrap();
    }
}

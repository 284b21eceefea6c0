//! Files: read with a bound, written beside and renamed, so that no reader ever sees half a file and a failed run
//! leaves nothing behind.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Most bytes read from something that is not a regular file (a pipe tells no length).
const STREAM_LIMIT: u64 = 1 << 28;

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

/// The whole content of a file. A pipe or device is read up to 256 MiB.
///
/// # Errors
/// The file cannot be opened or read, or a stream is too long.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    read_bounded(path).map_err(FileError::at("read", path))
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let file = fs::File::open(path)?;
    let about = file.metadata()?;
    if about.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder, a file is needed"));
    }
    if about.is_file() {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(usize::try_from(about.len()).unwrap_or(usize::MAX))?;
        // A file that grows while it is read must not make the read endless.
        file.take(about.len()).read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    let mut bytes = Vec::new();
    file.take(STREAM_LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > STREAM_LIMIT {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "a stream may have 256 MiB at most"));
    }
    Ok(bytes)
}

/// The content of a UTF-8 text file.
///
/// # Errors
/// As [`read`]; also bytes that are not UTF-8, with their offset.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    let bytes = read(path)?;
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
        candidate.push(name);
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

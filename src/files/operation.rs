//! The operations that change the file system, and the allocation for a file's contents: one function each,
//! so that there is one place where they can be made to fail.
//!
//! Debug builds can [`arm`] a fault: the n-th operation of a kind fails as on a full disk, or the process
//! ends there as if it were killed. Release builds have neither the counter nor the fault.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// A kind of operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file is created, or opened for writing.
    Create,
    /// Bytes are written.
    Write,
    /// Written bytes are synced to disk.
    Sync,
    /// A file or folder is renamed, or gets a second link.
    Rename,
    /// A file or folder is removed.
    Remove,
    /// A folder is created.
    Folder,
    /// Memory for a file's contents is allocated.
    Allocate,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 7] =
        [Kind::Create, Kind::Write, Kind::Sync, Kind::Rename, Kind::Remove, Kind::Folder, Kind::Allocate];

    /// Its name in a [`Fault`].
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Create => "create",
            Kind::Write => "write",
            Kind::Sync => "sync",
            Kind::Rename => "rename",
            Kind::Remove => "remove",
            Kind::Folder => "folder",
            Kind::Allocate => "allocate",
        }
    }
}

/// A fault to inject, written `fail:KIND:N` or `kill:KIND:N`; the kind may be `any`, and operations count
/// from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Whether the process ends instead of returning an error.
    pub kill: bool,
    /// Kind of the operation; `None` for any.
    pub kind: Option<Kind>,
    /// Number of the operation.
    pub number: u64,
}

impl std::str::FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Fault, String> {
        let mut parts = text.split(':');
        let (Some(how), Some(kind), Some(number), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(format!("'{text}' is not fail:KIND:N or kill:KIND:N"));
        };
        let kill = match how {
            "fail" => false,
            "kill" => true,
            _ => return Err(format!("'{how}' is neither fail nor kill")),
        };
        let kind = match kind {
            "any" => None,
            name => match Kind::ALL.into_iter().find(|k| k.name() == name) {
                Some(kind) => Some(kind),
                None => return Err(format!("no operation is called '{name}'")),
            },
        };
        let number = number.parse().map_err(|_| format!("'{number}' is no number"))?;
        Ok(Fault { kill, kind, number })
    }
}

/// Operations so far, of the kinds in the order of [`Kind::ALL`].
pub type Counts = [u64; Kind::ALL.len()];

#[cfg(debug_assertions)]
mod armed {
    use std::io;
    use std::sync::Mutex;

    use super::{Counts, Fault, Kind};

    /// The fault, and the operations so far.
    static ARMED: Mutex<Option<(Fault, Counts)>> = Mutex::new(None);

    pub(super) fn arm(fault: Fault) {
        if let Ok(mut armed) = ARMED.lock() {
            *armed = Some((fault, Counts::default()));
        }
    }

    pub(super) fn counts() -> Counts {
        ARMED.lock().ok().and_then(|armed| *armed).map_or(Counts::default(), |(_, counts)| counts)
    }

    pub(super) fn pass(kind: Kind) -> io::Result<()> {
        let Ok(mut armed) = ARMED.lock() else { return Ok(()) };
        let Some((fault, counts)) = &mut *armed else { return Ok(()) };
        counts[kind as usize] += 1;
        let number = fault.kind.map_or_else(|| counts.iter().sum(), |kind| counts[kind as usize]);
        if fault.kind.is_some_and(|k| k != kind) || number != fault.number {
            return Ok(());
        }
        if fault.kill {
            // Not `exit`: nothing may be cleaned up.
            std::process::abort();
        }
        let kind =
            if kind == Kind::Allocate { io::ErrorKind::OutOfMemory } else { io::ErrorKind::StorageFull };
        Err(kind.into())
    }
}

/// Makes an operation fail from now on, in debug builds; returns whether this is one.
pub fn arm(fault: Fault) -> bool {
    #[cfg(debug_assertions)]
    armed::arm(fault);
    let _ = fault;
    cfg!(debug_assertions)
}

/// Operations since a fault was armed; none in release builds.
#[must_use]
pub fn counts() -> Counts {
    #[cfg(debug_assertions)]
    let counts = armed::counts();
    #[cfg(not(debug_assertions))]
    let counts = Counts::default();
    counts
}

fn pass(kind: Kind) -> io::Result<()> {
    #[cfg(debug_assertions)]
    armed::pass(kind)?;
    let _ = kind;
    Ok(())
}

/// A file that is written.
#[derive(Debug)]
pub(super) struct Output(File);

impl Output {
    /// Creates a new file, which must not exist.
    pub(super) fn create(path: &Path) -> io::Result<Output> {
        pass(Kind::Create)?;
        File::create_new(path).map(Output)
    }

    /// Opens an existing device or pipe.
    pub(super) fn open(path: &Path) -> io::Result<Output> {
        pass(Kind::Create)?;
        fs::OpenOptions::new().write(true).open(path).map(Output)
    }

    /// Syncs what was written to disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        pass(Kind::Sync)?;
        self.0.sync_all()
    }

    /// Sets the permissions of the file that it replaces.
    pub(super) fn permit(&self, like: &fs::Metadata) -> io::Result<()> {
        self.0.set_permissions(like.permissions())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        pass(Kind::Write)?;
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Syncs the entries of a folder to disk, as far as the system can. Even where it cannot, a name refers to a
/// complete old or new file.
pub(super) fn sync_folder(path: &Path) {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    if pass(Kind::Sync).is_ok()
        && cfg!(unix)
        && let Ok(folder) = File::open(path)
    {
        let _ = folder.sync_all();
    }
}

/// Syncs a file that was written and closed.
pub(super) fn sync_file(path: &Path) -> io::Result<()> {
    pass(Kind::Sync)?;
    File::open(path)?.sync_all()
}

pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    pass(Kind::Rename)?;
    fs::rename(from, to)
}

/// Exchanges the names of two files or folders atomically; an error where the system cannot.
pub(super) fn exchange(a: &Path, b: &Path) -> io::Result<()> {
    pass(Kind::Rename)?;
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        Ok(renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE)?)
    }
    #[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
    {
        let _ = (a, b);
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// A second link to a file.
pub(super) fn link(file: &Path, second: &Path) -> io::Result<()> {
    pass(Kind::Rename)?;
    fs::hard_link(file, second)
}

pub(super) fn remove_file(path: &Path) -> io::Result<()> {
    pass(Kind::Remove)?;
    fs::remove_file(path)
}

pub(super) fn remove_folder(path: &Path) -> io::Result<()> {
    pass(Kind::Remove)?;
    fs::remove_dir_all(path)
}

/// Removes a folder if it is empty.
pub(super) fn remove_empty_folder(path: &Path) -> io::Result<()> {
    pass(Kind::Remove)?;
    fs::remove_dir(path)
}

pub(super) fn create_folder(path: &Path) -> io::Result<()> {
    pass(Kind::Folder)?;
    fs::create_dir(path)
}

/// Reserves `len` more bytes.
pub(super) fn reserve(bytes: &mut Vec<u8>, len: usize) -> io::Result<()> {
    pass(Kind::Allocate)?;
    Ok(bytes.try_reserve_exact(len)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_read_as_it_is_written() {
        let fault = |text: &str| text.parse::<Fault>();
        assert_eq!(
            fault("fail:rename:2").unwrap(),
            Fault { kill: false, kind: Some(Kind::Rename), number: 2 }
        );
        assert_eq!(fault("kill:any:7").unwrap(), Fault { kill: true, kind: None, number: 7 });
        assert!(fault("fail:rename").is_err() && fault("stop:any:1").is_err() && fault("fail:x:1").is_err());
    }
}

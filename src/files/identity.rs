//! Whether two paths are one file.

use std::fs;
use std::path::{Path, PathBuf};

/// The identity of a path: that of the file or folder itself, if it exists, whatever its spelling and links;
/// else that of its location.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Identity {
    /// Device and number of a file or folder.
    #[cfg(unix)]
    Node(u64, u64),
    /// Absolute path, links resolved as far as it exists.
    Path(PathBuf),
}

impl Identity {
    /// `None` for anything but a regular file, a folder, or a free name: devices and pipes may be both read
    /// and written, and nothing can be lost there.
    #[must_use]
    pub fn of(path: &Path) -> Option<Identity> {
        match fs::metadata(path) {
            Ok(about) if !about.is_file() && !about.is_dir() => None,
            #[cfg(unix)]
            Ok(about) => {
                use std::os::unix::fs::MetadataExt;
                Some(Identity::Node(about.dev(), about.ino()))
            }
            _ => Some(Identity::Path(resolved(path))),
        }
    }
}

/// Most dangling links that are followed.
const MOST_LINKS: usize = 16;

/// The absolute path, links resolved as far as it exists; for a dangling link, the path that writing would
/// create.
#[must_use]
pub fn resolved(path: &Path) -> PathBuf {
    let mut absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    for _ in 0..MOST_LINKS {
        let Ok(to) = fs::read_link(&absolute) else { break };
        if absolute.exists() {
            break;
        }
        absolute = absolute.parent().unwrap_or(Path::new("")).join(to);
    }
    let mut rest = Vec::new();
    let mut known: &Path = &absolute;
    loop {
        if let Ok(found) = fs::canonicalize(known) {
            return rest.iter().rev().fold(found, |path, name| path.join(name));
        }
        let (Some(parent), Some(name)) = (known.parent(), known.file_name()) else { return absolute };
        rest.push(name);
        known = parent;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn links_and_spellings_are_one_file() {
        let dir = std::env::temp_dir().join(format!("rcar-iss-identity-{}", std::process::id()));
        fs::create_dir_all(dir.join("sub")).unwrap();
        fs::write(dir.join("a"), b"a").unwrap();
        fs::hard_link(dir.join("a"), dir.join("b")).unwrap();
        std::os::unix::fs::symlink(dir.join("a"), dir.join("c")).unwrap();
        let of = |name: &str| Identity::of(&dir.join(name));
        assert!(of("a").is_some());
        assert_eq!(of("a"), of("b"));
        assert_eq!(of("a"), of("c"));
        assert_eq!(of("a"), of("sub/../a"));
        assert_eq!(of("new/x"), of("sub/../new/x"));
        assert_ne!(of("new"), of("a"));
        assert_eq!(Identity::of(Path::new("/dev/null")), None);
        std::os::unix::fs::symlink("new/x", dir.join("dangling")).unwrap();
        assert_eq!(of("dangling"), of("new/x"));
        fs::remove_dir_all(&dir).unwrap();
    }
}

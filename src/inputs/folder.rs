//! The input files of a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::{FileFault, InputError};
use crate::files::Reader;
use crate::image::{FOREIGN_EXTENSIONS, Format};

/// Files that are no input, by extension, and whether they are pictures.
type LeftOut = BTreeMap<String, (usize, bool)>;

/// Arrays and pictures of a folder, by name. Hidden files (`.DS_Store`, `._photo.jpg`) are made by the
/// operating system; they, folders and other files are skipped.
pub(super) fn members(folder: &Path, reader: &Reader) -> Result<Vec<PathBuf>, InputError> {
    let unreadable = |e: std::io::Error| InputError::of(folder, FileFault::Folder(e));
    let mut found = Vec::new();
    let mut left_out = LeftOut::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b".")) {
            tracing::info!(file = %path.display(), "hidden, passed over");
            continue;
        }
        if path.is_dir() {
            tracing::info!(folder = %path.display(), "a folder inside, passed over");
            continue;
        }
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_lowercase();
        if !is_input(&extension) {
            tracing::info!(file = %path.display(), "neither array nor picture, passed over");
            let picture = FOREIGN_EXTENSIONS.contains(&extension.as_str());
            left_out.entry(extension).or_insert((0, picture)).0 += 1;
            continue;
        }
        // A pipe would block, and was not named.
        if !path.is_file() {
            return Err(InputError::of(path, FileFault::Irregular));
        }
        found.push(path);
    }
    found.sort();
    found.iter().for_each(|file| reader.note(file));
    if found.is_empty() {
        let pictures = left_out.values().any(|(_, picture)| *picture);
        let fault = FileFault::Empty { left_out: listed(&left_out, false), pictures };
        return Err(InputError::of(folder, fault));
    }
    let pictures = listed(&left_out, true);
    if !pictures.is_empty() {
        tracing::warn!("'{}': {pictures} left out: pictures of {} are read", folder.display(), Format::NAMES);
    }
    Ok(found)
}

fn is_input(extension: &str) -> bool {
    matches!(extension, "npy" | "npz") || Format::EXTENSIONS.contains(&extension)
}

/// `3 .heic, 1 .txt`; only pictures if `pictures`.
fn listed(left_out: &LeftOut, pictures: bool) -> String {
    let wanted = left_out.iter().filter(|(_, (_, picture))| *picture || !pictures);
    let named = wanted.map(|(extension, (n, _))| {
        if extension.is_empty() { format!("{n} without extension") } else { format!("{n} .{extension}") }
    });
    named.collect::<Vec<_>>().join(", ")
}

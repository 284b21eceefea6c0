//! A folder that appears under its name as a whole.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::operation::{self, Output};
use super::{FileError, identity, write};

/// A folder that is being filled. Dropped without [`finish`](Folder::finish) it leaves what was there before.
#[derive(Debug)]
pub struct Folder {
    target: PathBuf,
    /// Where it is filled; gone once it has its name.
    beside: Option<PathBuf>,
    /// Files in it, in the order in which they were written.
    files: Vec<PathBuf>,
    /// Folders that were made for it to lie in, outer ones first.
    around: Vec<PathBuf>,
}

impl Folder {
    /// Begins a folder, and makes those that it lies in. What stands under its name is replaced at the end.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(path: &Path) -> Result<Folder, FileError> {
        let failed = FileError::at("create the folder", path);
        // Links resolved, so that renaming replaces the folder, not the link.
        let target = identity::resolved(path);
        let mut folder = Folder { beside: None, files: Vec::new(), around: Vec::new(), target };
        folder.begin().map_err(failed)?;
        Ok(folder)
    }

    fn begin(&mut self) -> io::Result<()> {
        let parents = self.target.ancestors().skip(1);
        let mut missing: Vec<PathBuf> = parents.take_while(|p| !p.is_dir()).map(Path::to_path_buf).collect();
        missing.reverse();
        for parent in missing {
            operation::create_folder(&parent)?;
            self.around.push(parent);
        }
        let beside = write::beside(&self.target)?;
        operation::create_folder(&beside)?;
        self.beside = Some(beside);
        Ok(())
    }

    /// A folder inside, to be filled by itself: what is in it gets its name with this folder. Nothing of it
    /// is removed before.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn inside(&self, name: &str) -> Result<Folder, FileError> {
        let root = self.beside.as_ref().unwrap_or(&self.target);
        Folder::create(&root.join(name))
    }

    /// Writes a file into it.
    ///
    /// # Errors
    /// There is one of this name, or the disk is full …
    pub fn file(&mut self, name: &str, bytes: &[u8]) -> Result<(), FileError> {
        let path = self.beside.as_ref().unwrap_or(&self.target).join(name);
        let shown = self.target.join(name);
        let write = || {
            if path.exists() {
                operation::remove_file(&path)?;
            }
            Output::create(&path)?.write_all(bytes)
        };
        write().map_err(FileError::at("write", &shown))?;
        self.files.push(path);
        Ok(())
    }

    /// Gives the folder its name, once all its files are on the disk. What stands there now goes, if `goes`
    /// lets it.
    ///
    /// # Errors
    /// A file cannot be brought to the disk, the folder not be renamed, or what was there may not go; then
    /// that is there again.
    pub fn finish<E: From<FileError>>(mut self, goes: impl Fn(&Path) -> Result<(), E>) -> Result<(), E> {
        let target = self.target.clone();
        let failed = |e| FileError::at("replace", &target)(e);
        let Some(beside) = self.beside.clone() else { return Ok(()) };
        self.sync(&beside).map_err(failed)?;
        let old = if target.exists() { Some(self.take_place(&beside).map_err(failed)?) } else { None };
        match &old {
            // Looked at only now: whatever came while the folder was filled is in it.
            Some(old) => {
                if let Err(stays) = goes(old) {
                    self.give_back(&beside, old).map_err(failed)?;
                    // Asked again, so that it names what stays where it is.
                    return Err(goes(&target).err().unwrap_or(stays));
                }
            }
            None => operation::rename(&beside, &target).map_err(failed)?,
        }
        self.beside = None;
        self.around.clear();
        if let Some(old) = old {
            // The new folder has its name: what is left of the old one is no reason to fail.
            let _ = operation::remove_folder(&old);
        }
        operation::sync_folder(target.parent().unwrap_or(Path::new("")));
        Ok(())
    }

    fn sync(&self, beside: &Path) -> io::Result<()> {
        for file in &self.files {
            operation::sync_file(file)?;
        }
        operation::sync_folder(beside);
        Ok(())
    }

    /// Undoes [`take_place`](Folder::take_place).
    fn give_back(&self, beside: &Path, old: &Path) -> io::Result<()> {
        if old == beside {
            return operation::exchange(old, &self.target);
        }
        operation::rename(&self.target, beside)?;
        operation::rename(old, &self.target)
    }

    /// Puts the new folder into the place of the old one, and says where that is now.
    fn take_place(&self, beside: &Path) -> io::Result<PathBuf> {
        if operation::exchange(beside, &self.target).is_ok() {
            return Ok(beside.to_path_buf());
        }
        // Where names cannot be exchanged, the old folder is moved away first, so that there is no moment
        // with half a folder under the name.
        let old = write::beside(&self.target)?;
        operation::rename(&self.target, &old)?;
        if let Err(error) = operation::rename(beside, &self.target) {
            operation::rename(&old, &self.target)?;
            return Err(error);
        }
        Ok(old)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Some(beside) = self.beside.take() {
            // Nothing can be done about a folder that cannot be removed.
            let _ = operation::remove_folder(&beside);
        }
        for folder in self.around.iter().rev() {
            let _ = operation::remove_empty_folder(folder);
        }
    }
}

//! A folder that appears under its name as a whole.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::operation::{self, Output};
use super::{FileError, identity, write};

/// A folder under construction. If it is dropped without [`finish`](Folder::finish), what was there before
/// stays.
#[derive(Debug)]
pub struct Folder {
    target: PathBuf,
    /// Temporary path; `None` after renaming.
    beside: Option<PathBuf>,
    /// Its files, in the order of writing.
    files: Vec<PathBuf>,
    /// Parent folders that were created for it, outermost first.
    around: Vec<PathBuf>,
}

impl Folder {
    /// Starts a folder, and creates its parents. An existing folder of this name is replaced at the end.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(path: &Path) -> Result<Folder, FileError> {
        let failed = FileError::at("create the folder", path);
        // Links are resolved, so that renaming replaces the folder and not the link.
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

    /// A folder inside this one, filled separately: its contents appear together with this folder. Nothing in
    /// it is removed before.
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
    /// A file of this name exists, or the disk is full …
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

    /// Renames the folder into place, once all its files are on disk. An existing folder is removed if `goes`
    /// permits.
    ///
    /// # Errors
    /// A file cannot be synced, the folder cannot be renamed, or the existing folder must stay, in which case
    /// it is restored.
    pub fn finish<E: From<FileError>>(mut self, goes: impl Fn(&Path) -> Result<(), E>) -> Result<(), E> {
        let target = self.target.clone();
        let failed = |e| FileError::at("replace", &target)(e);
        let Some(beside) = self.beside.clone() else { return Ok(()) };
        self.sync(&beside).map_err(failed)?;
        let old = if target.exists() { Some(self.take_place(&beside).map_err(failed)?) } else { None };
        match &old {
            // Checked only now, so that files written to it in the meantime are seen.
            Some(old) => {
                if let Err(stays) = goes(old) {
                    self.give_back(&beside, old).map_err(failed)?;
                    // Checked again, so that the error names the path of what stays.
                    return Err(goes(&target).err().unwrap_or(stays));
                }
            }
            None => operation::rename(&beside, &target).map_err(failed)?,
        }
        self.beside = None;
        self.around.clear();
        if let Some(old) = old {
            // The new folder is in place: failing to remove the old one is not an error.
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

    /// Replaces the old folder by the new one, and returns where the old one is now.
    fn take_place(&self, beside: &Path) -> io::Result<PathBuf> {
        if operation::exchange(beside, &self.target).is_ok() {
            return Ok(beside.to_path_buf());
        }
        // Where an atomic exchange is not possible, the old folder is moved away first, so that a
        // half-written folder never has the name.
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
            // A folder that cannot be removed stays.
            let _ = operation::remove_folder(&beside);
        }
        for folder in self.around.iter().rev() {
            let _ = operation::remove_empty_folder(folder);
        }
    }
}

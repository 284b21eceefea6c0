//! Reading a dump.

use std::path::{Component, Path, PathBuf};

use super::{DumpError, Manifest, ManifestEntry, dequantize};
use crate::document;
use crate::files::{self, FileError};
use crate::program::TensorEntry;
use crate::tensor_file::{self, TensorData};

/// A dump on disk.
#[derive(Debug, Clone)]
pub struct Dump {
    dir: PathBuf,
    /// What it holds.
    pub manifest: Manifest,
}

impl Dump {
    /// Whether a folder looks like a dump.
    #[must_use]
    pub fn is_dump(dir: &Path) -> bool {
        dir.join("manifest.json").is_file()
    }

    /// Reads the manifest of a dump.
    ///
    /// # Errors
    /// There is none, or it is damaged.
    pub fn open(dir: &Path) -> Result<Dump, DumpError> {
        let path = dir.join("manifest.json");
        let text = files::text(&path, files::read_regular(&path)?)?;
        let manifest = document::read(&text)
            .map_err(|e| FileError::at("understand", &path)(std::io::Error::other(e)))?;
        Ok(Dump { dir: dir.to_path_buf(), manifest })
    }

    /// The integers of a tensor, as they were dumped.
    ///
    /// # Errors
    /// Its file is missing or damaged, or holds another type or shape than the manifest says.
    pub fn integers(&self, entry: &ManifestEntry) -> Result<TensorData, DumpError> {
        let failed = |source| DumpError::Tensor { tensor: entry.tensor.clone(), source };
        let mut parts = Path::new(&entry.file).components();
        if !matches!((parts.next(), parts.next()), (Some(Component::Normal(name)), None) if name == entry.file.as_str())
        {
            return Err(DumpError::Elsewhere { tensor: entry.tensor.clone(), file: entry.file.clone() });
        }
        let data = tensor_file::read(&self.dir.join(&entry.file)).map_err(failed)?;
        let shape: Vec<u64> = data.shape.iter().map(|d| *d as u64).collect();
        if data.element != entry.dtype.into() || shape != entry.shape {
            return Err(DumpError::Changed { tensor: entry.tensor.clone(), file: entry.file.clone() });
        }
        Ok(data)
    }

    /// The real values of a tensor: `scale · (q − zero_point)`; floats as they are.
    ///
    /// # Errors
    /// As [`Dump::integers`].
    pub fn real(&self, entry: &ManifestEntry) -> Result<TensorData, DumpError> {
        let data = self.integers(entry)?;
        let like = TensorEntry { scale: entry.scale, zero_point: entry.zero_point, ..TensorEntry::default() };
        Ok(dequantize(&data, &like).unwrap_or(data))
    }
}

//! Converts dumps, and single arrays of integers, to files of real values.

use std::path::{Path, PathBuf};

use super::values::{NoValues, Values, stem, tensor_of_stem};
use super::{Dump, DumpError};
use crate::files::{Batch, FileError, PlaceError, Reader, is_stdout, try_folder};
use crate::program::elf::ProgramFileError;
use crate::program::{Program, TensorEntry};
use crate::tensor_file::{self, TensorFileError};

/// Why integers cannot become real values.
#[derive(Debug, thiserror::Error)]
pub enum DequantizeError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The folder cannot be written where it is asked for.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// A dump cannot be read.
    #[error(transparent)]
    Dump(#[from] DumpError),
    /// A folder cannot be listed.
    #[error("'{}': {source}", folder.display())]
    Folder {
        /// Which.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A dump does not have a requested tensor.
    #[error("'{}': {source}", folder.display())]
    In {
        /// The dump.
        folder: PathBuf,
        /// What it does not have.
        source: DumpError,
    },
    /// The folder contains no dump.
    #[error("'{}' holds no manifest.json, and no folder in it does", folder.display())]
    NoDump {
        /// The folder.
        folder: PathBuf,
    },
    /// A file is not an array, or an array cannot be written.
    #[error("'{}': {source}", path.display())]
    Array {
        /// The file.
        path: PathBuf,
        /// Why.
        source: TensorFileError,
    },
    /// The program cannot be read.
    #[error("'{}': {source}", path.display())]
    Program {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: ProgramFileError,
    },
    /// A program has no tensor whose file has this name.
    #[error("'{}' has no tensor for the file name '{stem}'", program.display())]
    NoTensor {
        /// The program's file.
        program: PathBuf,
        /// The array's file, without extension.
        stem: String,
    },
    /// Scale and zero point of a file's integers are unknown.
    #[error("no manifest.json beside '{}' says its scale and zero point", path.display())]
    NoScale {
        /// The file.
        path: PathBuf,
    },
    /// A scale is given for floats.
    #[error("'{}' holds floats, which are values already", path.display())]
    Floats {
        /// The file.
        path: PathBuf,
    },
    /// An array that has no real values.
    #[error("'{}': {source}", path.display())]
    NoValues {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: NoValues,
    },
    /// Several tensors for a file format that holds one.
    #[error("{count} tensors do not fit into one file")]
    Several {
        /// How many.
        count: usize,
    },
}

/// The source of scale and zero point for a single array. A dump contains them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Like<'a> {
    /// Scale and zero point.
    Given(f32, i32),
    /// The program in this file, which identifies a tensor by the name of its file.
    Program(&'a Path),
    /// The manifest beside the array.
    Manifest,
}

/// A file of real values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RealForm {
    /// Of one tensor.
    Npy,
    /// Of one tensor, a line for each element.
    Csv,
    /// Of any number of tensors.
    Npz,
}

impl RealForm {
    /// The format of `output`, told by its name; `None` for a folder with a file for each tensor. Standard
    /// output takes one file. `csv` decides for names without an extension.
    #[must_use]
    pub fn of(input: &Path, output: &Path, csv: bool) -> Option<RealForm> {
        let stdout = is_stdout(output);
        match output.extension().and_then(|e| e.to_str()).unwrap_or_default() {
            "npz" => Some(RealForm::Npz),
            "npy" => Some(RealForm::Npy),
            "csv" => Some(RealForm::Csv),
            _ if stdout && csv => Some(RealForm::Csv),
            _ if stdout => Some(RealForm::Npy),
            // A device, a pipe, or a file without extension.
            _ if !input.is_dir() && output.exists() && !output.is_dir() => Some(RealForm::Npy),
            _ => None,
        }
    }
}

/// Integers to be converted to real values: a dump, a folder of dumps, or one array.
#[derive(Debug)]
pub struct Dequantizer<'a> {
    /// The folder or file.
    pub path: &'a Path,
    /// For dumps, names of layers or tensors to convert; all tensors if empty.
    pub names: &'a [String],
    /// The source of the scale for a single array.
    pub like: Like<'a>,
    /// Reads the files, and records which.
    pub reader: &'a Reader,
}

impl Dequantizer<'_> {
    /// Passes the real values to `take`, dump by dump: all of them together may exceed memory.
    ///
    /// # Errors
    /// A file cannot be read, or `take` fails.
    pub fn each<E: From<DequantizeError>>(
        &self,
        mut take: impl FnMut(Vec<Values>) -> Result<(), E>,
    ) -> Result<(), E> {
        if !self.path.is_dir() {
            return take(vec![self.array()?]);
        }
        self.dumps()?.iter().try_for_each(|(dir, before)| take(self.dump(dir, before)?))
    }

    /// One file with all real values, and the names of the tensors.
    ///
    /// # Errors
    /// A file cannot be read, or the tensors do not fit the format. `output` is the name for messages.
    pub fn file(&self, output: &Path, form: RealForm) -> Result<(Vec<u8>, Vec<String>), DequantizeError> {
        let mut found = Vec::new();
        self.each(|values| {
            found.extend(values);
            Ok::<(), DequantizeError>(())
        })?;
        let bytes = match (form, found.as_slice()) {
            (RealForm::Npz, _) => tensor_file::to_npz(found.iter().map(|r| (r.stem.as_str(), &r.real)))
                .map_err(|source| DequantizeError::Array { path: output.into(), source })?,
            (RealForm::Npy | RealForm::Csv, [one]) => content(output, one, form == RealForm::Csv)?,
            (RealForm::Npy | RealForm::Csv, _) => {
                return Err(DequantizeError::Several { count: found.len() });
            }
        };
        Ok((bytes, found.into_iter().map(|r| r.tensor).collect()))
    }

    /// Writes a file for each tensor into a folder, and returns the tensors' names with it. `admit` is called
    /// with the files of a dump after it was read, before any file is written.
    ///
    /// # Errors
    /// A file cannot be read, is not admitted, or cannot be written.
    pub fn folder<E: From<DequantizeError>>(
        &self,
        folder: &Path,
        csv: bool,
        mut admit: impl FnMut(&[PathBuf]) -> Result<(), E>,
    ) -> Result<Vec<(String, PathBuf)>, E> {
        let extension = if csv { "csv" } else { "npy" };
        let mut batch = Batch::new();
        let mut written = Vec::new();
        self.each(|found| {
            let named = found.iter().map(|values| folder.join(format!("{}.{extension}", values.stem)));
            let files: Vec<PathBuf> = named.collect();
            // An input file must be reported as such, and not as a path that is no folder.
            admit(&files)?;
            try_folder(folder).map_err(DequantizeError::from)?;
            batch.folder(folder).map_err(DequantizeError::from)?;
            for (values, file) in found.into_iter().zip(files) {
                let parent = file.parent().unwrap_or(folder);
                batch.folder(parent).map_err(DequantizeError::from)?;
                batch.file(&file, &content(&file, &values, csv)?).map_err(DequantizeError::from)?;
                written.push((values.tensor, file));
            }
            Ok::<(), E>(())
        })?;
        batch.finish().map_err(DequantizeError::from)?;
        Ok(written)
    }

    /// The dumps, each with the prefix of its files' names.
    fn dumps(&self) -> Result<Vec<(PathBuf, String)>, DequantizeError> {
        if Dump::is_dump(self.path) {
            return Ok(vec![(self.path.to_path_buf(), String::new())]);
        }
        let found = Dump::below(self.path)
            .map_err(|e| DequantizeError::Folder { folder: self.path.into(), source: e.source })?;
        if found.is_empty() {
            return Err(DequantizeError::NoDump { folder: self.path.into() });
        }
        let named = |dir: PathBuf| {
            let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
            (dir, format!("{name}/"))
        };
        Ok(found.into_iter().map(named).collect())
    }

    fn dump(&self, dir: &Path, before: &str) -> Result<Vec<Values>, DequantizeError> {
        let dump = Dump::open(dir)?;
        self.reader.note(&dir.join("manifest.json"));
        dump.manifest.tensors.iter().for_each(|e| self.reader.note(&dir.join(&e.file)));
        let wanted = dump
            .named(self.names)
            .map_err(|source| DequantizeError::In { folder: dir.to_path_buf(), source })?;
        let mut found = Vec::new();
        for entry in wanted {
            let values = dump.values(entry)?;
            found.push(Values { stem: format!("{before}{}", values.stem), ..values });
        }
        Ok(found)
    }

    fn array(&self) -> Result<Values, DequantizeError> {
        let path = self.path;
        let integers = tensor_file::parse(&self.reader.read(path)?)
            .map_err(|source| DequantizeError::Array { path: path.into(), source })?;
        let stem = stem(path);
        let like = self.like(&stem)?;
        if integers.element.is_float() && matches!(self.like, Like::Given(..)) {
            return Err(DequantizeError::Floats { path: path.into() });
        }
        Values::of(&stem, integers, &like)
            .map_err(|source| DequantizeError::NoValues { path: path.into(), source })
    }

    /// The tensor that an array belongs to.
    fn like(&self, stem: &str) -> Result<TensorEntry, DequantizeError> {
        match self.like {
            Like::Given(scale, zero) => {
                let (scale, zero_point) = (Some(scale), Some(zero));
                Ok(TensorEntry { name: stem.into(), scale, zero_point, ..TensorEntry::default() })
            }
            Like::Program(path) => {
                let program = Program::from_bytes(&self.reader.read(path)?)
                    .map_err(|source| DequantizeError::Program { path: path.into(), source })?;
                let no_tensor = || DequantizeError::NoTensor { program: path.into(), stem: stem.into() };
                tensor_of_stem(&program.meta, stem).ok_or_else(no_tensor)
            }
            Like::Manifest => {
                let no_scale = || DequantizeError::NoScale { path: self.path.into() };
                let dir = self.path.parent().filter(|dir| !dir.as_os_str().is_empty());
                let dir = dir.unwrap_or(Path::new("."));
                if !Dump::is_dump(dir) {
                    return Err(no_scale());
                }
                self.reader.note(&dir.join("manifest.json"));
                let file = self.path.file_name().unwrap_or_default().to_string_lossy();
                Dump::open(dir)?.tensor_of(&file).ok_or_else(no_scale)
            }
        }
    }
}

fn content(path: &Path, values: &Values, csv: bool) -> Result<Vec<u8>, DequantizeError> {
    if csv {
        return Ok(values.csv().into_bytes());
    }
    values.npy().map_err(|source| DequantizeError::Array { path: path.into(), source })
}

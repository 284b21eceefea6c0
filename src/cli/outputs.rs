//! The outputs of all runs as files.

use std::path::Path;

use super::places;
use crate::dump::Dump;
use crate::explain::Failure;
use crate::files::Batch;
use crate::outputs;
use crate::program::Meta;
use crate::tensor_file;

/// Declares the files that [`write`] will write, and tries whether it can.
pub(super) fn declare(dir: &Path, meta: &Meta) -> Result<(), Failure> {
    places::is_folder("--output", dir)?;
    if Dump::is_dump(dir) {
        return Err(Failure::usage(format!("--output {}", dir.display()))
            .why(&"the folder holds a dump, whose files would not be what it says any more")
            .help("choose another folder"));
    }
    places::writes_in_folder("--output", dir)?;
    for (_, stem) in outputs::named(meta) {
        places::writes_in_folder("--output", &dir.join(format!("{stem}.npy")))?;
    }
    places::try_folder(dir)
}

/// Writes every output, those of all runs stacked along the first axis, as `DIR/NAME.npy`; returns the file names.
pub(super) fn write(dir: &Path, meta: &Meta, runs: &[Vec<Vec<u8>>]) -> Result<Vec<String>, Failure> {
    let mut written = Batch::new();
    written.folder(dir)?;
    let mut names = Vec::new();
    for (i, (tensor, stem)) in outputs::named(meta).enumerate() {
        let of_runs: Vec<&[u8]> = runs.iter().map(|outputs| outputs[i].as_slice()).collect();
        let (file, array) = (format!("{stem}.npy"), outputs::stacked(tensor, &of_runs));
        let path = dir.join(&file);
        written.file(&path, &tensor_file::to_npy(&array).map_err(|e| Failure::tensor(&path, e))?)?;
        names.push(file);
    }
    written.finish()?;
    Ok(names)
}

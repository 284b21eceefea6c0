//! The contents of an input file, told by its first bytes.

use std::path::Path;

use super::error::{FileFault, InputError};
use super::ports::Port;
use crate::files::Reader;
use crate::image::{self, Format};
use crate::tensor_file::{self, Npz, TensorData, file_name};

/// The content of a file for one input.
pub(super) enum Content {
    /// The encoded bytes of a picture.
    Picture(Vec<u8>),
    /// An array; for an archive the one for the input.
    Array(TensorData),
}

/// Reads a file for an input.
pub(super) fn of(path: &Path, port: &Port, reader: &Reader) -> Result<Content, InputError> {
    let bytes = reader.read(path)?;
    if image::is_image(&bytes) {
        return Ok(Content::Picture(bytes));
    }
    let name = &port.tensor.name;
    if !is_array(&bytes) {
        let wanted = Some(Box::new((name.clone(), port.takes())));
        return Err(InputError::of(path, FileFault::Foreign { what: described(path, &bytes), wanted }));
    }
    let stem = file_name(name);
    array(path, bytes, &[name, &stem, "x"]).map(Content::Array)
}

fn is_array(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x93NUMPY") || Npz::is_npz(bytes)
}

/// What an unusable file is, and what its name suggests.
fn described(path: &Path, bytes: &[u8]) -> String {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_lowercase();
    let called =
        if Format::EXTENSIONS.contains(&extension.as_str()) || matches!(extension.as_str(), "npy" | "npz") {
            format!("no .{extension} file in spite of its name: ")
        } else {
            "neither a picture that is read nor a .npy or .npz file: ".into()
        };
    let what = match image::foreign(bytes) {
        Some(what) => format!("it is {what}"),
        None => {
            let begin: String = bytes.iter().take(8).map(|b| b.escape_ascii().to_string()).collect();
            format!("its {} bytes begin with \"{begin}\"", bytes.len())
        }
    };
    format!("{called}{what}")
}

/// The array of a `.npy` file; of an `.npz` the only one, or the first with one of these names.
pub(super) fn array(path: &Path, bytes: Vec<u8>, names: &[&str]) -> Result<TensorData, InputError> {
    let refused = |e| InputError::array(path, e);
    if !is_array(&bytes) {
        let fault = FileFault::Foreign { what: described(path, &bytes), wanted: None };
        return Err(InputError::of(path, fault));
    }
    if !Npz::is_npz(&bytes) {
        return tensor_file::parse(&bytes).map_err(refused);
    }
    let mut archive = Npz::open(bytes).map_err(refused)?;
    let held = archive.names();
    let found = match held.as_slice() {
        [only] => Some(only),
        _ => names.iter().find_map(|n| held.iter().find(|h| h == n)),
    };
    match found {
        Some(name) => archive.array(name).map_err(refused),
        None => {
            let wanted = names.first().copied().unwrap_or_default().into();
            Err(InputError::of(path, FileFault::NoArray { wanted, held }))
        }
    }
}

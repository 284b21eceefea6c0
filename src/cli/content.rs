//! What a file given as an input holds, told by its first bytes.

use std::path::Path;

use super::given;
use crate::dump::file_name;
use crate::explain::Failure;
use crate::explain::nearest;
use crate::image::{self, Format};
use crate::program::TensorEntry;
use crate::readable;
use crate::tensor_file::{self, Element, Npz, TensorData};

/// The content of a file for one input.
pub(super) enum Content {
    /// The bytes of a picture's file.
    Picture(Vec<u8>),
    /// An array, of an archive the one that is meant.
    Array(TensorData),
}

/// Reads a file for an input.
pub(super) fn of(path: &Path, tensor: &TensorEntry) -> Result<Content, Failure> {
    let bytes = given::read(path)?;
    if image::is_image(&bytes) {
        return Ok(Content::Picture(bytes));
    }
    if !is_array(&bytes) {
        return Err(neither(path, &bytes).help(format!(
            "input '{}' takes {}; pictures may be {}",
            tensor.name,
            expects(tensor),
            Format::NAMES
        )));
    }
    let stem = file_name(&tensor.name);
    array(path, bytes, &[&tensor.name, &stem, "x"]).map(Content::Array)
}

/// What an input takes, for messages.
pub(super) fn expects(tensor: &TensorEntry) -> String {
    let numpy = Element::from(tensor.dtype).numpy_name();
    let picture = if tensor.preprocess.is_some() { ", or a picture" } else { "" };
    format!("a .npy of {numpy} {}{picture}", readable::shape(&tensor.shape))
}

fn is_array(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x93NUMPY") || Npz::is_npz(bytes)
}

/// A file that can be no input: what it is, against what its name says.
fn neither(path: &Path, bytes: &[u8]) -> Failure {
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
    Failure::file(path, &format!("{called}{what}"))
}

/// The array of a `.npy` file; of an `.npz` the only one, or the first that has one of these names.
pub(super) fn array(path: &Path, bytes: Vec<u8>, names: &[&str]) -> Result<TensorData, Failure> {
    let refused = |e| Failure::tensor(path, e);
    if !is_array(&bytes) {
        return Err(neither(path, &bytes));
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
            let wanted = names.first().copied().unwrap_or_default();
            let why = format!("it holds {}, none of them named {wanted}", held.join(", "));
            let failure = Failure::file(path, &why);
            Err(match nearest::question(wanted, held.iter().map(String::as_str)) {
                Some(question) => failure.help(question),
                None => failure,
            })
        }
    }
}

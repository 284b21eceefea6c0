//! The sidecar of an ONNX file: preprocessing of pictures and class names, which ONNX does not store. It is a
//! TOML file beside the model, `<model>.toml` or `model.toml`:
//!
//! ```toml
//! classes = "classes.json"    # a list of names, or an object from number to name; or the list itself, ["cat", "dog"]
//!
//! [input.data]                # by input name
//! mean = [123.7, 116.3, 103.5]  # one per channel, or one number; of values 0…255
//! std = [58.4, 57.1, 57.4]
//! resize = 256                # short side before the centre crop; without it: straight to H x W
//! bgr = false
//! ```
//!
//! `labels`, the older name of `classes`, is read as well, so that no file loses its names; both at once are
//! refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::classes;
use super::error::{FileFault, InputError};
use crate::files::{self, Reader};
use crate::program::Preprocess;

/// The contents of a sidecar, with class names resolved.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sidecar {
    /// The file, if there is one.
    pub path: Option<PathBuf>,
    /// How pictures become inputs, by input.
    pub preprocess: BTreeMap<String, Preprocess>,
    /// Names of the classes.
    pub classes: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    classes: Option<Names>,
    #[serde(default)]
    labels: Option<Names>,
    #[serde(default)]
    input: BTreeMap<String, Input>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Names {
    File(PathBuf),
    List(Vec<String>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    mean: Values,
    std: Values,
    #[serde(default)]
    resize: Option<u32>,
    #[serde(default)]
    bgr: bool,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Values {
    One(f32),
    Many(Vec<f32>),
}

impl Values {
    fn list(self) -> Vec<f32> {
        match self {
            Values::One(v) => vec![v],
            Values::Many(v) => v,
        }
    }
}

impl Sidecar {
    /// The sidecar of a model; empty if there is none.
    ///
    /// # Errors
    /// There is one that cannot be used.
    pub fn beside(model: &Path, reader: &Reader) -> Result<Sidecar, InputError> {
        if files::is_stdin(model) {
            return Ok(Sidecar::default());
        }
        let beside = [model.with_extension("toml"), model.with_file_name("model.toml")];
        match beside.into_iter().find(|p| p.is_file()) {
            Some(path) => {
                let text = text(&path, reader)?;
                Sidecar::parse(path, &text, reader)
            }
            None => Ok(Sidecar::default()),
        }
    }

    /// The sidecar of a model; empty if there is none, or if the file is not a sidecar, which is logged:
    /// `model.toml` may belong to another program, and arrays do not need it. Pictures do: see
    /// [`Sidecar::beside`].
    ///
    /// # Errors
    /// It cannot be read.
    pub fn find(model: &Path, reader: &Reader) -> Result<Sidecar, InputError> {
        match Sidecar::beside(model, reader) {
            Err(error) if is_foreign(&error) => {
                tracing::warn!("{error}; pictures and class names do without it");
                Ok(Sidecar::default())
            }
            read => read,
        }
    }

    /// Parses a text; `path` is its file, for messages.
    ///
    /// # Errors
    /// It is not a sidecar, or names a file of class names that cannot be used.
    pub fn parse(path: PathBuf, text: &str, reader: &Reader) -> Result<Sidecar, InputError> {
        let wrong = |line, reason: String| InputError::of(&path, FileFault::Sidecar { line, reason });
        let file: File = toml::from_str(text).map_err(|e| {
            let before = e.span().map_or(0, |s| text[..s.start.min(text.len())].matches('\n').count());
            wrong(before + 1, e.message().into())
        })?;
        let names = match (file.classes, file.labels) {
            (Some(_), Some(_)) => {
                let line = text.lines().position(|l| l.trim_start().starts_with("labels")).unwrap_or(0) + 1;
                return Err(wrong(line, "`labels` is the older name of `classes`: write one of them".into()));
            }
            (names, older) => names.or(older),
        };
        let classes = match names {
            Some(Names::File(name)) => {
                let path = path.with_file_name(name);
                classes::parse(&path, &self::text(&path, reader)?)?
            }
            Some(Names::List(names)) => names,
            None => Vec::new(),
        };
        let preprocess = file.input.into_iter().map(|(name, i)| {
            (name, Preprocess { resize: i.resize, mean: i.mean.list(), std: i.std.list(), bgr: i.bgr })
        });
        Ok(Sidecar { preprocess: preprocess.collect(), classes, path: Some(path) })
    }

    /// The part for these inputs, and the names of other inputs: it may belong to another model.
    #[must_use]
    pub fn about(mut self, inputs: &[&str]) -> (Sidecar, Vec<String>) {
        let strange: Vec<String> =
            self.preprocess.keys().filter(|name| !inputs.contains(&name.as_str())).cloned().collect();
        self.preprocess.retain(|name, _| inputs.contains(&name.as_str()));
        (self, strange)
    }
}

/// Whether a file exists with other contents; it may belong to another program.
fn is_foreign(error: &InputError) -> bool {
    use std::io::ErrorKind::{InvalidData, NotFound};
    match error {
        InputError::In { .. } => true,
        // For a file of class names, or one that is not text.
        InputError::File(file) => matches!(file.source.kind(), InvalidData | NotFound),
        _ => false,
    }
}

/// The text of a file that the user did not name.
fn text(path: &Path, reader: &Reader) -> Result<String, InputError> {
    Ok(files::text(path, reader.read_regular(path)?)?)
}

/// A name as a TOML key.
#[must_use]
pub fn key(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(plain) {
        name.into()
    } else {
        toml::Value::from(name).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Result<Sidecar, String> {
        Sidecar::parse("m.toml".into(), text, &Reader::new()).map_err(|e| e.to_string())
    }

    #[test]
    fn one_number_or_one_per_channel() {
        let how = &said("[input.x]\nmean = 127\nstd = [1.0, 2.0]\nresize = 8").unwrap().preprocess["x"];
        assert_eq!((&how.mean[..], &how.std[..]), (&[127.0][..], &[1.0, 2.0][..]));
        assert!(said("[input.x]\nmean = 1\nstd = 1\nscale = 2").is_err());
    }

    #[test]
    fn the_older_name_of_classes_is_read_too() {
        for key in ["classes", "labels"] {
            assert_eq!(said(&format!("{key} = [\"cat\", \"dog\"]")).unwrap().classes, ["cat", "dog"]);
        }
        let both = said("classes = [\"cat\"]\nlabels = [\"dog\"]").unwrap_err();
        assert!(both.contains("line 2") && both.contains("older name"), "{both}");
    }
}

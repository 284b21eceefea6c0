//! What an ONNX file does not say: how pictures become inputs, and what the classes are called. It stands in a TOML
//! file beside the model, `<model>.toml` or `model.toml`:
//!
//! ```toml
//! labels = "labels.json"      # a list of names, or an object from number to name; or the list itself, ["cat", "dog"]
//!
//! [input.data]                # by input name
//! mean = [123.7, 116.3, 103.5]  # one per channel, or one number; of values 0…255
//! std = [58.4, 57.1, 57.4]
//! resize = 256                # short side before the centre crop; without it: straight to H x W
//! bgr = false
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{given, places};
use crate::explain::Failure;
use crate::explain::nearest;
use crate::files;
use crate::program::Preprocess;

/// What a sidecar says, labels read.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Sidecar {
    /// The file, if there is one.
    pub(super) path: Option<PathBuf>,
    pub(super) preprocess: BTreeMap<String, Preprocess>,
    pub(super) labels: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    labels: Option<Labels>,
    #[serde(default)]
    input: BTreeMap<String, Input>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Labels {
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
    /// What it says about these inputs. Others are reported: it may be that of another model.
    pub(super) fn about(mut self, inputs: &[&str]) -> Sidecar {
        let file = self.path.clone().unwrap_or_default();
        self.preprocess.retain(|name, _| {
            let known = inputs.contains(&name.as_str());
            if !known {
                let like = nearest::question(name, inputs.iter().copied());
                let hint = like.map_or_else(String::new, |q| format!(" ({q})"));
                let file = file.display();
                let all = inputs.join(", ");
                tracing::warn!("'{file}' describes input '{name}'{hint}; the model's inputs are {all}");
            }
            known
        });
        self
    }
}

/// Why a sidecar does not serve.
#[derive(Debug)]
enum Trouble {
    /// It cannot be read, or may not.
    Unreadable(Failure),
    /// It says something else; perhaps it is another program's.
    Foreign(Failure),
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Failure {
        match trouble {
            Trouble::Unreadable(failure) | Trouble::Foreign(failure) => failure,
        }
    }
}

/// The sidecar of a model; empty if there is none, or if it is no sidecar, which is reported: `model.toml` may be another
/// program's, and arrays do not need it. Pictures do: see [`read_beside`].
///
/// # Errors
/// It is an output of this command, or cannot be read.
pub(super) fn find(model: &Path) -> Result<Sidecar, Failure> {
    match beside(model) {
        Err(Trouble::Foreign(failure)) => {
            tracing::warn!("{}; pictures and class names do without it", failure.text());
            Ok(Sidecar::default())
        }
        read => Ok(read?),
    }
}

/// The sidecar of a model; empty if there is none.
///
/// # Errors
/// There is one that cannot be used.
pub(super) fn read_beside(model: &Path) -> Result<Sidecar, Failure> {
    Ok(beside(model)?)
}

fn beside(model: &Path) -> Result<Sidecar, Trouble> {
    if given::is_stdin(model) {
        return Ok(Sidecar::default());
    }
    let beside = [model.with_extension("toml"), model.with_file_name("model.toml")];
    match beside.into_iter().find(|p| p.is_file()) {
        Some(path) => {
            let text = text(&path)?;
            parse(path, &text)
        }
        None => Ok(Sidecar::default()),
    }
}

/// The text of a file that nobody named on the command line.
fn text(path: &Path) -> Result<String, Trouble> {
    places::reads(path).map_err(Trouble::Unreadable)?;
    let bytes = files::read_regular(path).map_err(|e| {
        let missing = e.source.kind() == std::io::ErrorKind::NotFound;
        if missing { Trouble::Foreign(e.into()) } else { Trouble::Unreadable(e.into()) }
    })?;
    files::text(path, bytes).map_err(|e| Trouble::Foreign(e.into()))
}

/// What a text says; `path` is where it stands.
///
/// # Errors
/// It is no sidecar, or names labels that are none.
pub(super) fn said(path: &Path, text: &str) -> Result<Sidecar, Failure> {
    Ok(parse(path.to_path_buf(), text)?)
}

/// A name as a key in TOML.
pub(super) fn key(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(plain) {
        name.into()
    } else {
        toml::Value::from(name).to_string()
    }
}

fn parse(path: PathBuf, text: &str) -> Result<Sidecar, Trouble> {
    let file: File = toml::from_str(text).map_err(|e| {
        let line = e.span().map_or(0, |s| text[..s.start.min(text.len())].matches('\n').count()) + 1;
        let why = format!("no description of a model's inputs: line {line}: {}", e.message());
        Trouble::Foreign(Failure::file(&path, &why))
    })?;
    let labels = match file.labels {
        Some(Labels::File(name)) => {
            let path = path.with_file_name(name);
            labels_in(&path, &self::text(&path)?).map_err(Trouble::Foreign)?
        }
        Some(Labels::List(names)) => names,
        None => Vec::new(),
    };
    let preprocess = file.input.into_iter().map(|(name, i)| {
        (name, Preprocess { resize: i.resize, mean: i.mean.list(), std: i.std.list(), bgr: i.bgr })
    });
    Ok(Sidecar { preprocess: preprocess.collect(), labels, path: Some(path) })
}

/// Class names: a JSON list, or an object from class number to name.
pub(super) fn labels(path: &Path) -> Result<Vec<String>, Failure> {
    labels_in(path, &given::read_text(path)?)
}

fn labels_in(path: &Path, text: &str) -> Result<Vec<String>, Failure> {
    if let Ok(list) = serde_json::from_str::<Vec<String>>(text) {
        return Ok(list);
    }
    let wrong = |why: &str| {
        Failure::file(path, &why)
            .help("labels are a JSON list of names, or an object from class number to name")
    };
    let by_number: BTreeMap<usize, String> =
        serde_json::from_str(text).map_err(|e| wrong(&format!("not a list of class names: {e}")))?;
    if by_number.keys().copied().ne(0..by_number.len()) {
        return Err(wrong("class numbers must run from 0 without gaps"));
    }
    Ok(by_number.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_or_one_per_channel() {
        let file: File = toml::from_str("[input.x]\nmean = 127\nstd = [1.0, 2.0]\nresize = 8").unwrap();
        let input = file.input.into_iter().next().unwrap().1;
        assert_eq!((input.mean.list(), input.std.list()), (vec![127.0], vec![1.0, 2.0]));
        assert!(toml::from_str::<File>("[input.x]\nmean = 1\nstd = 1\nscale = 2").is_err());
    }
}

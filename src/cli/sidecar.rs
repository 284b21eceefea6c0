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

use super::failure::{Failure, USAGE};
use super::{given, nearest, places};
use crate::files::{self, Batch};
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

/// The sidecar of a model; empty if there is none, or if it cannot be used, which is reported: `model.toml` may be another
/// program's, and arrays do not need it. Pictures do: see [`read_beside`].
///
/// # Errors
/// It is an output of this command.
pub(super) fn find(model: &Path) -> Result<Sidecar, Failure> {
    match read_beside(model) {
        Err(failure) if failure.status != USAGE => {
            tracing::warn!("{}; pictures and class names do without it", failure.text());
            Ok(Sidecar::default())
        }
        read => read,
    }
}

/// The sidecar of a model; empty if there is none.
///
/// # Errors
/// There is one that cannot be used.
pub(super) fn read_beside(model: &Path) -> Result<Sidecar, Failure> {
    if given::is_stdin(model) {
        return Ok(Sidecar::default());
    }
    let beside = [model.with_extension("toml"), model.with_file_name("model.toml")];
    match beside.into_iter().find(|p| p.is_file()) {
        Some(path) => read(path),
        None => Ok(Sidecar::default()),
    }
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

fn read(path: PathBuf) -> Result<Sidecar, Failure> {
    places::reads(&path)?;
    let text = files::text(&path, files::read_regular(&path)?)?;
    parse(path, &text)
}

fn parse(path: PathBuf, text: &str) -> Result<Sidecar, Failure> {
    let file: File = toml::from_str(text).map_err(|e| {
        let line = e.span().map_or(0, |s| text[..s.start.min(text.len())].matches('\n').count()) + 1;
        Failure::file(&path, &format!("no description of a model's inputs: line {line}: {}", e.message()))
    })?;
    let labels = match file.labels {
        Some(Labels::File(name)) => {
            let path = path.with_file_name(name);
            places::reads(&path)?;
            labels_in(&path, &files::text(&path, files::read_regular(&path)?)?)?
        }
        Some(Labels::List(names)) => names,
        None => Vec::new(),
    };
    let preprocess = file.input.into_iter().map(|(name, i)| {
        (name, Preprocess { resize: i.resize, mean: i.mean.list(), std: i.std.list(), bgr: i.bgr })
    });
    Ok(Sidecar { preprocess: preprocess.collect(), labels, path: Some(path) })
}

/// What becomes of the sidecar beside a model that is written.
#[derive(Debug, Default)]
pub(super) struct Planned {
    /// Where it lies.
    path: PathBuf,
    /// What it will say; none if there is nothing to say.
    text: Option<String>,
    /// One is there, which was written by this tool and belongs to the model that lies there now.
    stale: bool,
}

/// How the line begins that this tool writes above a sidecar; the digest of what stands below it follows.
const WRITTEN: &str = "# Written by rcar-iss with the model; ";

/// Plans the sidecar of `output`, so that the pictures that it was calibrated with, and the classes of the float model, are
/// said beside it. What a user wrote there stays, if it agrees.
///
/// # Errors
/// A user's file that does not agree stands in its place.
pub(super) fn plan<'a>(
    float: &Path,
    output: &Path,
    preprocess: impl Iterator<Item = (&'a str, &'a Preprocess)>,
) -> Result<Planned, Failure> {
    let path = output.with_extension("toml");
    let wanted: BTreeMap<String, Preprocess> = preprocess.map(|(n, p)| (n.to_string(), p.clone())).collect();
    // That it cannot be used has been said where the inputs were found.
    let labels = read_beside(float).unwrap_or_default().labels;
    let here = if path.is_file() { Some(files::text(&path, files::read_regular(&path)?)?) } else { None };
    let stale = here.as_deref().is_some_and(is_ours);
    let kept = Planned { path: path.clone(), text: None, stale: false };
    if wanted.is_empty() {
        return Ok(Planned { stale, ..kept });
    }
    if let Some(text) = here.filter(|_| !stale) {
        let odd = |why: &dyn std::fmt::Display| {
            Failure::usage(format!("--output {}: '{}' stands beside it", output.display(), path.display()))
                .why(&why)
                .help("choose another output, or move that file away")
        };
        let said = parse(path.clone(), &text).map_err(|f| odd(&f.text()))?;
        if said.preprocess != wanted {
            return Err(odd(&"it says other preprocessing of pictures than the calibration uses"));
        }
        return Ok(kept);
    }
    if !stale
        && let Ok(general) = read_beside(output)
        && general.preprocess == wanted
        && general.labels == labels
    {
        return Ok(kept);
    }
    Ok(Planned { path, text: Some(written(&wanted, &labels)), stale })
}

fn is_ours(text: &str) -> bool {
    let line = text.split_once('\n');
    line.is_some_and(|(first, rest)| first.starts_with(WRITTEN) && first.contains(&digest(rest)))
}

fn digest(text: &str) -> String {
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(text.as_bytes()))
}

fn written(preprocess: &BTreeMap<String, Preprocess>, labels: &[String]) -> String {
    // f32 → shortest text → f64, so that 0.1 stays 0.1.
    let value = |v: &f32| toml::Value::Float(v.to_string().parse().unwrap_or(f64::from(*v)));
    let list = |values: &[f32]| -> toml::Value { values.iter().map(value).collect::<Vec<_>>().into() };
    let mut inputs = toml::Table::new();
    for (name, how) in preprocess {
        let mut table = toml::Table::new();
        table.insert("mean".into(), list(&how.mean));
        table.insert("std".into(), list(&how.std));
        if let Some(resize) = how.resize {
            table.insert("resize".into(), i64::from(resize).into());
        }
        if how.bgr {
            table.insert("bgr".into(), true.into());
        }
        inputs.insert(name.clone(), table.into());
    }
    let mut whole = toml::Table::new();
    if !labels.is_empty() {
        whole.insert("labels".into(), labels.to_vec().into());
    }
    whole.insert("input".into(), inputs.into());
    let body = whole.to_string();
    format!("{WRITTEN}replaced with it unless changed by hand ({})\n{body}", digest(&body))
}

impl Planned {
    /// Declares the file.
    pub(super) fn declare(&self) -> Result<(), Failure> {
        if self.text.is_some() || self.stale { places::writes("the sidecar", &self.path) } else { Ok(()) }
    }

    /// Takes a sidecar away that will not belong to the model: to be called before the model gets its name.
    pub(super) fn before(&self, batch: &mut Batch) {
        if self.stale {
            batch.remove(&self.path);
        }
    }

    /// Writes the new one: after the model, so that a process that is killed leaves no pair that does not belong together.
    /// Gives its path, if there is one.
    pub(super) fn after(&self, batch: &mut Batch) -> Result<Option<&Path>, Failure> {
        let Some(text) = &self.text else { return Ok(None) };
        batch.file(&self.path, text.as_bytes())?;
        Ok(Some(&self.path))
    }
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

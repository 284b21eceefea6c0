//! The sidecar of a model that is written: the preprocessing of its calibration pictures, and the classes of
//! the float model.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::InputError;
use super::sidecar::Sidecar;
use crate::files::{self, Batch, FileError, Reader};
use crate::program::Preprocess;

/// The planned change of the sidecar beside a model that is written.
#[derive(Debug, Clone, Default)]
pub struct NextSidecar {
    /// Its path.
    path: PathBuf,
    /// Its text; `None` if there is nothing to write.
    text: Option<String>,
    /// Whether a sidecar exists that this tool wrote for the model that is replaced.
    stale: bool,
}

impl NextSidecar {
    /// Plans the sidecar of `output` with the preprocessing of the calibration and the classes of the float
    /// model. A sidecar that a user wrote stays, if it agrees.
    ///
    /// # Errors
    /// A user's sidecar exists that does not agree.
    pub fn plan(
        float: &Path,
        output: &Path,
        wanted: &BTreeMap<String, Preprocess>,
        reader: &Reader,
    ) -> Result<NextSidecar, InputError> {
        let path = output.with_extension("toml");
        let model = output.file_name().unwrap_or_default().to_string_lossy();
        // That the float model's sidecar cannot be used was reported when the inputs were read.
        let classes = Sidecar::beside(float, reader).unwrap_or_default().classes;
        // A symbolic link leads to a file that is not ours.
        let link = std::fs::symlink_metadata(&path).is_ok_and(|about| about.is_symlink());
        let here = if path.is_file() { Some(files::read_regular(&path)?) } else { None };
        let here = here.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let stale = !link && here.as_deref().is_some_and(|text| is_ours(text, &model));
        let kept = NextSidecar { path: path.clone(), text: None, stale: false };
        if wanted.is_empty() {
            if stale {
                tracing::warn!(
                    "'{}' goes with the model that it was written with: nothing says how pictures become inputs of this one",
                    path.display()
                );
            } else if here.is_some() {
                tracing::warn!(
                    "'{}' stays beside the model: whether it belongs to it cannot be told without calibration pictures",
                    path.display()
                );
            }
            return Ok(NextSidecar { stale, ..kept });
        }
        if let Some(text) = here.filter(|_| !stale) {
            let odd = |why: String| InputError::Occupied { model: output.into(), path: path.clone(), why };
            let said = Sidecar::parse(path.clone(), &text, reader).map_err(|e| odd(e.to_string()))?;
            if said.preprocess != *wanted {
                return Err(odd("it says other preprocessing of pictures than the calibration uses".into()));
            }
            return Ok(kept);
        }
        if !stale
            && let Ok(general) = Sidecar::beside(output, reader)
            && general.preprocess == *wanted
            && general.classes == classes
        {
            return Ok(kept);
        }
        Ok(NextSidecar { path, text: Some(written(wanted, &classes, &model)), stale })
    }

    /// The file that will be written or removed.
    #[must_use]
    pub fn changes(&self) -> Option<&Path> {
        (self.text.is_some() || self.stale).then_some(self.path.as_path())
    }

    /// Removes a sidecar that will not fit the new model; must be called before the model is renamed into
    /// place.
    pub fn before(&self, batch: &mut Batch) {
        if self.stale {
            batch.remove(&self.path);
        }
    }

    /// Writes the new sidecar, after the model, so that a killed process leaves no pair that does not fit.
    /// Returns its path, if there is one.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn after(&self, batch: &mut Batch) -> Result<Option<&Path>, FileError> {
        let Some(text) = &self.text else { return Ok(None) };
        batch.file(&self.path, text.as_bytes())?;
        Ok(Some(&self.path))
    }
}

/// Whether this tool wrote a text for a model of this name, and it is unchanged.
fn is_ours(text: &str, model: &str) -> bool {
    text.split_once('\n').is_some_and(|(first, rest)| first == head(model, rest))
}

/// The first line of a sidecar that this tool writes.
fn head(model: &str, rest: &str) -> String {
    format!(
        "# Written by rcar-iss with {model:?}, and replaced with it unless changed by hand ({})",
        digest(rest)
    )
}

fn digest(text: &str) -> String {
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(text.as_bytes()))
}

fn written(preprocess: &BTreeMap<String, Preprocess>, classes: &[String], model: &str) -> String {
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
    if !classes.is_empty() {
        whole.insert("classes".into(), classes.to_vec().into());
    }
    whole.insert("input".into(), inputs.into());
    let body = whole.to_string();
    format!("{}\n{body}", head(model, &body))
}

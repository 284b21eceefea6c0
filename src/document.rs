//! The envelope of every JSON document of this tool: its kind, version and the program that wrote it.
//!
//! `docs/book/src/reference/json.md` says what users can rely on; `docs/schemas/` has the JSON Schema of
//! every kind, made from the Rust types.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};
use serde_json::Value;

/// Prefix of every kind.
const PREFIX: &str = "rcar-iss";

/// A type whose values are documents of a kind.
pub trait Kind {
    /// The name in `"schema": "rcar-iss/NAME/VERSION"`.
    const KIND: &'static str;
    /// Incremented when something is removed or changes its meaning; not when a field is added.
    const VERSION: u32 = 1;
}

/// `rcar-iss/NAME/VERSION`.
#[must_use]
pub fn name<T: Kind>() -> String {
    format!("{PREFIX}/{}/{}", T::KIND, T::VERSION)
}

/// The program that wrote a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Tool {
    /// `rcar-iss`.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

/// This program.
pub const TOOL: Tool = Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") };

/// The envelope.
#[derive(Serialize)]
struct Document<'a, T> {
    schema: String,
    tool: Tool,
    #[serde(flatten)]
    content: &'a T,
}

impl<T: Kind> Document<'_, T> {
    fn of(content: &T) -> Document<'_, T> {
        Document { schema: name::<T>(), tool: TOOL, content }
    }
}

/// A document, indented, ending in a new line.
#[must_use]
pub fn pretty<T: Kind + Serialize>(content: &T) -> String {
    // Strings, numbers and maps by strings always have a JSON form.
    serde_json::to_string_pretty(&Document::of(content)).unwrap_or_default() + "\n"
}

/// A document in one line, ending in a new line.
#[must_use]
pub fn line<T: Kind + Serialize>(content: &T) -> String {
    serde_json::to_string(&Document::of(content)).unwrap_or_default() + "\n"
}

/// A path in a document, as text; bytes that are not UTF-8 are replaced.
///
/// # Errors
/// Those of the serializer.
pub fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// Why a document cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It is not JSON, or its content does not have its kind's form.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// It is of another kind, or of a version that this build does not read.
    #[error("it is a document '{found}', '{wanted}' is needed")]
    Kind {
        /// The kind and version that it has.
        found: String,
        /// The kind and version that were expected.
        wanted: String,
    },
}

/// Reads a document. One without `schema` was written before documents had it, and counts as version 1.
///
/// # Errors
/// See [`DocumentError`].
pub fn read<T: Kind + DeserializeOwned>(text: &str) -> Result<T, DocumentError> {
    let mut value: Value = serde_json::from_str(text)?;
    if let Some(object) = value.as_object_mut() {
        object.remove("tool");
        match object.remove("schema") {
            Some(found) if found != name::<T>() => {
                let found = found.as_str().map_or_else(|| found.to_string(), str::to_string);
                return Err(DocumentError::Kind { found, wanted: name::<T>() });
            }
            _ => {}
        }
    }
    Ok(serde_json::from_value(value)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Count {
        cycles: u64,
    }

    impl Kind for Count {
        const KIND: &'static str = "count";
        const VERSION: u32 = 2;
    }

    #[test]
    fn a_document_says_what_it_is_and_is_read_as_that_only() {
        let text = line(&Count { cycles: 7 });
        assert!(text.starts_with(r#"{"schema":"rcar-iss/count/2","tool":{"name":"rcar-iss","version":""#));
        assert_eq!(read::<Count>(&text).unwrap(), Count { cycles: 7 });
        assert_eq!(read::<Count>(r#"{"cycles": 7}"#).unwrap(), Count { cycles: 7 });
        let other = read::<Count>(&text.replace("count/2", "count/1")).unwrap_err().to_string();
        assert_eq!(other, "it is a document 'rcar-iss/count/1', 'rcar-iss/count/2' is needed");
        assert!(read::<Count>(&text.replace("cycles", "bytes")).is_err());
    }
}

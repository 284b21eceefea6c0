//! Class names.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::{FileFault, InputError};
use crate::files::Reader;

/// Reads class names from a file: a JSON list, or an object from class number to name.
///
/// # Errors
/// The file cannot be read, or has other contents.
pub fn read_classes(path: &Path, reader: &Reader) -> Result<Vec<String>, InputError> {
    parse(path, &reader.read_text(path)?)
}

/// The names in a text; `path` is its file, for messages.
pub(super) fn parse(path: &Path, text: &str) -> Result<Vec<String>, InputError> {
    if let Ok(list) = serde_json::from_str::<Vec<String>>(text) {
        return Ok(list);
    }
    let wrong = |reason: String| InputError::of(path, FileFault::Classes { reason });
    let by_number: BTreeMap<usize, String> =
        serde_json::from_str(text).map_err(|e| wrong(format!("not a list of class names: {e}")))?;
    if by_number.keys().copied().ne(0..by_number.len()) {
        return Err(wrong("class numbers must run from 0 without gaps".into()));
    }
    Ok(by_number.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_or_numbers_without_gaps() {
        let of = |text| parse(Path::new("c.json"), text);
        assert_eq!(of(r#"["cat", "dog"]"#).unwrap(), ["cat", "dog"]);
        assert_eq!(of(r#"{"1": "dog", "0": "cat"}"#).unwrap(), ["cat", "dog"]);
        assert!(of(r#"{"0": "cat", "2": "dog"}"#).unwrap_err().to_string().contains("without gaps"));
        assert!(of("7").unwrap_err().to_string().starts_with("'c.json': not a list of class names"));
    }
}

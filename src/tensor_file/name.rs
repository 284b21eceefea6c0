//! File names of tensors.

use std::collections::BTreeSet;

/// Longest stem of a file name.
const MAX_STEM: usize = 100;

/// A portable file name for a tensor name, without extension; it may also be that of another tensor.
#[must_use]
pub fn file_name(tensor: &str) -> String {
    unique_file_name(tensor, &mut BTreeSet::new())
}

/// A file name for a tensor name: letters, digits, `.`, `-` and `_`; unique among those `taken`, to which it
/// is added, even where case is ignored. A long name is cut, and its digest appended.
#[must_use]
pub fn unique_file_name(name: &str, taken: &mut BTreeSet<String>) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    let mut stem: String = name.chars().map(keep).take(MAX_STEM + 1).collect();
    if stem.len() > MAX_STEM {
        stem.truncate(MAX_STEM - 17);
        stem.push_str(&format!("~{:016x}", xxhash_rust::xxh3::xxh3_64(name.as_bytes())));
    }
    if stem.is_empty() || stem.starts_with(['.', '-']) || stem.to_lowercase() == "manifest" {
        stem.insert(0, '_');
    }
    let mut unique = stem.clone();
    let mut number = 2;
    // The name of the float file counts as taken too: tensors `a` and `a.f32` may both exist.
    while taken.contains(&unique.to_lowercase()) || taken.contains(&format!("{}.f32", unique.to_lowercase()))
    {
        unique = format!("{stem}~{number}");
        number += 1;
    }
    taken.insert(unique.to_lowercase());
    taken.insert(format!("{}.f32", unique.to_lowercase()));
    unique
}

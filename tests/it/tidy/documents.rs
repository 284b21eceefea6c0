//! Documents: the files that they name exist, and have what they are named for; worked changes and the code
//! map fit the code. Links are checked in [`book`](crate::book).

use std::collections::BTreeSet;
use std::fs;

use super::{MAY_USE, files, none};
use crate::repository::root;

/// Path and text of the documents, but for the changelog: it may name what no longer exists.
fn documents() -> impl Iterator<Item = (String, String)> {
    let names = crate::book::documents().into_iter().filter(|name| name != "CHANGELOG.md");
    names.map(|name| (name.clone(), fs::read_to_string(root().join(name)).unwrap()))
}

#[test]
fn documents_name_files_that_exist() {
    let mut wrong = Vec::new();
    for (name, text) in documents() {
        for word in text.split(['`', ' ', '\n', '|', '"', '\'']) {
            let path = word.trim_end_matches(['.', ',', ':', ';']);
            let ours =
                ["src/", "tests/", "programs/", "isa/", "benches/", "examples/", "python/", "tools/", ".ci/"]
                    .iter()
                    .any(|p| path.starts_with(p));
            if ours && !path.contains(['*', '<', '…', 'X', '{']) && !root().join(path).exists() {
                wrong.push(format!("{name}: {path}"));
            }
        }
    }
    none("documents name files that do not exist", &wrong);
}

#[test]
fn documents_name_what_files_have() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (name, text) in documents() {
        // "`what` in `src/file.rs`", maybe over the end of a line.
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for (before, after) in text.match_indices("` in `").map(|(i, m)| (&text[..i], &text[i + m.len()..])) {
            let what = before.rsplit('`').next().unwrap_or_default();
            let path = after.split('`').next().unwrap_or_default();
            let known = what.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'));
            if what.is_empty() || !known || !path.ends_with(".rs") {
                continue;
            }
            count += 1;
            let last = what.rsplit("::").next().unwrap_or_default();
            if !fs::read_to_string(root().join(path)).is_ok_and(|code| code.contains(last)) {
                wrong.push(format!("{name}: `{what}` in `{path}`"));
            }
        }
    }
    assert!(count > 10, "only {count} names are found");
    none("documents name what the file does not have", &wrong);
}

/// The places of a worked change where lines are kept or taken away, with the file that they are in.
fn hunks(text: &str) -> Vec<(usize, String, Vec<&str>)> {
    let (mut found, mut file, mut diff): (Vec<(usize, String, Vec<&str>)>, _, _) = (Vec::new(), None, false);
    for (number, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            (diff, file) = (line == "```diff", None);
        } else if let Some(path) = line.strip_prefix("--- ").filter(|_| diff) {
            // A new file need not match anything.
            file = path.strip_prefix("a/").map(str::to_string);
        } else if let (Some(place), Some(path)) = (line.strip_prefix("@@").filter(|_| diff), &file) {
            let place = place.trim();
            found.push((number + 1, path.clone(), if place.is_empty() { vec![] } else { vec![place] }));
            found.push((number + 1, path.clone(), vec![]));
        } else if diff && file.is_some() && line.starts_with([' ', '-']) {
            let (.., kept) = found.last_mut().unwrap();
            kept.push(&line[1..]);
        }
    }
    found
}

#[test]
fn worked_changes_fit_the_code() {
    let mut wrong = Vec::new();
    let mut changes = 0;
    for (name, text) in files("docs/book/src/contributing", ".md") {
        for (number, path, lines) in hunks(&text).into_iter().filter(|(_, _, lines)| !lines.is_empty()) {
            changes += 1;
            let fits = fs::read_to_string(root().join(&path)).is_ok_and(|code| {
                let code: Vec<&str> = code.lines().collect();
                // The text behind `@@` may be the beginning of a line.
                let begins = lines.len() == 1 && code.iter().any(|l| l.starts_with(lines[0]));
                begins || code.windows(lines.len()).any(|w| w == lines)
            });
            if !fits {
                wrong.push(format!("{name}:{number}: {path}: {}", lines[0].trim()));
            }
        }
    }
    assert!(changes > 40, "only {changes} places are found");
    none(
        "worked changes of the book do not fit the code any more: lines that a change keeps (' ') or takes away ('-') \
         must stand in the file as on the page; mend the page, from",
        &wrong,
    );
}

#[test]
fn architecture_is_short_and_its_code_map_is_the_list_of_this_test() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let lines = text.lines().count();
    assert!(lines <= 180, "ARCHITECTURE.md has {lines} lines, the limit is 180");
    let mut listed = BTreeSet::new();
    let mut wrong = Vec::new();
    for row in text.lines().filter(|l| l.starts_with("| `src/")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [folders, _, uses] = cells[..] else { panic!("{row}") };
        let name = |f: &str| {
            let inside = f.trim().trim_matches('`').trim_start_matches("src/");
            inside.trim_end_matches('/').trim_end_matches(".rs").to_string()
        };
        let names: BTreeSet<String> = folders.split(',').map(name).collect();
        let may = MAY_USE.iter().filter(|(f, _)| names.contains(*f)).flat_map(|(_, uses)| *uses);
        let may: BTreeSet<&str> = may.copied().filter(|u| !names.contains(*u)).collect();
        let said: BTreeSet<&str> = uses.split(", ").filter(|u| !u.is_empty()).collect();
        if uses != "all" && said != may {
            wrong.push(format!("{folders}: {uses}"));
        }
        listed.extend(names);
    }
    none("rows of the code map are not what MAY_USE says", &wrong);
    let known: BTreeSet<String> = MAY_USE.iter().map(|(f, _)| f.to_string()).collect();
    assert_eq!(listed, known, "the code map has a row for every folder");
}

//! The book and the documents beside it: links and anchors are valid, every page is listed, commands print
//! the output shown below them (`replay`), and those that are only named would work (`quoted`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::repository::root;

mod quoted;
mod replay;

/// Documents that are not pages of the book.
const BESIDE: [&str; 7] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "isa/MANUAL.md",
    "python/README.md",
    "programs/NOTICE.md",
];

/// Folder of the book's pages.
const PAGES: &str = "docs/book/src";

/// All pages of the book, by their path in the repository.
fn pages() -> Vec<String> {
    fn walk(dir: &Path, found: &mut Vec<String>) {
        for path in fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()) {
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "md") {
                found.push(path.strip_prefix(root()).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(PAGES), &mut found);
    found.sort();
    found
}

/// The pages, and the documents beside them.
pub(crate) fn documents() -> Vec<String> {
    BESIDE.iter().map(ToString::to_string).chain(pages()).collect()
}

fn text(document: &str) -> String {
    fs::read_to_string(root().join(document)).unwrap()
}

/// The lines outside of code blocks, with their numbers.
fn outside(text: &str) -> Vec<(usize, &str)> {
    let mut fence = None;
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let begin = line.trim_start();
        let ticks = begin.chars().take_while(|c| *c == '`').count();
        match fence {
            None if ticks >= 3 => fence = Some(ticks),
            Some(open) if ticks >= open => fence = None,
            Some(_) => {}
            None => lines.push((number + 1, line)),
        }
    }
    lines
}

/// The lines outside of code blocks, with their numbers, without code spans.
fn prose(text: &str) -> Vec<(usize, String)> {
    let bare = |line: &str| line.split('`').step_by(2).collect::<Vec<_>>().join("code");
    outside(text).into_iter().map(|(number, line)| (number, bare(line))).collect()
}

/// Targets of the links and pictures of a text, with their lines. A link may span two lines.
fn links(text: &str) -> Vec<(usize, String)> {
    let lines = prose(text);
    let mut found = Vec::new();
    for (number, line) in &lines {
        for part in line.split("](").skip(1) {
            let target = part.split(')').next().unwrap_or_default();
            found.push((*number, target.split(' ').next().unwrap_or_default().to_string()));
        }
    }
    found
}

/// The anchors that mdBook and GitHub make for the headings of a page.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut found = BTreeSet::new();
    for (_, line) in headings(text) {
        let kept = line.to_lowercase();
        let kept = kept.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let count = seen.entry(anchor.clone()).or_default();
        found.insert(if *count == 0 { anchor } else { format!("{anchor}-{count}") });
        *count += 1;
    }
    found
}

/// The headings of a text, code spans and all.
fn headings(text: &str) -> Vec<(usize, &str)> {
    let headings = outside(text).into_iter().filter(|(_, line)| line.starts_with('#'));
    headings.map(|(number, line)| (number, line.trim_start_matches('#'))).collect()
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

#[track_caller]
fn none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn links_and_anchors_lead_somewhere() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for document in documents() {
        let own = text(&document);
        let folder = Path::new(&document).parent().unwrap();
        for (line, target) in links(&own) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            checked += 1;
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let file = if path.is_empty() { PathBuf::from(&document) } else { plain(&folder.join(path)) };
            let inside = document.starts_with(PAGES);
            if !root().join(&file).exists() {
                wrong.push(format!("{document}:{line}: {target}: there is no {}", file.display()));
            } else if inside && !file.starts_with(PAGES) {
                wrong.push(format!(
                    "{document}:{line}: {target}: the built book does not have it: name it as code"
                ));
            } else if !anchor.is_empty() && !anchors(&text(&file.to_string_lossy())).contains(anchor) {
                wrong.push(format!("{document}:{line}: {target}: {} has no such heading", file.display()));
            }
        }
        for (number, line) in own.lines().enumerate() {
            let included = line.strip_prefix("{{#include ").and_then(|l| l.strip_suffix("}}"));
            if let Some(path) = included.filter(|path| !root().join(plain(&folder.join(path))).is_file()) {
                wrong.push(format!("{document}:{}: it includes {path}, which is not there", number + 1));
            }
        }
    }
    none("links that lead nowhere", &wrong);
    assert!(checked > 50, "only {checked} links are found");
}

#[test]
fn the_summary_lists_every_page_once() {
    let mut listed: Vec<String> = Vec::new();
    for (_, target) in links(&text(&format!("{PAGES}/SUMMARY.md"))) {
        listed.push(format!("{PAGES}/{target}"));
    }
    let set: BTreeSet<&String> = listed.iter().collect();
    assert_eq!(set.len(), listed.len(), "a page is listed twice");
    let all = pages();
    let there: BTreeSet<&String> = all.iter().filter(|p| !p.ends_with("/SUMMARY.md")).collect();
    let missing: Vec<String> = there.difference(&set).map(ToString::to_string).collect();
    none("pages that SUMMARY.md does not list", &missing);
    let gone: Vec<String> = set.difference(&there).map(ToString::to_string).collect();
    none("pages that SUMMARY.md lists and that are not there", &gone);
}

#[test]
fn anchors_are_made_as_readers_make_them() {
    let text = "# A `b` c?\n\n```\n# no heading\n```\n\n## 6. Let it choose\n\n## Let\n\n## Let\n";
    let made: Vec<String> = anchors(text).into_iter().collect();
    assert_eq!(made, ["6-let-it-choose", "a-b-c", "let", "let-1"]);
    let text = "see [a](b.md#c) and `[no](link)`, ![p](q.png)\n```\n[no](link)\n```\n";
    assert_eq!(links(text), [(1, "b.md#c".to_string()), (1, "q.png".to_string())]);
}

#[test]
fn the_readme_is_short() {
    let lines = text("README.md").lines().count();
    assert!(lines <= 150, "README.md has {lines} lines: what users need next goes into the book's guide");
}

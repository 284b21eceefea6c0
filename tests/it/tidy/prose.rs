//! Comments and documents: comment lines are no wider than the code, and words that were found to obscure a
//! text do not come back.

use std::collections::BTreeMap;

use super::{GENERATED, files, none, root};

/// Folders with Rust sources.
const SOURCES: [&str; 5] = ["src", "tests", "benches", "examples", "python/src"];

/// Words that no comment and no document has, and what to write instead.
const OBSCURE: &[(&str, &str)] = &[
    ("bell", "wake, notify"),
    ("mood", "what it depends on"),
    ("nap", "sleep"),
    ("naps", "sleeps"),
    ("somebody", "an observer, a caller, another worker, a user"),
    ("whom", "which queue, which worker"),
    ("untold", "not reported"),
    ("so many zeros", "`len` zero bytes"),
    ("nothing done", "nothing is written"),
    ("unless told", "by default"),
    ("no number", "NaN or an infinity"),
    ("no numbers", "NaN or infinities"),
    ("comes of", "the result of"),
    ("can be had", "is available"),
    ("cannot be had", "is not available"),
    ("in vain", "wasted"),
    ("leans on", "needs"),
    ("is held against", "is compared with"),
    ("are held against", "are compared with"),
];

/// `max_width` of `rustfmt.toml`, in characters.
fn max_width() -> usize {
    let text = std::fs::read_to_string(root().join("rustfmt.toml")).unwrap();
    let line = text.lines().find_map(|l| l.strip_prefix("max_width")).unwrap();
    line.trim_start_matches([' ', '=']).parse().unwrap()
}

/// The text of a line that is a comment.
fn comment(line: &str) -> Option<&str> {
    let line = line.trim_start();
    ["///", "//!", "//"].iter().find_map(|mark| line.strip_prefix(mark))
}

/// Lines of comments that are wider than the code, with their numbers. Blocks of code, tables and single
/// words, such as addresses, cannot be wrapped.
fn wide(text: &str, width: usize) -> Vec<usize> {
    let mut code = false;
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let Some(said) = comment(line) else {
            code = false;
            continue;
        };
        let said = said.trim();
        if said.starts_with("```") {
            code = !code;
        } else if line.chars().count() > width && !code && !said.starts_with('|') && said.contains(' ') {
            found.push(number + 1);
        }
    }
    found
}

/// Obscure words of a text, with what to write instead: whole words, whatever their case.
fn obscure(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let holds = |word: &str| {
        lower.match_indices(word).any(|(at, _)| {
            !letter(lower[..at].chars().next_back()) && !letter(lower[at + word.len()..].chars().next())
        })
    };
    let found = OBSCURE.iter().filter(|(word, _)| holds(word));
    found.map(|(word, better)| format!("{word:?} (write: {better})")).collect()
}

/// Paragraphs of comments, or of a document, by the number of their first line.
fn paragraphs<'t>(lines: impl Iterator<Item = (usize, Option<&'t str>)>) -> BTreeMap<usize, String> {
    let mut found: BTreeMap<usize, String> = BTreeMap::new();
    let mut open = false;
    for (number, said) in lines {
        match said.map(str::trim).filter(|said| !said.is_empty()) {
            Some(said) if open => {
                let mut last = found.last_entry().unwrap();
                last.get_mut().push(' ');
                last.get_mut().push_str(said);
            }
            Some(said) => {
                found.insert(number + 1, said.to_string());
                open = true;
            }
            None => open = false,
        }
    }
    found
}

#[test]
fn comments_are_no_wider_than_the_code() {
    let width = max_width();
    let mut wrong = Vec::new();
    for (path, text) in SOURCES.into_iter().flat_map(|folder| files(folder, ".rs")) {
        if !GENERATED.contains(&path.as_str()) {
            wrong.extend(wide(&text, width).into_iter().map(|line| format!("{path}:{line}")));
        }
    }
    none(&format!("comments are wider than {width} characters (max_width of rustfmt.toml)"), &wrong);
}

#[test]
fn wide_comments_are_found() {
    let long = "word ".repeat(25);
    let text =
        format!("fn f() {{}}\n    /// {long}\n/// ```\n/// {long}\n/// ```\n//! | {long} |\n// {long}");
    assert_eq!(wide(&text, 110), [2, 7]);
    assert_eq!(wide(&text, 140), [0_usize; 0]);
}

#[test]
fn obscure_words_do_not_come_back() {
    let mut wrong = Vec::new();
    let mut judge = |path: &str, paragraphs: BTreeMap<usize, String>| {
        for (line, text) in paragraphs {
            wrong.extend(obscure(&text).into_iter().map(|word| format!("{path}:{line}: {word}")));
        }
    };
    for (path, text) in SOURCES.into_iter().flat_map(|folder| files(folder, ".rs")) {
        if path != "tests/it/tidy/prose.rs" && !GENERATED.contains(&path.as_str()) {
            judge(&path, paragraphs(text.lines().map(comment).enumerate()));
        }
    }
    let mut documents = files("docs/book/src", ".md");
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "isa/MANUAL.md"] {
        documents.push((name.to_string(), std::fs::read_to_string(root().join(name)).unwrap()));
    }
    for (path, text) in documents {
        judge(&path, paragraphs(text.lines().map(Some).enumerate()));
    }
    none("words that obscure a text (tests/it/tidy/prose.rs)", &wrong);
}

#[test]
fn obscure_words_are_found_across_lines_and_only_whole() {
    let text =
        "// What somebody\n// wants, so many\n// zeros.\nfn f() {}\n// Snapshots of a canape, bellows.";
    let found: Vec<String> = paragraphs(text.lines().map(comment).enumerate())
        .into_iter()
        .flat_map(|(line, text)| obscure(&text).into_iter().map(move |word| format!("{line} {word}")))
        .collect();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].starts_with("1 \"somebody\"") && found[1].starts_with("1 \"so many zeros\""),
        "{found:?}"
    );
}

//! Commands that pages name without running them: blocks of `sh`, and code spans in the text. The tests,
//! benches, scripts, options and variables that they name exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::{documents, none, outside, text};
use crate::repository::root;

/// Programs that blocks of `sh` may name, beside ours; nothing of these is checked.
const OTHERS: [&str; 7] = ["alias", "cd", "export", "git", "python3", "rustup", ".ci/run"];

/// What `cargo` is asked for, beside `test` and `bench`.
const CARGO: [&str; 6] = ["+nightly", "build", "doc", "fmt", "install", "run"];

/// The commands of a page with their lines: all of `sh` blocks, and code spans that begin like one.
fn commands(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut sh = false;
    for (number, line) in text.lines().enumerate() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            sh = language == "sh";
        } else if sh {
            let command = line.split(" #").next().unwrap_or_default().trim();
            found.push((number + 1, command.to_string()));
        }
    }
    // Paragraph by paragraph, since a span may go on in the next line.
    let mut paragraphs: Vec<(usize, String)> = Vec::new();
    let mut ended = true;
    for (number, line) in outside(text) {
        match paragraphs.last_mut() {
            Some((_, paragraph)) if !ended => *paragraph = format!("{paragraph} {line}"),
            _ => paragraphs.push((number, line.to_string())),
        }
        ended = line.trim().is_empty();
    }
    for (number, paragraph) in paragraphs {
        for span in paragraph.split('`').skip(1).step_by(2) {
            let program = span.split_whitespace().find(|w| !variable(w));
            if matches!(program, Some("cargo" | "rcar-iss")) && span.contains(' ') {
                found.push((number, span.to_string()));
            }
        }
    }
    found
}

/// What the worked change of a page adds: its commands may name that.
fn added(text: &str) -> String {
    text.lines().filter(|l| l.starts_with('+')).collect::<Vec<_>>().join("\n")
}

/// Whether a word sets a variable.
fn variable(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
}

/// What exists, for commands to name.
struct There {
    /// Names of the tests of this binary.
    it: String,
    /// Sources of tests and of `.ci/run`, which read variables.
    readers: String,
    /// Paths of sources and programs, which filters of other tests name.
    paths: String,
}

impl There {
    fn new() -> There {
        let list = Command::new(std::env::current_exe().unwrap()).args(["--list"]).output().unwrap();
        let mut found = There {
            it: String::from_utf8(list.stdout).unwrap(),
            readers: fs::read_to_string(root().join(".ci/run")).unwrap(),
            paths: String::new(),
        };
        for folder in ["src", "tests", "programs", "fuzz/fuzz_targets"] {
            found.walk(&root().join(folder));
        }
        found
    }

    fn walk(&mut self, dir: &Path) {
        for path in fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()) {
            if path.is_dir() {
                self.walk(&path);
                continue;
            }
            let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            if name.ends_with(".rs") && !name.ends_with("quoted.rs") {
                self.readers.push_str(&fs::read_to_string(&path).unwrap());
            }
            self.paths.push_str(&name);
            self.paths.push('\n');
        }
    }

    /// What is wrong with a command of a page that adds something.
    fn wrong(&self, command: &str, added: &str) -> Option<String> {
        let mut words = command.split_whitespace().peekable();
        while let Some(word) = words.next_if(|w| variable(w)) {
            let (name, _) = word.split_once('=')?;
            if (name.starts_with("RCN_") || name.starts_with("RCAR_")) && !self.readers.contains(name) {
                return Some(format!("nothing reads {name}"));
            }
        }
        let words: Vec<&str> = words.collect();
        match words[..] {
            [] => None,
            ["rcar-iss", name, ref more @ ..] => ours(name, more, added),
            ["cargo", "test", ref more @ ..] => self.test(more, added),
            ["cargo", "bench", ref more @ ..] => {
                let bench = value(more, "--bench")?;
                let file = format!("benches/{bench}.rs");
                (!root().join(&file).is_file()).then(|| format!("there is no {file}"))
            }
            ["cargo", what, ..] if CARGO.contains(&what) => None,
            [program, ..] if OTHERS.contains(&program) => None,
            _ => Some("no program that pages may name (OTHERS in this test)".into()),
        }
    }

    /// What is wrong with the arguments of `cargo test`.
    fn test(&self, words: &[&str], added: &str) -> Option<String> {
        let binary = value(words, "--test");
        if let Some(name) = binary {
            let places = [format!("tests/{name}.rs"), format!("tests/{name}/main.rs")];
            if !places.iter().any(|p| root().join(p).is_file()) {
                return Some(format!("there is no {}", places[0]));
            }
        }
        let mut filters = Vec::new();
        let mut skipped = false;
        for word in words {
            if skipped {
                skipped = false;
            } else if ["--test", "--target"].contains(word) {
                skipped = true;
            } else if !word.starts_with('-') {
                filters.push(word.trim_start_matches("mutants/"));
            }
        }
        let listed = if binary == Some("it") { &self.it } else { &self.paths };
        let known =
            |filter: &str| listed.contains(filter) || added.contains(filter) || filter.starts_with('<');
        let gone = filters.into_iter().find(|filter| !known(filter));
        gone.map(|filter| format!("no test's name has \"{filter}\""))
    }
}

/// The word behind an option.
fn value<'a>(words: &[&'a str], option: &str) -> Option<&'a str> {
    words.iter().position(|w| *w == option).and_then(|i| words.get(i + 1)).copied()
}

/// What is wrong with a command of ours: the command and its options are in its help.
fn ours(name: &str, words: &[&str], added: &str) -> Option<String> {
    if name.chars().any(|c| !c.is_ascii_lowercase()) || added.contains(&format!("rcar-iss {name}")) {
        return None;
    }
    let help = Command::new(env!("CARGO_BIN_EXE_rcar-iss")).args([name, "--help"]).output().unwrap();
    if !help.status.success() {
        return Some(format!("there is no command {name}"));
    }
    let help = String::from_utf8(help.stdout).unwrap();
    let known: BTreeSet<&str> = help.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').collect();
    let options = words.iter().filter(|w| w.starts_with('-') && w.len() > 1);
    let mut names = options.map(|w| w.split('=').next().unwrap_or_default());
    names.find(|option| !known.contains(option)).map(|option| format!("{name} has no {option}"))
}

#[test]
fn commands_that_pages_name_are_right() {
    let there = There::new();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for document in documents() {
        let page = text(&document);
        let added = added(&page);
        for (line, command) in commands(&page) {
            count += 1;
            let why = there.wrong(&command, &added);
            wrong.extend(why.map(|why| format!("{document}:{line}: {command}: {why}")));
        }
    }
    assert!(count > 50, "only {count} commands are found");
    none("commands that would not work", &wrong);
}

/// The test fails on wrong commands.
#[test]
fn wrong_commands_are_found() {
    let there = There::new();
    for right in [
        "cargo test",
        "RCN_BLESS=1 cargo test --test it generated",
        "cargo test --test it -- kernels:: random::",
        "cargo test --lib -- plan",
        "cargo bench --bench kernels",
        "rcar-iss run NET.rcn --input X.npy",
        "rcar-iss man COMMAND",
    ] {
        assert_eq!(there.wrong(right, ""), None, "{right}");
    }
    for wrong in [
        "RCN_NOTHING=1 cargo test",
        "cargo test --test at",
        "cargo test --test it generator_of_nothing",
        "cargo test --lib -- no_such_file",
        "cargo bench --bench kernel",
        "cargo tset",
        "rcar-iss walk NET.rcn",
        "rcar-iss run NET.rcn --inputs X.npy",
        "make",
    ] {
        assert!(there.wrong(wrong, "").is_some(), "{wrong}");
    }
    let made = added("+ case(f\"celu_{kind}\")\n+ Examples: rcar-iss walk\n");
    for right in ["cargo test --test programs celu", "rcar-iss walk NET.rcn"] {
        assert_eq!(there.wrong(right, &made), None, "{right}");
    }
    let text = "a `cargo\ntest` and `x`\n\n```sh\nA=1 cargo build  # why\n```\n\n`rcar-iss run P.rcn`\n";
    let found: Vec<String> = commands(text).into_iter().map(|(n, c)| format!("{n} {c}")).collect();
    assert_eq!(found, ["5 A=1 cargo build", "1 cargo test", "8 rcar-iss run P.rcn"]);
}

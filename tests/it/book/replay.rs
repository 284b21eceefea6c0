//! Replays documents: commands in their `console` blocks are run, and their output and exit status compared
//! with the page.
//!
//! A block is a shell session. Lines with `$` are commands; `# ends with status N` at their end is what it
//! says. The lines after a command must occur in its output in this order; `…` stands for omitted lines.
//! Numbers with a fraction, or of four digits and more, may differ by 5 %, since float libraries sum in
//! another order on other CPUs. A block of another language with `file=NAME` behind it is a file that the
//! commands after it need. Commands of one page share a folder.
//!
//! What is not replayed is counted, and listed at the end:
//! - blocks that begin with `console parsed` have names like `net.onnx`, of files that do not exist. Their
//!   commands must fail on the missing files, so their options are valid.
//! - commands with `# not replayed: REASON` at their end, for one of [`REASONS`]. They are checked in the
//!   same way.
//! - commands of other programs (`cargo`, `python3` …). Files of the repository that they name must exist.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::documents;
use crate::repository::root;

const RCAR: &str = env!("CARGO_BIN_EXE_rcar-iss");

/// Why a command is not run.
const REASONS: [&str; 3] =
    ["it takes minutes", "it needs the network", "it needs files that are not shipped"];

/// The shell's own commands that pages may use.
const SHELL: [&str; 5] = ["mkdir", "ls", "cat", "cp", "head"];

/// Programs that are not ours: their commands are not run.
const OTHERS: [&str; 9] =
    ["cargo", "python3", "python", "pip", "rustup", "export", "taskset", "mdbook", ".ci/run"];

/// Pages whose commands take minutes and overlap: the README is a short form of the tutorial.
const STORY: [&str; 2] = ["docs/book/src/guide/accuracy.md", "README.md"];

/// How a command is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Replayed,
    Parsed,
    OfOthers,
}

/// A command, or a file that commands need.
#[derive(Debug)]
enum Step {
    Run(Run),
    File { name: String, text: String },
}

#[derive(Debug)]
struct Run {
    line: usize,
    words: Vec<String>,
    way: Way,
    reason: String,
    status: i32,
    /// What it prints, with the numbers of these lines.
    printed: Vec<(usize, String)>,
}

/// A command line without its remark.
fn run(line: usize, typed: &str, parsed: bool) -> Run {
    let (command, remark) = typed.split_once(" # ").unwrap_or((typed, ""));
    let mut words: Vec<String> = command.split_whitespace().map(str::to_string).collect();
    // The README's first command builds, and runs what it built.
    if words.starts_with(&["cargo", "run", "--release", "--"].map(String::from)) {
        words.splice(..4, ["rcar-iss".to_string()]);
    }
    let skipped = remark.strip_prefix("not replayed: ").map(str::trim);
    // Variables may precede a command of another program.
    let way = match words.iter().find(|w| !w.contains('=')).map(String::as_str) {
        Some(first) if OTHERS.contains(&first) => Way::OfOthers,
        _ if parsed || skipped.is_some() => Way::Parsed,
        _ => Way::Replayed,
    };
    let status = remark.strip_prefix("ends with status ").map_or(0, |s| s.trim().parse().unwrap());
    let reason = skipped.unwrap_or("it names files that nobody has").to_string();
    Run { line, words, way, reason, status, printed: Vec::new() }
}

fn steps(text: &str) -> Vec<Step> {
    enum Block {
        None,
        Session { parsed: bool },
        File { name: String, text: String },
        Other,
    }
    let mut steps: Vec<Step> = Vec::new();
    let mut block = Block::None;
    for (number, line) in text.lines().enumerate() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            block = match (block, language) {
                (Block::None, "console") => Block::Session { parsed: false },
                (Block::None, "console parsed") => Block::Session { parsed: true },
                (Block::None, other) => match other.split_once(" file=") {
                    Some((_, name)) => Block::File { name: name.into(), text: String::new() },
                    None => Block::Other,
                },
                (Block::File { name, text }, _) => {
                    steps.push(Step::File { name, text });
                    Block::None
                }
                _ => Block::None,
            };
            continue;
        }
        match &mut block {
            Block::Session { parsed } => match (line.trim_start().strip_prefix("$ "), steps.last_mut()) {
                (Some(typed), _) => steps.push(Step::Run(run(number + 1, typed, *parsed))),
                (None, Some(Step::Run(run))) => run.printed.push((number, line.to_string())),
                _ => panic!("line {}: a block begins with a command", number + 1),
            },
            Block::File { text, .. } => {
                text.push_str(line);
                text.push('\n');
            }
            Block::None | Block::Other => {}
        }
    }
    steps
}

/// Text and numbers of a line, alternately; spaces are collapsed, and the lines of tables removed.
fn pieces(line: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut digits = false;
    for c in line.split_whitespace().collect::<Vec<_>>().join(" ").chars() {
        let number = pieces.last().filter(|_| digits);
        // An address goes on with hexadecimal digits.
        let address =
            number.is_some_and(|n| (n == "0" && c == 'x') || (n.starts_with("0x") && c.is_ascii_hexdigit()));
        let goes_on = c.is_ascii_digit() || address || (digits && (c == '.' || c == ','));
        if goes_on != digits {
            pieces.push(String::new());
            digits = goes_on;
        }
        if let Some(last) = pieces.last_mut() {
            last.push(c);
        }
    }
    pieces
}

fn same_number(said: &str, is: &str) -> bool {
    let exact = |s: &str| !s.contains('.') && s.len() < 4;
    let value = |s: &str| s.trim_end_matches(['.', ',']).replace(',', "").parse::<f64>().ok();
    match (value(said), value(is)) {
        (Some(a), Some(b)) if !exact(said) => (a - b).abs() <= 0.05 * a.abs().max(b.abs()) + 0.06,
        _ => said == is,
    }
}

fn same(said: &str, is: &str) -> bool {
    let (a, b) = (pieces(said), pieces(is));
    let equal =
        |(i, (x, y)): (usize, (&String, &String))| if i % 2 == 1 { same_number(x, y) } else { x == y };
    a.len() == b.len() && a.iter().zip(&b).enumerate().all(equal)
}

fn bless() -> bool {
    std::env::var_os("RCN_BLESS").is_some()
}

/// Whether lines have the same text between their numbers.
fn alike(said: &str, is: &str) -> bool {
    let [a, b] = [said, is].map(pieces);
    a.len() == b.len() && a.iter().zip(&b).step_by(2).all(|(x, y)| x == y)
}

#[test]
fn numbers_may_differ_a_little_and_text_not() {
    assert!(same("output \"x\": 4.3 dB, 358,281 cycles", "output  \"x\":  4.2 dB,  359,000 cycles"));
    assert!(!same("output \"x\": 4.3 dB", "output \"x\": 5.3 dB"));
    assert!(!same("282 tiger cat", "285 tiger cat") && !same("tiger cat", "tabby"));
}

/// Status, standard output and standard error.
type Ended = (Option<i32>, String, String);

/// Runs a command in a folder.
fn execute(words: &[String], dir: &Path) -> Ended {
    let program = if words[0] == "rcar-iss" { RCAR } else { words[0].as_str() };
    let mut command = Command::new(program);
    command.env_remove("COLUMNS");
    // The float engine is the built-in one.
    command.args(&words[1..]).current_dir(dir).env_remove("ORT_DYLIB_PATH");
    let out = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

/// A fresh folder with what the repository ships.
fn folder(name: &str) -> PathBuf {
    let dir = crate::scratch(name);
    std::os::unix::fs::symlink(root().join("programs"), dir.join("programs")).unwrap();
    std::os::unix::fs::symlink(root().join("isa"), dir.join("isa")).unwrap();
    dir
}

/// Replays a page. A command that was run before in this folder is not run again, since its output would be
/// the same. With RCN_BLESS=1, lines that differ in numbers alone are written anew.
fn replay(document: &str, dir: &Path, before: &mut BTreeMap<Vec<String>, Ended>) -> usize {
    let mut count = 0;
    let page = fs::read_to_string(root().join(document)).unwrap();
    let mut written: Vec<String> = page.lines().map(String::from).collect();
    for step in steps(&page) {
        let step = match step {
            Step::File { name, text } => {
                fs::write(dir.join(name), text).unwrap();
                continue;
            }
            Step::Run(run) if run.way == Way::Replayed => run,
            Step::Run(_) => continue,
        };
        count += 1;
        let at = format!("{document}:{}: {}", step.line, step.words.join(" "));
        let known = step.words[0] == "rcar-iss" || SHELL.contains(&step.words[0].as_str());
        assert!(known, "{at}\nno command that pages may use");
        let ended = before.entry(step.words.clone()).or_insert_with(|| execute(&step.words, dir));
        let (status, printed, complaint) = ended;
        assert_eq!(*status, Some(step.status), "{at}\n{printed}{complaint}");
        let mut lines = printed.lines();
        for (number, said) in step.printed.iter().filter(|(_, l)| l.trim() != "…" && !l.trim().is_empty()) {
            let mut ahead = lines.clone();
            let found = lines.find(|l| same(said, l)).or_else(|| {
                // Where it stood, since the lines after it may be found yet.
                let found = ahead.find(|l| bless() && alike(said, l));
                lines = ahead;
                found
            });
            let Some(found) = found else {
                panic!(
                    "{at}\nthe page says:\n{said}\nwhich is not, or not there, in:\n{printed}\n\
                     RCN_BLESS=1 writes lines anew that differ in numbers alone"
                );
            };
            if bless() && pieces(said) != pieces(found) {
                written[*number] = found.trim_end().to_string();
            }
        }
    }
    let written = written.join("\n") + "\n";
    if bless() && written != page {
        fs::write(root().join(document), written).unwrap();
    }
    count
}

#[test]
fn the_tutorial_does_what_it_says() {
    let (dir, mut before) = (folder("book-story"), BTreeMap::new());
    let [tutorial, readme] = STORY.map(|document| replay(document, &dir, &mut before));
    assert!(tutorial > 10 && readme > 5, "the story has lost its commands");
}

#[test]
fn pages_do_what_they_say() {
    let mut count = 0;
    for document in documents().iter().filter(|d| !STORY.contains(&d.as_str())) {
        let dir = folder(&format!("book-{}", document.replace('/', "-")));
        count += replay(document, &dir, &mut BTreeMap::new());
    }
    assert!(count > 20, "the book has lost its commands: {count} are replayed");
}

#[test]
fn commands_that_are_not_replayed_are_right_and_told() {
    let nowhere = crate::scratch("book-parsed");
    let mut counts: BTreeMap<Way, usize> = BTreeMap::new();
    let mut told = String::new();
    for document in documents() {
        for step in steps(&fs::read_to_string(root().join(&document)).unwrap()) {
            let Step::Run(step) = step else { continue };
            *counts.entry(step.way).or_default() += 1;
            let at = format!("{document}:{}: {}", step.line, step.words.join(" "));
            match step.way {
                Way::Replayed => {}
                Way::OfOthers => {
                    for word in step.words.iter().filter(|w| w.ends_with(".py") || w.starts_with("./")) {
                        assert!(root().join(word).exists(), "{at}\nthere is no {word}");
                    }
                }
                Way::Parsed => {
                    if step.reason != "it names files that nobody has" {
                        assert!(REASONS.contains(&step.reason.as_str()), "{at}\nno reason: {}", step.reason);
                        told.push_str(&format!("  {at}: {}\n", step.reason));
                    }
                    assert_eq!(step.words[0], "rcar-iss", "{at}");
                    let end =
                        step.words.iter().position(|w| w == "|" || w == ">").unwrap_or(step.words.len());
                    let (status, _, complaint) = execute(&step.words[..end], &nowhere);
                    let missing = status == Some(3) && complaint.contains("No such file");
                    assert!(status == Some(0) || missing, "{at}\nends with {status:?}:\n{complaint}");
                }
            }
        }
    }
    let count = |way| counts.get(&way).copied().unwrap_or(0);
    // Bypasses the test harness, which shows a test's output only if it fails.
    let _ = write!(
        std::io::stderr(),
        "documents: {} commands are replayed, {} have names of files that nobody has and are parsed, {} are other programs'\n{told}",
        count(Way::Replayed),
        count(Way::Parsed),
        count(Way::OfOthers),
    );
}

#[test]
fn blocks_are_read_as_they_are_marked() {
    let text = "```console\n$ rcar-iss run x # ends with status 3\nsaid\n$ cargo run --release -- run y\n```\n\
                ```toml file=m.toml\na = 1\n```\n```console parsed\n$ rcar-iss run z\n$ python3 w.py\n```\n\
                ```text\n$ rcar-iss no\n```\n```console\n$ rcar-iss tune t # not replayed: it takes minutes\n```\n";
    let mut seen = Vec::new();
    for step in steps(text) {
        match step {
            Step::File { name, text } => seen.push(format!("{name}: {text}")),
            Step::Run(r) => {
                let printed: Vec<&String> = r.printed.iter().map(|(_, line)| line).collect();
                seen.push(format!("{:?} {} {} {printed:?}", r.way, r.words.join(" "), r.status))
            }
        }
    }
    let expected = [
        "Replayed rcar-iss run x 3 [\"said\"]",
        "Replayed rcar-iss run y 0 []",
        "m.toml: a = 1\n",
        "Parsed rcar-iss run z 0 []",
        "OfOthers python3 w.py 0 []",
        "Parsed rcar-iss tune t 0 []",
    ];
    assert_eq!(seen, expected);
}

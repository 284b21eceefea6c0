//! Fuzzing without another tool: mutants of every kind of file that the tool reads (`targets/`), and the
//! corpus of what was once wrong with some (`corpus/`).
//!
//! ```sh
//! cargo test --test fuzz                                        # the corpus, and mutants of each kind for a second
//! RCN_FUZZ_SECONDS=3600 cargo test --release --test fuzz        # an hour of each kind
//! RCN_FUZZ_SEED=7 cargo test --test fuzz -- mutants/onnx        # other mutants, of one kind
//! RCN_FUZZ_ONLY=1234 cargo test --test fuzz -- mutants/onnx     # mutant number 1234 alone
//! RCN_FUZZ_FILE=x.onnx cargo test --test fuzz -- mutants/onnx   # a file alone
//! ```
//!
//! Mutant number i depends on the seed and i alone. What is found is written to `target/tmp/fuzz/`, the
//! smallest input of each kind, and becomes a regression test when it is copied to `corpus/TARGET/`. Should
//! the process die, the file `target/tmp/fuzz/TARGET.running` holds the number of the mutant that killed it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod judge;
mod memory;
mod targets;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use judge::judge;
use libtest_mimic::{Arguments, Failed, Trial};
use targets::{Reached, TARGETS, Target, mutant};

/// Mutants that are tried however long they take.
const LEAST: u64 = 25;

fn main() {
    let args = Arguments::from_args();
    judge::keep_panics();
    let mut trials = Vec::new();
    for target in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target.name);
        let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        for path in files {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            trials.push(Trial::test(format!("corpus/{}/{name}", target.name), move || replay(target, &path)));
        }
        trials.push(Trial::test(format!("mutants/{}", target.name), move || mutants(target)));
    }
    libtest_mimic::run(&args, trials).exit();
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

/// A file of the corpus, or one that the user names.
fn replay(target: &Target, path: &Path) -> Result<(), Failed> {
    match judge(target, &std::fs::read(path)?) {
        Ok(_) => Ok(()),
        Err(why) => Err(format!("{}: {why}", path.display()).into()),
    }
}

/// A kind of defect: the smallest input that shows it.
struct Finding {
    why: String,
    number: u64,
    input: Vec<u8>,
    count: u64,
}

#[expect(clippy::print_stderr, reason = "how much was tried is worth knowing where nothing was found, too")]
fn mutants(target: &Target) -> Result<(), Failed> {
    if let Some(path) = std::env::var_os("RCN_FUZZ_FILE") {
        return replay(target, Path::new(&path));
    }
    let seed = number("RCN_FUZZ_SEED").unwrap_or(1);
    let time = Duration::from_secs(number("RCN_FUZZ_SECONDS").unwrap_or(1));
    let only = number("RCN_FUZZ_ONLY");
    let seeds = (target.seeds)();
    assert!(!seeds.is_empty(), "nothing to make mutants of");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
    std::fs::create_dir_all(&folder)?;
    let running = folder.join(format!("{}.running", target.name));
    let hanging = Hanging::new(target, &folder);

    let mut counts: BTreeMap<Reached, u64> = BTreeMap::new();
    let mut found: BTreeMap<String, Finding> = BTreeMap::new();
    let begin = now();
    let mut tried = 0;
    while only.is_none_or(|_| tried == 0) && (tried < LEAST || begin.elapsed() < time) {
        let number = only.unwrap_or(tried);
        std::fs::write(&running, format!("RCN_FUZZ_SEED={seed} RCN_FUZZ_ONLY={number}\n"))?;
        let input = mutant(target, &seeds, seed, number);
        hanging.begins(&input);
        match judge(target, &input) {
            Ok(reached) => *counts.entry(reached).or_default() += 1,
            Err(why) => {
                let known = found.entry(kind(&why)).or_insert(Finding {
                    why: why.clone(),
                    number,
                    input: input.clone(),
                    count: 0,
                });
                known.count += 1;
                if input.len() < known.input.len() {
                    (known.why, known.number, known.input) = (why, number, input);
                }
            }
        }
        tried += 1;
    }
    hanging.ends();
    std::fs::remove_file(&running)?;
    let count = |reached: Reached| counts.get(&reached).copied().unwrap_or(0);
    let summary = format!(
        "{}: {tried} mutants of seed {seed} in {:.0} s: {} refused, {} read, {} ran, {} kinds of findings",
        target.name,
        begin.elapsed().as_secs_f64(),
        count(Reached::Refused),
        count(Reached::Read),
        count(Reached::Ran),
        found.len(),
    );
    eprintln!("{summary}");
    if !found.is_empty() {
        return Err(listed(target, &folder, seed, found)?.into());
    }
    if only.is_none() && count(Reached::Read) + count(Reached::Ran) == 0 {
        return Err(format!("{summary}: none is accepted, so nothing behind the reader is tested").into());
    }
    Ok(())
}

/// Writes the findings; says what they are and how each is had again.
fn listed(
    target: &Target,
    folder: &Path,
    seed: u64,
    found: BTreeMap<String, Finding>,
) -> Result<String, Failed> {
    let mut text = String::new();
    for Finding { why, number, input, count } in found.into_values() {
        let path = folder.join(format!("{}-{seed}-{number}.{}", target.name, target.ending));
        std::fs::write(&path, input)?;
        write!(
            text,
            "\n{count} x {why}\n  {}\n  RCN_FUZZ_SEED={seed} RCN_FUZZ_ONLY={number} cargo test --test fuzz -- mutants/{}",
            path.display(),
            target.name
        )?;
    }
    Ok(text)
}

/// A message without numbers and names, so that like findings are one.
fn kind(why: &str) -> String {
    let first = why.lines().next().unwrap_or_default();
    // Places of panics are kept.
    let (place, rest) = match first.strip_prefix("panic at ").and_then(|rest| rest.split_once(": ")) {
        Some((place, rest)) => (place, rest),
        None => ("", first),
    };
    let mut quoted = false;
    let mut short = String::new();
    for c in rest.chars() {
        if matches!(c, '"' | '\'') {
            quoted = !quoted;
        } else if !quoted && !c.is_ascii_digit() {
            short.push(c);
        }
    }
    format!("{place} {}", short.chars().take(160).collect::<String>())
}

#[allow(clippy::disallowed_methods, reason = "how long mutants are tried is no simulated time")]
fn now() -> Instant {
    Instant::now()
}

/// Ends the process with a finding when an input takes far longer than any may.
struct Hanging(&'static Mutex<Option<(Instant, Vec<u8>)>>);

impl Hanging {
    #[expect(clippy::print_stderr, reason = "nobody else can say it any more")]
    fn new(target: &Target, folder: &Path) -> Hanging {
        let current: &'static Mutex<Option<(Instant, Vec<u8>)>> = Box::leak(Box::default());
        let path = folder.join(format!("{}-hangs.{}", target.name, target.ending));
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_secs(1));
                let Some((since, input)) = &*current.lock().unwrap() else { continue };
                // On a busy computer much time may pass.
                if since.elapsed() > 10 * judge::MOST_TIME {
                    let _ = std::fs::write(&path, input);
                    eprintln!("an input does not end: {}", path.display());
                    std::process::exit(101);
                }
            }
        });
        Hanging(current)
    }

    fn begins(&self, input: &[u8]) {
        *self.0.lock().unwrap() = Some((now(), input.to_vec()));
    }

    fn ends(&self) {
        *self.0.lock().unwrap() = None;
    }
}

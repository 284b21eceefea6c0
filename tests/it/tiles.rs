//! Passes over tiled operations, and the rules between them, as files of `tests/tiles/`. A case is one file:
//!
//! ```text
//! ; What it shows: lines that begin with one semicolon are for readers.
//! ;; machine rcn-s            what passes know, each with what it is if left out: machine (rcn-m),
//! ;; profile q31              profile (onnx), room for buffers in bytes (the scratchpad), bytes of
//! ;; after copy_elision       constants (65536) and tensors (1048576); the pass that has left the
//! ;; run dma_order            text (lowering); the passes that then run (none)
//! layer "a" conv
//!   …
//! ;; left by buffer_placement  if it is there: what stands behind it is taken for what that pass has left
//! layer "a" conv
//!   …
//! ;; gives
//! layer "a" conv
//!   …
//! ```
//!
//! Behind `;; gives` is the result of the passes, or `error:` with the violation.
//! `RCN_BLESS=1 cargo test --test it tiles` writes that part. The form of the text is that of `--emit-tiles`;
//! [`rcar_iss::internals::compiler::tile::print`] says how it is read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rcar_iss::internals::compiler::pipeline::{
    Checks, LOWERING, PASSES, Pass, Pipeline, Surroundings, up_to,
};
use rcar_iss::internals::compiler::tile::{parse, print};
use rcar_iss::internals::compiler::{CompileError, RULES};
use rcar_iss::internals::isa::Profile;
use rcar_iss::internals::machine::Machine;

const GIVES: &str = ";; gives\n";

/// The part before [`GIVES`].
struct Case {
    machine: String,
    profile: Profile,
    room: Option<i64>,
    constants: usize,
    tensors: i64,
    after: &'static str,
    run: Vec<&'static Pass>,
    input: String,
    left: Option<(&'static Pass, String)>,
}

fn pass(name: &str) -> &'static Pass {
    PASSES.iter().find(|p| p.name == name).unwrap_or_else(|| panic!("there is no pass {name}"))
}

impl Case {
    fn read(text: &str) -> Case {
        let mut case = Case {
            machine: "rcn-m".into(),
            profile: Profile::Onnx,
            room: None,
            constants: 1 << 16,
            tensors: 1 << 20,
            after: LOWERING,
            run: Vec::new(),
            input: String::new(),
            left: None,
        };
        for line in text.lines() {
            let Some(rest) = line.strip_prefix(";;") else {
                // Lines keep their numbers, so that what is not understood is found.
                let line = if line.starts_with(';') { "" } else { line };
                let text = case.left.as_mut().map_or(&mut case.input, |(_, text)| text);
                *text += line;
                *text += "\n";
                continue;
            };
            let words: Vec<&str> = rest.split_whitespace().collect();
            match words.as_slice() {
                ["machine", name] => case.machine = (*name).into(),
                ["profile", name] => {
                    case.profile = Profile::ALL.into_iter().find(|p| p.name() == *name).unwrap();
                }
                ["room", n] => case.room = Some(n.parse().unwrap()),
                ["constants", n] => case.constants = n.parse().unwrap(),
                ["tensors", n] => case.tensors = n.parse().unwrap(),
                ["after", name] => case.after = up_to(name).unwrap().last().map_or(LOWERING, |p| p.name),
                ["run", names @ ..] => case.run = names.iter().map(|n| pass(n)).collect(),
                ["left", "by", name] => case.left = Some((pass(name), String::new())),
                _ => panic!("not understood: {line}"),
            }
        }
        case
    }

    /// The text that the passes leave; `error` if a rule is broken or a pass refuses.
    fn gives(&self) -> Result<String, CompileError> {
        let machine = Machine::named(&self.machine).unwrap();
        let layers = parse(&self.input).unwrap();
        let room = vec![self.room.unwrap_or(machine.spm.bytes as i64); layers.len()];
        let around = Surroundings {
            machine: &machine,
            profile: self.profile,
            room,
            constants: self.constants,
            tensors: self.tensors,
        };
        let mut pipeline = Pipeline::new(layers, self.after, around, Checks::All)?;
        for pass in &self.run {
            pipeline.run(std::slice::from_ref(*pass))?;
        }
        if let Some((pass, text)) = &self.left {
            pipeline.replace(pass, parse(text).unwrap())?;
        }
        Ok(print(&pipeline.into_layers()))
    }
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tiles");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    assert!(files.iter().all(|f| f.extension().is_some_and(|e| e == "tiles")), "{files:?}");
    files
}

/// A case with its file's text and what it gives now.
fn cases() -> Vec<(PathBuf, String, Case, Result<String, CompileError>)> {
    let read = |file: PathBuf| {
        let text = std::fs::read_to_string(&file).unwrap();
        let case = Case::read(text.split(GIVES).next().unwrap());
        let found = case.gives();
        (file, text, case, found)
    };
    files().into_iter().map(read).collect()
}

#[test]
fn tiles_are_what_the_files_say() {
    let mut stale = Vec::new();
    for (file, text, _, found) in cases() {
        let found = found.unwrap_or_else(|error| format!("error: {error}\n"));
        let (before, gives) = text.split_once(GIVES).unwrap_or((&text, ""));
        if gives == found {
            continue;
        }
        if std::env::var_os("RCN_BLESS").is_some() {
            std::fs::write(&file, format!("{}\n{GIVES}{found}", before.trim_end())).unwrap();
        } else {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            stale.push(format!("{name} gives\n{found}\nand not\n{gives}"));
        }
    }
    assert!(
        stale.is_empty(),
        "{}\nIf that is right: RCN_BLESS=1 cargo test --test it tiles",
        stale.join("\n\n")
    );
}

#[test]
fn every_pass_has_cases_that_it_changes_and_leaves() {
    let mut seen: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for (file, _, case, found) in cases() {
        if let ([pass], Ok(text)) = (case.run.as_slice(), &found) {
            let before = print(&parse(&case.input).unwrap());
            seen.entry(pass.name).or_default()[usize::from(*text == before)] += 1;
        }
        let error = matches!(found, Err(CompileError::Broken(_)));
        let broken = file.file_name().unwrap().to_string_lossy().starts_with("broken_");
        assert_eq!(error, broken, "{}: {found:?}", file.display());
    }
    for pass in PASSES {
        let [changed, left] = seen.get(pass.name).copied().unwrap_or_default();
        assert!(changed > 0 && left > 0 && changed + left >= 2, "{}: {changed} and {left}", pass.name);
    }
}

#[test]
fn every_rule_is_broken_once() {
    let broken: BTreeSet<&str> = cases()
        .into_iter()
        .filter_map(|(_, _, _, found)| match found {
            Err(CompileError::Broken(broken)) => Some(broken.rule),
            _ => None,
        })
        .collect();
    let rules = RULES.iter().map(|r| r.name).chain(["same_results"]);
    let missing: Vec<&str> = rules.filter(|r| !broken.contains(r)).collect();
    assert!(missing.is_empty(), "no file of tests/tiles breaks {missing:?}");
}

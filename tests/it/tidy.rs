//! The rules of ARCHITECTURE.md that no compiler checks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::repository::root;

mod circles;
mod code;
mod documents;
mod prose;
mod wildcards;

/// What each folder of `src` may use. Data flows one way; there is no circle.
const MAY_USE: &[(&str, &[&str])] = &[
    ("document", &[]),
    ("dtype", &[]),
    ("files", &[]),
    ("isa", &[]),
    ("pages", &[]),
    ("readable", &[]),
    ("machine", &["isa"]),
    ("numeric", &["isa"]),
    ("tensor_file", &["dtype", "files"]),
    ("float", &["files", "tensor_file"]),
    ("graph", &["dtype", "isa", "numeric"]),
    ("kernels", &["isa", "numeric"]),
    ("program", &["dtype", "files", "isa", "machine", "pages"]),
    ("dump", &["document", "dtype", "files", "program", "tensor_file"]),
    ("image", &["files", "program"]),
    ("onnx", &["document", "files", "float", "graph", "isa", "numeric", "tensor_file"]),
    ("sim", &["dtype", "isa", "kernels", "machine", "numeric", "pages", "program"]),
    ("compiler", &["graph", "isa", "machine", "numeric", "program", "sim"]),
    ("host", &["dtype", "float", "program", "sim", "tensor_file"]),
    ("inputs", &["dtype", "files", "image", "onnx", "program", "readable", "tensor_file"]),
    ("outputs", &["dtype", "dump", "program", "tensor_file"]),
    ("profile", &["compiler", "dtype", "isa", "machine", "program", "sim"]),
    ("explore", &["compiler", "graph", "isa", "machine", "profile", "sim"]),
    ("trace", &["document", "files", "isa", "sim"]),
    (
        "analysis",
        &[
            "compiler",
            "dtype",
            "dump",
            "files",
            "float",
            "graph",
            "host",
            "inputs",
            "isa",
            "machine",
            "numeric",
            "onnx",
            "profile",
            "program",
            "sim",
            "tensor_file",
        ],
    ),
    ("batch", &["dump", "host", "inputs", "kernels", "program", "sim", "trace"]),
    (
        "quantize",
        &["document", "float", "graph", "inputs", "isa", "numeric", "onnx", "program", "tensor_file"],
    ),
    (
        "tune",
        &[
            "compiler",
            "document",
            "dtype",
            "files",
            "float",
            "host",
            "inputs",
            "machine",
            "onnx",
            "program",
            "quantize",
            "sim",
            "tensor_file",
        ],
    ),
    (
        "report",
        &[
            "analysis", "batch", "document", "dtype", "explore", "graph", "inputs", "isa", "kernels",
            "machine", "onnx", "outputs", "profile", "program", "quantize", "readable", "sim", "trace",
            "tune",
        ],
    ),
    (
        "explain",
        &[
            "analysis",
            "batch",
            "compiler",
            "document",
            "dump",
            "files",
            "float",
            "host",
            "image",
            "inputs",
            "isa",
            "machine",
            "onnx",
            "profile",
            "program",
            "quantize",
            "readable",
            "report",
            "sim",
            "tensor_file",
            "trace",
            "tune",
        ],
    ),
    (
        "cli",
        &[
            "analysis", "batch", "compiler", "document", "dtype", "dump", "explain", "explore", "files",
            "float", "graph", "host", "inputs", "isa", "kernels", "machine", "onnx", "outputs", "profile",
            "program", "quantize", "readable", "report", "sim", "trace", "tune",
        ],
    ),
    (
        "face",
        &[
            "analysis",
            "compiler",
            "explain",
            "files",
            "float",
            "graph",
            "host",
            "inputs",
            "isa",
            "kernels",
            "machine",
            "onnx",
            "profile",
            "program",
            "quantize",
            "sim",
            "tensor_file",
            "tune",
        ],
    ),
    (
        "schemas",
        &[
            "document", "dtype", "dump", "explain", "isa", "onnx", "quantize", "report", "sim", "trace",
            "tune",
        ],
    ),
];

/// Written by generators.
const GENERATED: &[&str] = &[
    "src/isa/kinds.rs",
    "src/isa/generated.rs",
    "src/sim/op/kind.rs",
    "src/onnx/proto.rs",
    "src/onnx/schema/generated.rs",
];

/// Files that may be longer than the limit, and why.
const LONG: &[(&str, &str)] = &[
    ("src/compiler/lower/mac.rs", "one lowering whose parts share a tile"),
    ("tests/it/random/build.rs", "one generator with an arm for each instruction"),
];

const MAX_LINES: usize = 550;

/// Path inside the repository and text of every file below `folder` that ends like this.
fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()) {
            if entry.is_dir() {
                walk(&entry, found);
            } else {
                found.push(entry);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    found.sort();
    let inside = |p: &PathBuf| p.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
    let found: Vec<(String, String)> = found
        .iter()
        .filter(|p| p.to_string_lossy().ends_with(ending))
        // What fuzzing has found may be anything.
        .filter(|p| !p.starts_with(root().join("tests/fuzz/corpus")))
        // Models, arrays and archives are no text.
        .filter(|p| p.extension().is_none_or(|e| !["onnx", "npy", "npz", "zip"].iter().any(|b| e == *b)))
        .map(|p| (inside(p), fs::read_to_string(p).unwrap()))
        .collect();
    assert!(!found.is_empty(), "{folder} has no file that ends with \"{ending}\"");
    found
}

/// The folder of `src` that a file belongs to.
fn folder_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    Some(inside.split_once('/').map_or_else(|| inside.trim_end_matches(".rs"), |(folder, _)| folder))
}

#[track_caller]
fn none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn folders_use_only_what_lies_below_them() {
    let may: BTreeMap<&str, BTreeSet<&str>> =
        MAY_USE.iter().map(|(f, u)| (*f, u.iter().copied().collect())).collect();
    let mut wrong = Vec::new();
    for (path, text) in files("src", ".rs") {
        let Some(folder) = folder_of(&path).filter(|f| !matches!(*f, "lib" | "main")) else { continue };
        let Some(allowed) = may.get(folder) else {
            wrong.push(format!("{path}: folder {folder} is not in the list of this test"));
            continue;
        };
        for (number, line) in text.lines().enumerate().filter(|(_, l)| !l.trim_start().starts_with("//")) {
            for part in line.split("crate::").skip(1) {
                let used: String = part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if may.contains_key(used.as_str()) && used != folder && !allowed.contains(used.as_str()) {
                    wrong.push(format!("{path}:{}: {folder} may not use {used}", number + 1));
                }
            }
        }
    }
    none("layers are crossed (ARCHITECTURE.md)", &wrong);
}

#[test]
fn the_list_of_folders_has_no_circle() {
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for (folder, uses) in MAY_USE {
        let missing: Vec<&&str> = uses.iter().filter(|u| !done.contains(**u)).collect();
        assert!(missing.is_empty(), "{folder} uses {missing:?}, which stand below it in the list");
        done.insert(folder);
    }
}

#[test]
fn files_do_one_thing() {
    let mut wrong = Vec::new();
    for folder in ["src", "tests", "benches"] {
        for (path, text) in files(folder, ".rs") {
            let lines = text.lines().count();
            let known = GENERATED.contains(&path.as_str()) || LONG.iter().any(|(p, _)| *p == path);
            if lines > MAX_LINES && !known {
                wrong.push(format!("{path}: {lines} lines, the limit is {MAX_LINES}"));
            }
        }
    }
    none("files are too long", &wrong);
}

#[test]
fn every_file_says_what_it_is() {
    let mut wrong = Vec::new();
    for folder in ["src", "tests", "benches"] {
        for (path, text) in files(folder, ".rs") {
            if !GENERATED.contains(&path.as_str()) && !text.starts_with("//!") {
                wrong.push(path);
            }
        }
    }
    none("files without a `//!` head", &wrong);
}

#[test]
fn nothing_is_called_utils() {
    let vague = |p: &str| {
        ["utils", "util", "common", "helpers", "helper", "misc"]
            .iter()
            .any(|w| p.trim_end_matches(".rs").split('/').any(|part| part == *w))
    };
    let all = ["src", "tests"].into_iter().flat_map(|folder| files(folder, ".rs"));
    let wrong: Vec<String> = all.map(|(p, _)| p).filter(|p| vague(p)).collect();
    none("vague names", &wrong);
}

#[test]
fn unsafe_code_stands_in_kernels_and_is_explained() {
    let mut wrong = Vec::new();
    for (path, text) in files("src", ".rs") {
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if code.contains("unsafe {")
                && ![
                    "src/pages/mod.rs",
                    "src/sim/shared.rs",
                    "src/sim/memory.rs",
                    "src/sim/parallel/pool.rs",
                    "src/sim/parallel/sound.rs",
                ]
                .contains(&path.as_str())
                && !path.starts_with("src/kernels/")
            {
                wrong.push(format!("{path}:{}", number + 1));
            }
        }
    }
    none("unsafe code outside the kernels and what workers share", &wrong);
}

#[test]
fn kernels_know_no_descriptor_and_no_simulator() {
    let types =
        ["TensorDesc", "QuantDesc", "WindowDesc", "QueueOp", "OpKind", "ConvOp", "Insn", "Memory", "Space"];
    let mut wrong = Vec::new();
    for (path, text) in files("src/kernels", ".rs") {
        for (number, line) in text.lines().enumerate().filter(|(_, l)| !l.trim_start().starts_with("//")) {
            let mut words = line.split(|c: char| !c.is_alphanumeric());
            if words.any(|w| types.contains(&w)) {
                wrong.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    none("kernels take slices, extents and strides only", &wrong);
}

#[test]
fn nothing_half_done_is_left() {
    let words =
        ["TO".to_string() + "DO", "FIX".to_string() + "ME", "X".repeat(3), "place".to_string() + "holder"];
    let mut wrong = Vec::new();
    for folder in ["src", "tests", "isa"] {
        for (path, text) in files(folder, "") {
            if GENERATED.contains(&path.as_str()) {
                continue;
            }
            for (number, line) in text.lines().enumerate() {
                if words.iter().any(|w| line.contains(w.as_str())) {
                    wrong.push(format!("{path}:{}: {}", number + 1, line.trim()));
                }
            }
        }
    }
    none("unfinished work", &wrong);
}

#[test]
fn lines_have_no_trailing_space() {
    let mut wrong = Vec::new();
    for (path, text) in ["src", "tests", "isa"].into_iter().flat_map(|f| files(f, "")) {
        for (number, line) in text.lines().enumerate().filter(|(_, l)| l.ends_with([' ', '\t'])) {
            wrong.push(format!("{path}:{}: {line:?}", number + 1));
        }
    }
    none("trailing space", &wrong);
}

#[test]
fn the_compiler_asks_the_simulator_for_cycles_only() {
    let mut wrong = Vec::new();
    for (path, text) in files("src/compiler", ".rs") {
        let clock = ["src/compiler/plans.rs", "src/compiler/estimate.rs"].contains(&path.as_str());
        for (number, line) in text.lines().enumerate().filter(|(_, l)| l.contains("crate::sim")) {
            let asked = ["use crate::sim::clock::ClockReport;", "use crate::sim::{Decoded, Limits};"];
            if !clock || !asked.contains(&line) {
                wrong.push(format!("{path}:{}: {line}", number + 1));
            }
        }
    }
    none("what the compiler emits depends on the simulator", &wrong);
}

#[test]
fn the_control_core_sees_no_memory() {
    // So what is executed, where and when, is the same for every input.
    let mut wrong = Vec::new();
    let sources = files("src/sim/control", ".rs");
    assert!(sources.len() >= 3);
    for (path, text) in sources {
        for (number, line) in text.lines().enumerate().filter(|(_, l)| !l.trim_start().starts_with("//")) {
            let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            if words.any(|w| ["Memory", "memory", "Views", "Engine", "engine", "EventClock"].contains(&w)) {
                wrong.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    none("the control core's state depends on code and constants only", &wrong);
}

#[test]
fn the_second_clock_shares_decoder_and_machine_file_only() {
    // It derives the rules of time independently.
    let may = [
        "rcar_iss::internals::isa::{",
        "rcar_iss::internals::machine::Machine;",
        "rcar_iss::internals::program::Program;",
    ];
    let not = ["BlockGrid", "in_block", "blocks::", "crate::random", "crate::clock"];
    let mut wrong = Vec::new();
    let sources = files("tests/it/stepped", ".rs");
    assert!(sources.len() >= 3);
    for (path, text) in sources {
        for (number, line) in text.lines().enumerate() {
            let uses = line.split("rcar_iss::").count() - 1;
            let allowed = may.iter().filter(|m| line.contains(**m)).count();
            if uses > allowed || not.iter().any(|n| line.contains(n)) {
                wrong.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    none("the stepped clock must not use this", &wrong);
}

//! Wrong usage of the command line, one file in `tests/usage/` for each kind. A file first makes what its
//! cases need, then lists them:
//!
//! ```toml
//! make = ["compile {programs}/digit_cnn/model.onnx -o {dir}/digit.rcn"]   # commands that must succeed
//!
//! [text]                                  # files of the folder {dir}
//! "bad.toml" = "skip = 3"
//!
//! [array]
//! "two.npy" = { type = "f32", shape = [2, 1, 28, 28], values = [0.5] }    # values are repeated
//!
//! [[case]]
//! run = "run {dir}/digit.rcn --numeric q31"
//! status = 2                              # if left out
//! says = ["--numeric has no effect", "for ONNX models"]     # none: no error is told
//! ```
//!
//! Words are parted by blanks. What a case refuses must leave no file behind, and what it says goes to
//! stderr.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rcar_iss::internals::tensor_file::{self, Element, TensorData};
use serde::Deserialize;

use crate::repository::root;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    make: Vec<String>,
    #[serde(default)]
    text: BTreeMap<String, String>,
    #[serde(default)]
    array: BTreeMap<String, Array>,
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Array {
    r#type: String,
    shape: Vec<usize>,
    values: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    run: String,
    #[serde(default = "usage")]
    status: i32,
    says: Vec<String>,
}

fn usage() -> i32 {
    2
}

fn run(line: &str, dir: &Path) -> Output {
    let programs = root().join("programs");
    let word = |w: &str| {
        w.replace("{dir}", &dir.display().to_string()).replace("{programs}", &programs.display().to_string())
    };
    Command::new(env!("CARGO_BIN_EXE_rcar-iss"))
        .env_remove("ORT_DYLIB_PATH")
        .args(line.split_whitespace().map(word))
        .output()
        .unwrap()
}

/// The file as its array's type has it.
fn write(path: &Path, array: &Array) {
    let element = Element::from_name(&array.r#type).unwrap();
    let count = array.shape.iter().product();
    let bytes = array.values.iter().cycle().take(count).flat_map(|v| match element {
        Element::F32 => (*v as f32).to_le_bytes().to_vec(),
        Element::S64 => (*v as i64).to_le_bytes().to_vec(),
        Element::U8 => vec![*v as u8],
        other => panic!("arrays of {} are not made here", other.name()),
    });
    let tensor = TensorData { element, shape: array.shape.clone(), bytes: bytes.collect() };
    tensor_file::write(path, &tensor).unwrap();
}

/// Every file below a folder.
fn files(dir: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path);
        }
    }
    found
}

/// What is wrong with the result of a case; `None` if it is as expected.
fn judge(case: &Case, out: &Output, left: &[&PathBuf]) -> Option<String> {
    let text = String::from_utf8_lossy(&out.stderr);
    let mut wrong = Vec::new();
    if out.status.code() != Some(case.status) {
        wrong.push(format!("status {:?} instead of {}", out.status.code(), case.status));
    }
    wrong.extend(case.says.iter().filter(|s| !text.contains(*s)).map(|s| format!("does not say \"{s}\"")));
    if case.says.is_empty() && text.contains("error: ") {
        wrong.push("speaks of an error".into());
    }
    if case.status == 2 && !left.is_empty() {
        wrong.push(format!("leaves {left:?} behind"));
    }
    (!wrong.is_empty()).then(|| format!("{}\n  {}\n  stderr: {}", case.run, wrong.join("; "), text.trim()))
}

/// The cases of one file, and what is wrong with them.
fn all_of(path: &Path) -> (usize, Vec<String>) {
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    let file: File = toml::from_str(&std::fs::read_to_string(path).unwrap())
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let dir = crate::scratch(&format!("usage-{name}"));
    for (name, text) in &file.text {
        std::fs::write(dir.join(name), text).unwrap();
    }
    for (name, array) in &file.array {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        write(&path, array);
    }
    for line in &file.make {
        let out = run(line, &dir);
        assert!(out.status.success(), "{line}: {}", String::from_utf8_lossy(&out.stderr));
    }
    let mut wrong = Vec::new();
    for case in &file.case {
        let before = files(&dir);
        let out = run(&case.run, &dir);
        let after = files(&dir);
        let left: Vec<&PathBuf> = after.difference(&before).collect();
        wrong.extend(judge(case, &out, &left));
        left.into_iter().for_each(|path| std::fs::remove_file(path).unwrap());
    }
    (file.case.len(), wrong)
}

#[test]
fn wrong_uses_are_refused_with_a_status_and_a_reason() {
    let folder = root().join("tests/usage");
    let mut count = 0;
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let (cases, found) = all_of(&entry.unwrap().path());
        count += cases;
        wrong.extend(found);
    }
    assert!(wrong.is_empty(), "{} of {count} cases:\n\n{}", wrong.len(), wrong.join("\n\n"));
    assert!(count >= 110, "only {count} cases");
}

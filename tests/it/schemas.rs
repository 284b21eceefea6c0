//! The JSON contract: `docs/schemas/` holds the schema of every document, made from the types; everything
//! that a command prints is valid, names its kind, and has no field that is missing in its schema.
//!
//! `RCN_BLESS=1 cargo test --test it schemas` writes the schemas.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

mod judge;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas")
}

fn file(kind: &str) -> PathBuf {
    folder().join(format!("{kind}.schema.json"))
}

#[test]
fn schemas_are_those_of_the_types() {
    let all = rcar_iss::internals::schemas::schemas();
    let names: BTreeSet<PathBuf> = all.iter().map(|(kind, _)| file(kind)).collect();
    assert_eq!(names.len(), all.len(), "two kinds have one name");
    if std::env::var_os("RCN_BLESS").is_some() {
        let _ = std::fs::remove_dir_all(folder());
        std::fs::create_dir_all(folder()).unwrap();
        for (kind, schema) in &all {
            std::fs::write(file(kind), format!("{schema:#}\n")).unwrap();
        }
    }
    let there: BTreeSet<PathBuf> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(there, names, "docs/schemas holds a schema of every kind, and nothing else");
    for (kind, schema) in &all {
        assert!(
            std::fs::read_to_string(file(kind)).unwrap() == format!("{schema:#}\n"),
            "docs/schemas/{kind}.schema.json is stale. If the new one keeps the contract of docs/book/src/reference/json.md, run \
             `RCN_BLESS=1 cargo test --test it schemas` and commit it"
        );
        if *kind != "trace-record" {
            assert_eq!(schema["$id"], format!("rcar-iss/{kind}/{}", version(schema)));
        }
    }
    let contract = std::fs::read_to_string(folder().join("../book/src/reference/json.md")).unwrap();
    for (kind, _) in &all {
        assert!(contract.contains(&format!("| `{kind}` |")), "the page of JSON has no {kind}");
    }
}

fn version(schema: &Value) -> String {
    let id = schema["$id"].as_str().unwrap();
    id.rsplit_once('/').unwrap().1.to_string()
}

/// All schemas.
struct Schemas(BTreeMap<String, Value>);

impl Schemas {
    fn new() -> Schemas {
        // Of the types: the files may be written at the same time, and are compared with the types.
        let all = rcar_iss::internals::schemas::schemas();
        Schemas(all.into_iter().map(|(kind, schema)| (kind.to_string(), schema)).collect())
    }

    #[track_caller]
    fn valid(&self, kind: &str, document: &Value, what: &str) {
        let errors = judge::errors(&self.0[kind], document);
        assert!(errors.is_empty(), "{what} is no {kind}:\n  {}", errors.join("\n  "));
    }

    /// A document of a kind, with its envelope.
    #[track_caller]
    fn document(&self, kind: &str, text: &str, what: &str) {
        let document: Value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{what}: {e}\n{text}"));
        assert_eq!(document["schema"], format!("rcar-iss/{kind}/1"), "{what}");
        assert_eq!(document["tool"]["name"], "rcar-iss", "{what}");
        assert_eq!(document["tool"]["version"], env!("CARGO_PKG_VERSION"), "{what}");
        self.valid(kind, &document, what);
    }
}

/// The commands that have `--json`, by their help.
fn commands() -> BTreeSet<String> {
    let help = |args: &[&str]| {
        let out = Command::new(env!("CARGO_BIN_EXE_rcar-iss")).args(args).output().unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    let all = help(&["--help"]);
    let list = all.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    // What continues a line is indented deeper.
    let names = list.lines().filter(|l| l.starts_with("  ") && !l.starts_with("   "));
    let names: Vec<&str> =
        names.map(|l| l.split_whitespace().next().unwrap()).filter(|n| *n != "help").collect();
    assert!(names.len() > 10, "{names:?}");
    names.into_iter().filter(|n| help(&[n, "--help"]).contains("--json")).map(Into::into).collect()
}

/// Command lines in a folder with the digit network and a picture, in order; the exit status and the kind of
/// what they print. `{P}` is the folder of programs.
const LINES: &[(&str, i32, &str)] = &[
    ("compile model.onnx -o p.rcn --json", 0, "compile"),
    ("check model.onnx --json", 0, "check-model"),
    ("check float.onnx --json --no-host", 4, "check-model"),
    ("check p.rcn --json", 0, "check-program"),
    ("check nothing.onnx --json", 3, "failure"),
    ("check {P}/fault_overlap.s --json", 5, "failure"),
    ("run model.onnx --input seven.png --json", 0, "run"),
    (
        "run p.rcn --input seven.png --input seven.png --json --profile -o out --dump-layers layers --dequantize",
        0,
        "run",
    ),
    ("run p.rcn --input seven.png --json --trace a.trace --engine reference", 0, "run"),
    ("run p.rcn --input seven.png --json --trace b.trace", 0, "run"),
    ("run float.onnx --input seven.png --json", 4, "failure"),
    ("run p.rcn --json", 2, "failure"),
    ("info p.rcn --json", 0, "program"),
    ("info model.onnx --json", 0, "model"),
    ("info --host --json", 0, "host"),
    ("info --machine rcn-s --json", 0, "machine"),
    ("estimate model.onnx --json", 0, "estimate"),
    ("estimate model.onnx --advice --energy example --lifetimes spm.svg --json", 0, "estimate"),
    ("estimate model.onnx --sweep vec.lanes=8,16,0 --json", 0, "sweep"),
    ("estimate model.onnx --machine all --exact --json", 0, "estimate"),
    ("diff model.onnx {P}/digit_cnn/qdq_sym.onnx --json", 0, "diff"),
    ("diff a.trace b.trace --json", 0, "diff"),
    ("bench p.rcn --input seven.png --repeat 2 --profile --json", 0, "bench"),
    ("compare model.onnx --reference float.onnx --input seven.png --json --fail-under 99", 1, "compare"),
    ("diagnose model.onnx --reference float.onnx --input seven.png --json", 0, "diagnose"),
    ("dequantize layers -o real --json", 0, "dequantize"),
    ("quantize float.onnx --calib seven.png -o q.onnx --json --prune 0.5", 0, "quantize"),
    ("tune float.onnx --calib seven.png -o t.onnx --input-limit 1 --json", 0, "tune"),
];

#[test]
fn every_command_prints_what_its_schema_says() {
    let schemas = Schemas::new();
    let dir = crate::scratch("schemas");
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs");
    for name in ["model.onnx", "model.toml", "float.onnx", "seven.png"] {
        std::fs::copy(programs.join("digit_cnn").join(name), dir.join(name)).unwrap();
    }
    let tried: BTreeSet<String> =
        LINES.iter().map(|(line, ..)| line.split_once(' ').unwrap().0.to_string()).collect();
    assert_eq!(tried, commands(), "the commands with --json, and those of which this test knows a line");
    let kinds: BTreeSet<&str> = LINES.iter().map(|(.., kind)| *kind).collect();
    let run = |line: &str| {
        let line = line.replace("{P}", &programs.display().to_string());
        let mut command = Command::new(env!("CARGO_BIN_EXE_rcar-iss"));
        command.current_dir(&dir).env_remove("ORT_DYLIB_PATH").stdin(Stdio::null());
        command.args(line.split_whitespace()).output().unwrap()
    };
    for (line, status, kind) in LINES {
        let out = run(line);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(*status), "{line}: {said}");
        schemas.document(kind, &String::from_utf8(out.stdout).unwrap(), line);
    }
    let text = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    schemas.document("dump", &text("layers/000000/manifest.json"), "a dump");
    schemas.document("calibration", &text("q.calibration.json"), "a calibration");
    schemas.document("tune-state", &text("t.tune.json"), "the state of tune");
    let ready = String::from_utf8(run("bench p.rcn --input seven.png --serve").stdout).unwrap();
    schemas.document("bench-ready", &ready, "bench --serve");
    let perfetto = String::from_utf8(run("trace a.trace --format perfetto").stdout).unwrap();
    schemas.document("trace-perfetto", &perfetto, "a trace for Perfetto");
    let lines = String::from_utf8(run("trace a.trace --format json").stdout).unwrap();
    let (head, records) = lines.split_once('\n').unwrap();
    schemas.document("trace", head, "the head of a trace");
    assert!(records.lines().count() > 100);
    for record in records.lines().step_by(3) {
        schemas.valid("trace-record", &serde_json::from_str(record).unwrap(), "a record");
    }
    // Every schema was compared with a document.
    let beside =
        ["bench-ready", "calibration", "dump", "trace", "trace-perfetto", "trace-record", "tune-state"];
    let known: BTreeSet<&str> = kinds.into_iter().chain(beside).collect();
    assert_eq!(schemas.0.keys().map(String::as_str).collect::<BTreeSet<_>>(), known);
}

/// The test fails on a wrong document.
#[test]
fn what_a_schema_does_not_tell_of_is_found() {
    let schemas = Schemas::new();
    let right = json!({
        "schema": "rcar-iss/host/1", "tool": { "name": "rcar-iss", "version": "0" },
        "arch": "x86_64", "threads": 2, "kernels": ["portable"], "chosen": "portable",
    });
    let judged = |change: &dyn Fn(&mut Value)| {
        let mut value = right.clone();
        change(&mut value);
        judge::errors(&schemas.0["host"], &value).is_empty()
    };
    assert!(judged(&|_| {}));
    assert!(!judged(&|v| v["more"] = 1.into()));
    assert!(!judged(&|v| v["threads"] = "two".into()));
    assert!(!judged(&|v| v["schema"] = "rcar-iss/host/2".into()));
    assert!(!judged(&|v| drop(v.as_object_mut().unwrap().remove("tool"))));
}

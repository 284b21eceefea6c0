//! The page of the book about producers' models, `docs/book/src/reference/conformance.md`: each of its rows
//! is found again by `check` and `run`, beside what ONNX Runtime gave.
//!
//! A case is a folder of `tests/golden/conformance/`: `model.onnx`, its inputs, and `case.toml` with the
//! arrays that are expected. `python3 tools/conformance.py RCAR_ISS` writes the page.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;

use rcar_iss::internals::tensor_file::{self, TensorData};
use serde::Deserialize;
use serde_json::Value;

use crate::repository::root;
use crate::scratch;

const PAGE: &str = "docs/book/src/reference/conformance.md";

/// A case, as `case.toml` has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    producer: String,
    setting: String,
    network: String,
    #[serde(default)]
    dims: BTreeMap<String, u64>,
    #[serde(default)]
    inputs: BTreeMap<String, String>,
    #[serde(default)]
    outputs: Vec<Expected>,
}

/// A model of `tests/golden/operators/producers/`.
#[derive(Debug, Deserialize)]
struct Form {
    model: String,
    input: String,
    within: f64,
    values: BTreeMap<String, String>,
}

/// An output's step, and the arrays of which it must be near to one.
#[derive(Debug, Deserialize)]
struct Expected {
    step: f64,
    values: Vec<String>,
}

/// What a row is found from.
struct Item {
    /// Its first columns.
    first: Vec<String>,
    model: PathBuf,
    dims: BTreeMap<String, u64>,
    inputs: BTreeMap<String, String>,
    outputs: Vec<Expected>,
}

/// The folders of a folder, in order.
fn folders(of: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(of).unwrap().map(|e| e.unwrap().path()).collect();
    found.retain(|path| path.is_dir());
    found.sort();
    found
}

fn items() -> Vec<Item> {
    let mut items = Vec::new();
    let golden = root().join("tests/golden");
    for (group, official) in [("exporters", false), ("official", true)] {
        for folder in folders(&golden.join("conformance").join(group)) {
            let name = folder.file_name().unwrap().to_string_lossy().into_owned();
            let case: Case = toml::from_str(&fs::read_to_string(folder.join("case.toml")).unwrap())
                .unwrap_or_else(|e| panic!("{name}: {e}"));
            let first = if official {
                vec![format!("`test_{name}`"), case.network]
            } else {
                vec![case.producer, case.setting, format!("{} (`{name}`)", case.network)]
            };
            let model = folder.join("model.onnx");
            items.push(Item { first, model, dims: case.dims, inputs: case.inputs, outputs: case.outputs });
        }
    }
    let forms = golden.join("operators/producers");
    for path in fs::read_dir(&forms).unwrap().map(|e| e.unwrap().path()) {
        if !path.to_string_lossy().ends_with(".expected.toml") {
            continue;
        }
        let form: Form = toml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let outputs =
            form.values.into_values().map(|file| Expected { step: form.within, values: vec![file] });
        items.push(Item {
            first: vec![format!("`{}`", form.model.trim_end_matches(".onnx"))],
            outputs: outputs.collect(),
            model: forms.join(&form.model),
            dims: BTreeMap::new(),
            inputs: BTreeMap::from([("x".into(), form.input)]),
        });
    }
    items
}

fn call(command: &str, item: &Item, more: &[String]) -> Output {
    let dims = item.dims.iter().flat_map(|(name, extent)| ["--dim".into(), format!("{name}={extent}")]);
    Command::new(env!("CARGO_BIN_EXE_rcar-iss"))
        .env_remove("ORT_DYLIB_PATH")
        .arg(command)
        .arg(&item.model)
        .args(more)
        .args(dims)
        .arg("--json")
        .output()
        .unwrap()
}

fn report(out: &Output) -> Value {
    serde_json::from_slice(&out.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&out.stderr)))
}

/// The elements of an array, and whether they are floats.
fn numbers(data: &TensorData) -> (Vec<f64>, bool) {
    let name = data.element.name();
    let size = data.element.bytes();
    let number = |b: &[u8]| match (name, size) {
        ("f32", _) => f64::from(f32::from_le_bytes(b.try_into().unwrap())),
        ("f64", _) => f64::from_le_bytes(b.try_into().unwrap()),
        _ => {
            let negative = name.starts_with('s') && b[size - 1] > 127;
            let mut wide = [if negative { 255 } else { 0 }; 8];
            wide[..size].copy_from_slice(b);
            i64::from_le_bytes(wide) as f64
        }
    };
    (data.bytes.chunks(size).map(number).collect(), name.starts_with('f'))
}

/// How far an array is from an expected one: 0 if they are equal, 1 within one step, more beyond.
fn apart(found: &TensorData, want: &TensorData, step: f64) -> f64 {
    if found.shape != want.shape {
        return f64::INFINITY;
    }
    let ((a, _), (b, float)) = (numbers(found), numbers(want));
    let far = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    if far == 0.0 {
        return 0.0;
    }
    let room = if float { 1e-4 * b.iter().fold(0.0, |m: f64, b| m.max(b.abs())) } else { 0.0 };
    let unit = if float || step > 0.0 { step } else { 1.0 };
    if far <= 1.001 * unit + room { 1.0 } else { (far / unit).ceil().max(2.0) }
}

/// The column of a model's values: what `run` wrote, beside the expected arrays.
fn values(item: &Item, folder: &Path) -> String {
    let beside = |file: &str| item.model.with_file_name(file);
    let mut more = vec!["-o".to_string(), folder.display().to_string()];
    for (name, file) in &item.inputs {
        more.extend(["--input".to_string(), format!("{name}={}", beside(file).display())]);
    }
    let out = call("run", item, &more);
    let ran = report(&out);
    if !out.status.success() {
        return format!("does not run: {}", ran["why"].as_str().unwrap_or("?"));
    }
    let files = ran["files"].as_array().unwrap();
    if files.len() != item.outputs.len() {
        return format!("{} outputs instead of {}", files.len(), item.outputs.len());
    }
    let mut worst: f64 = 0.0;
    for (file, expected) in files.iter().zip(&item.outputs) {
        let found = tensor_file::read(&folder.join(file.as_str().unwrap())).unwrap();
        let far = |v: &String| apart(&found, &tensor_file::read(&beside(v)).unwrap(), expected.step);
        worst = worst.max(expected.values.iter().map(far).fold(f64::INFINITY, f64::min));
    }
    match worst {
        0.0 => "equal".into(),
        1.0 => "within one step".into(),
        steps => format!("{steps} steps"),
    }
}

/// A row of the page.
fn row(item: &Item, folder: &Path) -> String {
    let checked = report(&call("check", item, &[]));
    let mut cells = item.first.clone();
    let nodes = |status: &str| -> Vec<&Value> {
        checked["nodes"].as_array().into_iter().flatten().filter(|n| n["status"] == status).collect()
    };
    let text = |v: &Value| v.as_str().unwrap_or_default().to_string();
    if checked["supported"] != true {
        let refused = nodes("unsupported");
        let node = refused.first().map(|n| format!("{}: {}", text(&n["type"]), text(&n["detail"])));
        let why = checked["why"].as_str().or(checked["problem"].as_str()).unwrap_or_default().to_string();
        cells.extend([format!("no: {}", node.unwrap_or(why)), String::new(), String::new()]);
    } else {
        let of = |side: &str| checked["macs"][side].as_u64().unwrap() as f64;
        let (own, host) = (of("accelerator"), of("host"));
        let mut share = "all".to_string();
        if host > 0.0 {
            share = format!("{:.1} % of MACs", 100.0 * own / (own + host));
        }
        let hosts: BTreeSet<String> = nodes("host").iter().map(|n| text(&n["type"])).collect();
        if !hosts.is_empty() {
            share += &format!(", host: {}", hosts.into_iter().collect::<Vec<_>>().join(", "));
        }
        cells.extend(["yes".into(), share, values(item, folder)]);
    }
    let cells: Vec<String> = cells.iter().map(|c| c.replace('|', "\\|")).collect();
    format!("| {} |", cells.join(" | "))
}

/// The rows of the page that are found here: those of its tables but the last, of whole float networks.
fn written() -> BTreeSet<String> {
    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    let held = page.split("\n## Float networks").next().unwrap();
    let mut rows = BTreeSet::new();
    let mut lines = held.lines().peekable();
    while let Some(line) = lines.next() {
        let head = lines.peek().is_some_and(|next| next.starts_with("|---"));
        if line.starts_with("| ") && !head {
            rows.insert(line.to_string());
        }
    }
    rows
}

#[test]
fn the_page_says_what_becomes_of_each_model() {
    let folder = scratch("conformance");
    let left = Mutex::new(items().into_iter().enumerate());
    let found = Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let Some((at, item)) = left.lock().unwrap().next() else { return };
                    let row = row(&item, &folder.join(at.to_string()));
                    found.lock().unwrap().insert(row);
                }
            });
        }
    });
    let (found, written) = (found.into_inner().unwrap(), written());
    let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| {
        a.difference(b).cloned().collect::<Vec<_>>().join("\n  ")
    };
    assert!(
        found == written,
        "{PAGE} differs; `python3 tools/conformance.py RCAR_ISS` writes it.\nfound:\n  {}\non the page:\n  {}",
        only(&found, &written),
        only(&written, &found)
    );
    let held = |row: &&String| {
        row.ends_with("| equal |") || row.ends_with("| within one step |") || row.contains("| no: ")
    };
    let beyond: Vec<&String> = found.iter().filter(|row| !held(row)).collect();
    assert!(beyond.is_empty(), "beyond one step: {beyond:#?}");
}

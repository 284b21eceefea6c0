//! `quantize` and `tune` on the command line.

use std::path::Path;
use std::process::{Command, Output};

use rcar_iss::internals::tensor_file::{self, Element, TensorData};

fn rcar(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rcar-iss"))
        .env_remove("ORT_DYLIB_PATH")
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

fn stderr(o: &Output) -> String {
    String::from_utf8_lossy(&o.stderr).into_owned()
}

const FLOAT: &str = "programs/digit_cnn/float.onnx";
const SEVEN: &str = "programs/digit_cnn/seven.png";

#[test]
fn quantize_reads_a_picture_and_writes_the_same_bytes_twice() {
    let dir = crate::scratch("quantize_cli");
    let path = |name: &str| dir.join(name).to_string_lossy().into_owned();
    for name in ["a.onnx", "b.onnx"] {
        let o = rcar(&["quantize", FLOAT, "--calib", SEVEN, "-o", &path(name), "--method", "mse"]);
        assert!(o.status.success(), "{}", stderr(&o));
    }
    for ending in ["onnx", "calibration.json", "toml"] {
        let [a, b] = ["a", "b"].map(|n| std::fs::read(path(&format!("{n}.{ending}"))).unwrap());
        // The sidecar's first line names its model.
        let said = |bytes: &[u8]| match ending {
            "toml" => bytes.split_inclusive(|b| *b == b'\n').skip(1).flatten().copied().collect(),
            _ => bytes.to_vec(),
        };
        assert!(said(&a) == said(&b), "{ending}");
    }
    // The picture's preprocessing went along.
    let o = rcar(&["run", &path("a.onnx"), "--input", SEVEN, "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&o.stdout).unwrap();
    assert_eq!(report["runs"][0]["outputs"][0]["best"][0]["class"], 7);
    // From saved statistics, with one layer in 16 bits.
    let saved = path("a.calibration.json");
    let o = rcar(&[
        "quantize",
        FLOAT,
        "--statistics",
        &saved,
        "-o",
        &path("c.onnx"),
        "--layer",
        "conv1=a16w8",
        "--json",
    ]);
    let report: serde_json::Value = serde_json::from_slice(&o.stdout).unwrap();
    assert!(report["tensors_16"].as_u64().unwrap() >= 2, "{report}");
    let o = rcar(&["quantize", FLOAT, "--calib", SEVEN, "-o", &path("d.onnx"), "--prune", "0.5"]);
    let text = String::from_utf8_lossy(&o.stdout).into_owned();
    for word in ["blocks are zero", "pruning alone", "quantization alone", "both"] {
        assert!(text.contains(word), "{text}");
    }
}

/// `q.toml` says how pictures become inputs of `q.onnx`: of the one that lies there, whichever run wrote it.
#[test]
fn a_sidecar_belongs_to_the_model_beside_it() {
    let dir = crate::scratch("quantize_sidecar");
    let path = |name: &str| dir.join(name).to_string_lossy().into_owned();
    std::fs::copy(FLOAT, path("f.onnx")).unwrap();
    let array = TensorData { element: Element::F32, shape: vec![1, 1, 28, 28], bytes: vec![0; 4 * 784] };
    tensor_file::write(Path::new(&path("x.npy")), &array).unwrap();
    let quantize = |more: &[&str]| rcar(&[&["quantize", &path("f.onnx")], more].concat());
    let fine = |more: &[&str]| {
        let o = quantize(more);
        assert!(o.status.success(), "{more:?}: {}", stderr(&o));
        stderr(&o)
    };
    let refused = |more: &[&str], says: &str| {
        let o = quantize(more);
        assert_eq!(o.status.code(), Some(2), "{more:?}");
        assert!(stderr(&o).contains(says), "{more:?}: {}", stderr(&o));
    };
    let toml = |name: &str| std::fs::read_to_string(path(name)).unwrap();
    let (q, mean) = (path("q.onnx"), |value: &'static str| ["--mean", value, "--std", "20"]);
    let pictures = |value| [&["--calib", SEVEN, "-o", &q][..], &mean(value)].concat();
    fine(&pictures("30"));
    assert!(toml("q.toml").contains("30"));
    // Its own is replaced, also by that of statistics that say what the pictures were.
    fine(&pictures("40"));
    assert!(toml("q.toml").contains("40"));
    std::fs::rename(path("q.calibration.json"), path("seen.json")).unwrap();
    fine(&["--statistics", &path("seen.json"), "-o", &path("other.onnx")]);
    assert!(toml("other.toml").contains("40"));
    // Arrays have no preprocessing: a sidecar that would not fit is removed, with a message.
    assert!(fine(&["--calib", &path("x.npy"), "-o", &q]).contains("goes with the model"));
    assert!(!Path::new(&path("q.toml")).exists());
    // A user's sidecar stays if it agrees, and otherwise stops the command.
    fine(&pictures("30"));
    std::fs::write(path("q.toml"), toml("q.toml").replace("30", "31")).unwrap();
    refused(&pictures("30"), "other preprocessing");
    fine(&pictures("31"));
    assert!(fine(&["--calib", &path("x.npy"), "-o", &q]).contains("stays beside the model"));
    assert!(toml("q.toml").contains("31"));
    // What belongs to another model, by its name or by a link, is not touched.
    fine(&[&["--calib", SEVEN, "-o", &path("r.onnx")][..], &mean("30")].concat());
    std::os::unix::fs::symlink("r.toml", path("s.toml")).unwrap();
    refused(&[&["--calib", SEVEN, "-o", &path("s.onnx")][..], &mean("1")].concat(), "stands beside it");
    refused(&[&["--calib", SEVEN, "-o", &path("r.foo")][..], &mean("1")].concat(), "stands beside it");
    fine(&["--calib", &path("x.npy"), "-o", &path("s.onnx")]);
    assert!(toml("r.toml").contains("30"));
}

#[test]
fn wrong_requests_say_what_and_what_to_do() {
    let dir = crate::scratch("quantize_wrong");
    let out = dir.join("q.onnx").to_string_lossy().into_owned();
    let cases: [(&[&str], i32, &str); 7] = [
        (&[FLOAT], 2, "--calib"),
        (&[FLOAT, "--calib", SEVEN, "--method", "best"], 2, "minmax"),
        (&[FLOAT, "--calib", SEVEN, "--skip", "nobody"], 2, "nobody"),
        (&[FLOAT, "--calib", SEVEN, "--layer", "conv1"], 2, "NAME=a16w8"),
        (&[FLOAT, "--calib", SEVEN, "--layer", "conv1=a4w4"], 2, "a4w4"),
        (&[FLOAT, "--calib", "programs/chelsea.jpg", "--prune", "7"], 2, "share"),
        (&["programs/digit_cnn/model.onnx", "--calib", SEVEN], 4, "quantized already"),
    ];
    for (args, status, word) in cases {
        let o = rcar(&[&["quantize", "-o", &out], args].concat());
        assert_eq!(o.status.code(), Some(status), "{args:?}: {}", stderr(&o));
        assert!(stderr(&o).contains(word), "{args:?}: {}", stderr(&o));
    }
    assert!(!Path::new(&out).exists());
}

#[test]
fn tune_writes_model_program_plot_and_recipe_and_goes_on_where_it_stopped() {
    let dir = crate::scratch("tune_cli");
    let path = |name: &str| dir.join(name).to_string_lossy().into_owned();
    let tune = |more: &[&str]| {
        let args = ["tune", FLOAT, "--calib", SEVEN, "-o", &path("t.onnx"), "--input-limit", "1", "--json"];
        rcar(&[&args, more].concat())
    };
    let first = tune(&[]);
    assert!(first.status.success(), "{}", stderr(&first));
    let plot = std::fs::read_to_string(path("t.svg")).unwrap();
    assert!(plot.contains("<svg") && plot.contains("chosen"));
    assert_eq!(tune(&[]).stdout, first.stdout);
    let report: serde_json::Value = serde_json::from_slice(&first.stdout).unwrap();
    // The recipe gives the same model.
    let [saved, recipe] = [path("t.calibration.json"), path("t.recipe.toml")];
    let o = rcar(&["quantize", FLOAT, "--statistics", &saved, "--config", &recipe, "-o", &path("r.onnx")]);
    assert!(o.status.success(), "{}", stderr(&o));
    assert_eq!(std::fs::read(path("r.onnx")).unwrap(), std::fs::read(path("t.onnx")).unwrap());
    // The program is the one whose cycles were reported.
    let o = rcar(&["estimate", &path("t.rcn"), "--json"]);
    let text = String::from_utf8_lossy(&o.stdout).into_owned();
    assert!(text.contains(&report["best"]["cycles"].to_string()), "{text}");
    assert_eq!(tune(&["--target-sqnr", "500"]).status.code(), Some(1));
    assert_eq!(tune(&["--max-cycles", "lots"]).status.code(), Some(2));
}

#[test]
fn weights_are_prepared_when_asked_for_and_saved_statistics_know_it() {
    let dir = crate::scratch("quantize_prepared");
    let path = |name: &str| dir.join(name).to_string_lossy().into_owned();
    let prepared = |out: &str, threads: &str| {
        let more = ["--per-tensor", "--equalize", "--bias-correction", "--threads", threads];
        let o = rcar(&[&["quantize", FLOAT, "--calib", SEVEN, "-o", &path(out)], &more[..]].concat());
        assert!(o.status.success(), "{}", stderr(&o));
        String::from_utf8_lossy(&o.stdout).into_owned()
    };
    let text = prepared("a.onnx", "1");
    assert!(text.contains("2 pairs of convolutions equalized"), "{text}");
    assert!(text.contains("biases of 5 nodes corrected"), "{text}");
    prepared("b.onnx", "2");
    assert_eq!(std::fs::read(path("a.onnx")).unwrap(), std::fs::read(path("b.onnx")).unwrap());
    // Both quantized networks still know the digit.
    let o = rcar(&["run", &path("a.onnx"), "--input", SEVEN, "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&o.stdout).unwrap();
    assert_eq!(report["runs"][0]["outputs"][0]["best"][0]["class"], 7);
    // The tensors of an equalized network have other ranges.
    let saved = path("a.calibration.json");
    let again = ["quantize", FLOAT, "--statistics", &saved, "-o", &path("c.onnx")];
    let o = rcar(&again);
    assert_eq!(o.status.code(), Some(3), "{}", stderr(&o));
    assert!(stderr(&o).contains("--equalize"), "{}", stderr(&o));
    assert!(rcar(&[&again[..], &["--equalize"]].concat()).status.success());
    let o = rcar(&[&again[..], &["--equalize", "--bias-correction"]].concat());
    assert_eq!(o.status.code(), Some(2), "{}", stderr(&o));
}

#[test]
fn tune_reaches_a_share_of_right_classes() {
    let dir = crate::scratch("tune_top1");
    let path = |name: &str| dir.join(name).to_string_lossy().into_owned();
    let labels = |class: i64| {
        let bytes = class.to_le_bytes().to_vec();
        let tensor = TensorData { element: Element::S64, shape: vec![1], bytes };
        tensor_file::write(&dir.join("y.npy"), &tensor).unwrap();
    };
    let tune = || {
        let args = ["tune", FLOAT, "--calib", SEVEN, "-o", &path("t.onnx"), "--json", "--target-top1", "1.0"];
        rcar(&[&args[..], &["--labels", &path("y.npy")]].concat())
    };
    labels(7);
    let o = tune();
    assert!(o.status.success(), "{}", stderr(&o));
    let report: serde_json::Value = serde_json::from_slice(&o.stdout).unwrap();
    assert_eq!((&report["reached"], &report["best"]["top1"]), (&true.into(), &1.0.into()), "{report:#}");
    assert!(report["best"]["raised"].as_array().unwrap().is_empty(), "8 bits are enough: {report:#}");
    // Labels are part of what was measured: with others nothing of it counts.
    labels(3);
    let o = tune();
    assert_eq!(o.status.code(), Some(1), "{}", stderr(&o));
    let report: serde_json::Value = serde_json::from_slice(&o.stdout).unwrap();
    assert_eq!((&report["reached"], &report["best"]["top1"]), (&false.into(), &0.0.into()), "{report:#}");
    labels(-1);
    let o = tune();
    assert!(o.status.code() == Some(3) && stderr(&o).contains("integers from 0"), "{}", stderr(&o));
}

#[test]
fn inputs_of_integers_and_flags_are_read_as_such() {
    use crate::small_networks::{Small, floats, noise};
    use prost::Message;
    use rcar_iss::internals::onnx::proto::type_proto::Value;

    let dir = crate::scratch("quantize_integers");
    let path = |name: &str| dir.join(name).to_string_lossy().into_owned();
    let mut small = Small::new(17, &[3], &[3, 4])
        .floats("table", &[5, 4], &noise(20, 20))
        .floats("w", &[4, 4], &noise(21, 16))
        .node("Gather", &["table", "x"], &["rows"], vec![])
        .node("MatMul", &["rows", "w"], &["y"], vec![]);
    let arrays = [
        (Element::S64, 7, [2_i64, 0, 4].iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>()),
        (Element::S32, 6, [2_i32, 0, 4].iter().flat_map(|v| v.to_le_bytes()).collect()),
    ];
    let mut ranges = Vec::new();
    for (element, kind, bytes) in arrays {
        if let Some(Value::TensorType(t)) =
            small.graph.input[0].r#type.as_mut().and_then(|t| t.value.as_mut())
        {
            t.elem_type = Some(kind);
        }
        std::fs::write(path("m.onnx"), small.model().encode_to_vec()).unwrap();
        let array = TensorData { element, shape: vec![3], bytes };
        tensor_file::write(Path::new(&path("x.npy")), &array).unwrap();
        let o = rcar(&["quantize", &path("m.onnx"), "--calib", &path("x.npy"), "-o", &path("q.onnx")]);
        assert!(o.status.success(), "{}", stderr(&o));
        let text = std::fs::read_to_string(path("q.calibration.json")).unwrap();
        let record: serde_json::Value = serde_json::from_str(&text).unwrap();
        ranges.push(record["tensors"]["rows"]["statistics"]["greatest"]["value"].as_f64().unwrap());
    }
    let rows: Vec<f32> = floats(&crate::small_networks::tensor(&[20], &noise(20, 20)));
    let greatest = [2, 0, 4].iter().flat_map(|r| &rows[r * 4..r * 4 + 4]).fold(f32::MIN, |a, b| a.max(*b));
    assert!(ranges.iter().all(|r| (r - f64::from(greatest)).abs() < 1e-6), "{ranges:?} {greatest}");
}

//! Float engines that show every tensor: against runs that ask for one tensor each, and against each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use rcar_iss::internals::float::{Collected, Engine, FloatRunner, Kept, Network, Stream, Threads};
use rcar_iss::internals::onnx::{self, LoadedModel};
use rcar_iss::internals::quantize::{self, Places};
use rcar_iss::internals::tensor_file::{Element, TensorData};

use crate::repository::digit;
use crate::required::missing;

fn picture() -> TensorData {
    let pixel = |i: usize| ((i * 37 % 101) as f32 - 50.0) / 25.0;
    let bytes = (0..28 * 28).flat_map(|i| pixel(i).to_le_bytes()).collect();
    TensorData { element: Element::F32, shape: vec![1, 1, 28, 28], bytes }
}

fn network() -> Network {
    onnx::float_network(&LoadedModel::from_file(Path::new(&digit("float.onnx"))).unwrap().model)
}

/// All values of the network, its input first.
fn all(network: &Network) -> Vec<String> {
    network.inputs.iter().chain(network.steps.iter().flat_map(|s| &s.outputs)).cloned().collect()
}

/// Every tensor once, by name; none before those that it is computed from.
fn shown(engine: &Engine, network: &Network) -> BTreeMap<String, Kept> {
    let wanted: BTreeSet<String> = all(network).into_iter().collect();
    let stream = Stream::load(engine, network.clone(), &wanted).unwrap();
    let given = [(network.inputs[0].as_str(), &picture())];
    let seen = stream.run(&Threads::new(1), &given, Collected::default()).unwrap().tensors;
    let order: Vec<&str> = seen.iter().map(|t| t.name.as_str()).collect();
    let place = |name: &String| order.iter().position(|o| o == name).unwrap();
    for step in &network.steps {
        assert!(step.inputs.iter().all(|i| place(i) < place(&step.outputs[0])), "{step:?} in {order:?}");
    }
    assert_eq!(order.len(), wanted.len());
    seen.into_iter().map(|t| (t.name.clone(), t)).collect()
}

/// Equal up to the order of sums.
fn near(a: &[f32], b: &[f32]) -> bool {
    let largest = a.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= largest * 1e-5)
}

#[test]
fn every_tensor_is_shown_once_with_the_values_of_a_run_of_its_own() {
    let network = network();
    let mut runner = FloatRunner::new();
    for (name, seen) in shown(&Engine::Rten, &network).iter().filter(|(n, _)| **n != network.inputs[0]) {
        let alone = runner.run(&network.model, &[(&network.inputs[0], picture())], &[name]).unwrap();
        assert_eq!(alone[0].shape, seen.shape);
        let own: Vec<f32> =
            alone[0].bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        // Packed weights may be summed in another order.
        assert!(near(&own, &seen.values), "{name}");
    }
}

#[test]
fn a_tensor_that_nothing_computes_is_refused() {
    let network = network();
    let wanted = BTreeSet::from(["no_such".to_string()]);
    assert!(Stream::load(&Engine::Rten, network.clone(), &wanted).unwrap_err().contains("no_such"));
    let wanted = BTreeSet::from([network.steps[0].outputs[0].clone()]);
    let stream = Stream::load(&Engine::Rten, network.clone(), &wanted).unwrap();
    assert!(
        stream.run(&Threads::new(1), &[], Collected::default()).unwrap_err().contains(&network.inputs[0])
    );
}

/// The library of an ONNX Runtime on this computer, as the command line finds it.
pub(crate) fn installed() -> Option<&'static Path> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let out = run(&crate::scratch("engine-found"), "onnxruntime");
        if !out.status.success() {
            let why = String::from_utf8_lossy(&out.stderr).into_owned();
            assert!(out.status.code() == Some(3) && why.contains("pip install onnxruntime"), "{why}");
            return Err("no ONNX Runtime is installed (pip install onnxruntime)".into());
        }
        let report: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
        let name = report["float_engine"].as_str().unwrap();
        Ok(name.strip_prefix("ONNX Runtime (").unwrap().strip_suffix(')').unwrap().into())
    });
    match found {
        Ok(library) => Some(library),
        Err(why) => {
            missing("onnxruntime", why);
            None
        }
    }
}

/// Quantizes the digit network by an engine.
fn run(dir: &Path, engine: &str) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_rcar-iss"))
        .env_remove("ORT_DYLIB_PATH")
        .arg("quantize")
        .args([&digit("float.onnx"), "--calib", &digit("seven.png")])
        .args(["--json", "--float-engine", engine, "-o"])
        .arg(dir.join("q.onnx"))
        .output()
        .unwrap()
}

#[test]
fn onnx_runtime_shows_what_rten_shows() {
    let Some(library) = installed() else { return };
    let engine = Engine::onnx_runtime(library).unwrap();
    let network = network();
    let (ours, theirs) = (shown(&Engine::Rten, &network), shown(&engine, &network));
    for (name, a) in &ours {
        assert!(a.shape == theirs[name].shape && near(&a.values, &theirs[name].values), "{name}");
    }
    // What a caller sees does not depend on other callers.
    let clean = quantize::clean(&crate::quantize::float_model()).unwrap().model;
    let places = Places::of(clean.graph.as_ref().unwrap(), &BTreeSet::new());
    let tensors: BTreeSet<String> = places.own().map(str::to_string).collect();
    let inputs = crate::quantize::inputs(9);
    let seen = |threads| quantize::calibrate(&clean, &tensors, &inputs, &engine, threads, &|| ()).unwrap();
    assert_eq!(seen(1), seen(3));
    // Errors of the library are values.
    let wanted = BTreeSet::from([network.steps[0].outputs[0].clone()]);
    let stream = Stream::load(&engine, network.clone(), &wanted).unwrap();
    let odd = TensorData { shape: vec![1, 1, 14, 56], ..picture() };
    let error = stream.run(&Threads::new(1), &[("input", &odd)], Collected::default()).unwrap_err();
    assert!(error.starts_with("ONNX Runtime: "), "{error}");
    let broken = Network { model: b"no model".to_vec(), ..network };
    assert!(Stream::load(&engine, broken, &wanted).is_err());
    // A process holds one library.
    assert!(Engine::onnx_runtime(Path::new(env!("CARGO_BIN_EXE_rcar-iss"))).is_err());
}

#[test]
fn the_engine_that_ran_is_told_and_one_that_is_missing_is_named() {
    let dir = crate::scratch("engine-named");
    let said = |engine: &str| -> serde_json::Value {
        let out = run(&dir, engine);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let saved = std::fs::read_to_string(dir.join("q.calibration.json")).unwrap();
        let saved: serde_json::Value = serde_json::from_str(&saved).unwrap();
        let report: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
        [report["float_engine"].clone(), saved["float_engine"].clone()].to_vec().into()
    };
    // Without ORT_DYLIB_PATH no library is searched.
    assert_eq!(said("auto"), serde_json::json!(["rten", "rten"]));
    assert_eq!(said("rten"), serde_json::json!(["rten", "rten"]));
    for missing in ["no/such/libonnxruntime.so", env!("CARGO_MANIFEST_DIR"), "nosuchlib.so"] {
        let out = run(&dir, missing);
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(3), "{text}");
        for word in [missing, "cannot be loaded", "--float-engine rten"] {
            assert!(text.contains(word), "{text}");
        }
    }
}

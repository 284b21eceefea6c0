//! `diagnose` finds faults that are inserted into the digit network.

use std::path::Path;

use prost::Message;
use rcar_iss::internals::onnx::proto::{GraphProto, ModelProto, TensorProto};
use serde_json::Value;

use crate::cli::{fails, fine};
use crate::repository::digit;

fn initializer<'a>(graph: &'a mut GraphProto, name: &str) -> &'a mut TensorProto {
    graph.initializer.iter_mut().find(|t| t.name() == name).unwrap()
}

/// Multiplies an f32 initializer.
fn scale(graph: &mut GraphProto, name: &str, factor: f32) {
    let tensor = initializer(graph, name);
    match &mut tensor.raw_data {
        Some(raw) => {
            let floats = raw.as_chunks().0.iter().map(|b| (f32::from_le_bytes(*b) * factor).to_le_bytes());
            *raw = floats.flatten().collect::<Vec<u8>>().into();
        }
        None => tensor.float_data.iter_mut().for_each(|v| *v *= factor),
    }
}

/// Divides an s32 initializer.
fn divide(graph: &mut GraphProto, name: &str, divisor: f32) {
    let tensor = initializer(graph, name);
    let over = |v: i32| (v as f32 / divisor).round() as i32;
    match &mut tensor.raw_data {
        Some(raw) => {
            let integers = raw.as_chunks().0.iter().map(|b| over(i32::from_le_bytes(*b)).to_le_bytes());
            *raw = integers.flatten().collect::<Vec<u8>>().into();
        }
        None => tensor.int32_data.iter_mut().for_each(|v| *v = over(*v)),
    }
}

/// The digit network in QDQ form with something changed, its sidecar beside it.
fn changed(dir: &Path, change: impl FnOnce(&mut GraphProto)) -> String {
    let mut model = ModelProto::decode(std::fs::read(digit("qdq_sym.onnx")).unwrap().as_slice()).unwrap();
    change(model.graph.as_mut().unwrap());
    let path = dir.join("changed.onnx");
    std::fs::write(&path, model.encode_to_vec()).unwrap();
    std::fs::copy(digit("model.toml"), dir.join("model.toml")).unwrap();
    path.display().to_string()
}

fn diagnosed(status: i32, model: &str) -> Value {
    let (float, seven) = (digit("float.onnx"), digit("seven.png"));
    let out = std::process::Command::new(env!("CARGO_BIN_EXE_rcar-iss"))
        .args(["diagnose", model, "--reference", &float, "--input", &seven, "--json"])
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(status), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

#[test]
fn a_sound_network_is_not_accused() {
    let (float, seven) = (digit("float.onnx"), digit("seven.png"));
    for model in ["model.onnx", "qdq_sym.onnx"] {
        let text = fine(&["diagnose", &digit(model), "--reference", &float, "--input", &seven]);
        assert!(text.contains("no layer is at fault"), "{text}");
    }
}

#[test]
fn a_range_that_is_too_narrow_is_calibration() {
    let dir = crate::scratch("diagnose-narrow");
    let model = changed(&dir, |graph| {
        // The tensor, the MaxPool's, which has the same range, and the bias, which is stored in its steps.
        let names: Vec<String> = graph.initializer.iter().map(|t| t.name().to_string()).collect();
        for name in ["relu_2_o_scale", "maxpool_3_o_scale", "conv1.b_quantized_scale"] {
            if names.iter().any(|n| n == name) {
                scale(graph, name, 0.2);
            }
        }
        divide(graph, "conv1.b_quantized", 0.2);
    });
    let report = diagnosed(1, &model);
    let findings = report["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{findings:#?}");
    let f = &findings[0];
    assert_eq!((f["cause"].as_str(), f["layer"].as_str()), (Some("calibration"), Some("relu_2")), "{f:#}");
    assert_eq!(f["mend"], serde_json::json!([0]));
    let trial = &f["evidence"][0]["trial"];
    let db = |key: &str| trial[key].as_f64().unwrap();
    assert!(db("ideal_db") > db("as_is_db") + 8.0 && db("sixteen_db") > db("ideal_db"), "{trial}");
    // The layers behind it inherit the error.
    let inherited = report["inherited"].as_array().unwrap();
    assert!(!inherited.is_empty());
    assert!(inherited.iter().all(|i| i["from"] == "relu_2" && i["faulty"] == true), "{inherited:#?}");
    let (float, seven) = (digit("float.onnx"), digit("seven.png"));
    fails(
        1,
        &["diagnose", &model, "--reference", &float, "--input", &seven, "--calib", &seven],
        &["layer \"relu_2\": (a) calibration", "seven.png", "would mend it", "the calibration images reach"],
    );
}

#[test]
fn weights_that_were_lost_are_named() {
    let dir = crate::scratch("diagnose-pruned");
    let model = changed(&dir, |graph| {
        let weights = initializer(graph, "conv1.w_quantized");
        let raw = weights.raw_data.take().unwrap();
        weights.raw_data = Some(
            raw.iter().enumerate().map(|(i, b)| if i % 3 == 0 { 0 } else { *b }).collect::<Vec<u8>>().into(),
        );
    });
    let report = diagnosed(1, &model);
    let findings = report["findings"].as_array().unwrap();
    let named: Vec<_> =
        findings.iter().map(|f| (f["cause"].as_str().unwrap(), f["layer"].as_str().unwrap())).collect();
    assert_eq!(named, [("pruning", "conv1")], "{findings:#?}");
    assert!((findings[0]["pruned"].as_f64().unwrap() - 1.0 / 3.0).abs() < 0.05);
}

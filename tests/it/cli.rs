//! The command line as a user meets it: reports, files, errors, exit statuses.

use std::path::Path;
use std::process::{Command, Output};

use prost::Message;
use rcar_iss::internals::onnx::proto::{
    AttributeProto, ModelProto, NodeProto, StringStringEntryProto, tensor_proto::DataLocation,
};
use rcar_iss::internals::tensor_file;
use serde_json::Value;

use crate::repository::{digit, shipped};

fn rcar_iss(args: &[&str]) -> Output {
    // The float library must not depend on the environment of the tests.
    Command::new(env!("CARGO_BIN_EXE_rcar-iss"))
        .env_remove("ORT_DYLIB_PATH")
        .env_remove("COLUMNS")
        .args(args)
        .output()
        .unwrap()
}

/// Runs a command that must succeed, and returns what it printed.
#[track_caller]
pub(crate) fn fine(args: &[&str]) -> String {
    let out = rcar_iss(args);
    assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// Runs a command that must fail with a status, and print all of these on stdout or stderr.
#[track_caller]
pub(crate) fn fails(status: i32, args: &[&str], says: &[&str]) {
    let out = rcar_iss(args);
    let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(status), "{args:?}: {text}");
    for word in says {
        assert!(text.contains(word), "{args:?} does not say \"{word}\":\n{text}");
    }
}

/// The digit network with something changed, in a file of its own, its sidecar beside it.
fn changed(dir: &Path, change: impl FnOnce(&mut ModelProto)) -> String {
    let mut model = ModelProto::decode(std::fs::read(digit("model.onnx")).unwrap().as_slice()).unwrap();
    change(&mut model);
    let path = dir.join("changed.onnx");
    std::fs::write(&path, model.encode_to_vec()).unwrap();
    std::fs::copy(digit("model.toml"), dir.join("model.toml")).unwrap();
    path.display().to_string()
}

fn node(op_type: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    NodeProto {
        op_type: Some(op_type.into()),
        name: Some(format!("my_{op_type}")),
        input: inputs.iter().map(ToString::to_string).collect(),
        output: outputs.iter().map(ToString::to_string).collect(),
        ..NodeProto::default()
    }
}

#[test]
fn a_model_goes_through_file_and_text_and_gives_the_same_bytes() {
    let dir = crate::scratch("cli-way");
    let at = |name: &str| dir.join(name).display().to_string();
    fine(&[
        "compile",
        &digit("model.onnx"),
        "-o",
        &at("p.rcn"),
        "--emit-asm",
        &at("p.s"),
        "--emit-graph",
        &at("p.graph"),
        "--emit-tiles",
        &at("p.tiles"),
    ]);
    fine(&["asm", &at("p.s"), "-o", &at("q.rcn")]);
    assert_eq!(std::fs::read(at("p.rcn")).unwrap(), std::fs::read(at("q.rcn")).unwrap());
    fine(&["disasm", &at("p.rcn"), "-o", &at("r.s")]);
    fine(&["asm", &at("r.s"), "-o", &at("r.rcn")]);
    assert_eq!(std::fs::read(at("p.rcn")).unwrap(), std::fs::read(at("r.rcn")).unwrap());
    let mut outputs = Vec::new();
    for source in [digit("model.onnx"), at("p.rcn"), at("p.s")] {
        for engine in ["fast", "reference"] {
            let out = at(&format!("out{}", outputs.len()));
            fine(&["run", &source, "--input", &digit("seven.png"), "--engine", engine, "-o", &out]);
            outputs.push(tensor_file::read(&Path::new(&out).join("output.npy")).unwrap());
        }
    }
    assert!(outputs.iter().all(|o| *o == outputs[0]));
    let info = fine(&["info", &at("p.rcn"), "--layers", "--tensors", "--provenance"]);
    for word in ["digit_cnn", "conv0_quant", "maxpool_3_o_quantized", "rcn-m"] {
        assert!(info.contains(word), "{info}");
    }
    assert!(std::fs::read_to_string(at("p.s")).unwrap().contains("layer 1: conv conv0_quant"));
}

#[test]
fn a_stack_of_inputs_runs_many_times() {
    let dir = crate::scratch("cli-stack");
    let out = dir.join("out").display().to_string();
    let text = fine(&[
        "run",
        &digit("model.onnx"),
        "-i",
        &digit("seven.png"),
        "-i",
        &digit("seven.png"),
        "-i",
        &digit("seven.png"),
        "-o",
        &out,
        "--threads",
        "2",
    ]);
    assert!(text.contains("3 runs") && text.contains("seven.png:"), "{text}");
    let stacked = tensor_file::read(&Path::new(&out).join("output.npy")).unwrap();
    assert_eq!(stacked.shape, [3, 10]);
    let (first, rest) = stacked.bytes.split_at(40);
    assert!(rest.chunks(40).all(|c| c == first));
}

#[test]
fn json_reports_parse_and_hold_what_scripts_need() {
    let run: Value =
        serde_json::from_str(&fine(&["run", &digit("model.onnx"), "--input", &digit("seven.png"), "--json"]))
            .unwrap();
    assert_eq!(run["runs"][0]["outputs"][0]["best"][0]["class"], 7);
    let rows: u64 =
        run["layers"].as_array().unwrap().iter().map(|l| l["clock"]["cycles"].as_u64().unwrap()).sum();
    let ends = run["prologue"].as_u64().unwrap() + run["epilogue"].as_u64().unwrap();
    assert_eq!(rows + ends, run["cycles"].as_u64().unwrap());
    let check: Value = serde_json::from_str(&fine(&["check", &digit("model.onnx"), "--json"])).unwrap();
    assert_eq!(check["supported"], true);
    assert_eq!(check["nodes"].as_array().unwrap().len(), 11);
    let fault = shipped("fault_overlap.s");
    for command in ["run", "check"] {
        let out = rcar_iss(&[command, &fault, "--json"]);
        assert_eq!(out.status.code(), Some(5));
        let value: Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!(value["fault"]["kind"], "overlap");
        assert_eq!(value["fault"]["pc"], 3);
    }
}

#[test]
fn errors_say_what_where_and_what_to_do() {
    let dir = crate::scratch("cli-errors");
    let at = |name: &str| dir.join(name).display().to_string();
    fails(
        2,
        &["run", &digit("model.onnx")],
        &["no value is given for input 'input'", "--input input=FILE", "1x1x28x28"],
    );
    fails(
        2,
        &["run", &digit("model.onnx"), "--input", &digit("seven.png"), "--machine", "rcn-x"],
        &["rcn-x", "rcn-s, rcn-m, rcn-l"],
    );
    fails(
        2,
        &["compile", &digit("model.onnx"), "-o", &at("x.rcn"), "--observe", "nowhere"],
        &["\"nowhere\"", "check MODEL --all"],
    );
    fails(2, &["run"], &["Usage"]);
    fails(3, &["run", &at("missing.onnx"), "--input", "x"], &["missing.onnx", "No such file"]);
    fails(
        3,
        &["run", &digit("model.onnx"), "--input", &digit("model.onnx")],
        &["neither a picture", "begin with", "takes a .npy of float32"],
    );
    std::fs::write(at("broken.rcn"), "\x7fELF nothing").unwrap();
    fails(3, &["info", &at("broken.rcn")], &["broken.rcn"]);
    std::fs::write(at("bad.s"), "  halt\n  hlat\n").unwrap();
    fails(3, &["asm", &at("bad.s"), "-o", &at("bad.rcn")], &["bad.s:2:3", "no instruction \"hlat\"", "^^^^"]);
    assert!(!Path::new(&at("bad.rcn")).exists(), "a failed command leaves no output");
    fine(&["compile", &digit("model.onnx"), "-o", &at("m.rcn")]);
    fails(
        2,
        &["run", &at("m.rcn"), "--input", &digit("seven.png"), "--machine", "rcn-l"],
        &["the machine does not match", "rcn-m"],
    );
    let fault = shipped("fault_undefined_read.s");
    fails(5, &["run", &fault], &["undefined read", "pc 5", "dma.out", "\"store\""]);
}

#[test]
fn check_tells_which_instructions_compute_a_node_and_where_the_macs_run() {
    let text = fine(&["check", &digit("model.onnx"), "--all"]);
    let line = |node: &str| text.lines().find(|l| l.contains(node)).unwrap().to_string();
    assert!(line("conv0_quant").contains("mac.conv vec.requant"), "{text}");
    assert!(line("maxpool_3").contains("vec.maxpool"), "{text}");
    assert!(text.contains("100.0% of them on the accelerator"), "{text}");

    let json: Value = serde_json::from_str(&fine(&["check", &digit("model.onnx"), "--json"])).unwrap();
    assert_eq!(json["macs"]["host"], 0);
    assert!(json["macs"]["accelerator"].as_u64().unwrap() > 0);
    let node = json["nodes"].as_array().unwrap().iter().find(|n| n["node"] == "conv0_quant").unwrap();
    assert_eq!(node["instructions"], serde_json::json!(["mac.conv", "vec.requant"]));
}

#[test]
fn numeric_profiles_are_those_of_the_machine() {
    let folder = crate::scratch("cli-profiles");
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("isa/machines/rcn-s.toml"))
        .unwrap();
    let machine = folder.join("plain.toml");
    std::fs::write(&machine, text.replace(", \"q31\", \"q31double\"", "")).unwrap();
    let machine = machine.display().to_string();
    let run = |profile| {
        ["run", &digit("model.onnx"), "--input", &digit("seven.png"), "--numeric", profile].map(String::from)
    };
    for profile in ["onnx", "q31", "q31double"] {
        let args = run(profile);
        let text = fine(&args.each_ref().map(String::as_str));
        assert!(text.lines().any(|l| l.trim_start().starts_with("7 ")), "{profile}: {text}");
    }
    let mut args = run("q31").to_vec();
    args.extend(["--machine".into(), machine]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    fails(4, &args, &["does not have the numeric profile q31", "it has onnx"]);
}

#[test]
fn check_lists_every_unsupported_node_with_name_type_and_reason() {
    let dir = crate::scratch("cli-unsupported");
    let model = changed(&dir, |model| {
        let graph = model.graph.as_mut().unwrap();
        // Two unknown operators, in the middle and at the end, and a Conv of an unsupported form.
        let at = graph.node.iter().position(|n| n.name() == "maxpool_3").unwrap();
        graph.node[at].op_type = Some("Frobnicate".into());
        let last = graph.node.iter().position(|n| n.name() == "flatten_10").unwrap();
        graph.node[last].op_type = Some("Twist".into());
        let conv = graph.node.iter_mut().find(|n| n.name() == "conv0_quant").unwrap();
        let auto = AttributeProto {
            name: Some("pads".into()),
            ints: vec![1, 1, 1, -1],
            ..AttributeProto::default()
        };
        conv.attribute.retain(|a| a.name() != "pads");
        conv.attribute.push(auto);
    });
    let says = [
        "maxpool_3",
        "Frobnicate",
        "flatten_10",
        "Twist",
        "conv0_quant",
        "QLinearConv",
        "a pad of -1",
        "3 not supported",
    ];
    fails(4, &["check", &model], &says);
    fails(
        4,
        &["run", &model, "--input", &digit("seven.png")],
        &["3 of 11 nodes cannot be compiled", "Frobnicate"],
    );
}

#[test]
fn a_float_tail_is_a_named_host_layer() {
    let dir = crate::scratch("cli-host");
    let model = changed(&dir, |model| {
        let graph = model.graph.as_mut().unwrap();
        graph.node.push(node("Softmax", &["output"], &["probabilities"]));
        graph.output[0].name = Some("probabilities".into());
    });
    let at = |name: &str| dir.join(name).display().to_string();
    for command in [
        vec!["check", &model],
        vec!["compile", &model, "-o", &at("p.rcn")],
        vec!["run", &model, "--input", &digit("seven.png")],
    ] {
        let text = fine(&command);
        assert!(text.contains("my_Softmax") && text.contains("host"), "{text}");
    }
    assert!(fine(&["info", &at("p.rcn")]).contains("host layer  my_Softmax: Softmax"));
    fine(&[
        "run",
        &at("p.rcn"),
        "--input",
        &digit("seven.png"),
        "-o",
        &at("out"),
        "--dump-layers",
        &at("layers"),
    ]);
    let floats = |name: &str| -> Vec<f32> {
        let data = tensor_file::read(Path::new(&at(name))).unwrap();
        data.bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
    };
    let (logits, probabilities) = (floats("layers/output.npy"), floats("out/probabilities.npy"));
    let sum: f32 = logits.iter().map(|v| v.exp()).sum();
    for (l, p) in logits.iter().zip(&probabilities) {
        assert!((l.exp() / sum - p).abs() < 1e-5, "{logits:?} {probabilities:?}");
    }
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(at("layers/manifest.json")).unwrap()).unwrap();
    let host: Vec<bool> =
        manifest["tensors"].as_array().unwrap().iter().map(|t| t["host"].as_bool().unwrap()).collect();
    assert_eq!(host.iter().filter(|h| **h).count(), 1, "{manifest:#}");
}

#[test]
fn external_data_is_read_from_the_models_folder_only() {
    let dir = crate::scratch("cli-external");
    let outside = |location: &str| {
        changed(&dir, |model| {
            let tensor = &mut model.graph.as_mut().unwrap().initializer;
            let tensor =
                tensor.iter_mut().max_by_key(|t| t.raw_data.as_ref().map_or(0, |d| d.len())).unwrap();
            let data = tensor.raw_data.take().unwrap();
            std::fs::write(dir.join("weights.bin"), [&[0; 64][..], &data].concat()).unwrap();
            let entry = |k: &str, v: String| StringStringEntryProto { key: Some(k.into()), value: Some(v) };
            tensor.external_data = vec![
                entry("location", location.into()),
                entry("offset", "64".into()),
                entry("length", data.len().to_string()),
            ];
            tensor.data_location = Some(DataLocation::External as i32);
        })
    };
    let run = |model: &str| -> Value {
        serde_json::from_str(&fine(&["run", model, "--input", &digit("seven.png"), "--json"])).unwrap()
    };
    assert_eq!(run(&outside("weights.bin"))["runs"], run(&digit("model.onnx"))["runs"]);
    fails(3, &["check", &outside("../weights.bin")], &["outside the model's folder"]);
    fails(3, &["check", &outside("gone.bin")], &["gone.bin"]);
}

#[test]
fn what_fusion_removed_is_listed_and_can_be_observed() {
    let dir = crate::scratch("cli-observe");
    let at = |name: &str| dir.join(name).display().to_string();
    let model = digit("qdq_sym.onnx");
    fine(&["run", &model, "--input", &digit("seven.png"), "--dump-layers", &at("fused")]);
    fine(&["run", &model, "--input", &digit("seven.png"), "--dump-layers", &at("all"), "--observe", "all"]);
    let manifest = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(Path::new(&at(name)).join("manifest.json")).unwrap()).unwrap()
    };
    let (fused, all) = (manifest("fused"), manifest("all"));
    let list = |m: &Value, key: &str, field: &str| -> Vec<String> {
        m[key].as_array().unwrap().iter().map(|t| t[field].as_str().unwrap().to_string()).collect()
    };
    let removed: Vec<String> = list(&fused, "removed", "tensor");
    let kept = list(&all, "tensors", "tensor");
    let clamped: Vec<&String> = removed.iter().filter(|t| kept.contains(t)).collect();
    assert!(!clamped.is_empty(), "nothing was fused: the test does not test it");
    let name = clamped[0].as_str();
    fails(
        2,
        &["run", &model, "--input", &digit("seven.png"), "--dump-layers", &at("x"), "--dump-layer", name],
        &["--observe"],
    );
    fine(&[
        "run",
        &model,
        "--input",
        &digit("seven.png"),
        "--dump-layers",
        &at("one"),
        "--observe",
        name,
        "--dump-layer",
        name,
    ]);
    assert_eq!(list(&manifest("one"), "tensors", "tensor"), [name]);
    // Observing changes no value.
    let digests = |m: &Value| -> Vec<(String, String)> {
        list(m, "tensors", "tensor").into_iter().zip(list(m, "tensors", "digest")).collect()
    };
    let everything = digests(&all);
    for entry in digests(&fused) {
        assert!(everything.contains(&entry), "{entry:?}");
    }
}

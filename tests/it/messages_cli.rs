//! Messages of the command line: suggestions for names, descriptions of models, versions, completions and
//! manual pages, and tables on narrow terminals.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::cli::{fails, fine};
use crate::repository::digit;

/// Runs a command in a terminal with this many columns.
#[track_caller]
fn narrow(columns: &str, args: &[&str]) -> String {
    let out =
        Command::new(env!("CARGO_BIN_EXE_rcar-iss")).env("COLUMNS", columns).args(args).output().unwrap();
    assert!(out.status.code().is_some_and(|c| c < 2), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn names_with_a_slip_are_answered_with_those_that_were_meant() {
    let dir = crate::scratch("words-names");
    let at = |name: &str| dir.join(name).display().to_string();
    let (model, seven, float) = (digit("model.onnx"), digit("seven.png"), digit("float.onnx"));
    let (program, trace, layers) = (at("p.rcn"), at("p.trace"), at("layers"));
    fine(&["compile", &model, "-o", &program]);
    fine(&["run", &program, "--input", &seven, "--trace", &trace, "--dump-layers", &layers]);
    let input = ["--input", &seven[..]];
    let run = |more: &[&'static str]| -> Vec<String> {
        [&["run", &model][..], &input, more].concat().iter().map(ToString::to_string).collect()
    };
    let quantize = |more: &[&'static str]| -> Vec<String> {
        let q = at("q.onnx");
        let all = [&["quantize", &float, "--calib", &seven, "-o", &q][..], more].concat();
        all.iter().map(ToString::to_string).collect()
    };
    let own = |args: &[&str]| -> Vec<String> { args.iter().map(ToString::to_string).collect() };
    for (args, meant) in [
        (run(&["--shape", "inptu=1x1x28x28"]), "'input'"),
        (run(&["--observe", "conv0_o_quantised"]), "'conv0_o_quantized'"),
        (run(&["--expect-bits", "conv0_qaunt=8"]), "'conv0_quant'"),
        (own(&["run", &model, "--input", &format!("imput={seven}")]), "'input'"),
        (
            own(&["run", &model, "--input", &seven, "--dump-layers", &at("d"), "--dump-layer", "conv1_quan"]),
            "'conv1_quant'",
        ),
        (own(&["disasm", &program, "--layer", "Conv0_quant"]), "'conv0_quant'"),
        (own(&["trace", &trace, "--layer", "conv0quant"]), "'conv0_quant'"),
        (own(&["trace", &trace, "--node", "maxpol_3"]), "'maxpool_3'"),
        (own(&["dequantize", &layers, "-o", &at("real"), "--layer", "fc0_qunt"]), "'fc0_quant'"),
        (quantize(&["--skip", "con1"]), "'conv1'"),
        (quantize(&["--layer", "cnv1=a16w8"]), "'conv1'"),
        (own(&["man", "comple"]), "'compile'"),
    ] {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        fails(2, &args, &["did you mean", meant]);
    }
    fails(
        2,
        &["run", &model, "--input", &seven, "--dim", "n=1"],
        &["no input of the model has an extent named 'n'", "all its extents are numbers"],
    );
}

#[test]
fn a_map_may_use_the_names_of_either_model() {
    let dir = crate::scratch("words-map");
    let map = dir.join("names.toml");
    let (model, float, seven) = (digit("qdq_sym.onnx"), digit("float.onnx"), digit("seven.png"));
    let compared = |reference: &str, pairs: &str| {
        fs::write(&map, format!("[tensors]\n{pairs}\n")).unwrap();
        let map = map.display().to_string();
        let mut args = vec!["compare", &model, "--reference", reference, "--input", &seven, "--json"];
        if !pairs.is_empty() {
            args.extend(["--map", &map]);
        }
        let report: Value = serde_json::from_str(&fine(&args)).unwrap();
        let layers = report["layers"].as_array().unwrap();
        layers.iter().find(|l| l["layer"] == "conv0").unwrap()["reference"].as_str().unwrap().to_string()
    };
    assert_eq!(compared(&float, ""), "conv0_o");
    // The quantized tensor, the float one, the layer and a node of it on the left; a tensor and a node on the
    // right.
    for ours in ["conv0_o_QuantizeLinear_Output", "conv0_o", "conv0", "conv0_o_QuantizeLinear"] {
        for theirs in ["relu_2_o", "relu_2"] {
            let pairs = format!("\"{ours}\" = \"{theirs}\"");
            assert_eq!(compared(&float, &pairs), "relu_2_o", "{pairs}");
        }
    }
    for (pairs, says) in [
        ("\"relu_2_oo\" = \"relu_2_o\"", "did you mean 'relu_2_o'"),
        ("\"relu_2_o\" = \"relu_2x\"", "did you mean 'relu_2'"),
    ] {
        fs::write(&map, format!("[tensors]\n{pairs}\n")).unwrap();
        let map = map.display().to_string();
        fails(
            2,
            &["compare", &model, "--reference", &float, "--map", &map, "--input", &seven],
            &["the map names", says],
        );
    }
}

#[test]
fn a_model_is_described_and_its_opsets_judged() {
    let model = digit("model.onnx");
    let text = fine(&["info", &model]);
    for word in [
        "producer",
        "quantized, QOperator",
        "input: float32 1x1x28x28",
        "3 QLinearConv",
        "ai.onnx 17",
        "int8",
    ] {
        assert!(text.contains(word), "no {word}:\n{text}");
    }
    assert!(fine(&["info", &digit("qdq_sym.onnx")]).contains("quantized, QDQ"));
    assert!(fine(&["info", &digit("float.onnx")]).contains("rcar-iss quantize"));
    let json: Value = serde_json::from_str(&fine(&["info", &model, "--json"])).unwrap();
    assert_eq!(json["inputs"][0]["shape"], serde_json::json!(["1", "1", "28", "28"]));
    assert_eq!((&json["operators"]["QLinearConv"], &json["opsets"][0]["version"]), (&3.into(), &17.into()));
    fails(2, &["info", &model, "--layers"], &["--layers is for program files", "compile"]);
    assert!(fine(&["check", &model]).contains("ai.onnx 17, "));
    assert!(fine(&["check", &model]).contains("10 to 26 are supported"));
    let json: Value = serde_json::from_str(&fine(&["check", &model, "--json"])).unwrap();
    assert_eq!(json["supported_opsets"], serde_json::json!({ "first": 10, "last": 26 }));
}

#[test]
fn programs_for_two_machines_are_compared_and_scripts_may_ask_whether_they_differ() {
    let dir = crate::scratch("words-diff");
    let at = |name: &str| dir.join(name).display().to_string();
    let model = digit("model.onnx");
    let own =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("isa/machines/rcn-m.toml")).unwrap();
    fs::write(at("mine.toml"), own.replace("name = \"rcn-m\"", "name = \"mine\"")).unwrap();
    let (s, mine, file) = (at("s.rcn"), at("mine.rcn"), at("mine.toml"));
    fine(&["compile", &model, "-o", &s, "--machine", "rcn-s"]);
    fine(&["compile", &model, "-o", &mine, "--machine", &file]);
    let text = fine(&["diff", &s, &mine, "--machine", &file]);
    assert!(text.contains("(rcn-s)") && text.contains("(mine)"), "{text}");
    fails(3, &["diff", &s, &mine], &["'mine', which is not shipped", "--machine"]);
    let text = fine(&["diff", &model, &model, "--machine", "rcn-s", "--machine", "rcn-l"]);
    assert!(text.contains("(rcn-s)") && text.contains("(rcn-l)"), "{text}");
    fails(1, &["diff", &s, &model, "--exit-code"], &["instructions: different"]);
    assert!(
        fine(&["diff", &model, &model, "--exit-code"])
            .contains("instructions: the same, constants: the same")
    );
    let json: Value = serde_json::from_str(&fine(&["diff", &s, &model, "--json"])).unwrap();
    assert_eq!(json["differs"], true);
    // The same cycles, other weights.
    fails(
        1,
        &["diff", &model, &changed_weight(&dir), "--exit-code"],
        &["total", ", =", "constants: different"],
    );
    fails(
        2,
        &["diff", &s, &s, "--machine", "rcn-s", "--machine", "rcn-s", "--machine", "rcn-s"],
        &["more than twice"],
    );
}

/// The digit network with one weight changed.
fn changed_weight(dir: &Path) -> String {
    use prost::Message;
    use rcar_iss::internals::onnx::proto::ModelProto;
    let mut model = ModelProto::decode(fs::read(digit("model.onnx")).unwrap().as_slice()).unwrap();
    let graph = model.graph.as_mut().unwrap();
    let weight = graph.initializer.iter_mut().find(|t| t.dims.len() == 4).unwrap();
    let mut bytes = weight.raw_data.clone().unwrap().to_vec();
    bytes[0] ^= 1;
    weight.raw_data = Some(bytes.into());
    let path = dir.join("changed.onnx");
    fs::write(&path, model.encode_to_vec()).unwrap();
    path.display().to_string()
}

#[test]
fn the_command_line_describes_itself() {
    let version = fine(&["--version"]);
    assert!(version.starts_with("rcar-iss ") && version.contains("instruction set version"), "{version}");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(fine(&["completions", shell]).contains("dump-layers"), "{shell}");
    }
    let page = fine(&["man"]);
    assert!(page.contains(".TH rcar-iss 1") && page.contains("quantize"), "{page}");
    let page = fine(&["man", "run"]);
    assert!(page.contains(".TH rcar-iss-run 1") && page.contains("dump\\-layers"), "{page}");
    let file = crate::scratch("words-man").join("rcar-iss.1");
    fine(&["man", "-o", &file.display().to_string()]);
    assert!(fs::read_to_string(file).unwrap().contains("SYNOPSIS"));
}

#[test]
fn tables_and_helps_fit_into_80_columns() {
    let dir = crate::scratch("words-columns");
    let at = |name: &str| dir.join(name).display().to_string();
    let (model, float, seven, program) =
        (digit("qdq_sym.onnx"), digit("float.onnx"), digit("seven.png"), at("p.rcn"));
    fine(&["compile", &model, "-o", &program, "--observe", "all"]);
    for args in [
        &["run", &program, "--input", &seven][..],
        &["run", &program, "--input", &seven, "--profile"],
        &["estimate", &model],
        &["estimate", &model, "--machine", "all"],
        &["compare", &model, "--reference", &float, "--input", &seven],
        &["diff", &model, &program],
        &["info", &program, "--layers", "--tensors", "--provenance"],
        &["check", &model, "--all"],
        &["bench", &program, "--input", &seven, "--repeat", "1", "--profile"],
    ] {
        let text = narrow("80", args);
        // A path longer than a line is on a line of its own.
        let too_long = |l: &&str| l.chars().count() > 80 && l.trim().contains(' ');
        let long: Vec<&str> = text.lines().filter(too_long).collect();
        assert!(long.is_empty(), "{args:?}:\n{}", long.join("\n"));
        // Nothing is lost: every number of the wide table is in the narrow one, too.
        if args[0] != "bench" {
            for word in
                narrow("400", args).split_whitespace().filter(|w| w.starts_with(|c: char| c.is_ascii_digit()))
            {
                assert!(text.contains(word), "{args:?} lost {word}:\n{text}");
            }
        }
    }
    for command in ["", "run", "compare", "quantize", "tune", "diff", "info", "trace", "completions", "man"] {
        let args: Vec<&str> = [command, "--help"].into_iter().filter(|a| !a.is_empty()).collect();
        let text = narrow("80", &args);
        let long: Vec<&str> = text.lines().filter(|l| l.chars().count() > 80).collect();
        assert!(long.is_empty(), "{args:?}:\n{}", long.join("\n"));
    }
}

#[test]
fn quiet_commands_say_nothing_but_errors() {
    let out = Command::new(env!("CARGO_BIN_EXE_rcar-iss"))
        .env("RUST_LOG", "info")
        .args(["-q", "run", &digit("model.onnx"), "--input", &digit("seven.png")])
        .output()
        .unwrap();
    assert!(out.status.success() && out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    fails(2, &["-q", "run", &digit("model.onnx")], &["error: no value is given"]);
    fails(2, &["-q", "-v", "run", &digit("model.onnx")], &["cannot be used with"]);
}

#[test]
fn negative_numbers_are_values_of_options() {
    let dir = crate::scratch("words-negative");
    let (model, float, seven) = (digit("model.onnx"), digit("float.onnx"), digit("seven.png"));
    let q = dir.join("q.onnx").display().to_string();
    fine(&["compare", &model, "--reference", &float, "--input", &seven, "--fail-under", "-5"]);
    fine(&["quantize", &float, "--calib", &seven, "-o", &q, "--mean", "-1", "--std", "2"]);
    fails(
        2,
        &["quantize", &float, "--calib", &seven, "-o", &q, "--prune", "-0.5"],
        &["--prune -0.5: it is a share"],
    );
    fails(2, &["tune", &float, "--calib", &seven, "-o", &q, "--max-cycles", "-5%"], &["--max-cycles -5%"]);
    fails(2, &["run", &model, "--input", &seven, "--threads", "-1"], &["invalid value '-1'"]);
}

#[test]
fn host_layers_that_fail_name_the_node() {
    use crate::inputs_cli::{model, node, value};
    use rcar_iss::internals::onnx::proto::{GraphProto, TensorProto, tensor_proto::DataType};
    use rcar_iss::internals::tensor_file::{Element, TensorData, to_npy};
    let dir = crate::scratch("words-host");
    let write = |name: &str, bytes: &[u8]| {
        fs::write(dir.join(name), bytes).unwrap();
        dir.join(name).display().to_string()
    };
    let scalar = |name: &str, element: DataType, dims: &[i64], bytes: &[u8]| TensorProto {
        name: Some(name.into()),
        data_type: Some(element as i32),
        dims: dims.to_vec(),
        raw_data: Some(bytes.to_vec().into()),
        ..TensorProto::default()
    };
    let ones = [1.0_f32; 3].map(f32::to_le_bytes).concat();
    let mut graph = GraphProto {
        name: Some("host".into()),
        node: vec![
            node("QuantizeLinear", &["x", "s", "z"], "xq"),
            node("DequantizeLinear", &["xq", "s", "z"], "xf"),
            node("LayerNormalization", &["xf", "ones"], "n"),
            node("Gather", &["n", "ids"], "g"),
            node("QuantizeLinear", &["g", "s", "z"], "gq"),
            node("DequantizeLinear", &["gq", "s", "z"], "y"),
        ],
        initializer: vec![
            scalar("s", DataType::Float, &[], &0.1_f32.to_le_bytes()),
            scalar("z", DataType::Uint8, &[], &[0]),
            scalar("ones", DataType::Float, &[3], &ones),
        ],
        input: vec![value("x", DataType::Float, &[4, 3]), value("ids", DataType::Int64, &[1, 2])],
        output: vec![value("y", DataType::Float, &[1, 2, 3])],
        ..GraphProto::default()
    };
    let array = |element, shape: &[usize], bytes: Vec<u8>| {
        to_npy(&TensorData { element, shape: shape.to_vec(), bytes }).unwrap()
    };
    let x = write("x.npy", &array(Element::F32, &[4, 3], vec![0; 48]));
    // Of 32 bits, which the input takes as it takes 64.
    let ids = |at: i32| array(Element::S32, &[1, 2], [at, 0].map(i32::to_le_bytes).concat());
    let (good, bad) = (write("ids.npy", &ids(3)), write("nine.npy", &ids(9)));
    let (good, bad) = (format!("ids={good}"), format!("ids={bad}"));
    for name in [None, Some("embed/lookup")] {
        graph.node[3].name = name.map(str::to_string);
        let path = write("host.onnx", &model(graph.clone()));
        fine(&["run", &path, "--input", &x, "--input", &good]);
        let says = format!("\"{}\" failed", name.unwrap_or("Gather_3"));
        fails(5, &["run", &path, "--input", &x, "--input", &bad], &["layer \"LayerNormalization_2\"", &says]);
    }
    let floats = format!("ids={x}");
    let path = dir.join("host.onnx").display().to_string();
    fails(3, &["run", &path, "--input", &x, "--input", &floats], &["'ids' has shape 1x2, the array 4x3"]);
    let typed = write("f.npy", &array(Element::F32, &[1, 2], vec![0; 8]));
    let typed = format!("ids={typed}");
    fails(
        3,
        &["run", &path, "--input", &x, "--input", &typed],
        &["takes int64, the array holds float32", "numpy.int64"],
    );
}

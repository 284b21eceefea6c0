//! `compare`, `dequantize` and the proof of widths, on the digit network.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use rcar_iss::internals::float::{Collected, Engine, Stream, Threads};
use rcar_iss::internals::onnx::{LoadedModel, float_network};
use rcar_iss::internals::tensor_file::{self, Element, Npz, TensorData};
use serde_json::Value;

use crate::cli::{fails, fine};
use crate::repository::digit;

fn compared(reference: &[&str]) -> Value {
    let (model, seven) = (digit("model.onnx"), digit("seven.png"));
    let args = [&["compare", &model, "--input", &seven, "--json", "--reference"], reference].concat();
    serde_json::from_str(&fine(&args)).unwrap()
}

fn layer<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["layers"].as_array().unwrap().iter().find(|l| l["layer"] == name).unwrap()
}

#[test]
fn every_layer_is_compared_with_the_float_network() {
    let report = compared(&[&digit("float.onnx")]);
    let layers = report["layers"].as_array().unwrap();
    assert_eq!((layers.len(), report["unmatched"].as_array().unwrap().len()), (11, 0));
    // The quantizer folded the Relu into the convolution's range.
    assert_eq!(layer(&report, "conv0_quant")["reference"], "relu_2_o");
    for l in layers {
        let db = |key: &str| l[key]["sqnr_db"].as_f64().unwrap();
        assert!(db("accumulated") > 30.0 && db("isolated") > 35.0, "{l:#}");
        assert!(l["accumulated"]["cosine"].as_f64().unwrap() > 0.999, "{l:#}");
        assert!(db("isolated") <= db("rounding") + 3.0, "{l:#}");
    }
    // The greatest of rounded values is the rounded greatest: a MaxPool alone adds nothing to its own
    // rounding.
    let pool = layer(&report, "maxpool_3");
    assert_eq!(pool["isolated"], pool["rounding"]);
    // 8 x 8 bits, 25 products: below 2^20.
    assert!(layer(&report, "conv0_quant")["headroom_bits"].as_f64().unwrap() > 11.0);
    assert!(layer(&report, "maxpool_3")["headroom_bits"].is_null());
    assert_eq!(layer(&report, "conv1_quant")["bits"]["operands"], "8x8");
}

#[test]
fn the_threshold_decides_the_status() {
    let dir = crate::scratch("compare-threshold");
    let csv = dir.join("table.csv");
    let (model, seven, float) = (digit("model.onnx"), digit("seven.png"), digit("float.onnx"));
    let args = [
        "compare",
        &model,
        "--reference",
        &float,
        "--input",
        &seven,
        "--csv",
        csv.to_str().unwrap(),
        "--fail-under",
    ];
    let text = fine(&[&args[..], &["20"]].concat());
    assert!(text.contains("library: rten") && text.contains("output \"output\""), "{text}");
    fails(1, &[&args[..], &["90"]].concat(), &["\"output\" has", "less than 90"]);
    let table = fs::read_to_string(&csv).unwrap();
    assert_eq!((table.lines().count(), table.lines().next().unwrap().split(',').count()), (12, 24));
    // Of a program file what it keeps can be compared.
    let program = dir.join("p.rcn");
    fine(&["compile", &model, "-o", program.to_str().unwrap()]);
    fine(&["compare", program.to_str().unwrap(), "--reference", &float, "--input", &seven]);
}

#[test]
fn many_inputs_give_the_same_on_any_number_of_threads() {
    let dir = crate::scratch("compare-many");
    let stack = dir.join("x.npy");
    let bytes: Vec<u8> = (0..5 * 784_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    tensor_file::write(&stack, &TensorData { element: Element::U8, shape: vec![5, 1, 28, 28], bytes })
        .unwrap();
    let (model, float) = (digit("model.onnx"), digit("float.onnx"));
    let run = |threads: &str| {
        let input = stack.to_str().unwrap();
        fine(&["compare", &model, "--reference", &float, "--input", input, "--json", "--threads", threads])
    };
    let one = run("1");
    assert!(one.contains("\"inputs\": 5"), "{one}");
    assert_eq!(one, run("3"));
}

/// The float network's tensors on the picture, as a framework with channels last would write them.
fn framework_dump(dir: &Path) -> BTreeMap<String, TensorData> {
    let out = dir.join("run");
    let (model, seven) = (digit("model.onnx"), digit("seven.png"));
    fine(&["run", &model, "--input", &seven, "--dump-layers", out.to_str().unwrap()]);
    let input = tensor_file::read(&out.join("input.npy")).unwrap();
    let float = LoadedModel::from_file(Path::new(&digit("float.onnx"))).unwrap();
    let network = float_network(&float.model);
    let names: BTreeSet<String> = network.steps.iter().flat_map(|s| s.outputs.iter().cloned()).collect();
    let stream = Stream::load(&Engine::Rten, network, &names).unwrap();
    let mut dump = BTreeMap::new();
    let seen = stream.run(&Threads::new(1), &[("input", &input)], Collected::default()).unwrap();
    for tensor in seen.tensors {
        let (mut shape, mut values) = (tensor.shape, tensor.values);
        if let [1, c, h, w] = shape[..] {
            values = (0..h * w * c).map(|i| values[i % c * h * w + i / c]).collect();
            shape = vec![1, h, w, c];
        }
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        dump.insert(tensor.name, TensorData { element: Element::F32, shape, bytes });
    }
    dump
}

#[test]
fn files_of_a_framework_serve_as_reference() {
    let dir = crate::scratch("compare-files");
    let dump = framework_dump(&dir);
    let folder = dir.join("tensors");
    fs::create_dir(&folder).unwrap();
    let mut map = String::from("[tensors]\n");
    for (tensor, file) in [
        ("relu_2_o", "conv0_quant"),
        ("relu_5_o", "conv1_quant"),
        ("relu_8_o", "conv2_quant"),
        ("relu_12_o", "fc0_quant"),
    ] {
        tensor_file::write(&folder.join(format!("model_{tensor}.npy")), &dump[tensor]).unwrap();
        map.push_str(&format!("\"{file}\" = \"model_{tensor}\"\n"));
    }
    tensor_file::write(&folder.join("maxpool_3_o.npy"), &dump["maxpool_3_o"]).unwrap();
    let rest: Vec<(&str, &TensorData)> = ["maxpool_6_o", "output"].iter().map(|n| (*n, &dump[*n])).collect();
    fs::write(folder.join("rest.npz"), tensor_file::to_npz(rest).unwrap()).unwrap();
    let map_file = dir.join("map.toml");
    fs::write(&map_file, map).unwrap();
    let by_files = compared(&[folder.to_str().unwrap(), "--map", map_file.to_str().unwrap()]);
    let by_network = compared(&[&digit("float.onnx")]);
    for name in ["conv0_quant", "maxpool_3", "conv1_quant", "maxpool_6", "conv2_quant", "fc0_quant"] {
        assert_eq!(layer(&by_files, name)["accumulated"], layer(&by_network, name)["accumulated"], "{name}");
    }
    let missing: Vec<&str> =
        by_files["unmatched"].as_array().unwrap().iter().map(|u| u["layer"].as_str().unwrap()).collect();
    assert_eq!(missing, ["input_QuantizeLinear", "maxpool_9", "flatten_10"]);
    fs::write(&map_file, "[tensors]\n\"conv0_quant\" = \"nothing\"\n").unwrap();
    let (model, seven) = (digit("model.onnx"), digit("seven.png"));
    let args = ["compare", &model, "--input", &seven, "--reference", folder.to_str().unwrap()];
    fails(2, &[&args[..], &["--map", map_file.to_str().unwrap()]].concat(), &["\"nothing\""]);
    fails(
        0,
        &[&args[..], &["--reference-layout", "nchw"]].concat(),
        &["maxpool_3_o_quantized", "the reference has shape [1, 14, 14, 32]"],
    );
}

/// Cycles are those of the program that is used; it need not keep what is compared.
#[test]
fn cycles_are_those_of_the_program_without_observing() {
    let (model, seven, float) = (digit("qdq_sym.onnx"), digit("seven.png"), digit("float.onnx"));
    let number = |v: &Value| v.as_u64().unwrap();
    let run = |more: &[&str]| -> Value {
        let args = [&["run", &model, "--input", &seven, "--json"], more].concat();
        serde_json::from_str(&fine(&args)).unwrap()
    };
    let (plain, observed) = (run(&[]), run(&["--observe", "all"]));
    assert!(number(&plain["cycles"]) < number(&observed["cycles"]), "observing costs nothing here");
    let args = ["compare", &model, "--reference", &float, "--input", &seven, "--json"];
    let report: Value = serde_json::from_str(&fine(&args)).unwrap();
    assert_eq!(report["cycles"], plain["cycles"]);
    let layers = report["layers"].as_array().unwrap();
    let sum: u64 = layers.iter().map(|l| number(&l["cycles"])).sum();
    let outside = number(&plain["prologue"]) + number(&plain["epilogue"]);
    assert_eq!(sum + outside, number(&plain["cycles"]), "every layer's cycles stand somewhere");
    let text = fine(&["compare", &model, "--reference", &float, "--input", &seven]);
    let grouped =
        format!("{},{:03} cycles", number(&plain["cycles"]) / 1000, number(&plain["cycles"]) % 1000);
    assert!(text.contains(&grouped), "{grouped}: {text}");
    let args = ["diagnose", &model, "--reference", &float, "--input", &seven, "--json"];
    let diagnosis: Value = serde_json::from_str(&fine(&args)).unwrap();
    assert_eq!(diagnosis["cycles"], plain["cycles"]);
}

/// A NaN in an input, or in a reference, is reported and never counts as agreement.
#[test]
fn what_is_no_number_is_reported() {
    let dir = crate::scratch("compare-nan");
    let (model, float) = (digit("model.onnx"), digit("float.onnx"));
    let write = |name: &str, shape: &[usize], value: &dyn Fn(usize) -> f32| {
        let bytes = (0..shape.iter().product()).flat_map(|i| value(i).to_le_bytes()).collect();
        let tensor = TensorData { element: Element::F32, shape: shape.to_vec(), bytes };
        let path = dir.join(name);
        tensor_file::write(&path, &tensor).unwrap();
        path.display().to_string()
    };
    let nan = write("nan.npy", &[1, 1, 28, 28], &|i| if i % 2 == 0 { f32::NAN } else { 0.5 });
    let says = ["input \"input\" from nan.npy: of 784 values 392 are NaN"];
    fails(0, &["run", &model, "--input", &nan], &says);
    let run: Value = serde_json::from_str(&fine(&["run", &model, "--input", &nan, "--json"])).unwrap();
    assert_eq!(run["not_finite_inputs"][0]["nan"], 392);
    fails(1, &["compare", &model, "--reference", &float, "--input", &nan], &says);
    fails(3, &["diagnose", &model, "--reference", &float, "--input", &nan], &says);
    fails(
        3,
        &["quantize", &float, "--calib", &nan, "-o", &dir.join("q.onnx").display().to_string()],
        &["not finite"],
    );
    // A dump in which one value of ten is NaN: no threshold is so low that it is met.
    let seven = digit("seven.png");
    fs::create_dir(dir.join("dump")).unwrap();
    write("dump/output.npy", &[1, 10], &|i| if i == 3 { f32::NAN } else { 0.0 });
    let dump = dir.join("dump").display().to_string();
    let args = ["compare", &model, "--reference", &dump, "--input", &seven, "--fail-under", "-250"];
    fails(
        1,
        &args,
        &[
            "tensor \"output\": 1 is NaN on one side",
            "output \"output\": NaN dB",
            "\"output\": 1 is NaN here or in the reference",
        ],
    );
    let args = ["diagnose", &model, "--reference", &dump, "--input", &seven];
    fails(1, &args, &["not examined", "1 values of the reference or the result are NaN"]);
    // The same for infinities: alone, and beside other inexact values.
    for (folder, value) in [("positive", f32::INFINITY), ("negative", f32::NEG_INFINITY)] {
        fs::create_dir(dir.join(folder)).unwrap();
        write(&format!("{folder}/output.npy"), &[1, 10], &|i| if i == 3 { value } else { i as f32 });
        let dump = dir.join(folder).display().to_string();
        let sides = [&model, "--reference", &dump, "--input", &seven];
        let says =
            ["tensor \"output\": 1 is infinite on one side", "output \"output\": NaN dB, cosine 0.000000"];
        fails(1, &[&["compare"], &sides[..]].concat(), &says);
        let says = ["--fail-under: \"output\": 1 is infinite here or in the reference"];
        fails(1, &[&["compare"], &sides[..], &["--fail-under", "-250"]].concat(), &says);
        let says = ["tensor \"output\": 1 is infinite on one side", "not examined"];
        fails(1, &[&["diagnose"], &sides[..]].concat(), &says);
    }
}

#[test]
fn a_dump_of_other_inputs_is_called_that() {
    let dir = crate::scratch("compare-inputs");
    let (model, seven) = (digit("model.onnx"), digit("seven.png"));
    let dump = framework_dump(&dir);
    let one = &dump["output"];
    let stack = TensorData { shape: vec![3, 10], bytes: one.bytes.repeat(3), ..one.clone() };
    for (folder, tensor) in [("stack", &stack), ("each/0", one), ("each/1", one)] {
        fs::create_dir_all(dir.join(folder)).unwrap();
        tensor_file::write(&dir.join(folder).join("output.npy"), tensor).unwrap();
    }
    let at = |name: &str| dir.join(name).display().to_string();
    let run = |reference: &str, inputs: usize| {
        let inputs = ["--input", seven.as_str()].repeat(inputs);
        [&["compare", &model, "--reference", reference], &inputs[..]]
            .concat()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    let fails = |reference: &str, inputs, says: &str| {
        let args = run(&at(reference), inputs);
        fails(3, &args.iter().map(String::as_str).collect::<Vec<_>>(), &[says]);
    };
    fails("stack", 1, "the reference holds 3 inputs, 1 is given");
    fails("stack", 2, "the reference holds 3 inputs, 2 are given");
    fails("each", 1, "the reference holds 2 inputs, 1 is given");
    fails("each", 3, "the reference holds 2 inputs, 3 are given");
    for (reference, inputs) in [("stack", 3), ("each", 2)] {
        let args = run(&at(reference), inputs);
        fine(&args.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

#[test]
fn dumps_become_real_values() {
    let dir = crate::scratch("dequantize");
    let at = |name: &str| dir.join(name).display().to_string();
    let (model, seven) = (digit("model.onnx"), digit("seven.png"));
    fine(&["run", &model, "--input", &seven, "-o", &at("out"), "--dump-layers", &at("d"), "--dequantize"]);
    fine(&["dequantize", &at("d"), "-o", &at("real")]);
    fine(&["dequantize", &at("d"), "-o", &at("real.npz")]);
    let wanted = tensor_file::read(&dir.join("d/conv1_o_quantized.f32.npy")).unwrap();
    assert_eq!(tensor_file::read(&dir.join("real/conv1_o_quantized.npy")).unwrap(), wanted);
    let mut npz = Npz::open(fs::read(dir.join("real.npz")).unwrap()).unwrap();
    assert_eq!(npz.array("conv1_o_quantized").unwrap(), wanted);
    assert_eq!(npz.names().len(), fs::read_dir(dir.join("real")).unwrap().count());
    // One file, its scale beside it, typed, or in a program.
    fine(&["dequantize", &at("d/conv1_o_quantized.npy"), "-o", &at("one.npy")]);
    assert_eq!(tensor_file::read(&dir.join("one.npy")).unwrap(), wanted);
    fs::copy(dir.join("d/conv1_o_quantized.npy"), dir.join("conv1_o_quantized.npy")).unwrap();
    fails(2, &["dequantize", &at("conv1_o_quantized.npy"), "-o", &at("b.npy")], &["--program"]);
    fine(&["compile", &model, "-o", &at("p.rcn"), "--observe", "all"]);
    fine(&["dequantize", &at("conv1_o_quantized.npy"), "--program", &at("p.rcn"), "-o", &at("b.npy")]);
    assert_eq!(tensor_file::read(&dir.join("b.npy")).unwrap(), wanted);
    let typed = ["--scale", "0.5", "--zero-point", "-3", "-o"];
    fine(&[&["dequantize", &at("conv1_o_quantized.npy")], &typed[..], &[&at("c.csv")]].concat());
    let csv = fs::read_to_string(dir.join("c.csv")).unwrap();
    let integers = tensor_file::read(&dir.join("conv1_o_quantized.npy")).unwrap().bytes;
    let last = csv.lines().last().unwrap();
    let q = integers[integers.len() - 1];
    assert_eq!(last, format!("0,63,13,13,{q},{}", (f32::from(q) + 3.0) * 0.5));
    assert_eq!(csv.lines().count(), integers.len() + 1);
    fails(2, &["dequantize", &at("d"), "-o", &at("x.npy")], &["do not fit into one"]);
    fails(2, &["dequantize", &at("d"), "-o", &at("x"), "--layer", "nowhere"], &["'nowhere'"]);
}

#[test]
fn widths_are_proved_by_what_is_executed() {
    let dir = crate::scratch("widths");
    let at = |name: &str| dir.join(name).display().to_string();
    let (model, seven) = (digit("model.onnx"), digit("seven.png"));
    fine(&["compile", &model, "-o", &at("p.rcn")]);
    let text = fine(&["info", &at("p.rcn"), "--layers", "--expect-bits", "conv1_quant=8x8"]);
    assert!(text.contains("8x8 to 8") && text.contains("f32 to 8"), "{text}");
    let expect = ["--expect-bits", "conv1_quant=16x8"];
    let says = ["layer \"conv1_quant\" was executed with 8x8 to 8"];
    fails(1, &[&["info", &at("p.rcn")], &expect[..]].concat(), &says);
    fails(1, &[&["run", &at("p.rcn"), "--input", &seven], &expect[..]].concat(), &says);
    fails(2, &["info", &at("p.rcn"), "--expect-bits", "nowhere=8"], &["no such layer"]);
    // A program whose instructions do not do what its tables promise.
    let listing = fine(&["disasm", &at("p.rcn")]);
    let promised = listing.replacen("\"operands\":\"8x8\"", "\"operands\":\"16x8\"", 1);
    assert_ne!(listing, promised);
    fs::write(dir.join("p.s"), promised).unwrap();
    fine(&["asm", &at("p.s"), "-o", &at("q.rcn")]);
    let says = ["was executed with 8x8 to 8, the model asks for 16x8 to 8"];
    fails(1, &["info", &at("q.rcn")], &says);
    fails(1, &["run", &at("q.rcn"), "--input", &seven, "--json"], &says);
}

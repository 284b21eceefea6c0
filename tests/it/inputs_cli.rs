//! Inputs of users: pictures of many formats, arrays of many types, folders with other files, models with
//! several inputs, files from standard input.

use std::fs;
use std::io::{Cursor, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use image::{DynamicImage, ImageFormat};
use prost::Message;
use rcar_iss::internals::onnx::proto::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorShapeProto, TypeProto, ValueInfoProto,
    tensor_proto::DataType,
    tensor_shape_proto::{Dimension, dimension},
    type_proto,
};
use rcar_iss::internals::tensor_file::{Element, TensorData, to_npy, to_npz};
use serde_json::Value;

use crate::cli::{fails, fine};
use crate::repository::digit;

/// A folder of files that a test writes.
struct Files(PathBuf);

impl Files {
    fn new(name: &str) -> Files {
        Files(crate::scratch(name))
    }

    fn at(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    fn write(&self, name: &str, bytes: &[u8]) -> String {
        fs::write(self.0.join(name), bytes).unwrap();
        self.at(name)
    }
}

/// Runs a command that must succeed; returns its stderr.
#[track_caller]
fn said(args: &[&str]) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_rcar-iss")).args(args).output().unwrap();
    let text = String::from_utf8(out.stderr).unwrap();
    assert!(out.status.success(), "{args:?}: {text}");
    text
}

/// The digests of the outputs of all runs.
#[track_caller]
fn digests(args: &[&str]) -> Vec<String> {
    let json: Value = serde_json::from_str(&fine(&[args, &["--json"]].concat())).unwrap();
    let outputs =
        json["runs"].as_array().unwrap().iter().flat_map(|r| r["outputs"].as_array().unwrap().clone());
    outputs.map(|o| o["digest"].as_str().unwrap().to_string()).collect()
}

fn with_stdin(args: &[&str], bytes: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rcar-iss"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses its arguments does not read.
    let _ = child.stdin.take().unwrap().write_all(bytes);
    child.wait_with_output().unwrap()
}

fn seven() -> DynamicImage {
    image::load_from_memory_with_format(&png_as_bmp(), ImageFormat::Bmp).unwrap()
}

/// The picture of a seven in a format for which no PNG reader is needed.
fn png_as_bmp() -> Vec<u8> {
    let mut reader =
        png::Decoder::new(Cursor::new(fs::read(digit("seven.png")).unwrap())).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut pixels).unwrap();
    assert_eq!(frame.color_type, png::ColorType::Grayscale);
    let grey = image::GrayImage::from_raw(frame.width, frame.height, pixels).unwrap();
    let mut out = Cursor::new(Vec::new());
    DynamicImage::ImageLuma8(grey).to_rgb8().write_to(&mut out, ImageFormat::Bmp).unwrap();
    out.into_inner()
}

#[test]
fn pictures_of_all_formats_give_what_a_png_gives() {
    let files = Files::new("inputs-formats");
    let model = digit("model.onnx");
    let wanted = digests(&["run", &model, "--input", &digit("seven.png")]);
    // The content counts, not the name.
    for (name, format) in [
        ("a.bmp", ImageFormat::Bmp),
        ("a.tif", ImageFormat::Tiff),
        ("a.webp", ImageFormat::WebP),
        ("a.gif", ImageFormat::Gif),
        ("webp.jpg", ImageFormat::WebP),
    ] {
        let mut out = Cursor::new(Vec::new());
        seven().write_to(&mut out, format).unwrap();
        let path = files.write(name, out.get_ref());
        assert_eq!(digests(&["run", &model, "--input", &path]), wanted, "{name}");
    }
}

#[test]
fn a_turned_picture_is_turned_back_and_that_is_said() {
    let files = Files::new("inputs-exif");
    let model = digit("model.onnx");
    let wanted = digests(&["run", &model, "--input", &digit("seven.png")]);
    let mut exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    // A camera's EXIF orientation: the inverse of it is applied to the pixels.
    let upright = seven().to_luma8();
    use image::imageops::{flip_horizontal, flip_vertical, rotate90, rotate180, rotate270};
    let turned = [
        upright.clone(),
        flip_horizontal(&upright),
        rotate180(&upright),
        flip_vertical(&upright),
        flip_horizontal(&rotate90(&upright)),
        rotate270(&upright),
        flip_horizontal(&rotate270(&upright)),
        rotate90(&upright),
    ];
    for (tag, pixels) in (1..).zip(turned) {
        exif[18] = tag;
        let mut info = png::Info::with_size(pixels.width(), pixels.height());
        info.color_type = png::ColorType::Grayscale;
        info.bit_depth = png::BitDepth::Eight;
        info.exif_metadata = Some(exif.clone().into());
        let mut out = Vec::new();
        let mut writer = png::Encoder::with_info(&mut out, info).unwrap().write_header().unwrap();
        writer.write_image_data(pixels.as_raw()).unwrap();
        writer.finish().unwrap();
        let path = files.write("turned.png", &out);
        assert_eq!(digests(&["run", &model, "--input", &path]), wanted, "orientation {tag}");
        let notes = said(&["-v", "run", &model, "--input", &path]);
        assert_eq!(notes.contains(&format!("EXIF orientation {tag}")), tag != 1, "{notes}");
    }
}

#[test]
fn what_is_no_picture_is_called_by_its_real_name() {
    let files = Files::new("inputs-damaged");
    let model = digit("model.onnx");
    let png = fs::read(digit("seven.png")).unwrap();
    for (name, bytes, says) in [
        ("bad.jpg", &b"no jpg"[..], &["no .jpg file in spite of its name", "no jpg", "BMP"][..]),
        ("cut.png", &png[..png.len() / 2], &["the PNG picture is damaged", "by byte"]),
        (
            "phone.jpg",
            b"\0\0\0\x18ftypheic\0\0\0\0",
            &["a HEIC picture", "PNG, JPEG, BMP, GIF, TIFF and WebP"],
        ),
        ("page.jpg", b"<!DOCTYPE html><title>404</title>", &["an HTML page"]),
        ("lfs.npy", b"version https://git-lfs.github.com/spec/v1\n", &["Git LFS"]),
        ("none.npy", b"", &["an empty file"]),
        ("table.csv", b"1,2,3\n", &["neither a picture that is read nor a .npy", "1,2,3"]),
    ] {
        fails(3, &["run", &model, "--input", &files.write(name, bytes)], &[&[name], says].concat());
    }
}

#[test]
fn folders_hold_more_than_inputs() {
    let files = Files::new("inputs-folder");
    let model = digit("model.onnx");
    let folder = files.0.display().to_string();
    files.write("a.heic", b"\0\0\0\x18ftypheic");
    files.write("notes.txt", b"x");
    fails(3, &["run", &model, "--input", &folder], &["1 .heic, 1 .txt", "WebP"]);
    for hidden in [".DS_Store", "._seven.png", ".x.npy"] {
        files.write(hidden, b"made by a system");
    }
    fs::create_dir(files.0.join("inside.png")).unwrap();
    fs::copy(digit("seven.png"), files.at("b.png")).unwrap();
    fs::copy(digit("seven.png"), files.at("a.png")).unwrap();
    let text = fine(&["run", &model, "--input", &folder]);
    assert!(text.contains("2 runs") && text.contains("a.png:") && text.contains("b.png:"), "{text}");
    let notes = said(&["-v", "run", &model, "--input", &folder]);
    for word in ["1 .heic left out", "._seven.png", "notes.txt", "inside.png"] {
        assert!(notes.contains(word), "{notes}");
    }
    let json: Value = serde_json::from_str(&fine(&["run", &model, "--input", &folder, "--json"])).unwrap();
    assert_eq!((&json["runs"][0]["input"], &json["runs"][1]["input"]), (&"a.png".into(), &"b.png".into()));
    fine(&["run", &model, "--input", &folder, "--dump-layers", &files.at("layers")]);
    let manifest = fs::read_to_string(files.0.join("layers/000001/manifest.json")).unwrap();
    assert!(manifest.contains("\"input\": \"b.png\""), "{manifest}");
}

/// A `.npy` file as numpy writes it.
fn npy(descriptor: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let dictionary = format!("{{'descr': '{descriptor}', 'fortran_order': {fortran}, 'shape': {shape}, }}");
    let padded = format!("{dictionary:<117}\n");
    let length = (padded.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], padded.as_bytes(), data].concat()
}

#[test]
fn floats_of_any_size_and_order_give_the_same_outputs() {
    let files = Files::new("inputs-floats");
    let model = digit("model.onnx");
    // Exact in 16 bits.
    let value = |i: usize| (i % 29) as f32 / 8.0 - 1.0;
    let all = || (0..784).map(value);
    let half = |v: f32| half::f16::from_f32(v);
    let (c, fortran) = ("(1, 1, 28, 28)", (0..784).map(|i| value(i % 28 * 28 + i / 28)));
    let little: Vec<u8> = all().flat_map(f32::to_le_bytes).collect();
    let wanted =
        digests(&["run", &model, "--input", &files.write("f4.npy", &npy("<f4", "False", c, &little))]);
    for (name, order, data) in [
        ("<f2", "False", all().flat_map(|v| half(v).to_le_bytes()).collect::<Vec<u8>>()),
        (">f2", "False", all().flat_map(|v| half(v).to_be_bytes()).collect()),
        (">f4", "False", all().flat_map(f32::to_be_bytes).collect()),
        ("<f8", "False", all().flat_map(|v| f64::from(v).to_le_bytes()).collect()),
        (">f8", "False", all().flat_map(|v| f64::from(v).to_be_bytes()).collect()),
        ("<f4", "True", fortran.clone().flat_map(f32::to_le_bytes).collect()),
        ("<f2", "True", fortran.clone().flat_map(|v| half(v).to_le_bytes()).collect()),
    ] {
        let path = files.write("other.npy", &npy(name, order, c, &data));
        assert_eq!(digests(&["run", &model, "--input", &path]), wanted, "{name} {order}");
        if name.ends_with("f8") {
            assert!(said(&["run", &model, "--input", &path]).contains("float64 rounded to float32"));
        }
        // The same for the reference of an input, and for calibration.
        let (float, q) = (digit("float.onnx"), files.at("q.onnx"));
        fine(&["quantize", &float, "--calib", &path, "-o", &q]);
        let folder = files.0.join("reference");
        fs::create_dir_all(&folder).unwrap();
        fs::copy(&path, folder.join("input.npy")).unwrap();
        let report =
            fine(&["compare", &q, "--reference", &folder.display().to_string(), "--input", &path, "--json"]);
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report["layers"][0]["reference"], "input");
        assert!(report["layers"][0]["accumulated"]["sqnr_db"].as_f64().unwrap() > 30.0, "{name} {order}");
        assert_eq!(report["input_names"][0], "other.npy");
    }
    let pixels = files.write("u1.npy", &npy("|u1", "False", "(1, 1, 28, 30)", &[0; 840]));
    fails(3, &["run", &model, "--input", &pixels], &["has shape 1x1x28x28, the array 1x1x28x30"]);
    let complex = files.write("c8.npy", &npy("<c8", "False", c, &[0; 8 * 784]));
    fails(3, &["run", &model, "--input", &complex], &["<c8", "is not supported"]);
    let integers = files.write("i8.npy", &npy("<i8", "False", c, &[0; 8 * 784]));
    fails(3, &["run", &model, "--input", &integers], &["takes float32, the array holds int64", "astype"]);
}

#[test]
fn how_pictures_become_values_may_be_typed() {
    let files = Files::new("inputs-typed");
    let (model, png) = (files.at("m.onnx"), digit("seven.png"));
    fs::copy(digit("model.onnx"), &model).unwrap();
    fails(
        3,
        &["run", &model, "--input", &png],
        &["how input 'input' is normalized", "--mean and --std", "m.toml"],
    );
    let typed = ["--mean", "33.3285", "--std", "78.5655"];
    let text = fs::read_to_string(digit("model.toml")).unwrap();
    assert!(text.contains("33.3285") && text.contains("78.5655"), "{text}");
    let wanted = digests(&["run", &digit("model.onnx"), "--input", &png]);
    assert_eq!(digests(&[&["run", &model, "--input", &png][..], &typed].concat()), wanted);
    // Options override the sidecar in every command; numbers may be negative.
    assert_ne!(digests(&["run", &digit("model.onnx"), "--input", &png, "--mean", "-100"]), wanted);
    let float = digit("float.onnx");
    for command in [
        &["compare", &model, "--reference", &float][..],
        &["bench", &model, "--repeat", "1"],
        &["diagnose", &model, "--reference", &float],
    ] {
        let args = [command, &["--input", &png], &typed].concat();
        let out = Command::new(env!("CARGO_BIN_EXE_rcar-iss")).args(&args).output().unwrap();
        assert!(out.status.code().unwrap() < 2, "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    }
    // Options and a sidecar that say the same are the same; `--resize` to the picture's own size changes
    // nothing.
    let compared = |model: &str, typed: &[&str]| {
        let args = ["compare", model, "--reference", &float, "--input", &png, "--json"];
        fine(&[&args, typed].concat())
    };
    let wanted = compared(&digit("model.onnx"), &[]);
    assert_eq!(compared(&model, &[&typed[..], &["--resize", "28"]].concat()), wanted);
    assert_ne!(compared(&model, &["--mean", "0", "--std", "255"]), wanted);
    fails(
        2,
        &["run", &model, "--input", &png, "--mean", "-1,2"],
        &["2 values, but input 'input' has 1 channel"],
    );
    fails(2, &["run", &model, "--input", &png, "--std", "0"], &["above 0"]);
    let array = files.write("x.npy", &npy("<f4", "False", "(1, 1, 28, 28)", &[0; 4 * 784]));
    fails(2, &["run", &model, "--input", &array, "--bgr"], &["--bgr has no effect", "no input is either"]);
}

#[test]
fn a_description_of_another_program_or_model_stops_pictures_only() {
    let files = Files::new("inputs-sidecar");
    let (model, png) = (files.at("net.onnx"), digit("seven.png"));
    fs::copy(digit("model.onnx"), &model).unwrap();
    let array = files.write("x.npy", &npy("<f4", "False", "(1, 1, 28, 28)", &[0; 4 * 784]));
    for (text, says) in [
        ("[tool]\nx = 1\n", "line 1: unknown field `tool`"),
        ("[input.inptu]\nmean = 1\nstd = 1\n", "describes input 'inptu'"),
        ("[input.input]\nmean = 1\n", "missing field `std`"),
        ("labels = \"nowhere.json\"\n", "nowhere.json"),
        ("no toml", "line 1"),
    ] {
        files.write("model.toml", text.as_bytes());
        let notes = said(&["run", &model, "--input", &array]);
        assert!(notes.contains("model.toml") || notes.contains("nowhere.json"), "{notes}");
        assert!(notes.contains(says), "{notes}");
        assert_eq!(said(&["--quiet", "run", &model, "--input", &array]), "");
        fails(3, &["run", &model, "--input", &png], &["seven.png", says]);
        fine(&["run", &model, "--input", &png, "--mean", "1", "--std", "1"]);
    }
    // A quantized model that is written beside such a file gets its own description.
    files.write("model.toml", b"[tool]\nx = 1\n");
    let float = files.at("float.onnx");
    fs::copy(digit("float.onnx"), &float).unwrap();
    let q = files.at("q.onnx");
    fine(&["quantize", &float, "--calib", &png, "-o", &q, "--mean", "33.3285", "--std", "78.5655"]);
    let json: Value = serde_json::from_str(&fine(&["run", &q, "--input", &png, "--json"])).unwrap();
    assert_eq!(json["runs"][0]["outputs"][0]["best"][0]["class"], 7);
}

/// Class names come from `--classes` or from the sidecar, where their older name still counts.
#[test]
fn classes_have_names_from_an_option_or_beside_the_model() {
    let files = Files::new("inputs-classes");
    let (model, png) = (files.at("m.onnx"), digit("seven.png"));
    fs::copy(digit("model.onnx"), &model).unwrap();
    let names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    let list = files.write("names.json", serde_json::to_string(&names).unwrap().as_bytes());
    let how = fs::read_to_string(digit("model.toml")).unwrap();
    let best = |options: &[&str]| {
        let args = [&["run", &model, "--input", &png, "--json"], options].concat();
        let json: Value = serde_json::from_str(&fine(&args)).unwrap();
        json["runs"][0]["outputs"][0]["best"][0]["label"].clone()
    };
    files.write("m.toml", how.as_bytes());
    assert_eq!(best(&[]), Value::Null);
    assert_eq!(best(&["--classes", &list]), "seven");
    for key in ["classes", "labels"] {
        files.write("m.toml", format!("{key} = \"names.json\"\n{how}").as_bytes());
        assert_eq!(best(&[]), "seven", "{key}");
    }
    files.write("m.toml", format!("classes = [\"a\"]\nlabels = [\"b\"]\n{how}").as_bytes());
    fails(3, &["run", &model, "--input", &png], &["line 2", "`labels` is the older name of `classes`"]);
    // What is written beside a quantized model has the new name.
    files.write("float.toml", format!("labels = \"names.json\"\n{how}").as_bytes());
    fs::copy(digit("float.onnx"), files.at("float.onnx")).unwrap();
    fine(&["quantize", &files.at("float.onnx"), "--calib", &png, "-o", &files.at("q.onnx")]);
    let written = fs::read_to_string(files.at("q.toml")).unwrap();
    assert!(written.contains("classes = [\"zero\"") && !written.contains("labels"), "{written}");
}

/// An input or output of a graph.
pub(crate) fn value(name: &str, element: DataType, dims: &[i64]) -> ValueInfoProto {
    let dim = |n: &i64| Dimension { value: Some(dimension::Value::DimValue(*n)), ..Dimension::default() };
    let shape = TensorShapeProto { dim: dims.iter().map(dim).collect() };
    let tensor = type_proto::Tensor { elem_type: Some(element as i32), shape: Some(shape) };
    let r#type = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() };
    ValueInfoProto { name: Some(name.into()), r#type: Some(r#type), ..ValueInfoProto::default() }
}

/// A node without a name.
pub(crate) fn node(op: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        op_type: Some(op.into()),
        input: inputs.iter().map(ToString::to_string).collect(),
        output: vec![output.into()],
        ..NodeProto::default()
    }
}

/// The bytes of a model of opset 17.
pub(crate) fn model(graph: GraphProto) -> Vec<u8> {
    let opset = OperatorSetIdProto { version: Some(17), ..OperatorSetIdProto::default() };
    ModelProto { ir_version: Some(8), graph: Some(graph), opset_import: vec![opset], ..ModelProto::default() }
        .encode_to_vec()
}

/// `y = Relu(left + right)`, of shape `[1, 2, 3]` each.
fn sum() -> Vec<u8> {
    let value = |name: &str| value(name, DataType::Float, &[1, 2, 3]);
    model(GraphProto {
        name: Some("sum".into()),
        node: vec![node("Add", &["left", "right"], "s"), node("Relu", &["s"], "y")],
        input: vec![value("left"), value("right")],
        output: vec![value("y")],
        ..GraphProto::default()
    })
}

fn array(runs: usize, first: f32) -> TensorData {
    let values = (0..6 * runs).map(|i| first + i as f32);
    TensorData {
        element: Element::F32,
        shape: vec![runs, 2, 3],
        bytes: values.flat_map(f32::to_le_bytes).collect(),
    }
}

#[test]
fn several_inputs_come_from_one_archive_or_one_folder() {
    let files = Files::new("inputs-several");
    let (left, right) = (array(2, -3.0), array(2, 1.0));
    let float = files.write("sum.onnx", &sum());
    let both =
        files.write("both.npz", &to_npz([("right", &right), ("left", &left), ("other", &left)]).unwrap());
    let (l, r) = (
        files.write("left.npy", &to_npy(&left).unwrap()),
        files.write("right.npy", &to_npy(&right).unwrap()),
    );
    let folder = files.0.join("folder");
    fs::create_dir(&folder).unwrap();
    for name in ["left.npy", "right.npy"] {
        fs::copy(files.at(name), folder.join(name)).unwrap();
    }
    fs::copy(&l, folder.join("what_came_out.npy")).unwrap();
    let folder = folder.display().to_string();
    let (named_l, named_r) = (format!("left={l}"), format!("right={r}"));
    let ways: [&[&str]; 4] = [&[&named_l, &named_r], &[&both], &[&folder], &[&r, &l]];
    let mut found = Vec::new();
    for (i, way) in ways.iter().enumerate() {
        let with =
            |option: &'static str| way.iter().flat_map(move |file| [option, *file]).collect::<Vec<_>>();
        let q = files.at(&format!("q{i}.onnx"));
        fine(&[&["quantize", &float, "-o", &q][..], &with("--calib")].concat());
        let compared =
            fine(&[&["compare", &q, "--reference", &float, "--json"][..], &with("--input")].concat());
        let compared: Value = serde_json::from_str(&compared).unwrap();
        assert_eq!(compared["inputs"], 2, "{way:?}");
        found.push((fs::read(&q).unwrap(), digests(&[&["run", &q][..], &with("--input")].concat())));
    }
    assert_eq!(found[0].1.len(), 2);
    assert!(found.iter().all(|f| *f == found[0]));
    let q = files.at("q0.onnx");
    fails(
        2,
        &["run", &q, "--input", &format!("lefft={l}")],
        &["no input is named 'lefft'", "did you mean 'left'?"],
    );
    fails(2, &["run", &q, "--input", &float], &["does not say which input it is for", "NAME=FILE"]);
    let odd = files.write("odd.npz", &to_npz([("a", &left), ("b", &right)]).unwrap());
    fails(3, &["run", &q, "--input", &odd], &["it holds a, b; the inputs are 'left', 'right'"]);
    fails(2, &["run", &q, "--input", &l], &["no value is given for input 'right'"]);
}

#[test]
fn one_file_may_come_from_standard_input() {
    let model = digit("model.onnx");
    let (bytes, png) = (fs::read(&model).unwrap(), fs::read(digit("seven.png")).unwrap());
    let wanted = digests(&["run", &model, "--input", &digit("seven.png")]);
    let typed = ["--mean", "33.3285", "--std", "78.5655", "--json"];
    for (args, content) in [
        (&["run", "-", "--input", &digit("seven.png")][..], &bytes),
        (&["run", &model, "--input", "-"], &png),
        (&["run", &model, "--input", "input=-"], &png),
    ] {
        let out = with_stdin(&[args, &typed].concat(), content);
        let json: Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!(json["runs"][0]["outputs"][0]["digest"].as_str(), Some(wanted[0].as_str()), "{args:?}");
    }
    let out = with_stdin(&["check", "-"], b"  halt\n");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    for twice in [
        &["run", "-", "--input", "-"][..],
        &["diff", "-", "-"],
        &["compare", &model, "--reference", "-", "--input", "input=-"],
        &["quantize", "-", "--calib", "-", "-o", "x.onnx"],
    ] {
        let out = with_stdin(twice, &bytes);
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(2), "{twice:?}: {text}");
        assert!(text.contains("'-' is given for more than one file"), "{text}");
    }
}

//! Unusual files, unusual names, and extreme numbers: no command waits forever, fills the memory, or confuses
//! two files.

use std::fmt::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use prost::Message;
use rcar_iss::internals::machine::Machine;
use rcar_iss::internals::onnx::proto::{ModelProto, StringStringEntryProto, tensor_proto::DataLocation};
use rcar_iss::internals::onnx::{LoadError, LoadedModel};
use rcar_iss::internals::program::{Program, text};
use rcar_iss::internals::sim::{FaultKind, Limits, Loaded};
use rcar_iss::internals::tensor_file;

use crate::cli::{fails, fine};
use crate::repository::digit;

/// A pipe without a writer.
fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn devices_are_refused_everywhere() {
    let dir = crate::scratch("devices");
    let model = digit("model.onnx");
    let at = |name: &str| dir.join(name).display().to_string();
    let (text, program, machine) = (at("zero.s"), at("zero.rcn"), at("zero.toml"));
    for link in [&text, &program, &machine] {
        symlink("/dev/zero", link).unwrap();
    }
    let out = at("out");
    for args in [
        &["check", "/dev/zero"][..],
        &["check", &text],
        &["check", &program],
        &["check", &model, "--machine", &machine],
        &["run", &model, "--input", "/dev/zero"],
        &["estimate", "/dev/zero"],
        &["info", "/dev/zero"],
        &["disasm", "/dev/zero"],
        &["trace", "/dev/zero"],
        &["diff", "/dev/zero", &model],
        &["asm", "/dev/zero", "-o", &out],
        &["compile", "/dev/zero", "-o", &out],
        &["quantize", "/dev/zero", "-o", &out],
        &["compare", &model, "--reference", "/dev/zero", "--input", &digit("seven.png")],
        &["dequantize", "/dev/zero", "-o", &out, "--scale", "1", "--zero-point", "0"],
    ] {
        fails(3, args, &["no regular file"]);
    }
}

#[test]
fn a_pipe_is_read_once_and_used_as_often_as_needed() {
    let piped = |model: &str, args: &str| {
        let tool = env!("CARGO_BIN_EXE_rcar-iss");
        let line = format!("cat '{model}' | '{tool}' {args}");
        let out = Command::new("sh").args(["-c", &line]).stdin(Stdio::null()).output().unwrap();
        assert!(out.status.success(), "{line}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    };
    let model = digit("model.onnx");
    assert_eq!(piped(&model, "check /dev/stdin --all"), fine(&["check", &model, "--all"]));
    assert!(piped(&model, "estimate /dev/stdin --exact --machine all").contains("rcn-l"));
    assert!(piped(&model, &format!("diff /dev/stdin '{model}'")).contains("cycles"));
    let shown = piped(&digit("seven.png"), &format!("run '{model}' --input /dev/stdin"));
    assert!(shown.contains('7'), "{shown}");
    let out = crate::scratch("piped").join("p.rcn").display().to_string();
    fine(&["compile", &model, "-o", &out]);
    assert_eq!(piped(&out, "disasm /dev/stdin"), fine(&["disasm", &out]));
}

/// The digit network with one tensor's bytes in `w.bin`, `offset` bytes from its beginning.
fn external(dir: &Path) -> PathBuf {
    let mut model = ModelProto::decode(std::fs::read(digit("model.onnx")).unwrap().as_slice()).unwrap();
    let tensor = model.graph.as_mut().unwrap().initializer.iter_mut().max_by_key(|t| t.raw_data().len());
    let tensor = tensor.unwrap();
    std::fs::write(dir.join("data"), tensor.raw_data.take().unwrap()).unwrap();
    tensor.data_location = Some(DataLocation::External as i32);
    let location = StringStringEntryProto { key: Some("location".into()), value: Some("w.bin".into()) };
    tensor.external_data = vec![location];
    let path = dir.join("m.onnx");
    std::fs::write(&path, model.encode_to_vec()).unwrap();
    path
}

#[test]
fn external_data_is_a_regular_file_in_the_models_folder() {
    let dir = crate::scratch("external-kinds");
    let inside = dir.join("inside");
    std::fs::create_dir(&inside).unwrap();
    let model = external(&inside);
    let link = inside.join("w.bin");
    let refused = |says: &str| {
        let error = LoadedModel::from_file(&model).unwrap_err();
        assert!(matches!(&error, LoadError::External { .. }), "{error}");
        assert!(error.to_string().contains(says), "{error} does not say {says}");
        std::fs::remove_file(&link).unwrap();
    };
    symlink("data", &link).unwrap();
    let good = LoadedModel::from_file(&model).unwrap();
    std::fs::remove_file(&link).unwrap();
    std::fs::copy(inside.join("data"), &link).unwrap();
    assert_eq!(LoadedModel::from_file(&model).unwrap().model, good.model);
    std::fs::remove_file(&link).unwrap();
    std::fs::copy(inside.join("data"), dir.join("outside")).unwrap();
    symlink("../outside", &link).unwrap();
    refused("leaves the model's folder");
    symlink("/dev/zero", &link).unwrap();
    refused("leaves the model's folder");
    pipe(&link);
    refused("it is a pipe, no regular file");
    pipe(&dir.join("pipe"));
    symlink("../pipe", &link).unwrap();
    refused("leaves the model's folder");
    // A cache keeps model and data under other names, in one folder.
    let names = dir.join("names");
    std::fs::create_dir(&names).unwrap();
    symlink("../inside/m.onnx", names.join("m.onnx")).unwrap();
    symlink("../inside/data", names.join("w.bin")).unwrap();
    assert_eq!(LoadedModel::from_file(&names.join("m.onnx")).unwrap().model, good.model);
}

#[test]
fn members_of_folders_are_regular_files() {
    let dir = crate::scratch("members");
    pipe(&dir.join("a.npy"));
    let folder = dir.display().to_string();
    let model = digit("model.onnx");
    fails(3, &["run", &model, "--input", &folder], &["a.npy", "no regular file"]);
    std::fs::write(
        dir.join("manifest.json"),
        r#"{"tensors": [{"tensor": "t", "layer": null, "onnx_nodes": [], "file": "a.npy", "dtype": "u8", "shape": [1],
            "scale": 1.0, "zero_point": 0, "axis": null, "digest": ""}]}"#,
    )
    .unwrap();
    let out = dir.join("out").display().to_string();
    fails(3, &["dequantize", &folder, "-o", &out], &["no regular file"]);
    let text = std::fs::read_to_string(dir.join("manifest.json")).unwrap();
    for outside in ["../x.npy", "/etc/hostname", "a/../a.npy", "./a.npy"] {
        std::fs::write(dir.join("manifest.json"), text.replace("a.npy", outside)).unwrap();
        fails(3, &["dequantize", &folder, "-o", &out], &["no file name", outside]);
    }
}

/// A program that copies its input to as many outputs as there are names.
fn copies(names: &[String]) -> Program {
    let mut source = String::from(
        ".machine rcn-m\n.buffer x, 64\n.tensor x input u8 [1, 4] at x\n.layer {\"name\": \"l\", \"kind\": \"copy\"}\n",
    );
    let mut code = String::from(
        "  layer.begin 0\n  tdesc.load t0, from(x0)\n  tdesc.load t1, there(x0)\n  dma.in t1, t0\n",
    );
    let mut constants =
        String::from("from: .tdesc dram u8 x [1, 1, 1, 4]\nthere: .tdesc spm u8 0 [1, 1, 1, 4]\n");
    for i in 0..names.len() {
        let _ = writeln!(source, ".buffer y{i}, 64\n.tensor y{i} output u8 [1, 4] at y{i} layer 0");
        let _ = writeln!(constants, "to{i}: .tdesc dram u8 y{i} [1, 1, 1, 4]");
        let _ = writeln!(code, "  tdesc.load t2, to{i}(x0)\n  dma.out t2, t1 wait(dmain)");
    }
    let text = format!("{source}\n.const\n{constants}\n.code\n.in 0\n{code}  fence\n  layer.end 0\n  halt\n");
    let mut program = text::assemble(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    for (tensor, name) in program.meta.tensors.iter_mut().skip(1).zip(names) {
        tensor.name.clone_from(name);
    }
    program
}

#[test]
fn every_output_has_a_file_of_its_own_whatever_it_is_called() {
    let dir = crate::scratch("output-names");
    let long = "l".repeat(300);
    let names: Vec<String> =
        ["a/b", "a_b", "A:b", "../../a", "a\0b\n\u{1b}[m", ".", "..", "", "manifest", "ä"]
            .into_iter()
            .map(str::to_string)
            .chain([format!("{long}1"), format!("{long}2"), "x".repeat(255), "x".repeat(251)])
            .collect();
    let path = dir.join("p.rcn").display().to_string();
    copies(&names).write_file(Path::new(&path)).unwrap();
    let input = dir.join("x.npy");
    let data = tensor_file::TensorData {
        element: tensor_file::Element::U8,
        shape: vec![1, 4],
        bytes: vec![1, 2, 3, 4],
    };
    tensor_file::write(&input, &data).unwrap();
    let input = input.display().to_string();
    let (out, dump) = (dir.join("out"), dir.join("dump"));
    fine(&[
        "run",
        &path,
        "--input",
        &input,
        "-o",
        &out.display().to_string(),
        "--dump-layers",
        &dump.display().to_string(),
    ]);
    let listed = |dir: &Path| -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let files = listed(&out);
    assert_eq!(files.len(), names.len(), "{files:?}");
    assert!(files.iter().all(|f| f.len() < 120), "{files:?}");
    // The same names as in a dump, which also has its manifest, and the input.
    assert!(files.iter().all(|f| listed(&dump).contains(f)));
    assert_eq!(listed(&dump).len(), names.len() + 2);
    assert_eq!(listed(&dir), ["dump", "out", "p.rcn", "x.npy"]);
}

#[test]
fn a_file_name_may_be_as_long_as_the_system_has_them() {
    let dir = crate::scratch("long-names");
    let path = dir.join(format!("{}.rcn", "n".repeat(251))).display().to_string();
    fine(&["compile", &digit("model.onnx"), "-o", &path]);
    fine(&["check", &path]);
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);
}

#[test]
fn any_text_may_stand_in_the_tables_of_a_program() {
    let odd = [
        "",
        " ",
        "a b",
        "\0",
        "a\u{1}\0b",
        "\"",
        "a\"b; c",
        "\\",
        "\\u0000",
        "\u{7f}\n\r\t",
        "é\u{2028}",
        "';'",
    ];
    for (i, one) in odd.iter().enumerate() {
        let other = odd[(i + 5) % odd.len()];
        let mut program = copies(&[format!("y{one}")]);
        program.meta.name = (*one).into();
        program.meta.machine.name = (*one).into();
        program.meta.machine.hash = other.into();
        program.meta.layers[0].name = format!("{one}{other}");
        program.meta.layers[0].onnx_nodes = odd.iter().map(ToString::to_string).collect();
        let printed = text::disassemble_with_comments(&program, &[(0, format!("{one}{other}"))]);
        let again = text::assemble(&printed).unwrap_or_else(|e| panic!("{e}\n{printed}"));
        assert_eq!(again, program, "{printed}");
        assert_eq!(Program::from_bytes(&program.to_bytes().unwrap()).unwrap(), program);
    }
}

#[test]
fn numbers_at_the_end_of_their_range_are_refused_not_computed_with() {
    let machine = Machine::named("rcn-m").unwrap();
    let least = i64::MIN;
    let most = i64::MAX;
    for descriptor in [
        format!(".tdesc spm u8 {least} [1, 1, 1, 4]"),
        format!(".tdesc spm u8 0 [1, 1, 2, 4] [{least}, {least}, {least}, {least}]"),
        format!(".tdesc spm u8 0 [2, 2, 2, 4] [{most}, {most}, {least}, 1]"),
        ".tdesc spm u8 0 [4294967295, 4294967295, 4294967295, 4294967295]".to_string(),
        ".tdesc spm u8 0 [16777216, 1, 1, 16777216] [68719476736, 1, 1, 1]".to_string(),
    ] {
        for insn in ["dma.fill t0", "dma.copy t0, t0", "vec.lut t0, t0, t0", "vec.dequant t0, t0, q0"] {
            let source = format!(
                ".machine rcn-m\n.const\nd: {descriptor}\n.align 8\nq: .qdesc mode=channel table={least}\n.code\n  tdesc.load t0, d(x0)\n  qdesc.load q0, q(x0)\n  {insn}\n  halt\n"
            );
            let program = text::assemble(&source).unwrap_or_else(|e| panic!("{e}\n{source}"));
            let error = Loaded::new(Arc::new(program), &machine, Limits::default()).unwrap_err();
            let rcar_iss::internals::sim::LoadError::Fault(fault) = error else {
                panic!("{error}\n{source}")
            };
            assert!(matches!(fault.kind, FaultKind::IllegalOperand { .. }), "{fault}\n{source}");
        }
    }
    let huge = i128::MAX;
    for line in [
        format!(".const\na: .s64 a+{huge}"),
        format!(".const\na: .s64 a-{huge}\n.code\n  li x1, a+{huge}"),
        format!(".code\nl: jal x0, l+{huge}"),
        ".const\n.zero 268435456\n.zero 1".to_string(),
        ".const\n.wdesc kernel=[-1, 1]".to_string(),
        ".const\n.wdesc pads=[0, 65535, 0, 0]".to_string(),
    ] {
        assert!(text::assemble(&line).is_err(), "{line}");
    }
}

#[test]
fn memory_that_a_program_names_but_does_not_touch_costs_nothing() {
    let source = ".machine rcn-l\n.dram 0x1f0000000\n.code\n  halt\n";
    let program = text::assemble(source).unwrap();
    let loaded =
        Loaded::new(Arc::new(program), &Machine::named("rcn-l").unwrap(), Limits::default()).unwrap();
    let mut session =
        rcar_iss::internals::sim::Session::new(&loaded, rcar_iss::internals::sim::EngineKind::Fast);
    session.run(&[], &mut (), &mut ()).unwrap();
    // "Pages in memory" is the second number.
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = pages.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(pages > 0 && pages * 4096 < 6 << 30, "{} MiB", (pages * 4096) >> 20);
}

//! Layer dumps.

use std::fs;

use rcar_iss::internals::dump::{DumpWriter, Manifest, Selection};
use rcar_iss::internals::program::Program;
use rcar_iss::internals::tensor_file::{self, Element};

use crate::elf::sample;

fn dump(program: &Program, dir: &std::path::Path, selection: &Selection, dequantize: bool) -> Manifest {
    let mut writer = DumpWriter::create(dir, &program.meta, selection, dequantize).unwrap();
    for tensor in &program.meta.tensors {
        let bytes: Vec<u8> = (120..132).collect();
        writer.tensor(tensor, &bytes).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn a_dump_has_a_manifest_and_the_raw_integers() {
    let dir = crate::scratch("dump").join("layers");
    let written = dump(&sample(), &dir, &Selection::All, true);
    let read: Manifest =
        serde_json::from_str(&fs::read_to_string(dir.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(written, read);
    let names: Vec<&str> = read.tensors.iter().map(|t| t.tensor.as_str()).collect();
    assert_eq!(names, ["x", "conv/out:0", "y"]);
    assert_eq!(read.removed, sample().meta.removed);
    let entry = &read.tensors[1];
    assert_eq!(entry.file, "conv_out_0.npy");
    assert_eq!(entry.layer.as_deref(), Some("conv 1"));
    assert_eq!(entry.onnx_nodes, ["/conv 1/node"]);
    let array = tensor_file::read(&dir.join(&entry.file)).unwrap();
    assert_eq!((array.element, array.shape.as_slice()), (Element::U8, &[1, 3, 2, 2][..]));
    assert_eq!(entry.digest, format!("{:016x}", xxhash_rust::xxh3::xxh3_64(&array.bytes)));
    let real = tensor_file::read(&dir.join(entry.dequantized.as_ref().unwrap())).unwrap();
    assert_eq!(real.element, Element::F32);
    assert_eq!(real.bytes[..4], (-8.0_f32 * 0.123_456_79).to_le_bytes());
}

#[test]
fn a_selection_names_layers_or_tensors() {
    let dir = crate::scratch("dump-some").join("layers");
    let named = |names: &[&str]| Selection::Named(names.iter().map(ToString::to_string).collect());
    let tensors = dump(&sample(), &dir, &named(&["conv 1", "y"]), false).tensors;
    assert_eq!(tensors.iter().map(|t| t.tensor.as_str()).collect::<Vec<_>>(), ["conv/out:0", "y"]);
    let refused = |name: &str| {
        DumpWriter::create(&dir, &sample().meta, &named(&[name]), false).unwrap_err().to_string()
    };
    assert!(refused("CONV").contains("'CONV'"), "{}", refused("CONV"));
    assert!(refused("t").contains("--observe 't'"), "{}", refused("t"));
    assert!(refused("zzz").contains("'zzz'"), "{}", refused("zzz"));
}

#[test]
fn an_earlier_dump_is_replaced_and_nothing_else() {
    let dir = crate::scratch("dump-again");
    let target = dir.join("layers");
    dump(&sample(), &target, &Selection::All, true);
    dump(&sample(), &target, &Selection::Named(vec!["y".into()]), false);
    assert_eq!(fs::read_dir(&target).unwrap().count(), 2, "manifest.json and y.npy");
    let other = dir.join("mine");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("thesis.txt"), "do not lose").unwrap();
    let error = DumpWriter::create(&other, &sample().meta, &Selection::All, false).unwrap_err().to_string();
    assert!(error.contains("no earlier dump"), "{error}");
    assert!(other.join("thesis.txt").exists());
}

#[test]
fn an_abandoned_dump_leaves_nothing() {
    let dir = crate::scratch("dump-drop");
    let program = sample();
    let mut writer = DumpWriter::create(&dir.join("d"), &program.meta, &Selection::All, false).unwrap();
    writer.tensor(&program.meta.tensors[0], &[0; 12]).unwrap();
    assert!(writer.tensor(&program.meta.tensors[0], &[0; 11]).is_err(), "bytes must fill the shape");
    drop(writer);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
}

#[test]
fn file_names_are_plain_and_unique() {
    let mut program = sample();
    program.meta.tensors[0].name = "a/b".into();
    program.meta.tensors[1].name = "A:b".into();
    program.meta.tensors[2].name = "../a_B.f32".into();
    let dir = crate::scratch("dump-names").join("d");
    let files: Vec<String> =
        dump(&program, &dir, &Selection::All, true).tensors.into_iter().map(|t| t.file).collect();
    assert_eq!(files, ["a_b.npy", "A_b~2.npy", "_.._a_B.f32.npy"]);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 7);
}

/// Files that another process puts into a dump's place while it is written are not part of the dump, and
/// stay.
#[test]
fn what_came_in_between_stays() {
    let program = sample();
    for before in [true, false] {
        let dir = crate::scratch("dump-between").join("layers");
        if before {
            dump(&program, &dir, &Selection::All, false);
        }
        let mut writer = DumpWriter::create(&dir, &program.meta, &Selection::All, false).unwrap();
        for tensor in &program.meta.tensors {
            writer.tensor(tensor, &(120..132).collect::<Vec<u8>>()).unwrap();
        }
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("precious.txt"), "mine").unwrap();
        let error = writer.finish().unwrap_err().to_string();
        assert!(error.contains(if before { "precious.txt" } else { "no manifest.json" }), "{error}");
        assert_eq!(fs::read_to_string(dir.join("precious.txt")).unwrap(), "mine");
        assert_eq!(dir.join("manifest.json").exists(), before);
        let beside = fs::read_dir(dir.parent().unwrap()).unwrap().count();
        assert_eq!(beside, 1, "something is left beside it");
    }
}

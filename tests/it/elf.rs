//! The program file: round trip, `readelf`, damage.

use std::process::Command;
use std::sync::Arc;

use proptest::prelude::*;
use rcar_iss::internals::dtype::DType;
use rcar_iss::internals::program::{
    CodeRange, HostEntry, HostTensor, Layer, MachineId, Meta, Place, Preprocess, Program, RemovedEntry, Role,
    TensorEntry,
};

/// A program with something in every table. Nothing here executes it.
pub(crate) fn sample() -> Program {
    let layer = |name: &str, host| Layer {
        name: name.into(),
        kind: if host { "host".into() } else { "conv".into() },
        onnx_nodes: vec![format!("/{name}/node")],
        macs: 1234,
        host,
        ..Layer::default()
    };
    let tensor = |name: &str, role, layer, address| TensorEntry {
        name: name.into(),
        role,
        layer,
        dtype: DType::U8,
        shape: vec![1, 3, 2, 2],
        scale: Some(0.123_456_79),
        zero_point: Some(128),
        place: Place { address, dims: vec![1, 3, 2, 2], strides: vec![64, 1, 32, 16], ..Place::default() },
        preprocess: (role == Role::Input).then(|| Preprocess {
            resize: Some(8),
            mean: vec![0.485, 0.456, 0.406],
            std: vec![0.229],
            bgr: true,
        }),
        labels: if role == Role::Output { vec!["cat".into(), "dög".into()] } else { Vec::new() },
    };
    let operand =
        |name: &str, address| HostTensor { name: name.into(), dtype: DType::F32, shape: vec![1, 4], address };
    Program {
        meta: Meta {
            name: "sample".into(),
            isa_version: 1,
            machine: MachineId { name: "rcn-m".into(), hash: "0123456789abcdef".into() },
            dram_bytes: 65536,
            layers: vec![layer("conv 1", false), layer("soft", true)],
            provenance: vec![
                CodeRange { start: 1, end: 3, layer: 0 },
                CodeRange { start: 3, end: 4, layer: 1 },
            ],
            tensors: vec![
                tensor("x", Role::Input, None, 8192),
                tensor("conv/out:0", Role::Layer, Some(0), 12288),
                tensor("y", Role::Output, Some(1), 16384),
            ],
            hosts: vec![HostEntry {
                onnxruntime: true,
                layer: 1,
                op_types: vec!["Softmax".into()],
                reason: "float".into(),
                inputs: vec![operand("a", 20480)],
                outputs: vec![operand("b", 20992)],
            }],
            removed: vec![RemovedEntry { tensor: "t".into(), reason: "fused".into() }],
        },
        code: vec![0x01, 0x02 | 77 << 64, u128::MAX, 1, 2],
        constants: (0..5000_u32).map(|i| (i * 31 % 251) as u8).collect::<Vec<u8>>().into(),
        host_models: vec![Arc::from(&b"an onnx model"[..])],
    }
}

#[test]
fn a_program_reads_back_as_it_was() {
    for program in [
        sample(),
        Program::default(),
        Program { constants: rcar_iss::internals::program::Constants::default(), ..sample() },
    ] {
        let bytes = program.to_bytes().unwrap();
        assert_eq!(Program::from_bytes(&bytes).unwrap(), program);
        assert_eq!(program.to_bytes().unwrap(), bytes, "writing is deterministic");
        assert!(rcar_iss::internals::program::elf::is_program_file(&bytes));
    }
}

#[test]
fn constants_begin_at_a_multiple_of_4096() {
    let bytes = sample().to_bytes().unwrap();
    let start = &sample().constants[..64];
    let at = bytes.windows(64).position(|w| w == start).unwrap();
    assert_eq!(at % 4096, 0);
}

#[test]
fn readelf_reads_it_without_complaint() {
    let dir = crate::scratch("readelf");
    for (name, program) in [("sample.rcn", sample()), ("empty.rcn", Program::default())] {
        let path = dir.join(name);
        program.write_file(&path).unwrap();
        assert_eq!(Program::read_file(&path).unwrap(), program);
        let Ok(out) = Command::new("readelf").arg("-a").arg(&path).output() else {
            return crate::required::missing("readelf", "no readelf was found in PATH (binutils)");
        };
        let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{text}");
        let complaint = text.lines().find(|l| {
            let l = l.to_lowercase();
            l.contains("warning") || l.contains("error") || l.contains("corrupt")
        });
        assert_eq!(complaint, None, "{text}");
        for section in [".rcn.code", ".rcn.const", ".rcn.meta", ".rcn.host", ".rcn.checksum"] {
            assert!(text.contains(section), "{section} is missing in\n{text}");
        }
    }
}

#[test]
fn every_header_byte_counts() {
    let good = sample().to_bytes().unwrap();
    let tail = good.len().saturating_sub(600);
    for at in (0..120).chain(tail..good.len()) {
        for flip in [0x01, 0x80, 0xff] {
            let mut bad = good.clone();
            bad[at] ^= flip;
            assert!(Program::from_bytes(&bad).is_err(), "byte {at} ^ {flip:#x}");
        }
        assert!(Program::from_bytes(&good[..at]).is_err(), "cut at {at}");
    }
    for extra in [1, 8, 4096] {
        let mut longer = good.clone();
        longer.resize(good.len() + extra, 0);
        assert!(Program::from_bytes(&longer).is_err(), "{extra} bytes more");
    }
}

proptest! {
    #![proptest_config(crate::settings::cases(300))]

    #[test]
    fn cut_or_flipped_anywhere_it_is_refused(at in any::<prop::sample::Index>(), flip in 1..=255_u8) {
        let good = sample().to_bytes().unwrap();
        let at = at.index(good.len());
        prop_assert!(Program::from_bytes(&good[..at]).is_err());
        let mut bad = good;
        bad[at] ^= flip;
        prop_assert!(Program::from_bytes(&bad).is_err());
    }

    #[test]
    fn arbitrary_bytes_are_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(Program::from_bytes(&bytes).is_err());
        let head = &sample().to_bytes().unwrap()[..64];
        let n = bytes.len().min(64);
        bytes[..n].copy_from_slice(&head[..n]);
        prop_assert!(Program::from_bytes(&bytes).is_err());
    }
}

#[test]
fn element_types_are_names_in_the_file_and_unknown_ones_are_refused() {
    let json = serde_json::to_string(&sample().meta).unwrap();
    assert_eq!(json.matches(r#""dtype":"u8""#).count(), 3, "{json}");
    assert_eq!(serde_json::from_str::<Meta>(&json).unwrap(), sample().meta);
    let error =
        serde_json::from_str::<Meta>(&json.replace(r#""dtype":"u8""#, r#""dtype":"u9""#)).unwrap_err();
    let expect = "unknown element type 'u9' (u8, s8, u16, s16, s32, s64, f32, bool)";
    assert!(error.to_string().contains(expect), "{error}");
}

/// One change to a good program, and a part of the message that names it.
#[track_caller]
fn check_refused(change: impl FnOnce(&mut Program), expect: &str) {
    let mut program = sample();
    change(&mut program);
    let error = program.validate().unwrap_err().to_string();
    assert!(error.contains(expect), "{error}\nlacks: {expect}");
}

#[test]
fn inconsistent_tables_are_named() {
    check_refused(|p| p.meta.provenance[0].layer = 9, "layer 9: there are 2 layers");
    check_refused(|p| p.meta.provenance[1].start = 2, "ascend");
    check_refused(|p| p.meta.provenance[1].end = 6, "the code has 5 instructions");
    check_refused(|p| p.meta.tensors[1].name = "x".into(), "two tensors are named 'x'");
    check_refused(|p| p.meta.tensors[0].place.address = 4096, "outside the writable DRAM");
    check_refused(|p| p.meta.tensors[0].place.strides[1] = i64::MIN, "outside the writable DRAM");
    check_refused(|p| p.meta.tensors[0].place.dims = vec![1, 3, 2, 3], "differ in elements");
    check_refused(|p| p.meta.tensors[0].place.dims = vec![u64::MAX, u64::MAX, 2, 3], "too large");
    check_refused(|p| p.meta.tensors[0].shape = vec![1, 0, 2, 2], "holds a zero");
    check_refused(|p| p.meta.tensors[0].scale = Some(f32::INFINITY), "positive finite");
    check_refused(|p| p.meta.tensors[2].layer = Some(2), "layer 2, but there are 2");
    check_refused(|p| p.host_models.clear(), "1 host layers, but 0 models");
    check_refused(|p| p.meta.hosts[0].layer = 0, "not marked as host");
    check_refused(|p| p.meta.hosts[0].inputs[0].address = u64::MAX, "outside the writable DRAM");
    check_refused(|p| p.meta.dram_bytes = 100, "less than the 5000 bytes of constants");
}

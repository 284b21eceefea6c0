//! Host layers in ONNX Runtime, where it is installed: operators that `rten` was not tested for run, and a
//! program says what it needs.

use std::process::Command;

use prost::Message;
use rcar_iss::internals::float::Engine;
use rcar_iss::internals::tensor_file::{self, Element, TensorData};

use crate::combinations::Outcome;
use crate::float_engines::installed;
use crate::host_operators::{cases, on_host};

/// Cases that the table does not hold, and those that it does.
const ACCEPTED: &[&str] = &[
    "Resize/cubic-1x1x2x2.",
    "Resize/linear-antialias.",
    "LSTM/lengths.",
    "GRU/plain.",
    "RNN/relu.",
    "ThresholdedRelu/",
    "Mish/plain.",
    "LpPool/strides.",
    "MaxPool/indices.",
    "MaxPool/3d.",
    "GridSample/bicubic-border",
    "ReduceMean/s32.",
    "Mul/f16-cast.",
    "Softmax/r3-",
    "ArgMax/ties",
];

#[test]
fn what_rten_is_not_held_to_runs_by_onnx_runtime() {
    let Some(library) = installed() else { return };
    let engine = Engine::onnx_runtime(library).unwrap();
    let mut found = vec![0; ACCEPTED.len()];
    for case in cases() {
        let Some(at) = ACCEPTED.iter().position(|a| case.name.starts_with(a)) else { continue };
        match on_host(&case.model, &case.inputs, &case.outputs, &engine) {
            Outcome::Fine => found[at] += 1,
            Outcome::Refused(why) | Outcome::Nameless(why) | Outcome::Broken(why) | Outcome::Wrong(why) => {
                panic!("{}: {why}", case.name)
            }
        }
    }
    assert!(found.iter().all(|n| *n > 0), "{found:?}");
}

#[test]
fn a_program_says_that_it_needs_onnx_runtime() {
    let Some(library) = installed() else { return };
    let case = cases().into_iter().find(|c| c.name.starts_with("ThresholdedRelu/plain.")).unwrap();
    let dir = crate::scratch("host-engine");
    let (name, x) = &case.inputs[0];
    assert_eq!(x.element, Element::F32);
    std::fs::write(dir.join("model.onnx"), case.model.encode_to_vec()).unwrap();
    tensor_file::write(&dir.join("x.npy"), x).unwrap();
    let q = TensorData { element: Element::U8, shape: vec![4], bytes: vec![0, 1, 2, 3] };
    tensor_file::write(&dir.join("q.npy"), &q).unwrap();
    let tool = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rcar-iss"));
        command.env_remove("ORT_DYLIB_PATH").current_dir(&dir).args(args);
        let out = command.output().unwrap();
        (out.status.code(), String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
    };
    let (code, said) = tool(&["check", "model.onnx"]);
    assert!(code == Some(4) && said.contains("--float-engine onnxruntime"), "{said}");
    let engine = ["--float-engine", library.to_str().unwrap()];
    let (code, said) = tool(&[["check", "model.onnx"], engine].concat());
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = tool(&[&["compile", "model.onnx", "-o", "net.rcn"][..], &engine].concat());
    assert_eq!(code, Some(0), "{said}");
    let x = format!("{name}=x.npy");
    let run = ["run", "net.rcn", "--input", &x, "--input", "q=q.npy"];
    let (code, said) = tool(&run);
    assert!(code == Some(4) && said.contains("ThresholdedRelu was compiled for ONNX Runtime"), "{said}");
    assert!(said.contains("--float-engine onnxruntime"), "{said}");
    let (code, said) = tool(&[&run[..], &engine].concat());
    assert_eq!(code, Some(0), "{said}");
    // As text, too.
    let (code, said) = tool(&["disasm", "net.rcn", "-o", "net.s"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = tool(&["check", "net.s"]);
    assert!(code == Some(4) && said.contains("compiled for ONNX Runtime"), "{said}");
}

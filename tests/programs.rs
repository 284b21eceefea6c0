//! Runs every `programs/*.s` and compares with what stands in its `;;!` lines, which are TOML:
//!
//! ```toml
//! machines = ["rcn-s", "rcn-m"]     # default: the one of `.machine`
//! max_instructions = 1000
//! wraps = 1                         # accumulations that wrap
//! [input]                           # values of inputs, row-major
//! x = [1, 2, 3]
//! [output]
//! y = [1, 2, 3]
//! [[memory]]                        # what memory holds at the end
//! space = "spm"
//! address = 0
//! type = "s32"
//! values = [1, 2]
//! [fault]                           # instead of outputs
//! kind = "undefined-read"
//! pc = 3
//! instruction = "dma.out t1, t0"
//! layer = "store"
//! ```
//!
//! A model's expectation is a file `programs/*/*.expected.toml` (written by `tests/golden/expect.py`) or
//! `tests/golden/*/*.expected.toml` (by `tests/golden/operators.py`): the digest of every tensor that ONNX Runtime
//! computes. The model is compiled for each machine and run by the command line.
//!
//! Both engines run each program, and the program survives a trip through text and through the program file. To see
//! what a program does: `rcar-iss run programs/NAME.s`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use rcar_iss::internals::dtype::DType;
use rcar_iss::internals::dump::Manifest;
use rcar_iss::internals::host::FloatHost;
use rcar_iss::internals::isa::Space;
use rcar_iss::internals::machine::Machine;
use rcar_iss::internals::program::{Program, Role, TensorEntry, text};
use rcar_iss::internals::sim::{
    Decoded, EngineKind, Fault, FaultKind, Limits, LoadError, Loaded, RunError, Session,
};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expectation {
    machines: Option<Vec<String>>,
    max_instructions: Option<u64>,
    #[serde(default)]
    wraps: u64,
    #[serde(default)]
    input: BTreeMap<String, Vec<i64>>,
    #[serde(default)]
    output: BTreeMap<String, Vec<i64>>,
    #[serde(default)]
    memory: Vec<Content>,
    fault: Option<ExpectedFault>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    space: String,
    address: i64,
    r#type: DType,
    values: Vec<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedFault {
    kind: String,
    pc: u64,
    instruction: Option<String>,
    layer: Option<String>,
    /// The whole explanation; not compared if it is not given.
    reason: Option<String>,
}

fn main() {
    let args = Arguments::from_args();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "s"))
        .collect();
    files.sort();
    let all = files.clone();
    let mut trials: Vec<Trial> = files
        .into_iter()
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            Trial::test(name, move || check(&path))
        })
        .collect();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let forms = expectations(&golden.join("operators"));
    for path in expectations(&folder).into_iter().chain(expectations(&golden)).chain(forms) {
        for machine in Machine::names() {
            let model = path
                .strip_prefix(path.ancestors().nth(2).unwrap())
                .unwrap()
                .to_string_lossy()
                .replace(".expected.toml", "");
            let path = path.clone();
            trials.push(Trial::test(format!("{model} on {machine}"), move || model_on(&path, machine)));
        }
    }
    trials.push(Trial::test("every_kind_of_fault_has_a_program", move || covered(&all)));
    libtest_mimic::run(&args, trials).exit();
}

/// Every `*/*.expected.toml` in a folder.
fn expectations(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for dir in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()) {
        let files = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
        found.extend(files.filter(|p| p.to_string_lossy().ends_with(".expected.toml")));
    }
    found.sort();
    found
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelExpectation {
    model: String,
    input: String,
    oracle: String,
    /// xxh3-64 digests of tensors.
    #[serde(default)]
    tensors: BTreeMap<String, String>,
    /// Arrays of integers, and how many steps an element may differ from them: where the oracle computes in float.
    #[serde(default)]
    values: BTreeMap<String, String>,
    #[serde(default)]
    within: i64,
}

fn model_on(path: &Path, machine: &str) -> Result<(), Failed> {
    let expected: ModelExpectation = toml::from_str(&std::fs::read_to_string(path)?)?;
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    let parent = path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
    let dump = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{parent}-{name}-{machine}"));
    let run = std::process::Command::new(env!("CARGO_BIN_EXE_rcar-iss"))
        .arg("run")
        .arg(path.with_file_name(&expected.model))
        .arg("--input")
        .arg(path.with_file_name(&expected.input))
        .args(["--machine", machine, "--observe", "all", "--dump-layers"])
        .arg(&dump)
        .output()?;
    if !run.status.success() {
        return Err(String::from_utf8_lossy(&run.stderr).into_owned().into());
    }
    let manifest: Manifest = serde_json::from_str(&std::fs::read_to_string(dump.join("manifest.json"))?)?;
    let found: BTreeMap<&str, &str> =
        manifest.tensors.iter().map(|t| (t.tensor.as_str(), t.digest.as_str())).collect();
    let mut wrong = String::new();
    for (tensor, digest) in &expected.tensors {
        match found.get(tensor.as_str()) {
            Some(d) if d == digest => {}
            Some(d) => {
                let _ = write!(wrong, "\n  {tensor}: digest {d}, expected {digest}");
            }
            None => {
                let _ = write!(wrong, "\n  {tensor} was not dumped");
            }
        }
    }
    for (tensor, file) in &expected.values {
        let entry = manifest.tensors.iter().find(|t| t.tensor == *tensor);
        let Some(entry) = entry else {
            let _ = write!(wrong, "\n  {tensor} was not dumped");
            continue;
        };
        let (want, found) = (integers(&path.with_file_name(file))?, integers(&dump.join(&entry.file))?);
        let far = |(_, (a, b)): &(usize, (&i64, &i64))| (**a - **b).abs() > expected.within;
        if want.len() != found.len() {
            let _ = write!(wrong, "\n  {tensor}: {} elements, expected {}", found.len(), want.len());
        } else if let Some((at, (a, b))) = found.iter().zip(&want).enumerate().find(far) {
            let _ = write!(wrong, "\n  {tensor}, element {at}: {a}, expected {b} within {}", expected.within);
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!("the dump in {} differs from {}:{wrong}", dump.display(), expected.oracle).into())
}

/// The elements of an array file.
fn integers(path: &Path) -> Result<Vec<i64>, Failed> {
    let data = rcar_iss::internals::tensor_file::read(path)?;
    let size = data.bytes.len() / data.shape.iter().product::<usize>().max(1);
    let signed = data.element.name().starts_with('s');
    let one = |b: &[u8]| {
        let mut wide = [if signed && b[size - 1] > 127 { 255 } else { 0 }; 8];
        wide[..size].copy_from_slice(b);
        i64::from_le_bytes(wide)
    };
    Ok(data.bytes.chunks(size).map(one).collect())
}

fn expectation(path: &Path) -> Result<(String, Expectation), Failed> {
    let source = std::fs::read_to_string(path)?;
    let lines: String =
        source.lines().filter_map(|l| l.strip_prefix(";;!")).map(|l| format!("{}\n", l.trim())).collect();
    let parsed = toml::from_str(&lines).map_err(|e| format!("the ;;! lines of {}: {e}", path.display()))?;
    Ok((source, parsed))
}

fn covered(files: &[PathBuf]) -> Result<(), Failed> {
    let mut missing: BTreeSet<&str> = FaultKind::NAMES.into_iter().collect();
    for path in files {
        if let Some(fault) = expectation(path)?.1.fault {
            missing.remove(fault.kind.as_str());
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(format!("no programs/*.s expects {missing:?}").into()) }
}

fn check(path: &Path) -> Result<(), Failed> {
    let (source, expected) = expectation(path)?;
    let program = text::assemble(&source)
        .map_err(|e| format!("\n{}", e.render(&source, &path.display().to_string())))?;
    let again =
        text::assemble(&text::disassemble(&program)).map_err(|e| format!("disassembled text: {e}"))?;
    same("assemble(disassemble(p))", &program, &again)?;
    same("the program file", &program, &Program::from_bytes(&program.to_bytes()?)?)?;
    let machines = expected.machines.clone().unwrap_or_else(|| vec![program.meta.machine.name.clone()]);
    for name in machines {
        let machine = Machine::named(&name)?;
        let mut program = program.clone();
        program.meta.machine.name.clone_from(&machine.name);
        program.meta.machine.hash = format!("{:016x}", machine.hash());
        for engine in [EngineKind::Reference, EngineKind::Fast] {
            run(&program, &machine, engine, &expected)
                .map_err(|e| format!("{name}, {} engine: {e}", engine.name()))?;
        }
    }
    Ok(())
}

fn same(what: &str, left: &Program, right: &Program) -> Result<(), Failed> {
    if left == right { Ok(()) } else { Err(format!("{what} differs from p:\n{left:#?}\n{right:#?}").into()) }
}

fn run(
    program: &Program,
    machine: &Machine,
    engine: EngineKind,
    expected: &Expectation,
) -> Result<(), String> {
    let mut limits = Limits::default();
    limits.instructions = expected.max_instructions.unwrap_or(limits.instructions);
    let program = Arc::new(program.clone());
    // The fast engine's faults come from the load; the reference engine finds its own, but for races: engines execute
    // in program order.
    let race = expected.fault.as_ref().is_some_and(|f| f.kind == "race");
    let decoded = match Decoded::new(program.clone(), machine, limits) {
        Ok(decoded) => decoded,
        Err(LoadError::Fault(fault)) => return faulted(&fault, expected),
        Err(e) => return Err(e.to_string()),
    };
    let mut session = if engine == EngineKind::Reference && !race {
        Session::of_decoded(decoded)
    } else {
        let loaded = match Loaded::of(decoded) {
            Ok(loaded) => loaded.keep_accumulators(),
            Err(fault) => return faulted(&fault, expected),
        };
        Session::new(&loaded, engine)
    };
    let mut inputs: Vec<(&str, Vec<u8>)> = Vec::new();
    for tensor in program.meta.tensors.iter().filter(|t| t.role == Role::Input) {
        let values =
            expected.input.get(&tensor.name).ok_or(format!("input {} has no values", tensor.name))?;
        inputs.push((&tensor.name, values.iter().flat_map(|v| encode(*v, tensor.dtype)).collect()));
    }
    let given: Vec<(&str, &[u8])> = inputs.iter().map(|(n, b)| (*n, b.as_slice())).collect();
    let summary = match session.run(&given, &mut FloatHost::new(), &mut ()) {
        Ok(summary) => summary,
        Err(RunError::Fault(fault)) => return faulted(&fault, expected),
        Err(e) => return Err(e.to_string()),
    };
    if let Some(fault) = &expected.fault {
        return Err(format!("expected the fault {}, but the program ran to its end", fault.kind));
    }
    if summary.wraps != expected.wraps {
        return Err(format!("{} accumulations wrapped, expected {}", summary.wraps, expected.wraps));
    }
    for (name, values) in &expected.output {
        let find = |t: &&TensorEntry| t.name == *name;
        let tensor = program.meta.tensors.iter().find(find).ok_or(format!("there is no tensor {name}"))?;
        compare(&format!("output {name}"), &session.tensor(tensor), tensor.dtype, values)?;
    }
    for content in &expected.memory {
        let space = Space::ALL.into_iter().find(|s| s.name() == content.space).ok_or("unknown space")?;
        let size = encode(0, content.r#type).len();
        let bytes = session.memory().read(space, content.address, size * content.values.len());
        compare(
            &format!("{} at {:#x}", content.space, content.address),
            bytes,
            content.r#type,
            &content.values,
        )?;
    }
    Ok(())
}

fn faulted(fault: &Fault, expected: &Expectation) -> Result<(), String> {
    let Some(want) = &expected.fault else { return Err(format!("unexpected {fault}")) };
    let mut wrong = String::new();
    let mut differs = |what: &str, found: &str, want: &str| {
        if found != want {
            let _ = write!(wrong, "\n  {what} is {found}, expected {want}");
        }
    };
    differs("kind", fault.kind.name(), &want.kind);
    differs("pc", &fault.pc.to_string(), &want.pc.to_string());
    if let Some(reason) = &want.reason {
        differs("reason", &fault.kind.to_string(), reason);
    }
    differs(
        "instruction",
        fault.insn.as_deref().unwrap_or("none"),
        want.instruction.as_deref().unwrap_or("none"),
    );
    differs("layer", fault.layer.as_deref().unwrap_or("none"), want.layer.as_deref().unwrap_or("none"));
    if wrong.is_empty() { Ok(()) } else { Err(format!("{fault}{wrong}")) }
}

fn encode(value: i64, dtype: DType) -> Vec<u8> {
    match dtype {
        DType::F32 => (value as f32).to_le_bytes().to_vec(),
        _ => value.to_le_bytes()[..dtype.bytes()].to_vec(),
    }
}

/// Names the first element that differs.
fn compare(what: &str, found: &[u8], dtype: DType, values: &[i64]) -> Result<(), String> {
    let want: Vec<u8> = values.iter().flat_map(|v| encode(*v, dtype)).collect();
    if found == want {
        return Ok(());
    }
    let size = encode(0, dtype).len();
    if found.len() != want.len() {
        return Err(format!("{what} has {} elements, expected {}", found.len() / size, values.len()));
    }
    let at = found.chunks(size).zip(want.chunks(size)).position(|(a, b)| a != b).unwrap_or(0);
    let byte = |b: &[u8]| b[at * size..(at + 1) * size].to_vec();
    Err(format!("{what}, element {at}: bytes {:?}, expected {:?} ({})", byte(found), byte(&want), values[at]))
}

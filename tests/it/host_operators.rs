//! Single operators as the float library computes them, against ONNX Runtime: every definition of an operator
//! × attributes × element types × special values (`tools/golden/host_operators.py`).
//!
//! Each case runs three ways: on the host, folded (its inputs become initializers) and as a float network. It
//! must give what ONNX Runtime gives, integers and truth values exactly, floats within 1e-5 of their range,
//! or be refused. What is refused is listed in `tests/golden/host_operators.txt`;
//! `RCN_BLESS=1 cargo test --test it host_operators` writes it. Every line of the table of what the library
//! may run (`src/onnx/portable/table.rs`) needs a passing case.
//!
//! `RCN_COMBINATION=TEXT` runs only the cases whose name contains the text. To see one:
//! `python3 tools/golden/host_operators.py --extract NAME DIR`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use prost::Message;
use rcar_iss::internals::compiler::{self, CompileOptions};
use rcar_iss::internals::float::{Collected, Engine, Stream, Threads};
use rcar_iss::internals::host::FloatHost;
use rcar_iss::internals::machine::Machine;
use rcar_iss::internals::onnx::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, attribute_proto::AttributeType,
    tensor_proto::DataType, type_proto,
};
use rcar_iss::internals::onnx::{self, ImportOptions, LoadedModel};
use rcar_iss::internals::program::{Program, Role};
use rcar_iss::internals::sim::{EngineKind, Limits, Loaded, Session};
use rcar_iss::internals::tensor_file::{Element, TensorData};
use serde::Deserialize;

use crate::combinations::{Outcome, numbers, refusal, size_of};
use crate::settings::{all_cases, chosen};

#[derive(Deserialize)]
struct Index {
    cases: Vec<Entry>,
}

/// A case. Its model, inputs and outputs are in `data`, in this order.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    model: usize,
    inputs: Vec<(String, String, Vec<usize>)>,
    outputs: Vec<(String, Vec<usize>)>,
}

pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) model: ModelProto,
    pub(crate) inputs: Vec<(String, TensorData)>,
    pub(crate) outputs: Vec<Wanted>,
}

/// What ONNX Runtime gives.
pub(crate) struct Wanted {
    kind: String,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Host,
    Folded,
    Float,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Way::Host => "host",
            Way::Folded => "folded",
            Way::Float => "float",
        }
    }
}

struct Done {
    name: String,
    way: Way,
    outcome: Outcome,
    /// Lines of the table that its operator needs; `None` if the table does not accept it.
    lines: Option<BTreeSet<String>>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

pub(crate) fn cases() -> Vec<Case> {
    let mut archive =
        zip::ZipArchive::new(std::fs::File::open(folder().join("host_operators.zip")).unwrap()).unwrap();
    let mut bytes = |name: &str| {
        let mut bytes = Vec::new();
        archive.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    };
    let index: Index = serde_json::from_slice(&bytes("index.json")).unwrap();
    let data = bytes("data");
    let (mut rest, chosen) = (&data[..], chosen());
    let mut take = |size: usize| rest.split_off(..size).unwrap();
    let mut all = Vec::new();
    for entry in index.cases {
        let model = ModelProto::decode(take(entry.model)).unwrap();
        let inputs = entry.inputs.iter().map(|(name, kind, shape)| {
            let bytes = take(size_of(kind, shape)).to_vec();
            // Types that tensor files do not have never reach a run; their bytes do.
            let element = Element::from_name(kind).unwrap_or(Element::U8);
            (name.clone(), TensorData { element, shape: shape.clone(), bytes })
        });
        let inputs = inputs.collect();
        let outputs = entry.outputs.iter().map(|(kind, shape)| Wanted {
            kind: kind.clone(),
            shape: shape.clone(),
            bytes: take(size_of(kind, shape)).to_vec(),
        });
        let outputs = outputs.collect();
        if chosen.as_ref().is_none_or(|text| entry.name.contains(text)) {
            all.push(Case { name: entry.name, model, inputs, outputs });
        }
    }
    assert!(rest.is_empty(), "the archive has more data than its index says");
    assert!(!all.is_empty(), "no host operator has {chosen:?} in its name");
    all
}

/// The result of every case in every way; computed once for all tests.
fn outcomes() -> &'static [Done] {
    static ALL: OnceLock<Vec<Done>> = OnceLock::new();
    ALL.get_or_init(|| {
        let cases = cases();
        let (next, found) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
        let work = || {
            while let Some(at) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|at| *at < cases.len()) {
                let done = [Way::Host, Way::Folded, Way::Float].map(|way| done(&cases[at], way));
                found.lock().unwrap().insert(at, done);
            }
        };
        let workers = std::thread::available_parallelism().map_or(1, |n| n.get());
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(work);
            }
        });
        found.into_inner().unwrap().into_values().flatten().collect()
    })
}

fn done(case: &Case, way: Way) -> Done {
    let run = || match way {
        Way::Host => on_host(&case.model, &case.inputs, &case.outputs, &Engine::Rten),
        Way::Folded => on_host(&folded(case), &[], &case.outputs, &Engine::Rten),
        Way::Float => as_network(case),
    };
    let outcome = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Outcome::Broken("it panics".into()));
    Done { name: case.name.clone(), way, outcome, lines: onnx::leans_on(&alone(&case.model)) }
}

/// The model without its accelerated part, which is there for the import alone.
fn alone(model: &ModelProto) -> ModelProto {
    let mut model = model.clone();
    let graph = model.graph.as_mut().unwrap();
    graph.node.retain(|n| n.name() != "quantized");
    graph.input.retain(|i| i.name() != "q");
    graph.output.retain(|o| o.name() != "a");
    model
}

/// The same model with its inputs as initializers.
fn folded(case: &Case) -> ModelProto {
    let mut model = case.model.clone();
    let graph = model.graph.as_mut().unwrap();
    for (name, value) in &case.inputs {
        let at = graph.input.iter().position(|i| i.name() == name).unwrap();
        let info = graph.input.remove(at);
        let Some(type_proto::Value::TensorType(t)) = info.r#type.unwrap().value else { panic!("a tensor") };
        graph.initializer.push(TensorProto {
            name: Some(name.clone()),
            dims: value.shape.iter().map(|d| *d as i64).collect(),
            data_type: t.elem_type,
            raw_data: Some(value.bytes.clone().into()),
            ..TensorProto::default()
        });
    }
    model
}

/// Through import, compiler, program file, load and run.
pub(crate) fn on_host(
    model: &ModelProto,
    inputs: &[(String, TensorData)],
    wanted: &[Wanted],
    engine: &Engine,
) -> Outcome {
    let model = LoadedModel { model: model.clone(), data: Vec::new() };
    let machine = Machine::named("rcn-m").unwrap();
    let options = ImportOptions { engine: engine.clone(), ..ImportOptions::default() };
    let imported = match onnx::import(&model, &options) {
        Ok(imported) => imported,
        Err(e) => return refusal(&e),
    };
    let compiled = match compiler::compile(&imported.graph, &machine, &CompileOptions::default()) {
        Ok(compiled) => compiled,
        Err(e) => return Outcome::Refused(format!("it does not compile: {e}")),
    };
    let mut host = FloatHost::new();
    for (model, entry) in compiled.program.host_models.iter().zip(&compiled.program.meta.hosts) {
        if let Err(e) = host.prepare(entry, model) {
            return Outcome::Refused(format!("the host cannot run it: {e}"));
        }
    }
    let read = compiled.program.to_bytes().map_err(|e| e.to_string());
    let program = match read.and_then(|bytes| Program::from_bytes(&bytes).map_err(|e| e.to_string())) {
        Ok(program) => Arc::new(program),
        Err(e) => return Outcome::Broken(format!("the program file: {e}")),
    };
    let loaded = match Loaded::new(Arc::clone(&program), &machine, Limits::default()) {
        Ok(loaded) => loaded,
        Err(e) => return Outcome::Broken(format!("the load: {e}")),
    };
    let mut given: Vec<(&str, &[u8])> =
        inputs.iter().map(|(name, t)| (name.as_str(), t.bytes.as_slice())).collect();
    given.push(("q", &[0, 1, 2, 3]));
    given.retain(|(name, _)| program.meta.tensors.iter().any(|t| t.name == *name && t.role == Role::Input));
    let mut session = Session::new(&loaded, EngineKind::Fast);
    if let Err(e) = session.run(&given, &mut host, &mut ()) {
        return Outcome::Broken(format!("the run: {e}"));
    }
    for (i, want) in wanted.iter().enumerate() {
        let name = format!("y{i}");
        let Some(t) = program.meta.tensors.iter().find(|t| t.role == Role::Output && t.name == name) else {
            return Outcome::Wrong(format!("there is no output {name}"));
        };
        let shape: Vec<usize> = t.shape.iter().map(|d| *d as usize).collect();
        if t.dtype.name() != want.kind {
            return Outcome::Wrong(format!("{name} is {}, expected {}", t.dtype, want.kind));
        }
        if let Some(wrong) = differs(&name, &shape, &session.tensor(t), &want.kind, want) {
            return Outcome::Wrong(wrong);
        }
    }
    Outcome::Fine
}

/// As a reference of `quantize`, `compare` and `diagnose`: float values are shown, others cast to float.
fn as_network(case: &Case) -> Outcome {
    let mut model = alone(&case.model);
    let graph = model.graph.as_mut().unwrap();
    let mut wanted = Vec::new();
    for (i, want) in case.outputs.iter().enumerate() {
        let name = format!("y{i}");
        if want.kind == "f32" {
            wanted.push(name);
        } else {
            cast(graph, &name);
            wanted.push(format!("{name}.real"));
        }
    }
    let given: Vec<(&str, &TensorData)> = case.inputs.iter().map(|(n, t)| (n.as_str(), t)).collect();
    let all: BTreeSet<String> = wanted.iter().cloned().collect();
    let network = onnx::float_network(&model);
    let stream = match Stream::load(&Engine::Rten, network, &all) {
        Ok(stream) => stream,
        Err(why) => return Outcome::Refused(why),
    };
    let seen = match stream.run(&Threads::new(1), &given, Collected::default()) {
        Ok(seen) => seen.tensors,
        // A float network is tried before it is used, which finds unsupported operators.
        Err(why) => return Outcome::Refused(format!("the run: {why}")),
    };
    for (name, want) in wanted.iter().zip(&case.outputs) {
        let Some(t) = seen.iter().find(|t| t.name == *name) else {
            return Outcome::Refused(format!("{name} is not shown"));
        };
        let bytes: Vec<u8> = t.values.iter().flat_map(|v| v.to_le_bytes()).collect();
        if let Some(wrong) = differs(name, &t.shape, &bytes, "f32", want) {
            return Outcome::Wrong(wrong);
        }
    }
    Outcome::Fine
}

fn cast(graph: &mut GraphProto, name: &str) {
    graph.node.push(NodeProto {
        input: vec![name.into()],
        output: vec![format!("{name}.real")],
        name: Some(format!("{name}.real")),
        op_type: Some("Cast".into()),
        attribute: vec![AttributeProto {
            name: Some("to".into()),
            r#type: Some(AttributeType::Int as i32),
            i: Some(DataType::Float as i64),
            ..AttributeProto::default()
        }],
        ..NodeProto::default()
    });
}

/// The first difference from what ONNX Runtime gives.
fn differs(name: &str, shape: &[usize], found: &[u8], kind: &str, want: &Wanted) -> Option<String> {
    if shape != want.shape {
        return Some(format!("{name} has shape {shape:?}, expected {:?}", want.shape));
    }
    let (a, b) = (numbers(kind, found), numbers(&want.kind, &want.bytes));
    let room = if want.kind.starts_with('f') {
        1e-5 * b.iter().filter(|v| v.is_finite()).fold(1e-6_f64, |m, v| m.max(v.abs()))
    } else {
        0.0
    };
    let far = |(a, b): &(&f64, &f64)| !(a == b || (a.is_nan() && b.is_nan()) || (*a - *b).abs() <= room);
    let wide = matches!(kind, "s64" | "u64") && found != want.bytes;
    let at = a.iter().zip(&b).position(|pair| far(&pair)).or(wide.then_some(0))?;
    let count = a.iter().zip(&b).filter(far).count();
    Some(format!("{name}, element {at}: {}, expected {}; {count} of {} differ", a[at], b[at], a.len()))
}

/// Fails with the cases for which `say` returns a message.
fn none_of(what: &str, say: impl Fn(&Done) -> Option<String>) {
    let line = |d: &Done| say(d).map(|text| format!("  {} {}: {text}\n", d.way.name(), d.name));
    let said: Vec<String> = outcomes().iter().filter_map(line).collect();
    let most = if std::env::var_os("RCN_ALL").is_some() { usize::MAX } else { 100 };
    let shown: String = said.iter().take(most).map(String::as_str).collect();
    assert!(said.is_empty(), "{} cases {what}; the first {most}:\n{shown}", said.len());
}

#[test]
fn values_are_those_of_onnx_runtime() {
    none_of("have other values", |d| match &d.outcome {
        Outcome::Wrong(why) => Some(why.clone()),
        _ => None,
    });
}

#[test]
fn what_is_accepted_runs() {
    none_of("are accepted, and then fail", |d| match &d.outcome {
        Outcome::Broken(why) => Some(why.clone()),
        _ => None,
    });
}

#[test]
fn refusals_name_a_node_or_a_value() {
    none_of("are refused without a name", |d| match &d.outcome {
        Outcome::Nameless(why) => Some(why.clone()),
        _ => None,
    });
}

#[test]
fn what_the_table_does_not_hold_is_no_float_network() {
    none_of("are accepted, but do not stand in the table", |d| match &d.outcome {
        Outcome::Fine if d.way == Way::Float && d.lines.is_none() => Some("it runs".into()),
        _ => None,
    });
}

#[test]
fn every_line_of_the_table_leans_on_a_case() {
    if !all_cases("whether lines of the table lean on a case") {
        return;
    }
    let fine = outcomes().iter().filter(|d| matches!(d.outcome, Outcome::Fine) && d.way == Way::Float);
    let held: BTreeSet<&String> = fine.flat_map(|d| d.lines.iter().flatten()).collect();
    let all = onnx::held();
    let loose: Vec<&String> = all.iter().filter(|line| !held.contains(line)).collect();
    assert!(loose.is_empty(), "{} of {} lines lean on no case: {loose:#?}", loose.len(), all.len());
}

/// The list of refused cases: reasons, and below each the names.
fn refused_list() -> String {
    let mut reasons: BTreeMap<(Way, &str, String), Vec<&str>> = BTreeMap::new();
    for d in outcomes() {
        if let Outcome::Refused(why) | Outcome::Nameless(why) = &d.outcome {
            let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
            let operator = d.name.split('/').next().unwrap_or("");
            reasons.entry((d.way, operator, why)).or_default().push(&d.name);
        }
    }
    let mut text = String::from(
        "# Operators that are refused, by way, operator and reason. Written by\n\
         # `RCN_BLESS=1 cargo test --test it host_operators`; do not edit.\n",
    );
    for ((way, operator, why), names) in reasons {
        let _ = write!(text, "\n## {operator}: {why}\n");
        for name in names {
            let _ = writeln!(text, "{} {name}", way.name());
        }
    }
    text
}

#[test]
fn refused_are_those_of_the_list() {
    if all_cases("the list of what is refused") {
        crate::refused::stay("host_operators.txt", "host_operators", &refused_list());
    }
}

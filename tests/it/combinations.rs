//! Operators × types × versions × attributes, thousands of small models with what ONNX Runtime computes
//! (`tools/golden/combinations.py` writes them): what `check` accepts, `compile` compiles; what `compile`
//! writes, a load accepts; what a load accepts, runs to its end; and the values are right.
//!
//! What is refused is listed in `tests/golden/combinations/refused.txt`;
//! `RCN_BLESS=1 cargo test --test it combinations` rewrites the list.
//! `RCN_COMBINATION=Resize/ cargo test --test it combinations` runs those alone whose name has the text. To
//! see one: `python3 tools/golden/combinations.py --extract NAME DIR`, then
//! `rcar-iss run DIR/model.onnx --input x0=DIR/x0.npy -o OUT`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use rcar_iss::internals::compiler::{self, CompileOptions};
use rcar_iss::internals::host::FloatHost;
use rcar_iss::internals::machine::Machine;
use rcar_iss::internals::onnx::{self, ImportError, ImportOptions, LoadedModel, NodeStatus};
use rcar_iss::internals::program::{Program, Role, TensorEntry};
use rcar_iss::internals::sim::{EngineKind, Limits, Loaded, Session};
use serde::Deserialize;

use crate::settings::{all_cases, chosen};

/// How many of the combinations that ONNX Runtime runs must be accepted, in percent.
const ACCEPTED: usize = 80;

/// Element type and shape.
type Array = (String, Vec<usize>);

/// An entry of `index.json`. Its model, inputs and answers are in `data`, in this order.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    runtime: Runtime,
    /// Bytes of the model.
    model: usize,
    inputs: Vec<(String, String, Vec<usize>)>,
    /// Whether every kernel of ONNX Runtime was one of integers; else its results may be one step away.
    #[serde(default)]
    exact: bool,
    /// Outputs at `ORT_ENABLE_ALL`, and at `ORT_DISABLE_ALL` if those differ.
    #[serde(default)]
    answers: Vec<Vec<Array>>,
    /// Why ONNX Runtime refuses it.
    #[serde(default)]
    why: String,
    verdict: Option<Verdict>,
}

#[derive(Deserialize, PartialEq, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Runtime {
    Ran,
    Refused,
}

/// What is asked of combinations that ONNX Runtime refuses.
#[derive(Deserialize, PartialEq, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// Types or shapes break the operator's definition.
    Must,
    /// ONNX Runtime has no kernel, or is in dispute with ONNX.
    May,
    /// Types that fit each other, but that the operator does not list.
    Unlisted,
}

/// The result for a combination.
pub(crate) enum Outcome {
    Fine,
    Refused(String),
    /// Refused without naming a node or value.
    Nameless(String),
    /// Accepted by `check`, but not compiled, loaded or run.
    Broken(String),
    Wrong(String),
}

struct Done {
    name: String,
    runtime: Runtime,
    verdict: Option<Verdict>,
    why: String,
    outcome: Outcome,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/combinations")
}

/// The outcomes of all combinations, in the order of the files; computed once for all tests.
fn outcomes() -> &'static [Done] {
    static ALL: OnceLock<Vec<Done>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut files: Vec<PathBuf> = std::fs::read_dir(folder())
            .unwrap()
            .map(|e| e.unwrap().path())
            .filter(|p| p.extension().is_some_and(|e| e == "zip"))
            .collect();
        files.sort();
        let (next, found) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
        let work = || {
            while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                let done = file(path);
                found.lock().unwrap().insert(path.clone(), done);
            }
        };
        let workers = std::thread::available_parallelism().map_or(1, |n| n.get());
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(work);
            }
        });
        let all: Vec<Done> = found.into_inner().unwrap().into_values().flatten().collect();
        assert!(!all.is_empty(), "no combination has {:?} in its name", chosen());
        all
    })
}

/// Every combination of one file.
fn file(path: &Path) -> Vec<Done> {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut bytes = |name: &str| {
        let mut bytes = Vec::new();
        archive.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    };
    let entries: Vec<Entry> = serde_json::from_slice(&bytes("index.json")).unwrap();
    let data = bytes("data");
    let machine = Machine::named("rcn-m").unwrap();
    let (mut rest, chosen) = (&data[..], chosen());
    let mut all = Vec::new();
    for entry in entries {
        let mut take = |size: usize| rest.split_off(..size).unwrap();
        let model = take(entry.model);
        let inputs: Vec<(&str, &[u8])> = entry
            .inputs
            .iter()
            .map(|(name, kind, shape)| (name.as_str(), take(size_of(kind, shape))))
            .collect();
        let answers: Vec<Vec<&[u8]>> = entry
            .answers
            .iter()
            .map(|answer| answer.iter().map(|(kind, shape)| take(size_of(kind, shape))).collect())
            .collect();
        if chosen.as_ref().is_some_and(|text| !entry.name.contains(text)) {
            continue;
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| one(&entry, model, &inputs, &answers, &machine)))
            .unwrap_or_else(|_| Outcome::Broken("it panics".into()));
        let Entry { name, runtime, verdict, why, .. } = entry;
        all.push(Done { name, runtime, verdict, why, outcome });
    }
    assert!(rest.is_empty(), "{} has more data than its index says", path.display());
    all
}

pub(crate) fn size_of(kind: &str, shape: &[usize]) -> usize {
    let element = match kind {
        "u8" | "s8" | "bool" => 1,
        "u16" | "s16" | "f16" => 2,
        "u64" | "s64" | "f64" => 8,
        _ => 4,
    };
    element * shape.iter().product::<usize>()
}

/// All stages in turn.
fn one(
    entry: &Entry,
    model: &[u8],
    inputs: &[(&str, &[u8])],
    answers: &[Vec<&[u8]>],
    machine: &Machine,
) -> Outcome {
    let model = match LoadedModel::from_bytes(model.to_vec()) {
        Ok(model) => model,
        Err(e) => return Outcome::Nameless(e.to_string()),
    };
    let imported = match onnx::import(&model, &ImportOptions::default()) {
        Ok(imported) => imported,
        Err(e) => return refusal(&e),
    };
    // `check` also compiles, and tries host layers: what does not fit or cannot run there is refused.
    let compiled = match compiler::compile(&imported.graph, machine, &CompileOptions::default()) {
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
        Ok(program) => program,
        Err(e) => return Outcome::Broken(format!("the program file: {e}")),
    };
    if program != compiled.program {
        return Outcome::Broken("the program file holds another program".into());
    }
    let program = Arc::new(program);
    let loaded = match Loaded::new(program.clone(), machine, Limits::default()) {
        Ok(loaded) => loaded,
        Err(e) => return Outcome::Broken(format!("the load: {e}")),
    };
    let mut session = Session::new(&loaded, EngineKind::Fast);
    if let Err(e) = session.run(inputs, &mut host, &mut ()) {
        return Outcome::Broken(format!("the run: {e}"));
    }
    let outputs: Vec<(&TensorEntry, Vec<u8>)> = program
        .meta
        .tensors
        .iter()
        .filter(|t| t.role == Role::Output)
        .map(|t| (t, session.tensor(t)))
        .collect();
    let mut wrong = None;
    for (answer, arrays) in answers.iter().zip(&entry.answers) {
        match arrays
            .iter()
            .zip(answer)
            .enumerate()
            .find_map(|(i, (array, want))| differs(&format!("y{i}"), &outputs, array, want, entry.exact))
        {
            None => return Outcome::Fine,
            found => wrong = wrong.or(found),
        }
    }
    wrong.map_or(Outcome::Fine, Outcome::Wrong)
}

pub(crate) fn refusal(error: &ImportError) -> Outcome {
    match error {
        ImportError::Unsupported { rows } => {
            let mut reasons: Vec<&str> = Vec::new();
            let refused = rows.iter().filter(|r| r.status == NodeStatus::Unsupported);
            for row in refused.clone() {
                if !reasons.contains(&row.detail.as_str()) {
                    reasons.push(&row.detail);
                }
            }
            let reason = reasons.join(" / ");
            let named = refused.clone().count() > 0 && refused.clone().all(|r| !r.name.is_empty());
            if named { Outcome::Refused(reason) } else { Outcome::Nameless(reason) }
        }
        ImportError::Malformed { place, reason } if place.contains('"') => Outcome::Refused(reason.clone()),
        other => Outcome::Nameless(other.to_string()),
    }
}

/// The first difference of an output from an answer.
fn differs(
    name: &str,
    outputs: &[(&TensorEntry, Vec<u8>)],
    (kind, shape): &Array,
    want: &[u8],
    exact: bool,
) -> Option<String> {
    let Some((tensor, found)) = outputs.iter().find(|(t, _)| t.name == name) else {
        return Some(format!("there is no output {name}"));
    };
    let found_shape: Vec<usize> = tensor.shape.iter().map(|d| *d as usize).collect();
    if tensor.dtype.name() != kind {
        return Some(format!("{name} is {}, expected {kind}", tensor.dtype));
    }
    if found_shape != *shape {
        return Some(format!("{name} has shape {found_shape:?}, expected {shape:?}"));
    }
    let (a, b) = (numbers(kind, found), numbers(kind, want));
    let room = if kind.starts_with('f') {
        1e-5 * b.iter().filter(|v| v.is_finite()).fold(1e-6_f64, |m, v| m.max(v.abs()))
    } else if exact {
        0.0
    } else {
        1.0
    };
    let far = |(a, b): &(&f64, &f64)| !(a == b || (a.is_nan() && b.is_nan()) || (*a - *b).abs() <= room);
    let wide = matches!(kind.as_str(), "s64" | "u64") && exact && found != want;
    let at = a.iter().zip(&b).position(|pair| far(&pair)).or(wide.then_some(0))?;
    let count = a.iter().zip(&b).filter(far).count();
    let within = if exact { String::new() } else { format!(" within {room}") };
    Some(format!(
        "{name}, element {at}: {}, expected {}{within}; {count} of {} differ",
        a[at],
        b[at],
        a.len()
    ))
}

/// Elements as numbers; integers of 64 bits lose their last bits.
pub(crate) fn numbers(kind: &str, bytes: &[u8]) -> Vec<f64> {
    macro_rules! read {
        ($t:ty) => {
            bytes
                .chunks_exact(size_of::<$t>())
                .map(|b| <$t>::from_le_bytes(b.try_into().unwrap()) as f64)
                .collect()
        };
    }
    use std::mem::size_of;
    match kind {
        "s8" => read!(i8),
        "u16" => read!(u16),
        "s16" => read!(i16),
        "u32" => read!(u32),
        "s32" => read!(i32),
        "u64" => read!(u64),
        "s64" => read!(i64),
        "f32" => read!(f32),
        "f16" => bytes.chunks_exact(2).map(|b| half(u16::from_le_bytes([b[0], b[1]]))).collect(),
        "f64" => read!(f64),
        _ => read!(u8),
    }
}

/// A number of 16 bits: five of exponent, ten of fraction.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023) / 1024.0);
    sign * match exponent {
        0 => fraction * 2f64.powi(-14),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        e => (1.0 + fraction) * 2f64.powi(e - 15),
    }
}

/// Fails with the combinations for which `say` returns a message.
fn none_of(what: &str, say: impl Fn(&Done) -> Option<String>) {
    let said: Vec<String> =
        outcomes().iter().filter_map(|d| say(d).map(|text| format!("  {}: {text}\n", d.name))).collect();
    let most = if chosen().is_some() { usize::MAX } else { 100 };
    let shown: String = said.iter().take(most).map(String::as_str).collect();
    let count = said.len();
    assert!(
        said.is_empty(),
        "{count} combinations {what}; the first {most}:\n{shown}\
         To see one: python3 tools/golden/combinations.py --extract NAME DIR"
    );
}

#[test]
fn what_check_accepts_is_compiled_loaded_and_run() {
    none_of("are accepted, and then fail", |d| match &d.outcome {
        Outcome::Broken(why) => Some(why.clone()),
        _ => None,
    });
}

#[test]
fn values_are_those_of_onnx_runtime() {
    none_of("have other values", |d| match &d.outcome {
        Outcome::Wrong(why) => Some(why.clone()),
        _ => None,
    });
}

#[test]
fn what_breaks_an_operators_definition_is_refused() {
    none_of("must be refused", |d| match (&d.outcome, d.verdict) {
        (Outcome::Fine, Some(Verdict::Must)) => Some(d.why.clone()),
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

/// The list of refused combinations: reasons, and below each the names.
fn refused_list() -> String {
    let mut reasons: BTreeMap<(&str, String), Vec<&str>> = BTreeMap::new();
    for d in outcomes() {
        if let Outcome::Refused(why) | Outcome::Nameless(why) = &d.outcome {
            let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
            let operator = d.name.split('/').next().unwrap_or("");
            reasons.entry((operator, why)).or_default().push(&d.name);
        }
    }
    let mut text = String::from(
        "# Combinations that are refused, by operator and reason. Written by\n\
         # `RCN_BLESS=1 cargo test --test it combinations`; do not edit.\n",
    );
    for ((operator, why), names) in reasons {
        let _ = write!(text, "\n## {operator}: {why}\n");
        for name in names {
            let _ = writeln!(text, "{name}");
        }
    }
    text
}

#[test]
fn refused_are_those_of_the_list() {
    if all_cases("the list of what is refused") {
        crate::refused::stay("combinations/refused.txt", "combinations", &refused_list());
    }
}

#[test]
fn most_of_what_onnx_runtime_runs_is_accepted() {
    if !all_cases("how much is accepted") {
        return;
    }
    let ran = || outcomes().iter().filter(|d| d.runtime == Runtime::Ran);
    let refused = |d: &&Done| matches!(d.outcome, Outcome::Refused(_) | Outcome::Nameless(_));
    let (all, accepted) = (ran().count(), ran().filter(|d| !refused(d)).count());
    assert!(accepted * 100 >= all * ACCEPTED, "{accepted} of {all} are accepted, less than {ACCEPTED} %");
}

//! The library's face, and the programs in `examples/`.

use std::path::{Path, PathBuf};
use std::process::Command;

use rcar_iss::accuracy::{Goal, Settings, Wanted, diagnose};
use rcar_iss::data::Sample;
use rcar_iss::error::{Explanation, Run as RunError};
use rcar_iss::observe::{Memory, Observer, QueueOp, Sees};
use rcar_iss::options::{Compile, Engine, Import, Limits};
use rcar_iss::{Loaded, Machine, Model, Program, Session, Tensor};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/programs/digit_cnn/model.onnx");

/// The names that `src/lib.rs` exports; those of a module with the module's name.
fn names(source: &str) -> Vec<String> {
    // The rest is internal.
    let face = source.split("#[doc(hidden)]").next().unwrap();
    let code: String = face.lines().filter(|l| !l.trim_start().starts_with("//")).collect();
    let mut found = Vec::new();
    let mut module: Option<&str> = None;
    for item in code.split_inclusive([';', '}']) {
        let mut rest = item.trim();
        if rest == "}" {
            module = None;
            continue;
        }
        if let Some((name, inside)) = rest.strip_prefix("pub mod ").and_then(|m| m.split_once('{')) {
            module = Some(name.trim());
            found.push(name.trim().to_string());
            rest = inside.trim();
        }
        let Some(used) = rest.strip_prefix("pub use ") else {
            // The other half of a list that was cut at its brace, or a private module.
            assert!(!rest.starts_with("pub"), "{rest} is no module of names");
            continue;
        };
        let list = used.split_once('{').map_or(used, |(_, list)| list).trim_end_matches(['}', ';']);
        for name in list.split(',').map(str::trim).filter(|n| !n.is_empty()) {
            let name = name.rsplit("::").next().unwrap().rsplit(" as ").next().unwrap();
            found.push(module.map_or_else(|| name.to_string(), |m| format!("{m}::{name}")));
        }
    }
    found.sort();
    found
}

#[test]
fn the_face_is_what_it_is_said_to_be() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = std::fs::read_to_string(root.join("src/lib.rs")).unwrap();
    let found = names(&source);
    let path = root.join("tests/golden/face.txt");
    let text = found.join("\n") + "\n";
    if std::env::var_os("RCN_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let known = std::fs::read_to_string(&path).unwrap();
    let differs: Vec<&str> = text.lines().filter(|l| !known.lines().any(|k| k == *l)).collect();
    let missing: Vec<&str> = known.lines().filter(|k| !text.lines().any(|l| l == *k)).collect();
    assert!(
        differs.is_empty() && missing.is_empty(),
        "the library's face has changed: new {differs:?}, gone {missing:?}\n\
         If embedders are to see that: RCN_BLESS=1 cargo test --test it face"
    );
    let top: Vec<&String> = found.iter().filter(|n| !n.contains("::")).collect();
    let hidden = source.contains("#[doc(hidden)]\npub mod internals {");
    assert!(top.len() <= 12 && hidden, "at most a dozen names beside the hidden `internals`, not {top:?}");
}

fn loaded(options: &Import) -> Loaded {
    let graph = Model::open(MODEL).unwrap().import(options).unwrap();
    let program = graph.compile(&Machine::named("rcn-s").unwrap(), &Compile::new()).unwrap();
    program.load(Limits::default()).unwrap()
}

fn digit() -> Tensor {
    digit_of(0)
}

fn digit_of(seed: usize) -> Tensor {
    let values: Vec<f32> = (0..784).map(|i| ((i + 31 * seed) * 7919 % 255) as f32 / 255.0).collect();
    Tensor::new(&[1, 1, 28, 28], &values).unwrap()
}

#[test]
fn both_engines_give_every_tensor_alike_and_files_change_nothing() {
    let loaded = loaded(&Import::new().keep_all());
    let names: Vec<String> = loaded.tensors().into_iter().map(|t| t.name).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert!(names.len() > 10, "{names:?}");
    let digit = digit();
    let given = [("input", &digit)];
    let all = loaded.session().run_for(&names, &given).unwrap();
    assert_eq!(all.iter().map(|(name, _)| name).collect::<Vec<_>>(), names);
    let mut reference = loaded.session_builder().engine(Engine::Reference).build();
    assert!(reference.run_for(&names, &given).unwrap() == all, "the reference engine differs");
    let outputs = loaded.session_builder().threads(2).build().run(&given).unwrap();
    assert_eq!(outputs["output"], all["output"]);
    assert_eq!(outputs["output"].values::<f32>().unwrap().len(), 10);

    let machine = loaded.machine().clone();
    let program = Model::open(MODEL).unwrap().import(&Import::new()).unwrap();
    let program = program.compile(&machine, &Compile::new()).unwrap();
    let text = Program::assemble(&program.disassemble()).unwrap();
    let file = Program::from_bytes(&program.to_bytes().unwrap()).unwrap();
    for again in [text, file] {
        let again = again.load_on(&machine, Limits::default()).unwrap();
        assert_eq!(again.session().run(&given).unwrap()["output"], outputs["output"]);
    }
}

#[test]
fn what_is_wrong_with_an_input_is_said() {
    let loaded = loaded(&Import::new());
    let mut session = loaded.session();
    let said = |result: Result<rcar_iss::data::Outputs, RunError>| result.unwrap_err().to_string();
    let digit = digit();
    let flat = Tensor::new(&[784], &digit.values::<f32>().unwrap()).unwrap();
    let bytes = Tensor::new(&[1, 1, 28, 28], &[0_u8; 784]).unwrap();
    assert_eq!(said(session.run(&[])), "no value is given for input 'input'");
    assert_eq!(
        said(session.run(&[("x", &digit), ("input", &digit)])),
        "the network has no input 'x'; it has 'input'"
    );
    assert_eq!(
        said(session.run(&[("input", &flat)])),
        "input 'input' takes float32 [1, 1, 28, 28], float32 [784] is given"
    );
    assert_eq!(
        said(session.run(&[("input", &bytes)])),
        "input 'input' takes float32 [1, 1, 28, 28], uint8 [1, 1, 28, 28] is given"
    );
    assert_eq!(said(session.run_for(&["conv9"], &[("input", &digit)])), "the program has no tensor 'conv9'");
    // A tensor whose bytes do not fill its shape.
    let short = Tensor { bytes: vec![0; 4], ..digit.clone() };
    assert_eq!(
        said(session.run(&[("input", &short)])),
        "input 'input' has 4 bytes, which do not fill float32 [1, 1, 28, 28]"
    );
    assert!(session.run(&[("input", &digit)]).is_ok(), "the session can be used again");
}

/// Counts instructions.
struct Count(u64);

impl Observer for Count {
    fn sees(&self) -> Sees {
        Sees::Operations
    }

    fn op(&mut self, _: &QueueOp, _: &Memory) {
        self.0 += 1;
    }
}

#[test]
fn observers_may_be_trait_objects() {
    let loaded = loaded(&Import::new());
    let digit = digit();
    let mut count = Count(0);
    let observer: &mut dyn Observer = &mut count;
    loaded.session().run_observed(&[("input", &digit)], observer).unwrap();
    assert!(count.0 > 10);
}

#[test]
fn sessions_may_be_sent_and_hold_what_they_need() {
    fn is_sent<T: Send + 'static>(value: T) -> T {
        value
    }
    let mut session: Session = is_sent(loaded(&Import::new()).session());
    let digit = digit();
    let here = session.run(&[("input", &digit)]).unwrap();
    let there = std::thread::spawn(move || session.run(&[("input", &digit)]).unwrap());
    assert_eq!(there.join().unwrap(), here);
}

/// The programs in `examples/`, which `cargo test` builds beside the tests.
fn example(name: &str) -> Command {
    let tests = std::env::current_exe().unwrap();
    let program: PathBuf = tests.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(
        program.exists(),
        "{} is not there: a whole `cargo test` builds it, or `cargo build --examples`",
        program.display()
    );
    Command::new(program)
}

fn says(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{command:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
fn examples_are_short_and_do_what_they_say() {
    let folder = tempfile();
    for file in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")).unwrap() {
        let file = file.unwrap().path();
        let lines = std::fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= 40, "{}: {lines} lines", file.display());
    }
    assert!(says(example("run").arg(MODEL)).contains("output: f32 [1, 10] Some(["));
    let [input, output] = ["input.npy", "out.npy"].map(|name| folder.join(name));
    rcar_iss::data::write(&input, &digit()).unwrap();
    says(example("dump_layer").arg(MODEL).arg(&input).arg("conv0_o_quantized").arg(&output));
    assert_eq!(rcar_iss::data::read(&output).unwrap().shape, [1, 32, 28, 28]);
    let cycles = says(example("two_machines").args([MODEL, "rcn-s", "rcn-l"]));
    assert!(cycles.lines().any(|l| l.starts_with("all ")), "{cycles}");
    let trace = says(example("mac_instructions").arg(MODEL));
    assert!(trace.lines().count() > 3 && trace.lines().all(|l| l.contains("mac")), "{trace}");
    let calibration = folder.join("calibration");
    std::fs::create_dir(&calibration).unwrap();
    for seed in 0..4 {
        rcar_iss::data::write(&calibration.join(format!("{seed}.npy")), &digit_of(seed)).unwrap();
    }
    let quantized = folder.join("q.onnx");
    let float = concat!(env!("CARGO_MANIFEST_DIR"), "/programs/digit_cnn/float.onnx");
    let said = says(example("quantize").arg(float).arg(&calibration).arg(&quantized));
    assert!(said.lines().count() > 5 && said.lines().all(|l| l.ends_with(" dB")), "{said}");
    assert!(Model::open(&quantized).unwrap().import(&Import::new()).is_ok());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_float_network_becomes_integers_and_what_it_costs_is_said() {
    let float = Model::open(concat!(env!("CARGO_MANIFEST_DIR"), "/programs/digit_cnn/float.onnx")).unwrap();
    let samples: Vec<Sample> = (0..4).map(|seed| vec![("input".to_string(), digit_of(seed))]).collect();
    let machine = Machine::named("rcn-s").unwrap();
    let calibrated = float.quantizer(Settings::default()).unwrap().calibrate(&samples).unwrap();
    let quantized = calibrated.quantized().unwrap();
    let again = float.quantizer(quantized.recipe.clone()).unwrap().reuse(quantized.record.clone()).unwrap();
    assert_eq!(again.quantized().unwrap().model.to_bytes(), quantized.model.to_bytes());

    let (comparison, diagnosis) = diagnose(&quantized.model, &float, &machine, &samples, 2).unwrap();
    assert!(comparison.layers.len() > 5 && comparison.layers.iter().all(|l| l.accumulated.sqnr_db > 10.0));
    assert!(diagnosis.findings.is_empty(), "{:?}", diagnosis.findings);

    let wanted = Wanted { goal: Goal::Sqnr(40.0), ..Wanted::default() };
    let tuned = calibrated.tune(&samples, &machine, &wanted).unwrap();
    assert!(tuned.reached() && tuned.best().sqnr >= 40.0 && !tuned.best().raised.is_empty());
    let graph = tuned.quantized.model.import(&Import::new()).unwrap();
    let loaded = graph.compile(&machine, &Compile::new()).unwrap().load(Limits::default()).unwrap();
    assert_eq!(loaded.cycles(), tuned.best().cycles);

    let wrong = Settings { skip: ["Conv_9".into()].into(), ..Settings::default() };
    let words = Explanation::from(float.quantizer(wrong).err().unwrap());
    assert_eq!((words.status, words.what()), (2, "the model has no node 'Conv_9'"));
}

/// A folder of its own.
fn tempfile() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("rcar-iss-face-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

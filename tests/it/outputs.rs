//! Nothing is lost: every command that writes files is run with failing file operations, killed between
//! operations, with a full standard output, and with each output equal to each input. The commands are listed
//! in `tests/outputs/commands.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde::Deserialize;

/// Number of faults of a kind, and of instants at which a command is killed. `RCN_FAULTS=all` tries every
/// operation and 50 instants.
const TRIED: u64 = 4;
const KILLS: u64 = 10;
/// Operations at the end of a long run among which faults are tried.
const LAST: u64 = 40;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    command: Vec<Writer>,
}

/// One command; see the head of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Writer {
    args: String,
    files: BTreeMap<String, String>,
    #[serde(default)]
    before: Vec<String>,
    reads: Vec<String>,
    writes: Vec<String>,
    #[serde(default)]
    together: Vec<[String; 2]>,
    #[serde(default)]
    separate: bool,
    most: Option<u64>,
}

/// Every file below a folder, by its relative name.
type Files = BTreeMap<String, Vec<u8>>;

fn files(dir: &Path) -> Files {
    fn walk(dir: &Path, name: &str, found: &mut Files) {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let name = format!("{name}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                walk(&entry.path(), &format!("{name}/"), found);
            } else {
                found.insert(name, fs::read(entry.path()).unwrap());
            }
        }
    }
    let mut found = Files::new();
    walk(dir, "", &mut found);
    found
}

/// What a killed process may leave: files and folders under temporary names.
fn is_temporary(name: &str) -> bool {
    name.split('/').any(|part| {
        let ends = Path::new(part).extension().is_some_and(|e| e == "tmp");
        part.starts_with('.') && ends
    })
}

fn run(dir: &Path, args: &str, fault: Option<&str>, stdout: Stdio) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rcar-iss"));
    command.current_dir(dir).args(args.split_whitespace()).env_remove("ORT_DYLIB_PATH").stdout(stdout);
    if let Some(fault) = fault {
        command.env("RCAR_ISS_FAULT", fault);
    }
    command.stderr(Stdio::piped()).output().unwrap()
}

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

/// How many file operations of each kind a run has.
fn count_operations(out: &Output) -> BTreeMap<String, u64> {
    let text = said(out);
    let line = text.lines().find_map(|l| l.strip_prefix("file operations: "));
    let line = line.unwrap_or_else(|| panic!("no count of operations: {text}"));
    let count = |part: &str| {
        let (kind, count) = part.split_once(' ').unwrap();
        (kind.to_string(), count.parse().unwrap())
    };
    line.split(", ").map(count).collect()
}

/// A command's folder before the command, and afterwards.
struct Scene<'a> {
    writer: &'a Writer,
    work: PathBuf,
    old: Files,
    new: Files,
    /// File operations of each kind.
    operations: BTreeMap<String, u64>,
}

impl Scene<'_> {
    fn new<'a>(writer: &'a Writer, name: &str) -> Scene<'a> {
        let dir = crate::scratch(name);
        let (start, work) = (dir.join("start"), dir.join("work"));
        fs::create_dir_all(&start).unwrap();
        for (file, from) in &writer.files {
            let to = start.join(file);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join(from), to).unwrap();
        }
        for args in &writer.before {
            let out = run(&start, args, None, Stdio::null());
            assert!(out.status.success(), "{args}: {}", said(&out));
        }
        for output in writer.writes.iter().filter(|o| !o.ends_with('/') && !start.join(o).exists()) {
            // A sidecar of a user must not exist; everything else is replaced.
            fs::write(start.join(output), b"old").unwrap();
        }
        let (old, new, operations) = (files(&start), Files::new(), BTreeMap::new());
        let mut scene = Scene { writer, old, new, operations, work };
        let out = scene.run(Some("fail:any:0"));
        assert!(out.status.success(), "{}: {}", scene.writer.args, said(&out));
        scene.operations = count_operations(&out);
        scene.new = files(&scene.work);
        for output in &scene.writer.writes {
            let of = |all: &Files| -> Files {
                all.clone().into_iter().filter(|(n, _)| n.starts_with(output)).collect()
            };
            assert!(of(&scene.new) != of(&scene.old), "{}: {output} does not change", scene.writer.args);
        }
        scene
    }

    /// A fresh folder.
    fn prepare(&self) {
        let _ = fs::remove_dir_all(&self.work);
        fs::create_dir_all(&self.work).unwrap();
        for (name, bytes) in &self.old {
            let to = self.work.join(name);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::write(to, bytes).unwrap();
        }
    }

    fn run(&self, fault: Option<&str>) -> Output {
        self.prepare();
        run(&self.work, &self.writer.args, fault, Stdio::null())
    }

    /// Which operations are tried.
    fn instants(&self, count: u64, (some, all): (u64, u64)) -> Vec<u64> {
        let most = if std::env::var_os("RCN_FAULTS").is_some() { all } else { some };
        let (first, most) = match self.writer.most.map(|m| m.min(most)) {
            Some(most) => (count.saturating_sub(LAST) + 1, most),
            None => (1, most),
        };
        let step = (count + 1 - first).div_ceil(most).max(1) as usize;
        (first..=count).step_by(step).collect()
    }

    /// An output, or in one that is a folder.
    fn is_output(&self, name: &str) -> bool {
        self.writer.writes.iter().any(|o| if o.ends_with('/') { name.starts_with(o) } else { name == o })
    }

    /// What is wrong after an error: everything must be unchanged, except the `state` of a long run.
    fn unchanged(&self, found: &Files) -> Vec<String> {
        let names: BTreeSet<&String> = found.keys().chain(self.old.keys()).collect();
        let state = |name: &str| name.ends_with(".tune.json");
        let changed = names.into_iter().filter(|n| found.get(*n) != self.old.get(*n) && !state(n));
        changed.map(|n| format!("{n} is not what it was")).collect()
    }

    /// What is wrong after success, or after a kill: inputs must be unchanged, outputs old or new, and
    /// nothing else may exist.
    fn whole(&self, found: &Files, killed: bool) -> Vec<String> {
        let mut wrong = Vec::new();
        let names: BTreeSet<&String> = found.keys().chain(self.old.keys()).collect();
        for name in names.into_iter().filter(|n| !is_temporary(n)) {
            if !self.is_output(name) {
                if found.get(name) != self.old.get(name) {
                    wrong.push(format!("{name} is not what it was"));
                }
            } else if !name.ends_with(".tune.json")
                && found.get(name) != self.new.get(name)
                && (!killed || found.get(name) != self.old.get(name))
            {
                let alone = self.writer.together.iter().any(|t| t[1] == *name) && found.get(name).is_none();
                if !(killed && alone) {
                    wrong.push(format!("{name} is neither old nor new"));
                }
            }
        }
        for folder in self.writer.writes.iter().filter(|o| o.ends_with('/')) {
            // A folder with one part old and one part new: of run's outputs each file counts, of dumps the
            // whole.
            let of = |all: &Files| -> Files {
                all.clone().into_iter().filter(|(n, _)| n.starts_with(folder.as_str())).collect()
            };
            let (found, old, new) = (of(found), of(&self.old), of(&self.new));
            if folder == "layers/" && found != old && found != new {
                wrong.push(format!("{folder} is partly old and partly new"));
            }
        }
        for [first, second] in &self.writer.together {
            let is_new = |name: &str| found.get(name) == self.new.get(name);
            if found.contains_key(second) && is_new(first) != is_new(second) {
                wrong.push(format!("{second} does not belong to {first}"));
            }
        }
        wrong
    }
}

fn list() -> Vec<Writer> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outputs/commands.toml");
    let list = toml::from_str::<List>(&fs::read_to_string(path).unwrap()).unwrap().command;
    assert!(list.len() > 10, "tests/outputs/commands.toml has only {} commands", list.len());
    list
}

/// Does something with every command, on two threads, and reports all that is wrong. `check` says how often
/// it ran the command: on the whole, once for each at least.
fn every_command(name: &str, check: impl Fn(&Scene<'_>, &mut Vec<String>) -> usize + Sync) {
    let list = list();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let tried = std::sync::atomic::AtomicUsize::new(0);
    let wrong = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let Some(writer) = list.get(at) else { return };
                    let scene = Scene::new(writer, &format!("outputs-{name}-{at}"));
                    let mut found = Vec::new();
                    tried.fetch_add(check(&scene, &mut found), std::sync::atomic::Ordering::Relaxed);
                    let found = found.into_iter().map(|f| format!("{}\n    {f}", writer.args));
                    wrong.lock().unwrap().extend(found);
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} faults:\n{}", wrong.len(), wrong.join("\n"));
    let tried = tried.into_inner();
    assert!(tried >= list.len(), "{} commands were run {tried} times only", list.len());
}

#[test]
fn a_failing_file_operation_loses_nothing() {
    every_command("fail", |scene, wrong| {
        let mut tried = 0;
        for (kind, count) in &scene.operations {
            for at in scene.instants(*count, (TRIED, u64::MAX)) {
                let fault = format!("fail:{kind}:{at}");
                tried += 1;
                let out = scene.run(Some(&fault));
                let found = files(&scene.work);
                let problems = match out.status.code() {
                    // Another way was found, or only a leftover could not be removed.
                    Some(0) => scene.whole(&found, false),
                    Some(3) if said(&out).contains("error: ") => {
                        // A temporary file that cannot be removed stays.
                        let found =
                            found.into_iter().filter(|(n, _)| kind != "remove" || !is_temporary(n)).collect();
                        if scene.writer.separate {
                            scene.whole(&found, true)
                        } else {
                            scene.unchanged(&found)
                        }
                    }
                    _ => vec![format!("{:?} with {}", out.status, said(&out))],
                };
                wrong.extend(problems.into_iter().map(|p| format!("RCAR_ISS_FAULT={fault}: {p}")));
            }
        }
        tried
    });
}

#[test]
fn a_killed_command_loses_nothing() {
    every_command("kill", |scene, wrong| {
        let count = scene.operations.values().sum();
        let instants = scene.instants(count, (KILLS, 50));
        for at in &instants {
            let fault = format!("kill:any:{at}");
            let out = scene.run(Some(&fault));
            let mut problems = scene.whole(&files(&scene.work), true);
            if out.status.code().is_some() {
                problems.push(format!("{:?} instead of a killed process", out.status));
            }
            wrong.extend(problems.into_iter().map(|p| format!("RCAR_ISS_FAULT={fault}: {p}")));
        }
        instants.len()
    });
}

#[test]
fn a_full_standard_output_is_an_error() {
    every_command("full", |scene, wrong| {
        scene.prepare();
        let full = || Stdio::from(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
        let out = run(&scene.work, &scene.writer.args, None, full());
        let report = !["disasm", "man", "completions"].iter().any(|c| scene.writer.args.starts_with(c));
        let right = if report { out.status.code() == Some(3) } else { out.status.success() };
        if !right || report && !said(&out).contains("cannot write to standard output") {
            wrong.push(format!("{:?}: {}", out.status, said(&out)));
        }
        wrong.extend(scene.whole(&files(&scene.work), false));
        1
    });
    let dir = crate::scratch("outputs-full");
    let full = || Stdio::from(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/programs/digit_cnn/model.onnx");
    let copy = concat!(env!("CARGO_MANIFEST_DIR"), "/programs/scalar.s");
    fs::copy(copy, dir.join("copy.s")).unwrap();
    for args in ["asm copy.s -o copy.rcn", "run copy.s --trace t"] {
        assert!(run(&dir, args, None, Stdio::null()).status.success());
    }
    for args in [
        "--help".to_string(),
        "--version".into(),
        "run --help".into(),
        format!("check {model}"),
        format!("check {model} --json"),
        format!("estimate {model}"),
        format!("estimate {model} --json"),
        format!("diff {model} {model}"),
        "info copy.rcn".into(),
        "info --host".into(),
        "disasm copy.rcn".into(),
        "asm copy.s -o -".into(),
        "trace t".into(),
        "trace t --format json".into(),
        "bench copy.rcn --repeat 1".into(),
    ] {
        let out = run(&dir, &args, None, full());
        assert_eq!(out.status.code(), Some(3), "{args}: {}", said(&out));
        assert!(said(&out).contains("cannot write to standard output"), "{args}: {}", said(&out));
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/programs/digit_cnn/model.onnx");
    let tool = env!("CARGO_BIN_EXE_rcar-iss");
    for args in
        ["--help", "info --host", &format!("check {model} --all"), &format!("estimate {model} --json")]
    {
        let line = format!("set -o pipefail; '{tool}' {args} | true");
        let out = Command::new("bash").args(["-c", &line]).output().unwrap();
        assert!(out.status.success() && out.stderr.is_empty(), "{args}: {out:?}");
    }
}

/// The arguments with one output replaced.
fn with_output(args: &str, output: &str, by: &str) -> String {
    let replaced =
        |word: &str| if word == output.trim_end_matches('/') { by.to_string() } else { word.into() };
    args.split(' ').map(replaced).collect::<Vec<_>>().join(" ")
}

#[test]
fn an_output_that_is_an_input_is_refused() {
    every_command("same", |scene, wrong| {
        let mut tried = 0;
        let typed = |output: &&String| with_output(&scene.writer.args, output, "") != scene.writer.args;
        for output in scene.writer.writes.iter().filter(typed) {
            let folder = output.ends_with('/');
            for input in &scene.writer.reads {
                for way in ["path", "spelled", "hard link", "symbolic link"] {
                    scene.prepare();
                    let (target, link) = (scene.work.join(input), scene.work.join("linked"));
                    let by = match way {
                        "path" if folder => Path::new(input).parent().unwrap().display().to_string(),
                        "path" => input.clone(),
                        "spelled" if !folder => format!("./pictures/../{input}"),
                        "hard link" if !folder => {
                            fs::hard_link(&target, &link).unwrap();
                            "linked".into()
                        }
                        "symbolic link" if !folder => {
                            symlink(&target, &link).unwrap();
                            "linked".into()
                        }
                        _ => continue,
                    };
                    // Files written into the folder of the inputs are beside them: only dumps replace
                    // folders.
                    if folder && (by.is_empty() || output != "layers/") {
                        continue;
                    }
                    fs::create_dir_all(scene.work.join("pictures")).unwrap();
                    let before = files(&scene.work);
                    let args = with_output(&scene.writer.args, output, &by);
                    tried += 1;
                    let out = run(&scene.work, &args, None, Stdio::null());
                    if out.status.code() != Some(2) || !said(&out).contains("nothing was written") {
                        wrong.push(format!("{args} ({way} of {input}): {:?} {}", out.status, said(&out)));
                    }
                    if files(&scene.work) != before {
                        wrong.push(format!("{args} ({way} of {input}): files have changed"));
                    }
                }
            }
            // What comes beside an output has a name made from the output's.
            let alone = !folder && scene.writer.together.is_empty();
            let others = scene.writer.writes.iter().filter(|o| *o != output && !o.ends_with('/') && alone);
            for other in others {
                scene.prepare();
                let args = with_output(&scene.writer.args, output, other);
                let out = run(&scene.work, &args, None, Stdio::null());
                if args != scene.writer.args && out.status.code() != Some(2) {
                    wrong.push(format!("{args}: two outputs are one file: {:?} {}", out.status, said(&out)));
                }
                wrong.extend(scene.unchanged(&files(&scene.work)));
            }
        }
        tried
    });
}

/// Standard input and standard output may be files, too; folders of inputs may be written into.
#[test]
fn redirected_files_are_inputs_and_folders_are_what_is_read_in_them() {
    let dir = crate::scratch("outputs-redirected");
    let copy = |from: &str, to: &str| {
        fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(from), dir.join(to)).unwrap();
    };
    copy("digit_cnn/model.onnx", "m.onnx");
    copy("digit_cnn/model.toml", "m.toml");
    copy("digit_cnn/seven.png", "seven.png");
    let shell = |line: &str| {
        let line = line.replace("iss ", &format!("'{}' ", env!("CARGO_BIN_EXE_rcar-iss")));
        let out = Command::new("sh").current_dir(&dir).args(["-c", &line]).stdin(Stdio::null()).output();
        let out = out.unwrap();
        (out.status.code(), said(&out))
    };
    assert_eq!(
        shell("iss compile m.onnx -o m.rcn && iss run m.rcn --input seven.png --trace t > log").0,
        Some(0)
    );
    for line in [
        "iss compile - -o m.onnx < m.onnx",
        "iss compile /dev/stdin -o m.onnx < m.onnx",
        "iss disasm - -o m.rcn < m.rcn",
        "iss run m.rcn --input - --trace seven.png < seven.png",
        "iss trace t --format csv >> t",
    ] {
        let before = files(&dir);
        let (status, said) = shell(line);
        assert_eq!(status, Some(2), "{line}: {said}");
        assert!(files(&dir) == before, "{line}: files have changed");
    }
    for line in [
        "iss run m.onnx --input . -o out --dump-layers layers",
        "iss trace - --format csv < t > t.csv",
        "iss compile m.onnx -o /dev/stdout 2> report | cat > m2.rcn && cmp m.rcn m2.rcn",
        "iss compile m.onnx -o - -q 2> quiet > m2.rcn && cmp m.rcn m2.rcn && test ! -s quiet",
        "iss compile m.onnx -o - | head -c1 > first",
    ] {
        for time in ["first", "second"] {
            let (status, said) = shell(line);
            assert_eq!(status, Some(0), "{line}, the {time} time: {said}");
        }
    }
}

//! Traces: the log matches the run; exports follow their formats; damaged files are refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcar_iss::internals::machine::Machine;
use rcar_iss::internals::program::Role;
use rcar_iss::internals::sim::{EngineKind, Limits, Loaded, Session};
use rcar_iss::internals::trace::export::{Format, export};
use rcar_iss::internals::trace::{Filter, Record, TraceReader, TraceWriter};

/// Traces a run of the digit network; gives the program, its outputs and the file.
fn traced(name: &str) -> (Loaded, Vec<Vec<u8>>, PathBuf) {
    let machine = Machine::named("rcn-m").unwrap();
    let program = crate::repository::compile("digit_cnn/model.onnx", &machine);
    let loaded = Loaded::new(Arc::new(program), &machine, Limits::default()).unwrap();
    let path = crate::scratch(name).join("run.trace");
    let mut writer = TraceWriter::create(&path, &loaded).unwrap();
    let outputs = run(&loaded, &mut writer);
    let (records, bytes) = writer.finish().unwrap();
    assert_eq!(records, loaded.clock().instructions);
    assert_eq!(bytes, std::fs::metadata(&path).unwrap().len());
    (loaded, outputs, path)
}

fn run(loaded: &Loaded, observer: &mut impl rcar_iss::internals::sim::Observer) -> Vec<Vec<u8>> {
    let program = loaded.program();
    let input = program.meta.tensors.iter().find(|t| t.role == Role::Input).unwrap();
    let bytes = vec![0; input.shape.iter().product::<u64>() as usize * 4];
    let mut session = Session::new(loaded, EngineKind::Fast);
    session.run(&[(&input.name, &bytes)], &mut (), observer).unwrap();
    program.meta.tensors.iter().filter(|t| t.role == Role::Output).map(|t| session.tensor(t)).collect()
}

fn records(path: &Path, filter: &Filter) -> Vec<Record> {
    let mut list = Vec::new();
    let mut trace = TraceReader::open(path).unwrap();
    trace
        .read(filter, &mut |r| {
            list.push(r.clone());
            true
        })
        .unwrap();
    list
}

fn exported(path: &Path, format: Format) -> String {
    let mut out = Vec::new();
    export(&mut TraceReader::open(path).unwrap(), &Filter::default(), format, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_trace_says_what_the_run_did_and_changes_nothing() {
    let (loaded, outputs, path) = traced("trace_values");
    assert_eq!(run(&loaded, &mut ()), outputs, "tracing changed the outputs");
    let all = records(&path, &Filter::default());
    assert!(all.iter().enumerate().all(|(i, r)| r.seq == i as u64));
    assert!(all.windows(2).all(|w| w[0].issue <= w[1].issue), "issues ascend");
    let timeline = loaded.timeline().unwrap();
    let queued: Vec<_> = all.iter().filter_map(|r| r.executed.as_ref().map(|e| (r, e))).collect();
    assert_eq!(queued.len(), timeline.len());
    for ((record, executed), timing) in queued.iter().zip(&timeline) {
        assert_eq!((record.issue, executed.start, executed.end), (timing.issue, timing.start, timing.end));
        assert_eq!((executed.queue, executed.causes), (timing.queue, timing.causes));
        assert!(executed.ranges.iter().any(|x| x.writes) == executed.wrote.is_some());
    }
    // What the layers wrote to the scratchpad or to DRAM is in the log, digest by digest: other inputs, other
    // digests.
    assert!(queued.iter().filter(|(_, e)| e.wrote.is_some()).count() > 20);
    let cycles: u64 = loaded.clock().total;
    assert_eq!(all.last().unwrap().end(), cycles);
}

#[test]
fn filters_choose_as_a_look_at_every_record_would() {
    let (_, _, path) = traced("trace_filters");
    let all = records(&path, &Filter::default());
    let target = all.iter().find_map(|r| r.executed.as_ref()?.ranges.iter().find(|x| x.writes)).unwrap();
    let at = (target.space, target.start);
    let unit = |r: &Record| r.executed.as_ref().map_or(0, |e| 1 + e.queue.index());
    type Wanted = Box<dyn Fn(&Record) -> bool>;
    let checks: [(Filter, Wanted); 5] = [
        (Filter { layers: Some(vec![2]), ..Filter::default() }, Box::new(|r| r.layer == Some(2))),
        (Filter { units: Some(vec![3]), ..Filter::default() }, Box::new(move |r| unit(r) == 3)),
        (Filter { pc: Some([5, 9]), ..Filter::default() }, Box::new(|r| (5..=9).contains(&r.pc))),
        (
            Filter { cycles: Some([3000, 4000]), ..Filter::default() },
            Box::new(|r| r.issue < 4000 && 3000 < r.end()),
        ),
        (
            Filter { writes: Some(at), ..Filter::default() },
            Box::new(move |r| {
                let ranges = r.executed.iter().flat_map(|e| &e.ranges);
                ranges.into_iter().any(|x| x.writes && x.space == at.0 && x.start <= at.1 && at.1 < x.end)
            }),
        ),
    ];
    for (filter, wanted) in checks {
        let found = records(&path, &filter);
        let expected: Vec<Record> = all.iter().filter(|r| wanted(r)).cloned().collect();
        assert!(!expected.is_empty() && expected.len() < all.len(), "{filter:?} tells nothing apart");
        assert_eq!(found, expected, "{filter:?}");
    }
}

#[test]
fn the_text_forms_have_a_line_for_every_record() {
    let (loaded, _, path) = traced("trace_lines");
    let n = loaded.clock().instructions as usize;
    for line in exported(&path, Format::Json).lines().skip(1) {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(value["instruction"].is_string() && value["issue"].is_u64(), "{line}");
    }
    assert_eq!(exported(&path, Format::Json).lines().count(), n + 1);
    assert_eq!(exported(&path, Format::Csv).lines().count(), n + 1);
    let text = exported(&path, Format::Text);
    assert!(text.contains("-- ") && text.contains("mac.conv") && text.contains("xxh3"), "{text}");
}

/// The rules of the trace event format that viewers rely on: known phases with their fields, complete slices
/// of a track that nest, flows that begin and end inside slices.
#[test]
fn the_perfetto_form_keeps_to_the_trace_event_format() {
    let (_, _, path) = traced("trace_perfetto");
    let value: serde_json::Value = serde_json::from_str(&exported(&path, Format::Perfetto)).unwrap();
    let events = value["traceEvents"].as_array().unwrap();
    let mut tracks: BTreeMap<u64, Vec<(u64, u64)>> = BTreeMap::new();
    let mut flows: BTreeMap<u64, Vec<(String, u64, u64)>> = BTreeMap::new();
    let mut counters = BTreeMap::new();
    for e in events {
        let number = |key: &str| e[key].as_u64().unwrap_or_else(|| panic!("{key} in {e}"));
        assert!(e["name"].is_string() && e["pid"].is_u64() && e["ts"].is_u64(), "{e}");
        match e["ph"].as_str().unwrap() {
            "X" => {
                tracks.entry(number("tid")).or_default().push((number("ts"), number("ts") + number("dur")))
            }
            "M" => assert!(e["args"]["name"].is_string(), "{e}"),
            "i" => assert_eq!(e["s"], "t", "{e}"),
            "C" => {
                assert!(e["args"]["value"].as_f64().is_some_and(|v| v >= 0.0), "{e}");
                *counters.entry(e["name"].as_str().unwrap().to_string()).or_insert(0) += 1;
            }
            phase @ ("s" | "f") => {
                let step = (phase.to_string(), number("ts"), number("tid"));
                flows.entry(number("id")).or_default().push(step);
            }
            other => panic!("phase {other}"),
        }
    }
    for (track, slices) in &mut tracks {
        slices.sort_unstable();
        assert!(slices.iter().all(|(from, to)| from < to), "a slice of track {track} has no length");
        let apart = slices.windows(2).all(|w| w[0].1 <= w[1].0);
        assert!(apart, "slices of track {track} overlap");
    }
    assert!(counters.len() == 3, "{counters:?}");
    assert!(!flows.is_empty());
    for (id, steps) in flows {
        let [(s, from, a), (f, to, b)] = steps.as_slice() else { panic!("flow {id}: {steps:?}") };
        assert!(s == "s" && f == "f" && from <= to, "flow {id}: {steps:?}");
        for (ts, tid) in [(from, a), (to, b)] {
            let inside = tracks[tid].iter().any(|(start, end)| start <= ts && ts < end);
            assert!(inside, "flow {id} at {ts} is in no slice of track {tid}");
        }
    }
}

/// Kanata 0004: a version line, cycles that go forward, every instruction introduced before use, its stages
/// opened and closed in turn, and retired once.
#[test]
fn the_konata_form_keeps_to_kanata_0004() {
    let (loaded, _, path) = traced("trace_konata");
    let text = exported(&path, Format::Konata);
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("Kanata\t0004"));
    assert_eq!(lines.next(), Some("C=\t0"));
    let mut open: BTreeMap<u64, Option<String>> = BTreeMap::new();
    let (mut cycle, mut retired) = (0_u64, 0_u64);
    for line in lines {
        let fields: Vec<&str> = line.split('\t').collect();
        let number = |i: usize| fields[i].parse::<u64>().unwrap();
        match (fields[0], fields.len()) {
            ("C", 2) => cycle += number(1),
            ("I", 4) => assert!(open.insert(number(1), None).is_none(), "{line}"),
            ("L", 4) => assert!(open.contains_key(&number(1)), "{line}"),
            ("S", 4) => {
                let stage = open.get_mut(&number(1)).unwrap();
                assert_eq!(stage.replace(fields[3].into()), None, "{line}");
            }
            ("E", 4) => {
                let stage = open.get_mut(&number(1)).unwrap().take();
                assert_eq!(stage.as_deref(), Some(fields[3]), "{line}");
            }
            ("R", 4) => {
                assert_eq!(open.remove(&number(1)), Some(None), "{line}");
                assert_eq!(number(2), retired, "{line}");
                retired += 1;
            }
            _ => panic!("{line}"),
        }
    }
    assert!(open.is_empty());
    assert_eq!((cycle, retired), (loaded.clock().total, loaded.clock().instructions));
}

#[test]
fn damaged_traces_are_refused_or_read_but_never_panic() {
    let (_, _, path) = traced("trace_damage");
    let bytes = std::fs::read(&path).unwrap();
    let mut random = crate::random::build::Random::new(7);
    let mut refused = 0;
    let damaged = path.with_extension("damaged");
    for _ in 0..300 {
        let mut copy = bytes.clone();
        match random.within(0, 3) {
            0 => copy.truncate(random.within(0, bytes.len() as i64) as usize),
            _ => {
                for _ in 0..random.within(1, 6) {
                    let at = random.within(0, bytes.len() as i64) as usize;
                    copy[at] = random.next() as u8;
                }
            }
        }
        std::fs::write(&damaged, &copy).unwrap();
        let result = TraceReader::open(&damaged).and_then(|mut t| {
            export(&mut t, &Filter::default(), Format::Text, &mut std::io::sink())?;
            export(&mut t, &Filter::default(), Format::Konata, &mut std::io::sink())?;
            export(&mut t, &Filter::default(), Format::Perfetto, &mut std::io::sink())
        });
        refused += u32::from(result.is_err());
    }
    assert!(refused > 50, "only {refused} of 300 damaged traces were refused");
}

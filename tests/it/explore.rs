//! Other machines and settings, energy, lifetimes in the scratchpad and the whole invocation: each held
//! against the clock and the executed stream, added up another way.

use std::path::Path;
use std::sync::Arc;

use rcar_iss::internals::compiler::CompileOptions;
use rcar_iss::internals::compiler::estimate::estimate;
use rcar_iss::internals::explore::{Axis, advise, sweep};
use rcar_iss::internals::graph::Graph;
use rcar_iss::internals::isa::{Queue, Space};
use rcar_iss::internals::machine::{Machine, Setting};
use rcar_iss::internals::onnx::{self, ImportOptions, LoadedModel};
use rcar_iss::internals::profile::{Lifetime, Picojoules, Profile, energy, lifetimes};
use rcar_iss::internals::sim::access::{Region, for_each_region};
use rcar_iss::internals::sim::clock::Counts;
use rcar_iss::internals::sim::op::OpKind;
use rcar_iss::internals::sim::{Decoded, Limits};
use serde_json::Value;

use crate::cli::{fails, fine};
use crate::repository::{compile, digit, shipped};

fn graph(model: &str) -> Graph {
    let model = LoadedModel::from_file(Path::new(&shipped(model))).unwrap();
    onnx::import(&model, &ImportOptions::default()).unwrap().graph
}

fn decoded(model: &str, machine: &Machine) -> Decoded {
    Decoded::new(Arc::new(compile(model, machine)), machine, Limits::default()).unwrap()
}

fn settings(texts: &[String]) -> Vec<Setting> {
    texts.iter().map(|s| Setting::parse(s).unwrap()).collect()
}

#[test]
fn advice_is_what_the_changed_machine_takes() {
    let (graph, options) = (graph("digit_cnn/model.onnx"), CompileOptions::default());
    for name in ["rcn-s", "rcn-m"] {
        let machine = Machine::named(name).unwrap();
        let before = Profile::estimated(&machine, &estimate(&graph, &machine, &options).unwrap());
        let advice = advise(&graph, &machine, &options, &before);
        assert!(advice.machine.iter().any(|c| c.saves.is_some_and(|s| s > 0)), "{name}: {advice:#?}");
        for change in &advice.machine {
            let larger = Machine::named_with(name, &settings(&change.settings)).unwrap();
            let after = estimate(&graph, &larger, &options).unwrap().clock.total;
            assert_eq!(change.cycles, Some(after), "{name} with twice of {}", change.what);
            assert_eq!(change.saves, Some(before.cycles as i64 - after as i64));
        }
        for layer in &advice.layers {
            assert!(layer.share >= 0.02 && !layer.limit.is_empty(), "{layer:?}");
            for saving in &layer.savings {
                assert_eq!(saving.saves, before.cycles as i64 - saving.cycles as i64, "{layer:?}");
            }
        }
    }
}

#[test]
fn a_sweep_has_all_combinations_and_its_front_is_that_of_the_definition() {
    let (graph, options) = (graph("digit_cnn/model.onnx"), CompileOptions::default());
    let axes = ["dram.bytes_per_cycle=2,8,32", "spm.bytes=32KiB,64KiB,70000"];
    let axes: Vec<Axis> = axes.iter().map(|a| Axis::parse(a).unwrap()).collect();
    let found = sweep(
        "rcn-s",
        &axes,
        |settings| Machine::named_with("rcn-s", settings).map_err(|e| e.to_string()),
        |machine| Ok(Profile::estimated(machine, &estimate(&graph, machine, &options).unwrap())),
    )
    .unwrap();
    assert_eq!(found.fields, ["dram.bytes_per_cycle", "spm.bytes"]);
    assert_eq!(found.points.len(), 9);
    assert_eq!(found.points[1].values, ["2", "64KiB"]);
    let [rates, sizes] = [[2, 8, 32], [32, 64, 0]];
    for (at, point) in found.points.iter().enumerate() {
        let Some(cycles) = point.cycles else {
            assert!(
                at % 3 == 2 && point.error.as_ref().is_some_and(|e| e.contains("spm.bytes")),
                "{point:?}"
            );
            continue;
        };
        let beaten = found.points.iter().enumerate().any(|(other, p)| {
            let no_more = rates[other / 3] <= rates[at / 3] && sizes[other % 3] <= sizes[at % 3];
            other != at && no_more && p.cycles.is_some_and(|c| c <= cycles)
        });
        assert_eq!(point.front, !beaten, "{point:?}");
    }
}

/// Bytes of the rows that an operation touches in a memory, by whether it writes them.
fn touched(kind: &OpKind, space: Space) -> [u64; 2] {
    let mut sums = [0; 2];
    let done = for_each_region::<()>(kind, &mut |region: Region<'_>, writes| {
        region.rows(&mut |row| {
            if row.space == space {
                sums[usize::from(writes)] += row.len as u64;
            }
            Ok(())
        })
    });
    assert_eq!(done, Ok(()));
    sums
}

#[test]
fn energy_adds_up_what_the_clock_and_the_stream_count() {
    let table = Picojoules::example().unwrap();
    for (model, name) in [("digit_cnn/model.onnx", "rcn-s"), ("efficientnet_lite0/model.onnx", "rcn-m")] {
        let machine = Machine::named(name).unwrap();
        let program = decoded(model, &machine);
        let found = energy(&program, &table).unwrap();
        let clock = program.clock().unwrap();
        let sum = |of: fn(&rcar_iss::internals::sim::clock::LayerCycles) -> u64| -> u64 {
            clock.layers.iter().map(of).sum()
        };
        let c = found.counts;
        assert_eq!([c.dram_read, c.dram_written], [sum(|l| l.bytes_in), sum(|l| l.bytes_out)], "{model}");
        assert_eq!(c.macs_8x8 + c.macs_16x8 + c.macs_16x16, sum(|l| l.macs), "{model}");
        // Operations that pass each operand once touch as many bytes as they count.
        let mut once = 0;
        program
            .each(&mut |op| {
                let counts = Counts::of(&op.kind, &machine);
                let [read, written] = touched(&op.kind, Space::Spm);
                match (&op.kind, op.queue) {
                    (OpKind::DmaIn { .. } | OpKind::DmaPad { .. }, _) => {
                        assert_eq!(counts.spm_written, written)
                    }
                    (OpKind::DmaOut { .. }, _) => assert_eq!(counts.spm_read, read),
                    (OpKind::Requant { .. }, _) => {
                        assert_eq!(counts.acc_read, touched(&op.kind, Space::Acc)[0]);
                        once += 1;
                    }
                    (_, Queue::Mac) => assert!(counts.spm_read >= read / 2, "{:?}", op.kind),
                    _ => {}
                }
            })
            .unwrap();
        assert!(once > 0);
        let parts = found.microjoules;
        let by_hand = (c.macs_8x8 as f64 * 0.3 + c.macs_16x8 as f64 * 0.5 + c.macs_16x16 as f64 * 0.9) * 1e-6;
        assert!((parts.array - by_hand).abs() < 1e-9 * by_hand, "{parts:?}");
        let layers: f64 = found.layers.iter().map(|l| l.microjoules.total).sum();
        assert!((layers - parts.total).abs() < 1e-9 * parts.total);
    }
}

#[test]
fn what_is_read_in_the_scratchpad_lies_there_and_no_two_blocks_meet() {
    for (model, name) in [("digit_cnn/model.onnx", "rcn-s"), ("efficientnet_lite0/model.onnx", "rcn-m")] {
        let machine = Machine::named(name).unwrap();
        let program = decoded(model, &machine);
        let list = lifetimes(&program).unwrap();
        let total = program.clock().unwrap().total;
        let met =
            |a: &Lifetime, b: &Lifetime| a.start < b.end && b.start < a.end && a.from < b.to && b.from < a.to;
        for (at, block) in list.iter().enumerate() {
            assert!(
                block.start >= 0 && block.end <= machine.spm.bytes as i64 && block.to <= total,
                "{block:?}"
            );
            let other = list[at + 1..].iter().find(|other| met(block, other));
            assert!(other.is_none(), "{model}: {block:?} and {other:?}");
        }
        let times = program.timeline().unwrap();
        let mut at = times.iter();
        program
            .each(&mut |op| {
                let time = at.next().unwrap();
                let done = for_each_region::<()>(&op.kind, &mut |region, writes| {
                    let Some((start, end)) = region.span() else { return Ok(()) };
                    if region.space() == Space::Spm {
                        let there = |b: &&Lifetime| b.from <= time.start && time.start <= b.to;
                        let inside = list.iter().filter(there).any(|b| b.start < end && start < b.end);
                        assert!(
                            inside,
                            "{model}: {} {start}..{end} in {time:?}",
                            if writes { "writes" } else { "reads" }
                        );
                    }
                    Ok(())
                });
                assert_eq!(done, Ok(()));
            })
            .unwrap();
    }
}

fn json(args: &[&str]) -> Value {
    serde_json::from_str(&fine(args)).unwrap()
}

#[test]
fn an_invocation_is_the_sum_of_its_parts_and_what_is_not_given_is_unknown() {
    let dir = crate::scratch("explore_host");
    let file = dir.join("mine.toml").display().to_string();
    let model = digit("model.onnx");
    std::fs::write(
        &file,
        "base = \"rcn-m\"\nname = \"mine\"\n[host]\ncpu = \"a CPU\"\nstart_ns = 50000\nlayer_ns = 1000\nmegabytes_per_second = 100\n",
    )
    .unwrap();
    let report = json(&["estimate", &model, "--machine", &file, "--json"]);
    let p = &report["profiles"][0];
    let part = |name: &str| p["invocation"][name].as_f64().unwrap();
    let launches = p["layers"].as_array().unwrap().iter().filter(|l| l["instructions"] != 0).count() as f64;
    // A picture of 28 × 28 and ten scores, in f32.
    let bytes = 4.0 * (28.0 * 28.0 + 10.0);
    let parts = [p["seconds"].as_f64().unwrap(), 50e-6 + launches * 1e-6, bytes / 100e6];
    let found = ["device_seconds", "start_seconds", "transfer_seconds"].map(part);
    for (found, part) in found.iter().zip(parts) {
        assert!((found - part).abs() < 1e-12, "{p:#}");
    }
    assert_eq!(part("host_seconds"), 0.0);
    assert!((part("end_to_end_seconds") - parts.iter().sum::<f64>()).abs() < 1e-12);
    let text = fine(&["estimate", &model, "--machine", &file]);
    assert!(text.contains("on a CPU; end to end: ") && text.contains("frames/s"), "{text}");

    let report = json(&["estimate", &model, "--json"]);
    let unknown = &report["profiles"][0]["invocation"];
    assert_eq!(unknown["end_to_end_seconds"], Value::Null);
    assert_eq!(
        unknown["unknown"],
        serde_json::json!(["host.start_ns", "host.layer_ns", "host.megabytes_per_second"])
    );
    let text = fine(&["estimate", &model]);
    assert!(text.contains("end to end: unknown"), "{text}");
}

#[test]
fn settings_and_sweeps_on_the_command_line() {
    let dir = crate::scratch("explore_cli");
    let path = |name: &str| dir.join(name).display().to_string();
    let model = digit("model.onnx");
    let cycles = |report: &Value| report["profiles"][0]["cycles"].as_u64().unwrap();
    let set = json(&["estimate", &model, "--machine", "rcn-s", "--set", "dram.bytes_per_cycle=2", "--json"]);
    assert_eq!(set["profiles"][0]["machine"], "rcn-s dram.bytes_per_cycle=2");
    let sweep =
        ["--sweep", "dram.bytes_per_cycle=2,4", "--csv", &path("s.csv"), "--plot", &path("s.svg"), "--json"];
    let swept = json(&[&["estimate", &model, "--machine", "rcn-s"], &sweep[..]].concat());
    assert_eq!(swept["points"][0]["cycles"], cycles(&set));
    let csv = std::fs::read_to_string(path("s.csv")).unwrap();
    assert!(csv.starts_with("dram.bytes_per_cycle,cycles,") && csv.lines().count() == 3, "{csv}");
    assert!(std::fs::read_to_string(path("s.svg")).unwrap().contains("milliseconds"));
    let exact =
        json(&["estimate", &model, "--machine", "rcn-s", "--sweep", "vec.lanes=8,16", "--exact", "--json"]);
    let quick = json(&["estimate", &model, "--machine", "rcn-s", "--sweep", "vec.lanes=8,16", "--json"]);
    assert_eq!(exact["points"], quick["points"]);

    // A machine is printed, changed and given again.
    std::fs::write(path("mine.toml"), fine(&["info", "--machine", "rcn-s"])).unwrap();
    let again = json(&["estimate", &model, "--machine", &path("mine.toml"), "--json"]);
    assert_eq!(cycles(&again), cycles(&json(&["estimate", &model, "--machine", "rcn-s", "--json"])));
    std::fs::write(path("energy.toml"), fine(&["info", "--energy"])).unwrap();
    let (own, example) = (path("energy.toml"), "example");
    let [a, b] = [own.as_str(), example].map(|e| json(&["estimate", &model, "--energy", e, "--json"]));
    assert_eq!(a["energy"], b["energy"]);
    let text =
        fine(&["estimate", &model, "--energy", "example", "--lifetimes", &path("spm.svg"), "--advice"]);
    assert!(text.contains("mJ an inference") && text.contains("with twice of"), "{text}");
    assert!(std::fs::read_to_string(path("spm.svg")).unwrap().contains("what lies in the scratchpad"));

    fails(2, &["estimate", &model, "--set", "spm.bytes"], &["FIELD=VALUE"]);
    fails(3, &["estimate", &model, "--set", "spm.size=1"], &["size"]);
    fails(2, &["estimate", &model, "--set", "vec.lanes=8", "--sweep", "vec.lanes=1,2"], &["--sweep"]);
    fails(2, &["estimate", &model, "--sweep", "vec.lanes=1,2", "--sweep", "vec.lanes=4"], &["twice"]);
    fails(2, &["estimate", &model, "--sweep", "spm.bytes=1,2"], &["none of its machines"]);
    fails(2, &["estimate", &model, "--machine", "all", "--advice"], &["one machine"]);
    fails(3, &["estimate", &model, "--energy", &path("s.csv")], &["s.csv"]);
}

#[test]
fn fitted_machines_are_machines_with_host_costs_and_no_vendors() {
    let names = Machine::fitted();
    assert_eq!(names.len(), 4);
    let graph = graph("efficientnet_lite0/model.onnx");
    for name in names {
        assert!(name.ends_with("-like"), "{name}");
        let text = Machine::text(name).unwrap();
        assert!(
            text.contains("fitted to published figures") && text.contains("not a vendor's model"),
            "{name}"
        );
        let machine = Machine::named(name).unwrap();
        let found = estimate(&graph, &machine, &CompileOptions::default()).unwrap();
        let invocation = Profile::estimated(&machine, &found).invocation;
        let seconds = invocation.end_to_end_seconds.unwrap_or_else(|| panic!("{name}: {invocation:?}"));
        // Published for the X5H is 1.05 ms, with an input of bytes.
        if name == "x5h-core-like" {
            assert!((1.05e-3 / 1.3..1.05e-3 * 1.3).contains(&seconds), "{name}: {seconds} s");
        }
    }
}

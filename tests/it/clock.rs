//! The event clock against the stepped one: same issue, start, end and causes of every instruction, same
//! totals.

use std::collections::BTreeMap;
use std::sync::Arc;

use rcar_iss::internals::compiler::estimate::estimate;
use rcar_iss::internals::compiler::{CompileError, CompileOptions};
use rcar_iss::internals::machine::Machine;
use rcar_iss::internals::onnx::{self, ImportOptions, LoadedModel};
use rcar_iss::internals::program::{MachineId, Program};
use rcar_iss::internals::sim::clock::Causes;
use rcar_iss::internals::sim::{Limits, Loaded};

use crate::random::build::Random;
use crate::stepped::{self, Cycles, Record, Stepped};

const LIMITS: Limits = Limits {
    instructions: 200_000,
    macs: 10_000_000_000,
    bytes: 10_000_000_000,
    unordered: 1 << 17,
    comparisons: 1 << 30,
};

fn causes(causes: &Causes) -> Cycles {
    causes.iter().map(|(cause, cycles)| (cause.name(), cycles)).collect()
}

/// What the event clock says of a program; `None` if it is refused.
fn event(program: &Arc<Program>, machine: &Machine) -> Option<Stepped> {
    let loaded = Loaded::new(program.clone(), machine, LIMITS).ok()?;
    let clock = loaded.clock();
    let c = clock.control;
    let control = [
        ("busy", c.busy),
        ("constant_load", c.constant_load),
        ("queue_full", c.queue_full),
        ("fence", c.fence),
        ("halted", c.halted),
    ];
    let records = loaded.timeline().unwrap().into_iter().map(|t| Record {
        queue: t.queue.index(),
        issue: t.issue,
        start: t.start,
        end: t.end,
        causes: causes(&t.causes),
    });
    let rows = [clock.prologue].into_iter().chain(clock.layers.iter().map(|l| l.cycles));
    Some(Stepped {
        total: clock.total,
        records: records.collect(),
        control: control.into_iter().filter(|(_, n)| *n > 0).collect(),
        units: clock.units.0.map(|u| causes(&u.causes)),
        rows: rows.chain([clock.epilogue]).collect(),
    })
}

/// The first difference between the two clocks.
fn difference(event: &Stepped, stepped: &Stepped) -> Option<String> {
    if let Some(i) = (0..event.records.len()).find(|i| stepped.records.get(*i) != Some(&event.records[*i])) {
        let (e, s) = (&event.records[i], &stepped.records.get(i));
        return Some(format!("queue instruction {i}:\n event   {e:?}\n stepped {s:?}"));
    }
    (event != stepped).then(|| {
        let short = |s: &Stepped| format!("{} {:?} {:?} {:?}", s.total, s.control, s.units, s.rows);
        format!("totals:\n event   {}\n stepped {}", short(event), short(stepped))
    })
}

/// Both clocks on a program; `None` if it is refused.
fn compare(program: Program, machine: &Machine) -> Option<Stepped> {
    let program = Arc::new(program);
    let event = event(&program, machine)?;
    let stepped = stepped::run(&program, machine);
    if let Some(difference) = difference(&event, &stepped) {
        panic!("{difference}");
    }
    Some(stepped)
}

/// A machine of the same memories with every other constant drawn.
fn drawn(machine: &Machine, seed: u64) -> Machine {
    let mut random = Random::new(seed ^ 0xd4a3);
    let mut text = serde_json::to_value(machine).unwrap();
    let mut set = |path: &str, lo: i64, hi: i64| {
        *text.pointer_mut(path).unwrap() = random.within(lo, hi).into();
    };
    for lanes in ["/mac/oc_lanes", "/mac/ic_lanes", "/mac/depthwise_taps", "/vec/lanes"] {
        set(lanes, 1, 40);
    }
    set("/mac/pixel_lanes", 1, 5);
    for few in ["/mac/fill_cycles", "/mac/drain_cycles", "/vec/latency_cycles", "/dram/turnaround_cycles"] {
        set(few, 0, 30);
    }
    for port in ["activation", "weight", "sum"] {
        set(&format!("/mac/{port}_bytes_per_cycle"), 1, 300);
    }
    for port in ["source", "result", "sum"] {
        set(&format!("/vec/{port}_bytes_per_cycle"), 1, 150);
    }
    for depth in ["/mac/queue_depth", "/vec/queue_depth", "/dma/in_queue_depth", "/dma/out_queue_depth"] {
        set(depth, 1, 9);
    }
    set("/spm/bytes_per_cycle", 1, 64);
    set("/control/const_load_cycles", 1, 8);
    set("/control/const_miss_cycles", 0, 200);
    set("/dram/other_masters_percent", 0, 70);
    set("/dram/read_latency_cycles", 0, 200);
    set("/dram/write_latency_cycles", 0, 100);
    set("/dram/outstanding", 1, 6);
    set("/dram/banks", 1, 12);
    set("/dram/row_miss_cycles", 0, 60);
    set("/dram/refresh_cycles", 0, 120);
    set("/dram/refresh_interval_cycles", 121, 2000);
    // None, one line, a few, more than a program has.
    let line = 64 << random.within(0, 4);
    text["control"]["const_line_bytes"] = line.into();
    text["control"]["const_cache_bytes"] = (line * random.pick(&[0, 1, 2, 8, 256])).into();
    let burst = 1 << random.within(4, 7);
    text["dram"]["burst_bytes"] = burst.into();
    text["dram"]["row_bytes"] = (burst << random.within(0, 6)).into();
    text["dram"]["batch_segments"] = random.within(1, 12).into();
    text["dram"]["grant_bytes"] = (burst * random.within(1, 20)).into();
    text["dram"]["bytes_per_cycle"] = (random.within(500, 40_000) as f64 / 1000.0).into();
    serde_json::from_value(text).unwrap()
}

/// `RCN_PROGRAMS=10000` tries more of them.
#[test]
fn the_event_clock_agrees_with_stepping_through_every_cycle() {
    let programs: u64 = crate::settings::number("RCN_PROGRAMS").unwrap_or(200);
    let mut compared = 0;
    let mut seen = Cycles::new();
    for seed in 1000..1000 + programs {
        let length = 8 + (seed % 40) as usize;
        let (mut program, mut machine) = crate::random::build::program(seed, length, false);
        // Every second program on a machine of its own.
        if seed % 2 == 1 {
            machine = drawn(&machine, seed);
            program.meta.machine.hash = format!("{:016x}", machine.hash());
        }
        let Some(stepped) = compare(program, &machine) else { continue };
        compared += 1;
        for (cause, cycles) in stepped.units.iter().chain([&stepped.control]).flatten() {
            *seen.entry(cause).or_default() += cycles;
        }
    }
    println!("{compared} of {programs} programs; cycles by cause: {seen:?}");
    assert!(compared * 10 > programs * 7, "only {compared} of {programs} programs ran");
    let missing: Vec<&str> = [
        "busy",
        "nothing_issued",
        "condition1",
        "condition2",
        "bank",
        "dram_latency",
        "outstanding",
        "dram_busy",
        "constant_load",
        "queue_full",
        "fence",
        "halted",
    ]
    .into_iter()
    .filter(|c| !seen.contains_key(c))
    .collect();
    assert!(missing.is_empty(), "causes that no program has: {missing:?}");
}

#[test]
fn so_do_compiled_networks() {
    for name in Machine::names() {
        let machine = Machine::named(name).unwrap();
        let program = crate::repository::compile("digit_cnn/model.onnx", &machine);
        assert!(compare(program, &machine).unwrap().total > 1000);
    }
    let machine = crate::graphs::tiny();
    let mut compared = 0;
    for seed in 0..20 {
        let graph = crate::graphs::graph(seed);
        let options = CompileOptions::default();
        match rcar_iss::internals::compiler::compile(&graph, &machine, &options) {
            Ok(compiled) => compared += usize::from(compare(compiled.program, &machine).is_some()),
            Err(CompileError::DoesNotFit { .. }) => {}
            Err(e) => panic!("graph {seed}: {e}"),
        }
    }
    assert!(compared >= 15, "only {compared} of 20 graphs fit the tiny machine");
}

/// A mask of 4608 bits and one of 72, which the control core loads piece by piece.
const MASKS: &str = "
.const
image:   .tdesc spm u8 0 [1, 3, 3, 256]
weights: .tdesc spm s8 4096 [512, 3, 3, 256] [0, 0, 0, 0]
narrow:  .tdesc spm s8 4096 [16, 3, 3, 128] [0, 0, 0, 0]
part:    .tdesc spm u8 0 [1, 3, 3, 128] [2304, 768, 256, 1]
sums:    .tdesc acc s32 0 [1, 1, 1, 512]
few:     .tdesc acc s32 0 [1, 1, 1, 16]
window:  .wdesc kernel=[3, 3]
         .align 8
mask:    .zero 576
short:   .zero 16
.code
  tdesc.load  t0, image(x0)
  tdesc.load  t1, weights(x0)
  tdesc.load  t2, sums(x0)
  tdesc.load  t3, narrow(x0)
  tdesc.load  t4, few(x0)
  tdesc.load  t5, part(x0)
  wdesc.load  w0, window(x0)
  dma.fill    t0
  li          x1, mask
  li          x2, short
  mac.pruned  t2, t0, t1, t0, w0, x0, x0, x1 wait(dmain)
  mac.pruned  t4, t5, t3, t0, w0, x0, x0, x2
  mac.pruned  t2, t0, t1, t0, w0, x0, x0, x1
  halt
";

#[test]
fn so_do_long_masks() {
    for seed in 0..12 {
        let machine = drawn(&Machine::named("rcn-s").unwrap(), seed);
        let mut program = rcar_iss::internals::program::text::assemble(MASKS).unwrap();
        let hash = format!("{:016x}", machine.hash());
        program.meta.machine = MachineId { name: machine.name.clone(), hash };
        let loading = compare(program, &machine).unwrap().control["constant_load"];
        // Seven descriptors, and 9 + 1 + 9 pieces of masks.
        assert!(loading >= u64::from(26 * machine.control.const_load_cycles), "{loading}");
    }
}

/// Fields of a machine file that no rule of the clock uses.
const NOT_TIME: [&str; 3] = ["isa_version", "clock_mhz", "dram.bytes"];

/// Every number of a machine file, by its path.
fn numbers(value: &serde_json::Value, path: &str, found: &mut BTreeMap<String, u64>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (key, value) in fields {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                numbers(value, &path, found);
            }
        }
        serde_json::Value::Number(n) => {
            found.insert(path.into(), n.as_u64().unwrap());
        }
        _ => {}
    }
}

#[test]
fn each_constant_of_the_machine_changes_the_time_of_some_program() {
    let (_, machine) = crate::random::build::program(0, 1, false);
    let text = serde_json::to_value(&machine).unwrap();
    let mut fields = BTreeMap::new();
    numbers(&text, "", &mut fields);
    let mut programs = Vec::new();
    for seed in 1000..1300 {
        let (program, machine) = crate::random::build::program(seed, 8 + (seed % 40) as usize, false);
        let program = Arc::new(program);
        programs.extend(event(&program, &machine).map(|e| (program, e)));
    }
    // Two tiles of the accumulator memory that share a bank are rare in random programs.
    let banks = rcar_iss::internals::program::text::assemble(include_str!("../../programs/banks.s")).unwrap();
    let mut banks = banks;
    banks.meta.machine = programs[0].0.meta.machine.clone();
    let banks = Arc::new(banks);
    let time = event(&banks, &machine).unwrap();
    programs.push((banks, time));
    let mut without = Vec::new();
    for (path, value) in fields.iter().filter(|(p, _)| !NOT_TIME.contains(&p.as_str())) {
        // Sizes of banks and bursts are powers of two.
        let other = if value.is_power_of_two() && *value > 1 { value / 2 } else { value + 1 };
        let notices = [other, 2 * value].into_iter().any(|value| {
            let mut changed = text.clone();
            *changed.pointer_mut(&format!("/{}", path.replace('.', "/"))).unwrap() = value.into();
            let changed: Machine = serde_json::from_value(changed).unwrap();
            programs.iter().any(|(program, e)| difference(e, &stepped::run(program, &changed)).is_some())
        });
        if !notices {
            without.push(path);
        }
    }
    assert!(fields.len() > 20, "{fields:?}");
    assert!(without.is_empty(), "nothing depends on {without:?}");
}

/// Each number of the memory and of the cache of constants is felt by a network that ships: without it, or
/// with one in its place, some takes at least 1 % more or less.
#[test]
fn each_number_of_the_memory_is_felt_by_a_network_that_ships() {
    let graphs = ["efficientnet_lite0/model.onnx", "digit_cnn/model.onnx"].map(|model| {
        let path = crate::repository::root().join("programs").join(model);
        onnx::import(&LoadedModel::from_file(&path).unwrap(), &ImportOptions::default()).unwrap().graph
    });
    let mut unfelt = Vec::new();
    for (path, instead) in [
        ("/dram/row_miss_cycles", 0),
        ("/dram/turnaround_cycles", 0),
        ("/dram/batch_segments", 1),
        ("/dram/refresh_cycles", 0),
        ("/dram/banks", 1),
        ("/dram/read_latency_cycles", 0),
        ("/dram/other_masters_percent", 10),
        ("/dram/outstanding", 1),
        ("/control/const_miss_cycles", 0),
    ] {
        // The first that feels it is enough.
        let felt = Machine::names().into_iter().any(|name| {
            let machine = Machine::named(name).unwrap();
            let mut text = serde_json::to_value(&machine).unwrap();
            *text.pointer_mut(path).unwrap() = instead.into();
            let other: Machine = serde_json::from_value(text).unwrap();
            graphs.iter().any(|graph| {
                let [before, after] = [&machine, &other]
                    .map(|m| estimate(graph, m, &CompileOptions::default()).unwrap().clock.total);
                (after as f64 / before as f64 - 1.0).abs() >= 0.01
            })
        });
        if !felt {
            unfelt.push(format!("{path} = {instead}"));
        }
    }
    assert!(unfelt.is_empty(), "nothing is felt of\n  {}", unfelt.join("\n  "));
}

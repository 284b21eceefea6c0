//! What limits a network, and what changes would save: each measured by the clock.

use serde::Serialize;

use super::several::each;
use super::thinner;
use crate::compiler::CompileOptions;
use crate::compiler::estimate::estimate;
use crate::graph::Graph;
use crate::isa::Queue;
use crate::machine::{Machine, Rate, Setting};
use crate::profile::{Bound, Profile, Row};
use crate::sim::clock::Cause;

/// Layers with at least this share of the cycles are looked at.
const SHARE: f64 = 0.02;
/// At most so many of them, the longest first.
const LAYERS: usize = 12;

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Advice {
    /// Changes of the machine, by what they save; those that cost cycles last.
    pub machine: Vec<Change>,
    /// The longest layers.
    pub layers: Vec<LayerAdvice>,
}

/// A larger machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Change {
    /// What is twice as large, or half as slow, in words.
    pub what: String,
    /// The fields, as `--set` takes them.
    pub settings: Vec<String>,
    /// Cycles of the network on that machine, as `estimate` with these settings reports them; none if it is
    /// not legal.
    pub cycles: Option<u64>,
    /// Cycles less, negative for more.
    pub saves: Option<i64>,
}

/// A layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct LayerAdvice {
    /// Its name.
    pub layer: String,
    /// Share of the cycles, 0 to 1.
    pub share: f64,
    /// What limits it, in words.
    pub limit: String,
    /// What would make the network faster there, measured.
    pub savings: Vec<Saving>,
}

/// A change of one layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Saving {
    /// What is changed.
    pub what: String,
    /// Cycles of the network with it.
    pub cycles: u64,
    /// Cycles less.
    pub saves: i64,
    /// The command that does it.
    pub command: String,
}

/// Looks for what would make a network faster on a machine. `profile` is that of the network there.
#[must_use]
pub fn advise(graph: &Graph, machine: &Machine, options: &CompileOptions, profile: &Profile) -> Advice {
    let cycles = |graph: &Graph, machine: &Machine| {
        estimate(graph, machine, options).ok().map(|found| found.clock.total)
    };
    let saves = |cycles: u64| profile.cycles as i64 - cycles as i64;
    let changes = larger(machine);
    let mut list = each(&changes, |(what, settings)| {
        let text = toml::to_string(machine).unwrap_or_default();
        let found = settings
            .iter()
            .map(|s| Setting::parse(s))
            .collect::<Result<Vec<_>, _>>()
            .and_then(|settings| Machine::parse_with(&text, &settings))
            .ok()
            .and_then(|machine| cycles(graph, &machine));
        Change { what: (*what).into(), settings: settings.clone(), cycles: found, saves: found.map(saves) }
    });
    list.sort_by_key(|c| std::cmp::Reverse(c.saves.unwrap_or(i64::MIN)));

    let mut rows: Vec<(usize, &Row)> =
        profile.layers.iter().enumerate().filter(|(_, row)| row.share >= SHARE && !row.host).collect();
    rows.sort_by(|a, b| b.1.cycles.cmp(&a.1.cycles).then(a.0.cmp(&b.0)));
    rows.truncate(LAYERS);
    let block = format!("{}x{}", machine.mac.oc_lanes, machine.mac.ic_lanes);
    let layers = each(&rows, |(at, row)| {
        let prune = format!(
            "rcar-iss quantize FLOAT.onnx --calib INPUTS -o OUT.onnx --prune 0.5 --prune-block {block}"
        );
        let changes = [
            (
                thinner::pruned(graph, *at, machine),
                format!("half of its weights' blocks of {block} zero"),
                prune,
            ),
            (
                thinner::narrowed(graph, *at),
                "its weights in 8 bits instead of 16".to_string(),
                "rcar-iss tune FLOAT.onnx --calib INPUTS --target SQNR -o OUT.onnx".to_string(),
            ),
        ];
        let mut savings: Vec<Saving> = changes
            .into_iter()
            .filter_map(|(graph, what, command)| {
                let cycles = cycles(&graph?, machine)?;
                Some(Saving { what, cycles, saves: saves(cycles), command })
            })
            .filter(|s| s.saves > 0)
            .collect();
        savings.sort_by_key(|s| std::cmp::Reverse(s.saves));
        LayerAdvice { layer: row.name.clone(), share: row.share, limit: limit(row, profile), savings }
    });
    Advice { machine: list, layers }
}

/// Machines with twice of something, with what must grow along: lanes without ports would wait for data.
fn larger(m: &Machine) -> Vec<(&'static str, Vec<String>)> {
    let twice = |field: &str, now: u64| format!("{field}={}", now * 2);
    let half = |field: &str, now: u32| format!("{field}={}", now / 2);
    let mac = &m.mac;
    let activations = twice("mac.activation_bytes_per_cycle", mac.activation_bytes_per_cycle.into());
    let weights = twice("mac.weight_bytes_per_cycle", mac.weight_bytes_per_cycle.into());
    let sums = twice("mac.sum_bytes_per_cycle", mac.sum_bytes_per_cycle.into());
    let rate = Rate::of_thousandths(m.dram.bytes_per_cycle.thousandths() * 2).to_f64();
    vec![
        (
            "output channels of the array, with its ports of weights and sums",
            vec![twice("mac.oc_lanes", mac.oc_lanes.into()), weights.clone(), sums.clone()],
        ),
        (
            "input channels of the array, with its ports of activations and weights",
            vec![
                twice("mac.ic_lanes", mac.ic_lanes.into()),
                twice("mac.depthwise_taps", mac.depthwise_taps.into()),
                activations.clone(),
                weights.clone(),
            ],
        ),
        (
            "pixels of the array, with its ports of activations and sums",
            vec![twice("mac.pixel_lanes", mac.pixel_lanes.into()), activations, sums],
        ),
        ("the array's port of weights", vec![weights]),
        (
            "half of the array's fill and drain",
            vec![half("mac.fill_cycles", mac.fill_cycles), half("mac.drain_cycles", mac.drain_cycles)],
        ),
        (
            "lanes of the vector unit, with its ports",
            vec![
                twice("vec.lanes", m.vec.lanes.into()),
                twice("vec.source_bytes_per_cycle", m.vec.source_bytes_per_cycle.into()),
                twice("vec.result_bytes_per_cycle", m.vec.result_bytes_per_cycle.into()),
                twice("vec.sum_bytes_per_cycle", m.vec.sum_bytes_per_cycle.into()),
            ],
        ),
        ("the rate of DRAM", vec![format!("dram.bytes_per_cycle={rate}")]),
        (
            "half of DRAM's latencies",
            vec![
                half("dram.read_latency_cycles", m.dram.read_latency_cycles),
                half("dram.write_latency_cycles", m.dram.write_latency_cycles),
            ],
        ),
        ("transfers in flight", vec![twice("dram.outstanding", m.dram.outstanding.into())]),
        ("the scratchpad", vec![twice("spm.bytes", m.spm.bytes)]),
        ("the accumulator memory", vec![twice("acc.bytes", m.acc.bytes)]),
        (
            "the cache of constants",
            vec![twice("control.const_cache_bytes", m.control.const_cache_bytes.into())],
        ),
    ]
}

/// What limits a layer, in words.
fn limit(row: &Row, profile: &Profile) -> String {
    let share = |part: u64| format!("{:.0} %", 100.0 * part as f64 / row.cycles.max(1) as f64);
    let busy = |queue| row.units[queue][Cause::Busy];
    let traffic = row.bytes_in + row.bytes_out;
    match row.bound {
        Bound::Mac => {
            let busy = busy(Queue::Mac);
            let peak = busy as f64 * profile.macs_per_cycle as f64;
            let used = 100.0 * row.executed_macs as f64 / peak.max(1.0);
            let lanes =
                if used < 60.0 { "; its channels, pixels or ports leave the other lanes idle" } else { "" };
            format!("the array, busy {} of its cycles with {used:.0} % of its lanes{lanes}", share(busy))
        }
        Bound::Vec => format!("the vector unit, busy {} of its cycles", share(busy(Queue::Vec))),
        Bound::Dram => format!(
            "DRAM: {} bytes in and {} out, {:.0} % of what the channel can move in its cycles",
            row.bytes_in,
            row.bytes_out,
            100.0 * traffic as f64 / (row.cycles.max(1) as f64 * profile.dram_bytes_per_cycle)
        ),
        Bound::Sync => {
            "its units wait for each other and for latencies; none is busy for half of its cycles".into()
        }
        Bound::None => "the host, or nothing".into(),
    }
}

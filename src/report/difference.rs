//! Report of `diff`: two programs or two traces, layer by layer.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use crate::document::Kind;
use crate::profile::Profile;
use crate::readable;
use crate::sim::Loaded;
use crate::trace::export::WroteBytes;
use crate::trace::{Record, TraceError, TraceReader, first_difference, summarize};

/// A layer of one side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct SideLayer {
    /// Its name.
    pub name: String,
    /// ONNX nodes that it came from.
    pub onnx_nodes: Vec<String>,
    /// Its share of the cycles.
    pub cycles: u64,
    /// Bytes over the DRAM channel.
    pub bytes: u64,
}

/// One side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Side {
    /// The file, or the program of a trace.
    pub what: String,
    /// Its machine.
    pub machine: String,
    /// All cycles.
    pub cycles: u64,
    #[serde(skip)]
    layers: Vec<SideLayer>,
    /// Digests of the instructions and of the constants; none for traces.
    #[serde(skip)]
    content: Option<Content>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Content {
    instructions: u64,
    constants: u64,
}

impl Side {
    /// The side of a program named `what`.
    #[must_use]
    pub fn of_program(what: &str, loaded: &Loaded) -> Side {
        let program = loaded.program();
        let words: Vec<u8> = program.code.iter().flat_map(|w| w.to_le_bytes()).collect();
        let profile = Profile::of(loaded);
        let layers = profile.layers.into_iter().map(|l| SideLayer {
            name: l.name,
            onnx_nodes: l.onnx_nodes,
            cycles: l.cycles,
            bytes: l.bytes_in + l.bytes_out,
        });
        Side {
            what: what.into(),
            machine: profile.machine,
            cycles: profile.cycles,
            layers: layers.collect(),
            content: Some(Content {
                instructions: xxhash_rust::xxh3::xxh3_64(&words),
                constants: xxhash_rust::xxh3::xxh3_64(&program.constants),
            }),
        }
    }

    fn of_trace(trace: &mut TraceReader) -> Result<Side, TraceError> {
        let (rows, cycles) = summarize(trace)?;
        let header = &trace.header;
        let layers = header.layers.iter().zip(rows).map(|(l, r)| SideLayer {
            name: l.name.clone(),
            onnx_nodes: l.onnx_nodes.clone(),
            cycles: r.cycles,
            bytes: r.bytes,
        });
        Ok(Side {
            what: header.program.clone(),
            machine: header.machine.clone(),
            cycles,
            layers: layers.collect(),
            content: None,
        })
    }
}

/// A layer of both sides, or of one side without a counterpart on the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct LayerPair {
    /// Of the first.
    pub a: Option<SideLayer>,
    /// Of the second.
    pub b: Option<SideLayer>,
}

/// The first difference of two traces of one program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct FirstDifference {
    /// Number of the record.
    pub seq: u64,
    /// Index of its instruction word.
    pub pc: u32,
    /// Its layer.
    pub layer: Option<String>,
    /// Its text.
    pub instruction: String,
    /// What it wrote in the first.
    pub a: Option<WroteBytes>,
    /// What it wrote in the second.
    pub b: Option<WroteBytes>,
}

/// Which values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Values {
    /// Programs have none.
    None,
    /// None: the traces are of different programs.
    Apart,
    Compared,
}

/// Two programs, or two traces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Difference {
    /// The first.
    pub a: Side,
    /// The second.
    pub b: Side,
    /// Layers that share an ONNX node or, without nodes, the name: in the order of the first, then those that
    /// only the second has.
    pub layers: Vec<LayerPair>,
    /// Whether anything that is compared differs.
    pub differs: bool,
    /// Whether both programs have the same instructions; none for traces.
    pub same_instructions: Option<bool>,
    /// Whether both programs have the same constants; none for traces.
    pub same_constants: Option<bool>,
    /// Whether the values that instructions wrote were compared, which is possible for two traces of one
    /// program.
    pub values_compared: bool,
    /// The first instruction that wrote other values; none if all wrote the same, or values were not
    /// compared.
    pub first_difference: Option<FirstDifference>,
    #[serde(skip)]
    values: Values,
}

impl Kind for Difference {
    const KIND: &'static str = "diff";
}

impl Difference {
    /// The difference of two programs.
    #[must_use]
    pub fn of_programs(a: Side, b: Side) -> Difference {
        Difference::of(a, b, Values::None, None)
    }

    /// The difference of two traces.
    ///
    /// # Errors
    /// One is damaged.
    pub fn of_traces(a: &mut TraceReader, b: &mut TraceReader) -> Result<Difference, TraceError> {
        let sides = (Side::of_trace(a)?, Side::of_trace(b)?);
        if a.header.code != b.header.code {
            return Ok(Difference::of(sides.0, sides.1, Values::Apart, None));
        }
        let first = first_difference(a, b)?.map(|(x, y)| FirstDifference {
            seq: x.seq,
            pc: x.pc,
            layer: x.layer.and_then(|l| a.header.layers.get(l as usize)).map(|l| l.name.clone()),
            instruction: a.disassembly().get(x.pc as usize).cloned().unwrap_or_default(),
            a: wrote(&x),
            b: wrote(&y),
        });
        Ok(Difference::of(sides.0, sides.1, Values::Compared, first))
    }

    fn of(a: Side, b: Side, values: Values, first: Option<FirstDifference>) -> Difference {
        let layers = matched(&a.layers, &b.layers);
        let figures = |l: &Option<SideLayer>| l.as_ref().map(|l| (l.name.clone(), l.cycles, l.bytes));
        let differs = values == Values::Apart
            || first.is_some()
            || a.cycles != b.cycles
            || a.content != b.content
            || layers.iter().any(|pair| figures(&pair.a) != figures(&pair.b));
        let contents = a.content.zip(b.content);
        Difference {
            differs,
            same_instructions: contents.map(|(a, b)| a.instructions == b.instructions),
            same_constants: contents.map(|(a, b)| a.constants == b.constants),
            values_compared: values == Values::Compared,
            first_difference: first,
            values,
            a,
            b,
            layers,
        }
    }

    /// The report as text.
    #[must_use]
    pub fn text(&self) -> String {
        let Difference { a, b, .. } = self;
        let number = |n: Option<u64>| n.map_or("-".into(), readable::grouped);
        let lines = self.layers.iter().map(|pair| {
            let (x, y) = (pair.a.as_ref(), pair.b.as_ref());
            let layer = x.or(y);
            let cycles = [x, y].map(|l| l.map(|l| l.cycles));
            vec![
                layer.map_or(String::new(), |l| l.name.clone()),
                layer.and_then(|l| l.onnx_nodes.first().cloned()).unwrap_or_default(),
                number(cycles[0]),
                number(cycles[1]),
                cycles[0].zip(cycles[1]).map_or(String::new(), |(x, y)| change(x, y)),
                number(x.map(|l| l.bytes)),
                number(y.map(|l| l.bytes)),
            ]
        });
        let header = ["layer", "ONNX node", "cycles A", "cycles B", "change", "bytes A", "bytes B"];
        let mut text = format!("A: {} ({})\nB: {} ({})\n\n", a.what, a.machine, b.what, b.machine);
        text.push_str(&readable::table(&header, &[2, 3, 4, 5, 6], lines.collect()));
        let _ = writeln!(
            text,
            "\ntotal: {} and {} cycles, {}",
            readable::grouped(a.cycles),
            readable::grouped(b.cycles),
            change(a.cycles, b.cycles)
        );
        if let (Some(instructions), Some(constants)) = (self.same_instructions, self.same_constants) {
            let same = |same: bool| if same { "the same" } else { "different" };
            let _ = writeln!(text, "instructions: {}, constants: {}", same(instructions), same(constants));
        }
        match (self.values, &self.first_difference) {
            (Values::None, _) => {}
            (Values::Apart, _) => {
                text.push_str("values: not compared, the traces are of different programs\n");
            }
            (Values::Compared, None) => text.push_str("values: every instruction wrote the same\n"),
            (Values::Compared, Some(first)) => {
                let _ = writeln!(
                    text,
                    "values differ first at record {}, pc {} in {}: {}\n  A wrote {}\n  B wrote {}",
                    first.seq,
                    first.pc,
                    first.layer.as_deref().unwrap_or("no layer"),
                    first.instruction,
                    bytes(first.a.as_ref()),
                    bytes(first.b.as_ref())
                );
            }
        }
        text
    }
}

fn wrote(record: &Record) -> Option<WroteBytes> {
    record.executed.as_ref().and_then(WroteBytes::of)
}

fn bytes(wrote: Option<&WroteBytes>) -> String {
    wrote.map_or("nothing".into(), |w| format!("{} bytes, xxh3 {}", w.bytes, w.xxh3))
}

fn matched(a: &[SideLayer], b: &[SideLayer]) -> Vec<LayerPair> {
    let mut by_key: BTreeMap<&str, usize> = BTreeMap::new();
    for (i, l) in b.iter().enumerate() {
        for key in l.onnx_nodes.iter().chain([&l.name]) {
            by_key.entry(key).or_insert(i);
        }
    }
    let mut rest: Vec<Option<&SideLayer>> = b.iter().map(Some).collect();
    let mut pairs: Vec<LayerPair> = Vec::new();
    for l in a {
        let mut places = l.onnx_nodes.iter().chain([&l.name]).filter_map(|key| by_key.get(key.as_str()));
        let other = places.find_map(|at| rest.get_mut(*at)?.take());
        pairs.push(LayerPair { a: Some(l.clone()), b: other.cloned() });
    }
    pairs.extend(rest.into_iter().flatten().map(|l| LayerPair { a: None, b: Some(l.clone()) }));
    pairs
}

fn change(a: u64, b: u64) -> String {
    let sign = if b < a { "-" } else { "+" };
    let percent =
        if a == 0 { String::new() } else { format!(" ({:+.1}%)", 100.0 * (b as f64 - a as f64) / a as f64) };
    if a == b { "=".into() } else { format!("{sign}{}{percent}", readable::grouped(a.abs_diff(b))) }
}

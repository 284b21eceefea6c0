//! Report of `run`: what runs computed, and the cycles of one.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use super::cycles::{scaling, table, took};
use super::import::host_layer;
use super::not_finite;
use crate::batch::Run;
use crate::document::Kind;
use crate::dtype::DType;
use crate::inputs::NotFinite;
use crate::outputs::{self, Class};
use crate::profile::{LayerWidths, Profile};
use crate::program::{Bits, Meta};
use crate::readable;
use crate::sim::clock::{Cause, ControlCycles, LayerCycles, UnitCycles, Units, unit};
use crate::sim::{EngineKind, Loaded};

/// Classes that are listed for an output.
const BEST: usize = 5;

/// More runs than this are not listed individually.
const LISTED_RUNS: usize = 20;

/// Runs of a program on some inputs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct RunReport {
    /// Program.
    pub program: String,
    /// Machine.
    pub machine: String,
    /// Its clock in MHz.
    pub clock_mhz: u32,
    /// The memory that its DRAM is, if its file names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// Multiply-accumulates in a cycle at most.
    pub macs_per_cycle: u64,
    /// `fast` or `reference`: both give the same bytes.
    pub engine: String,
    /// Cycles of one run; they do not depend on inputs.
    pub cycles: u64,
    /// Instructions of one run, control and queues.
    pub instructions: u64,
    /// Multiply-accumulates of one run.
    pub macs: u64,
    /// Cycles before the first layer.
    pub prologue: u64,
    /// Cycles after the last layer.
    pub epilogue: u64,
    /// The control core.
    pub control: ControlCycles,
    /// The units.
    pub units: Units<UnitCycles>,
    /// Layers in program order.
    pub layers: Vec<RunLayer>,
    /// Layers that ran on the host.
    pub host_layers: Vec<HostLayer>,
    /// The sources of every input.
    pub inputs: Vec<RunInput>,
    /// Inputs with NaN or infinities.
    pub not_finite_inputs: Vec<NotFinite>,
    /// Layers that were executed with other widths than asked for, one sentence each.
    pub wrong_widths: Vec<String>,
    /// One entry for each input.
    pub runs: Vec<RunRow>,
    /// Where the cycles went, if requested.
    pub profile: Option<Profile>,
    /// What was written.
    pub written: RunWritten,
    /// `.npy` files of the outputs, in the folder of [`RunWritten::outputs`].
    pub files: Vec<String>,
    /// Wall time of all runs on this computer. Not in documents, so that equal runs give equal documents.
    #[serde(skip)]
    pub seconds: f64,
}

/// A layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct RunLayer {
    /// Its name.
    pub name: String,
    /// Operator kind.
    pub kind: String,
    /// Whether it runs on the host, outside the clock.
    pub host: bool,
    /// Multiply-accumulates.
    pub macs: u64,
    /// ONNX nodes that it came from.
    pub onnx_nodes: Vec<String>,
    /// Its output; none if it cannot be read.
    pub output: Option<Shaped>,
    /// Its cycles.
    pub clock: LayerCycles,
    /// The widths that the model asks for; none for host layers.
    pub asked: Option<Bits>,
    /// The widths that it was executed with; none without instructions.
    pub executed: Option<Bits>,
}

/// Type and shape of a tensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Shaped {
    /// Element type.
    pub dtype: DType,
    /// ONNX shape.
    pub shape: Vec<u64>,
}

/// A layer that ran on the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct HostLayer {
    /// Its name.
    pub layer: String,
    /// Operators.
    pub op_types: Vec<String>,
    /// Multiply-accumulates.
    pub macs: u64,
    /// Why it is not on the accelerator.
    pub reason: String,
}

/// An input of the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct RunInput {
    /// ONNX name.
    pub name: String,
    /// Files, as they were given.
    pub from: String,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct RunRow {
    /// Name of its input: a file, with an index if it holds several.
    pub input: String,
    /// Instructions retired.
    pub instructions: u64,
    /// Accumulations that wrapped.
    pub wraps: u64,
    /// All outputs of the network.
    pub outputs: Vec<RunOutput>,
}

/// An output of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct RunOutput {
    /// ONNX name.
    pub name: String,
    /// Type and shape.
    #[serde(flatten)]
    pub shaped: Shaped,
    /// xxh3-64 of its bytes (row-major, little-endian), 16 hexadecimal digits.
    pub digest: String,
    /// The five best classes; empty unless the output is a list of classes.
    pub best: Vec<Class>,
}

/// Files and folders that a run wrote, under the names given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct RunWritten {
    /// The folder of the outputs.
    pub outputs: Option<String>,
    /// The trace.
    pub trace: Option<String>,
    /// The folder of the dumped layers.
    pub dumps: Option<String>,
}

impl Kind for RunReport {
    const KIND: &'static str = "run";
}

/// Parts of a report that do not follow from program and runs.
#[derive(Debug, Clone, Default)]
pub struct RunDetails {
    /// The engine.
    pub engine: EngineKind,
    /// The sources of every input.
    pub inputs: Vec<RunInput>,
    /// The name of each run's input.
    pub names: Vec<String>,
    /// Inputs with NaN or infinities.
    pub not_finite_inputs: Vec<NotFinite>,
    /// Widths of every layer.
    pub widths: Vec<LayerWidths>,
    /// Violations, one sentence each.
    pub wrong_widths: Vec<String>,
    /// Whether to include the profile.
    pub profile: bool,
    /// What was written.
    pub written: RunWritten,
    /// Files of the outputs.
    pub files: Vec<String>,
    /// Wall time.
    pub seconds: f64,
}

impl RunReport {
    /// The report of some runs.
    #[must_use]
    pub fn new(loaded: &Loaded, runs: &[Run], details: RunDetails) -> RunReport {
        let (meta, clock, machine) = (&loaded.program().meta, loaded.clock(), loaded.machine());
        let rows = runs.iter().enumerate().map(|(at, run)| row(meta, run, details.names.get(at)));
        RunReport {
            program: meta.name.clone(),
            machine: machine.name.clone(),
            clock_mhz: machine.clock_mhz,
            memory: machine.dram.memory.clone(),
            macs_per_cycle: machine.macs_per_cycle(),
            engine: details.engine.name().into(),
            cycles: clock.total,
            instructions: clock.instructions,
            macs: meta.layers.iter().map(|l| l.macs).sum(),
            prologue: clock.prologue,
            epilogue: clock.epilogue,
            control: clock.control,
            units: clock.units,
            layers: layers(loaded, &details.widths),
            host_layers: hosts(meta),
            inputs: details.inputs,
            not_finite_inputs: details.not_finite_inputs,
            wrong_widths: details.wrong_widths,
            runs: rows.collect(),
            profile: details.profile.then(|| Profile::of(loaded)),
            written: details.written,
            files: details.files,
            seconds: details.seconds,
        }
    }

    /// The report as text.
    #[must_use]
    pub fn text(&self) -> String {
        let table = self.profile.as_ref().map_or_else(|| self.layer_table(), table);
        let mut text = String::new();
        if self.profile.is_none() {
            text.push_str(&self.totals());
        }
        for host in &self.host_layers {
            let share = if host.macs == 0 {
                String::new()
            } else {
                let all = 100.0 * host.macs as f64 / self.macs as f64;
                format!(" {} MACs ({all:.1}% of all),", readable::short(host.macs))
            };
            let how = format!("ran on the host:{share} no cycles");
            text.push_str(&host_layer(&host.layer, &host.op_types, &how, &host.reason));
        }
        for line in &self.wrong_widths {
            let _ = writeln!(text, "widths: {line}");
        }
        let wraps: u64 = self.runs.iter().map(|r| r.wraps).sum();
        if wraps > 0 {
            let _ = writeln!(text, "{} accumulations wrapped around 32 bits", readable::grouped(wraps));
        }
        if self.runs.len() > 1 {
            let runs = self.runs.len() as f64;
            let _ = writeln!(
                text,
                "\n{} runs in {:.2} s: {:.1} inferences/s, {:.1} GMAC/s",
                readable::grouped(self.runs.len() as u64),
                self.seconds,
                runs / self.seconds,
                runs * self.macs as f64 / self.seconds / 1e9
            );
        }
        for input in &self.inputs {
            let _ = writeln!(text, "input {}: {}", input.name, input.from);
        }
        text.push_str(&not_finite::text(&self.not_finite_inputs));
        if self.runs.len() > LISTED_RUNS {
            text.push_str(&self.histogram());
        } else {
            for run in &self.runs {
                text.push_str(&run_text(run, self.runs.len() > 1));
            }
        }
        let written = &self.written;
        for (what, path) in
            [("outputs", &written.outputs), ("trace", &written.trace), ("layers", &written.dumps)]
        {
            if let Some(path) = path {
                let _ = writeln!(text, "{what} written to {path}");
            }
        }
        table + &readable::prose(&text)
    }

    /// How often each class came first.
    fn histogram(&self) -> String {
        let mut text = String::new();
        let outputs = self.runs.first().map_or(&[][..], |r| &r.outputs);
        for (i, output) in outputs.iter().enumerate() {
            let mut count: BTreeMap<usize, (u64, &str)> = BTreeMap::new();
            for run in &self.runs {
                if let Some(first) = run.outputs.get(i).and_then(|o| o.best.first()) {
                    let label = first.label.as_deref().unwrap_or("");
                    count.entry(first.class).or_insert((0, label)).0 += 1;
                }
            }
            if count.is_empty() {
                continue;
            }
            let _ = writeln!(text, "output {}: best class, and how often", output.name);
            for (class, (n, label)) in count {
                let _ = writeln!(text, "  {class:>5}  {:>8}  {label}", readable::grouped(n));
            }
        }
        text
    }

    fn layer_table(&self) -> String {
        let percent =
            |part: u64, whole: u64| if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 };
        let mut rows = Vec::new();
        let plain = |name: &str, cycles: u64| {
            let mut row = vec![String::new(); 10];
            row[1] = name.into();
            row[6] = readable::grouped(cycles);
            row[7] = format!("{:.1}%", percent(cycles, self.cycles));
            row
        };
        if self.prologue > 0 {
            rows.push(plain("(prologue)", self.prologue));
        }
        for (i, layer) in self.layers.iter().enumerate() {
            let cycles = &layer.clock;
            let output = layer.output.as_ref();
            rows.push(vec![
                i.to_string(),
                layer.name.clone(),
                if layer.host { format!("{} (host)", layer.kind) } else { layer.kind.clone() },
                output.map_or_else(String::new, |t| format!("{} {}", t.dtype, readable::shape(&t.shape))),
                layer.executed.as_ref().map_or_else(String::new, ToString::to_string),
                if layer.macs == 0 { String::new() } else { readable::grouped(layer.macs) },
                readable::grouped(cycles.cycles),
                format!("{:.1}%", percent(cycles.cycles, self.cycles)),
                if layer.macs == 0 || layer.host {
                    String::new()
                } else {
                    format!("{:.1}%", percent(layer.macs, cycles.cycles * self.macs_per_cycle))
                },
                readable::bytes(cycles.bytes_in + cycles.bytes_out),
            ]);
        }
        if self.epilogue > 0 {
            rows.push(plain("(epilogue)", self.epilogue));
        }
        let header = ["#", "layer", "kind", "output", "bits", "MACs", "cycles", "share", "of peak", "DRAM"];
        readable::table(&header, &[0, 5, 6, 7, 8, 9], rows)
    }

    fn totals(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(
            text,
            "\n{}; {} instructions, {} MACs",
            took(&self.program, &self.machine, self.cycles, self.clock_mhz),
            readable::grouped(self.instructions),
            readable::short(self.macs),
        );
        let busy =
            |cycles: u64| if self.cycles == 0 { 0.0 } else { 100.0 * cycles as f64 / self.cycles as f64 };
        let parts =
            self.units.iter().map(|(q, u)| format!("{} {:.1}%", unit(q), busy(u.causes[Cause::Busy])));
        let _ = writeln!(text, "busy: {}", parts.collect::<Vec<_>>().join(", "));
        text.push_str(scaling([(self.clock_mhz, &self.memory)]));
        text
    }
}

fn layers(loaded: &Loaded, widths: &[LayerWidths]) -> Vec<RunLayer> {
    let meta = &loaded.program().meta;
    let layer = |(i, (layer, clock)): (usize, (&crate::program::Layer, &LayerCycles))| {
        let output = meta.tensors.iter().find(|t| t.layer.is_some_and(|l| l as usize == i));
        let widths = widths.get(i);
        RunLayer {
            name: layer.name.clone(),
            kind: layer.kind.clone(),
            host: layer.host,
            macs: layer.macs,
            onnx_nodes: layer.onnx_nodes.clone(),
            output: output.map(|t| Shaped { dtype: t.dtype, shape: t.shape.clone() }),
            clock: *clock,
            asked: widths.and_then(|w| w.asked.clone()),
            executed: widths.and_then(|w| w.executed.clone()),
        }
    };
    meta.layers.iter().zip(&loaded.clock().layers).enumerate().map(layer).collect()
}

fn hosts(meta: &Meta) -> Vec<HostLayer> {
    let one = |h: &crate::program::HostEntry| {
        let layer = meta.layers.get(h.layer as usize);
        HostLayer {
            layer: layer.map_or("?", |l| l.name.as_str()).into(),
            op_types: h.op_types.clone(),
            macs: layer.map_or(0, |l| l.macs),
            reason: h.reason.clone(),
        }
    };
    meta.hosts.iter().map(one).collect()
}

fn row(meta: &Meta, run: &Run, name: Option<&String>) -> RunRow {
    let outputs = meta.outputs().zip(&run.outputs).map(|(t, bytes)| RunOutput {
        name: t.name.clone(),
        shaped: Shaped { dtype: t.dtype, shape: t.shape.clone() },
        digest: format!("{:016x}", xxhash_rust::xxh3::xxh3_64(bytes)),
        best: outputs::best(t, bytes, BEST),
    });
    RunRow {
        input: name.cloned().unwrap_or_default(),
        instructions: run.summary.instructions,
        wraps: run.summary.wraps,
        outputs: outputs.collect(),
    }
}

/// `named`: with the name of the input.
fn run_text(run: &RunRow, named: bool) -> String {
    let mut text = String::new();
    if named {
        let _ = writeln!(text, "{}:", run.input);
    }
    for RunOutput { name, shaped, best, .. } in &run.outputs {
        let _ = writeln!(text, "output {name}: {} {}", shaped.dtype, readable::shape(&shaped.shape));
        let width = best.iter().map(|c| c.class.to_string().len()).max().unwrap_or(0);
        for c in best {
            let label = c.label.as_deref().unwrap_or("");
            let _ = writeln!(text, "  {:>width$}  {:>10.4}  {label}", c.class, c.value);
        }
    }
    text
}

//! Report of `info` on a program file.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use crate::document::Kind;
use crate::isa::Insn;
use crate::profile::LayerWidths;
use crate::program::{Layer, Meta, Program, Role, TensorEntry};
use crate::readable;

/// The contents of a program file.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct ProgramReport {
    /// Its machine.
    pub machine: String,
    /// Instruction words.
    pub instructions: usize,
    /// Bytes of the constant segment.
    pub constant_bytes: usize,
    /// Bytes of the ONNX model of each host layer.
    pub host_model_bytes: Vec<usize>,
    /// Widths of every layer; none if the program cannot be loaded here.
    pub widths: Option<Vec<LayerWidths>>,
    /// Layers that are executed with other widths than asked for, one sentence each; none if not known.
    pub wrong_widths: Option<Vec<String>>,
    /// All tables.
    pub meta: Meta,
    /// Why widths are not known.
    #[serde(skip)]
    unknown: Option<String>,
    /// By layer: instruction words, and whether zero blocks of weights are skipped.
    #[serde(skip)]
    code: Vec<LayerCode>,
}

/// The code of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LayerCode {
    words: u32,
    skips: bool,
}

impl Kind for ProgramReport {
    const KIND: &'static str = "program";
}

/// Tables that the text includes beside the summary.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tables {
    /// The layers.
    pub layers: bool,
    /// The tensors, and those that fusion removed.
    pub tensors: bool,
    /// ONNX node, layer and instruction range.
    pub provenance: bool,
}

impl ProgramReport {
    /// The report of a program. `widths`: those of every layer and the violations, or why they are not known.
    #[must_use]
    pub fn new(program: &Program, widths: Result<(Vec<LayerWidths>, Vec<String>), String>) -> ProgramReport {
        let meta = &program.meta;
        let code = (0..meta.layers.len()).map(|i| LayerCode {
            words: meta.provenance.iter().filter(|r| r.layer as usize == i).map(|r| r.end - r.start).sum(),
            skips: program.layer_instructions(i).any(|i| matches!(i, Insn::MacPruned { .. })),
        });
        let (known, unknown) = match widths {
            Ok(known) => (Some(known), None),
            Err(why) => (None, Some(why)),
        };
        let (widths, wrong_widths) = known.unzip();
        ProgramReport {
            machine: meta.machine.name.clone(),
            instructions: program.code.len(),
            constant_bytes: program.constants.len(),
            host_model_bytes: program.host_models.iter().map(|m| m.len()).collect(),
            widths,
            wrong_widths,
            meta: meta.clone(),
            unknown,
            code: code.collect(),
        }
    }

    /// The report as text: a summary, and the requested tables.
    #[must_use]
    pub fn text(&self, tables: Tables) -> String {
        let mut text = self.summary();
        for line in self.wrong_widths.iter().flatten() {
            let _ = writeln!(text, "widths: {line}");
        }
        if let Some(why) = &self.unknown {
            let _ = writeln!(text, "{:<11} not known: {why}", "widths");
        }
        let wanted = [
            tables.layers.then(|| self.layers()),
            tables.tensors.then(|| self.tensors()),
            tables.provenance.then(|| self.provenance()),
        ];
        for table in wanted.into_iter().flatten() {
            text.push('\n');
            text.push_str(&table);
        }
        text
    }

    fn summary(&self) -> String {
        let meta = &self.meta;
        let macs: u64 = meta.layers.iter().map(|l| l.macs).sum();
        let mut rows = vec![
            ("program", meta.name.clone()),
            (
                "machine",
                format!(
                    "{} (hash {}), instruction set version {}",
                    meta.machine.name, meta.machine.hash, meta.isa_version
                ),
            ),
            (
                "code",
                format!(
                    "{} instructions, {}",
                    readable::grouped(self.instructions as u64),
                    readable::bytes(self.instructions as u64 * 16)
                ),
            ),
            ("constants", readable::bytes(self.constant_bytes as u64)),
            ("DRAM", format!("{}, constants included", readable::bytes(meta.dram_bytes))),
            ("layers", kinds(&meta.layers)),
            ("MACs", readable::grouped(macs)),
        ];
        for (label, role) in [("input", Role::Input), ("output", Role::Output)] {
            rows.extend(meta.tensors.iter().filter(|t| t.role == role).map(|t| (label, tensor_line(t))));
        }
        rows.extend(meta.hosts.iter().map(|h| {
            let name = meta.layers.get(h.layer as usize).map_or("?", |l| l.name.as_str());
            ("host layer", format!("{name}: {} ({})", h.op_types.join(", "), h.reason))
        }));
        if !meta.removed.is_empty() {
            rows.push((
                "removed",
                format!("{} ONNX tensors, by fusion (--tensors lists them)", meta.removed.len()),
            ));
        }
        let mut text = String::new();
        for (label, value) in rows {
            let _ = writeln!(text, "{}", readable::entry(label, &value));
        }
        text
    }

    fn layers(&self) -> String {
        let meta = &self.meta;
        let executed = |i: usize| self.widths.as_ref()?.get(i)?.executed.as_ref();
        let rows = meta.layers.iter().enumerate().map(|(i, layer)| {
            let code = self.code.get(i).copied().unwrap_or(LayerCode { words: 0, skips: false });
            let output = meta.tensors.iter().find(|t| t.layer.is_some_and(|l| l as usize == i));
            vec![
                i.to_string(),
                layer.name.clone(),
                if layer.host { format!("{} (host)", layer.kind) } else { layer.kind.clone() },
                output.map_or_else(String::new, |t| format!("{} {}", t.dtype, readable::shape(&t.shape))),
                executed(i).map_or_else(String::new, ToString::to_string),
                readable::grouped(layer.macs),
                layer.density().map_or_else(String::new, |d| format!("{:.1}%", d * 100.0)),
                if code.skips { "skipped".into() } else { String::new() },
                readable::grouped(code.words.into()),
            ]
        });
        readable::table(
            &["#", "layer", "kind", "output", "bits", "MACs", "density", "zero blocks", "instructions"],
            &[0, 5, 6, 8],
            rows.collect(),
        )
    }

    fn tensors(&self) -> String {
        let meta = &self.meta;
        let rows = meta.tensors.iter().map(|t| {
            let role = match t.role {
                Role::Input => "input",
                Role::Output => "output",
                Role::Layer => "layer",
            };
            vec![
                t.name.clone(),
                role.to_string(),
                t.dtype.to_string(),
                readable::shape(&t.shape),
                t.scale.map_or_else(String::new, |s| s.to_string()),
                t.zero_point.map_or_else(String::new, |z| z.to_string()),
                format!("{:#x}", t.place.address),
            ]
        });
        let mut text = readable::table(
            &["tensor", "role", "type", "shape", "scale", "zero", "address"],
            &[4, 5, 6],
            rows.collect(),
        );
        if !meta.removed.is_empty() {
            text.push('\n');
            let rows = meta.removed.iter().map(|r| vec![r.tensor.clone(), r.reason.clone()]).collect();
            text.push_str(&readable::table(&["removed", "reason"], &[], rows));
        }
        text
    }

    fn provenance(&self) -> String {
        let meta = &self.meta;
        let rows = meta.provenance.iter().map(|r| {
            let layer = meta.layers.get(r.layer as usize);
            vec![
                format!("{}..{}", r.start, r.end),
                layer.map_or_else(String::new, |l| l.name.clone()),
                layer.map_or_else(String::new, |l| l.onnx_nodes.join(" ")),
            ]
        });
        readable::table(&["instructions", "layer", "ONNX nodes"], &[], rows.collect())
    }
}

/// `64: 49 conv, 10 add …`, most frequent first.
fn kinds(layers: &[Layer]) -> String {
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for layer in layers {
        *count.entry(&layer.kind).or_default() += 1;
    }
    let mut kinds: Vec<(&str, usize)> = count.into_iter().collect();
    kinds.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let listed: Vec<String> = kinds.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
    if listed.is_empty() { "none".into() } else { format!("{}: {}", layers.len(), listed.join(", ")) }
}

fn tensor_line(t: &TensorEntry) -> String {
    let mut line = format!("{}: {} {}", t.name, t.dtype, readable::shape(&t.shape));
    if let (Some(scale), Some(zero)) = (t.scale, t.zero_point) {
        let _ = write!(line, ", scale {scale}, zero point {zero}");
    }
    if let Some(p) = &t.preprocess {
        let list = |v: &[f32]| v.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let order = if p.bgr { "BGR" } else { "RGB" };
        let resize = p.resize.map_or_else(String::new, |r| format!(", short side to {r}"));
        let _ = write!(line, ", pictures: ({order} - {}) / {}{resize}", list(&p.mean), list(&p.std));
    }
    if !t.labels.is_empty() {
        let _ = write!(line, ", {} class names", t.labels.len());
    }
    line
}

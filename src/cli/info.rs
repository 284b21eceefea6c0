//! `rcar-iss info`: what a program file holds; of a model, see [`describe`].

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::args::InfoArgs;
use super::widths::{self, Widths};
use super::{Report, describe, effect, kernels, machines, source};
use crate::explain::Failure;
use crate::isa::Insn;
use crate::program::{FileKind, Layer, Meta, Program, Role, TensorEntry};
use crate::readable;
use crate::sim::{Limits, Loaded};

pub(super) fn run(args: &InfoArgs) -> Result<Report, Failure> {
    let Some(file) = &args.program else { return Ok(Report::fine(kernels::host(args.json))) };
    if source::kind_of(file)? == FileKind::Model {
        return about_model(file, args);
    }
    if args.json {
        let lists =
            [(args.layers, "--layers"), (args.tensors, "--tensors"), (args.provenance, "--provenance")];
        if let Some((_, option)) = lists.into_iter().find(|(typed, _)| *typed) {
            return Err(effect::none(option, &"--json has all tables"));
        }
    }
    let program = source::read_program(file)?;
    let widths = executed(&program, args, file)?;
    let status = widths.as_ref().map_or(0, Widths::status);
    if args.json {
        return Ok(Report { text: json(&program, widths.as_ref().ok()), status });
    }
    let mut text = summary(&program);
    match &widths {
        Ok(widths) => text.push_str(&widths.text()),
        Err(why) => {
            let _ = writeln!(text, "{:<11} not known: {why}", "widths");
        }
    }
    for list in [
        args.layers.then(|| layers(&program, widths.as_ref().ok())),
        args.tensors.then(|| tensors(&program)),
        args.provenance.then(|| provenance(&program)),
    ]
    .into_iter()
    .flatten()
    {
        text.push('\n');
        text.push_str(&list);
    }
    Ok(Report { text, status })
}

/// What a model says about itself; it has no layers yet.
fn about_model(file: &Path, args: &InfoArgs) -> Result<Report, Failure> {
    let asked = [
        ("--layers", args.layers),
        ("--tensors", args.tensors),
        ("--provenance", args.provenance),
        ("--machine", args.machine.is_some()),
        ("--expect-bits", !args.widths.expect_bits.is_empty()),
    ];
    if let Some((option, _)) = asked.into_iter().find(|(_, given)| *given) {
        return Err(Failure::usage(format!("{option} is for program files, '{}' is none", file.display()))
            .help("compile the model, and ask the program: `rcar-iss compile MODEL.onnx -o P.rcn`"));
    }
    Ok(Report::fine(describe::run(file, args.json)?))
}

/// The widths that the program executes; the reason, if it cannot be loaded here.
fn executed(program: &Program, args: &InfoArgs, file: &Path) -> Result<Result<Widths, String>, Failure> {
    let machine = match machines::of(program, args.machine.as_deref()) {
        Ok(machine) => machine,
        Err(failure) if args.machine.is_some() || !args.widths.expect_bits.is_empty() => return Err(failure),
        Err(_) => return Ok(Err("its machine is not shipped; give --machine FILE".into())),
    };
    match Loaded::new(Arc::new(program.clone()), &machine, Limits::default()) {
        Ok(loaded) => widths::of(&loaded, &args.widths).map(Ok),
        Err(error) if !args.widths.expect_bits.is_empty() => Err(Failure::load(file, &error)),
        Err(error) => Ok(Err(error.to_string())),
    }
}

fn json(program: &Program, widths: Option<&Widths>) -> String {
    let value = json!({
        "instructions": program.code.len(),
        "constant_bytes": program.constants.len(),
        "host_model_bytes": program.host_models.iter().map(|m| m.len()).collect::<Vec<_>>(),
        "widths": widths.map(|w| &w.layers),
        "wrong_widths": widths.map(|w| &w.wrong),
        "meta": program.meta,
    });
    format!("{value:#}\n")
}

fn summary(program: &Program) -> String {
    let meta = &program.meta;
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
                readable::grouped(program.code.len() as u64),
                readable::bytes(program.code.len() as u64 * 16)
            ),
        ),
        ("constants", readable::bytes(program.constants.len() as u64)),
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

fn layers(program: &Program, widths: Option<&Widths>) -> String {
    let meta = &program.meta;
    let rows = meta.layers.iter().enumerate().map(|(i, layer)| {
        let words: u32 =
            meta.provenance.iter().filter(|r| r.layer as usize == i).map(|r| r.end - r.start).sum();
        let output = meta.tensors.iter().find(|t| t.layer.is_some_and(|l| l as usize == i));
        vec![
            i.to_string(),
            layer.name.clone(),
            if layer.host { format!("{} (host)", layer.kind) } else { layer.kind.clone() },
            output.map_or_else(String::new, |t| format!("{} {}", t.dtype, readable::shape(&t.shape))),
            widths.map_or_else(String::new, |w| w.executed(i)),
            readable::grouped(layer.macs),
            layer.density().map_or_else(String::new, |d| format!("{:.1}%", d * 100.0)),
            if skips(program, i) { "skipped".into() } else { String::new() },
            readable::grouped(words.into()),
        ]
    });
    readable::table(
        &["#", "layer", "kind", "output", "bits", "MACs", "density", "zero blocks", "instructions"],
        &[0, 5, 6, 8],
        rows.collect(),
    )
}

/// Whether a layer has instructions that leave out zero blocks of its weights.
fn skips(program: &Program, layer: usize) -> bool {
    program.layer_instructions(layer).any(|i| matches!(i, Insn::MacPruned { .. }))
}

fn tensors(program: &Program) -> String {
    let meta = &program.meta;
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

fn provenance(program: &Program) -> String {
    let meta: &Meta = &program.meta;
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

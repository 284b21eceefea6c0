//! Program → text.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::super::Program;
use crate::isa::{Insn, Profile, QuantDesc, TensorDesc, WindowDesc, XReg, disasm};

/// Bytes of constants in a line.
const LINE: usize = 32;
/// Runs of at least this many zeros are written as `.zero`.
const ZEROS: usize = 64;

/// The text of a program.
#[must_use]
pub fn disassemble(program: &Program) -> String {
    disassemble_with_comments(program, &[])
}

/// As [`disassemble`], with comments before instructions, and with descriptors explained where they are
/// loaded.
#[must_use]
pub fn disassemble_with_comments(program: &Program, comments: &[(usize, String)]) -> String {
    let mut out = String::new();
    tables(program, &mut out);
    out.push_str("\n.code\n");
    code(program, comments, &mut out);
    if !program.constants.is_empty() {
        out.push_str("\n.const\n");
        bytes(&program.constants, &mut out);
    }
    for model in &program.host_models {
        out.push_str("\n.model\n");
        bytes(model, &mut out);
    }
    out
}

/// The instructions of a layer, with their indices; `None` if no layer has the name.
#[must_use]
pub fn disassemble_layer(program: &Program, name: &str) -> Option<String> {
    let id = program.meta.layers.iter().position(|l| l.name == name)?;
    let ranges = program.meta.provenance.iter().filter(|r| r.layer as usize == id);
    let lines = ranges.flat_map(|r| r.start..r.end).map(|pc| {
        let word = program.code.get(pc as usize).copied().unwrap_or_default();
        match Insn::decode(word) {
            Ok(insn) => {
                format!("{pc:>6}  {}\n", disasm::disassemble_with(&insn, &|words| format!("{words:+}")))
            }
            Err(e) => format!("{pc:>6}  {word:#034x}  ; {e}\n"),
        }
    });
    Some(lines.collect())
}

/// A JSON value on one line. Tables hold strings, numbers and lists: they always serialize.
fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn tables(program: &Program, out: &mut String) {
    let meta = &program.meta;
    let _ = writeln!(out, ".name {}", json(&meta.name));
    let _ = writeln!(out, ".isa {}", meta.isa_version);
    let _ = writeln!(out, ".machine {} {}", json(&meta.machine.name), json(&meta.machine.hash));
    let _ = writeln!(out, ".dram {:#x}", meta.dram_bytes);
    for record in &meta.layers {
        let _ = writeln!(out, ".layer {}", json(record));
    }
    for record in &meta.tensors {
        let _ = writeln!(out, ".tensor {}", json(record));
    }
    for record in &meta.hosts {
        let _ = writeln!(out, ".host {}", json(record));
    }
    for record in &meta.removed {
        let _ = writeln!(out, ".removed {}", json(record));
    }
}

fn code(program: &Program, comments: &[(usize, String)], out: &mut String) {
    let insns: Vec<Option<Insn>> = program.code.iter().map(|w| Insn::decode(*w).ok()).collect();
    let labels = labels(&insns);
    let mut ranges = program.meta.provenance.iter().peekable();
    let mut comments = comments.iter().peekable();
    let mut open: Option<u32> = None;
    for (pc, (word, insn)) in program.code.iter().zip(&insns).enumerate() {
        let at = pc as u32;
        let begins = ranges.peek().filter(|r| r.start == at);
        if let Some(range) = begins {
            let _ = writeln!(out, "\n.in {}", range.layer);
            open = Some(range.end);
            ranges.next();
        } else if open.is_some_and(|end| end == at) {
            out.push_str("\n.in none\n");
            open = None;
        }
        while let Some((_, text)) = comments.next_if(|(place, _)| *place <= pc) {
            // A name in it may contain anything; a line break would end the comment.
            let _ = writeln!(out, "  ; {}", text.replace(['\n', '\r'], " "));
        }
        if labels.contains(&(pc as i64)) {
            let _ = writeln!(out, "L{pc}:");
        }
        match insn {
            Some(insn) => {
                let target = |words: i64| {
                    let to = pc as i64 + words;
                    if labels.contains(&to) { format!("L{to}") } else { format!("{words:+}") }
                };
                let text = disasm::disassemble_with(insn, &target);
                match explained(insn, &program.constants) {
                    Some(what) => {
                        let _ = writeln!(out, "  {text:<38} ; {what}");
                    }
                    None => {
                        let _ = writeln!(out, "  {text}");
                    }
                }
            }
            None => {
                let _ = writeln!(out, "  .word {word:#x}");
            }
        }
    }
    if open.is_some_and(|end| (end as usize) < program.code.len()) {
        out.push_str("\n.in none\n");
    }
}

/// Targets of branches that lie inside the code.
fn labels(insns: &[Option<Insn>]) -> BTreeSet<i64> {
    let mut set = BTreeSet::new();
    for (pc, insn) in insns.iter().enumerate() {
        if let Some(target) = insn.as_ref().and_then(disasm::branch_target) {
            let to = pc as i64 + target;
            if (0..insns.len() as i64).contains(&to) {
                set.insert(to);
            }
        }
    }
    set
}

/// What a descriptor load with a fixed address loads; other instructions need no explanation.
fn explained(insn: &Insn, constants: &[u8]) -> Option<String> {
    let record = |rs1: &XReg, imm: &i32, n: usize| {
        let at = usize::try_from(*imm).ok().filter(|_| rs1.index() == 0)?;
        constants.get(at..at.checked_add(n)?)
    };
    if let Insn::TdescLoad { rs1, imm, .. } = insn {
        let d = TensorDesc::from_bytes(record(rs1, imm, TensorDesc::BYTES)?).ok()?;
        let packed = d.strides == [0; 4];
        let strides = if packed { "packed".to_string() } else { format!("strides {:?}", d.strides) };
        return Some(format!(
            "{} {} {:?} at {:#x}, {strides}",
            d.space.name(),
            d.etype.name(),
            d.dims,
            d.base
        ));
    }
    if let Insn::QdescLoad { rs1, imm, .. } = insn {
        let d = QuantDesc::from_bytes(record(rs1, imm, QuantDesc::BYTES)?).ok()?;
        if d.profile != Profile::Onnx {
            let by = d.rescales().map(|r| format!("{}>>{}", r.multiplier, r.shift)).join(" ");
            let profile = d.profile.name();
            return Some(format!("{:?} {profile} zp {} clamp {}…{} {by}", d.mode, d.zero_point, d.lo, d.hi));
        }
        return Some(format!(
            "{:?} zp {} clamp {}…{} m {} {} c {}",
            d.mode, d.zero_point, d.lo, d.hi, d.m0, d.m1, d.c
        ));
    }
    if let Insn::WdescLoad { rs1, imm, .. } = insn {
        let d = WindowDesc::from_bytes(record(rs1, imm, WindowDesc::BYTES)?).ok()?;
        return Some(format!(
            "kernel {:?} stride {:?} dilation {:?} pads {:?}",
            d.kernel, d.stride, d.dilation, d.pads
        ));
    }
    None
}

/// Data as `.hex` lines, long runs of zeros as `.zero`.
fn bytes(data: &[u8], out: &mut String) {
    let mut at = 0;
    while at < data.len() {
        let zeros = data[at..].iter().take_while(|b| **b == 0).count();
        if zeros >= ZEROS {
            let _ = writeln!(out, "  .zero {zeros}");
            at += zeros;
            continue;
        }
        let line = &data[at..data.len().min(at + LINE)];
        out.push_str("  .hex ");
        for b in line {
            let _ = write!(out, "{b:02x}");
        }
        out.push('\n');
        at += line.len();
    }
}

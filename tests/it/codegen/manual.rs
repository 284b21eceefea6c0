//! Writes `isa/MANUAL.md`: prose from `manual.md` beside this file, tables from the table.

use std::fmt::Write;

use super::table::{Insn, Table};

/// The whole manual.
pub(super) fn generate(t: &Table) -> String {
    let template = include_str!("manual.md");
    template
        .replace("{{name}}", &t.isa)
        .replace("{{version}}", &t.version.to_string())
        .replace("{{summary}}", &summary(t))
        .replace("{{kinds}}", &kinds(t))
        .replace("{{formats}}", &formats(t))
        .replace("{{descriptors}}", &descriptors(t))
        .replace("{{timing}}", &timing(t))
        .replace("{{instructions}}", &instructions(t))
}

/// An instruction as assembly has it: flags, which may be left out, stand in braces of their own.
fn written(i: &Insn) -> String {
    let operands = i.syntax.replace("{flags}", " <flags>").replace(['{', '}'], "");
    let operands = operands.replace("<flags>", "{flags}");
    format!("{} {operands}", i.mnemonic).trim_end().to_string()
}

fn summary(t: &Table) -> String {
    let mut out = String::from("| opcode | instruction | unit | timing |\n|---|---|---|---|\n");
    for i in &t.insn {
        let _ = writeln!(out, "| `{:#04x}` | `{}` | {} | {} |", i.opcode, written(i), i.unit, i.timing);
    }
    out
}

fn kinds(t: &Table) -> String {
    let mut out = String::from("| kind | meaning | values |\n|---|---|---|\n");
    for (name, k) in &t.kind {
        let values = match k.class.as_str() {
            "register" => format!("`{0}0` … `{0}{1}`", k.prefix, k.count - 1),
            "enum" => k.ordered().iter().map(|(n, v)| format!("`{n}` = {v}")).collect::<Vec<_>>().join(", "),
            "flags" => {
                k.ordered().iter().map(|(n, v)| format!("`{n}` = bit {v}")).collect::<Vec<_>>().join(", ")
            }
            _ => String::new(),
        };
        let _ = writeln!(out, "| {name} | {} | {values} |", k.doc);
    }
    out
}

fn formats(t: &Table) -> String {
    let mut out = String::from(
        "| format | fields (bits, kind); bits 7…0 are the operation code, all others must be zero |\n|---|---|\n",
    );
    for (name, f) in &t.format {
        let mut fields: Vec<_> = f.fields.iter().collect();
        fields.sort_by_key(|(_, f)| f.lo);
        let list: Vec<String> = fields
            .iter()
            .map(|(n, f)| format!("`{n}` {}…{} ({})", f.lo + f.width - 1, f.lo, f.kind))
            .collect();
        let _ =
            writeln!(out, "| {name} | {} |", if list.is_empty() { "none".into() } else { list.join(", ") });
    }
    out
}

fn descriptors(t: &Table) -> String {
    let mut out = String::new();
    for (name, d) in &t.descriptor {
        let _ = write!(
            out,
            "### {name} descriptor ({} bytes, aligned to {}, registers `{}`)\n\n{}\n\n| offset | field | type | meaning |\n|---|---|---|---|\n",
            d.bytes, d.align, d.kind, d.doc
        );
        for f in &d.fields {
            let ty = f.count.map_or(f.ty.clone(), |n| format!("{} × {n}", f.ty));
            let mut values: Vec<(&String, &u32)> = f.values.iter().collect();
            values.sort_by_key(|(_, v)| **v);
            let mut doc = f.doc.clone();
            if !values.is_empty() {
                let list: Vec<String> = values.iter().map(|(n, v)| format!("{n} = {v}")).collect();
                let _ = write!(doc, ": {}", list.join(", "));
            }
            if !f.legal.is_empty() {
                let list: Vec<String> = f.legal.iter().map(u32::to_string).collect();
                let _ = write!(doc, " (legal: {})", list.join(", "));
            }
            let unit = if f.unit.is_empty() { String::new() } else { format!(" [{}]", f.unit) };
            let _ = writeln!(out, "| {} | `{}` | {ty}{unit} | {doc} |", f.offset, f.name);
        }
        out.push('\n');
    }
    out.trim_end().to_string() + "\n"
}

fn timing(t: &Table) -> String {
    let mut out = String::from("| class | cycles | |\n|---|---|---|\n");
    for (name, c) in &t.timing {
        let _ = writeln!(out, "| {name} | `{}` | {} |", c.formula, c.doc);
    }
    out
}

fn instructions(t: &Table) -> String {
    let mut out = String::new();
    for i in &t.insn {
        let wait = if i.unit == "control" { "" } else { " [wait(…)]" };
        let _ = write!(out, "#### `{}`{wait}\n\n{}.\n\n", written(i), i.does);
        let _ = write!(
            out,
            "opcode `{:#04x}`, format {}, unit {}, timing {}",
            i.opcode, i.format, i.unit, i.timing
        );
        if !i.reads.is_empty() {
            let _ = write!(out, ", reads {}", i.reads.join(", "));
        }
        if !i.writes.is_empty() {
            let _ = write!(out, ", writes {}", i.writes.join(", "));
        }
        out.push_str("\n\n");
    }
    out.trim_end().to_string() + "\n"
}

//! One instruction as text, by the table.

use super::generated::Insn;
use super::kinds::Queue;
use super::operand::{Class, FieldInfo, Wait};

/// Assembly text of an instruction, for messages. Branch targets are signed word counts (`+3`).
#[must_use]
pub fn disassemble(insn: &Insn) -> String {
    format!("{} {}", insn.opcode().info().mnemonic, operands(insn, &|target| format!("{target:+}")))
        .trim_end()
        .into()
}

/// As [`disassemble`], in columns for listings, with branch targets formatted by `target`.
#[must_use]
pub fn disassemble_with(insn: &Insn, target: &dyn Fn(i64) -> String) -> String {
    format!("{:<11} {}", insn.opcode().info().mnemonic, operands(insn, target)).trim_end().into()
}

/// Operands and conditions.
fn operands(insn: &Insn, target: &dyn Fn(i64) -> String) -> String {
    let info = insn.opcode().info();
    let word = insn.encode();
    let mut text = String::new();
    let mut rest = info.syntax;
    while let Some(open) = rest.find('{') {
        let close = rest[open..].find('}').map_or(rest.len(), |c| open + c);
        text.push_str(&rest[..open]);
        let name = rest.get(open + 1..close).unwrap_or_default();
        if let Some(field) = info.fields.iter().find(|f| f.name == name) {
            text.push_str(&operand(field, word, target));
        }
        rest = rest.get(close + 1..).unwrap_or_default();
    }
    text.push_str(rest);
    text.push_str(&wait(insn.wait()));
    text
}

/// The branch target of an instruction in words, if it has one.
#[must_use]
pub fn branch_target(insn: &Insn) -> Option<i64> {
    let field = insn.opcode().info().fields.iter().find(|f| f.class == Class::Relative)?;
    Some(values(field, insn.encode()).1)
}

/// A field's bits as an unsigned and as a signed number.
fn values(field: &FieldInfo, word: u128) -> (u64, i64) {
    let raw = ((word >> field.lo) & ((1_u128 << field.width) - 1)) as u64;
    let shift = 64 - field.width;
    (raw, ((raw << shift) as i64) >> shift)
}

/// Text of one operand.
fn operand(field: &FieldInfo, word: u128, target: &dyn Fn(i64) -> String) -> String {
    let (raw, signed) = values(field, word);
    match field.class {
        Class::Register { prefix } => format!("{prefix}{raw}"),
        Class::Signed => signed.to_string(),
        Class::Unsigned => raw.to_string(),
        Class::Relative => target(signed),
        Class::Enum(values) => values
            .iter()
            .find(|(_, v)| u64::from(*v) == raw)
            .map_or(raw.to_string(), |(n, _)| (*n).to_string()),
        Class::Flags(values) => {
            let set: Vec<&str> =
                values.iter().filter(|(_, bit)| raw >> bit & 1 == 1).map(|(n, _)| *n).collect();
            if set.is_empty() { String::new() } else { format!(" {{{}}}", set.join(" ")) }
        }
    }
}

/// ` wait(mac-1, dmain)`, or nothing.
fn wait(wait: Wait) -> String {
    let name =
        |q: Queue, back: u8| if back == 0 { q.name().to_string() } else { format!("{}-{back}", q.name()) };
    let conds: Vec<String> = wait.iter().map(|c| name(c.queue, c.back)).collect();
    if conds.is_empty() { String::new() } else { format!(" wait({})", conds.join(", ")) }
}

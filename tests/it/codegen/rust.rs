//! Writes `src/isa/kinds.rs` and `src/isa/generated.rs`.

use std::fmt::Write;

use super::table::{DescField, Descriptor, Field, Insn, Kind, Table};

pub(super) const HEAD: &str =
    "// Generated from isa/rcn.toml by `RCN_BLESS=1 cargo test --test it generated`. Do not edit.\n\n";

/// `src/isa/kinds.rs`: the parts of operands. It uses no other file.
pub(super) fn kinds(t: &Table) -> String {
    let mut out = String::from(HEAD);
    let _ =
        writeln!(out, "/// Version of the instruction set.\npub const ISA_VERSION: u32 = {};\n", t.version);
    for kind in t.kind.values() {
        match kind.class.as_str() {
            "register" => register(&mut out, kind),
            "enum" => enumeration(&mut out, &kind.rust, &kind.doc, &kind.ordered()),
            "flags" => flags(&mut out, kind),
            _ => {}
        }
    }
    for f in t.descriptor.values().flat_map(|d| &d.fields).filter(|f| f.ty == "enum") {
        let mut values: Vec<(&str, u32)> = f.values.iter().map(|(n, v)| (n.as_str(), *v)).collect();
        values.sort_by_key(|(_, v)| *v);
        enumeration(&mut out, &f.rust, &f.doc, &values);
    }
    timing(&mut out, t);
    format_source(&out)
}

/// `src/isa/generated.rs`: descriptors and instructions.
pub(super) fn generate(t: &Table) -> String {
    let mut out = String::from(HEAD);
    out.push_str(
        "use super::decode::{self, DecodeError, DescriptorError};\nuse super::kinds::*;\n\
         use super::operand::{Class, FieldInfo, OpcodeInfo, Unit, Wait};\n\n",
    );
    for d in t.descriptor.values() {
        descriptor(&mut out, d);
    }
    opcode(&mut out, t);
    for (name, what, control) in
        [("control_insn", "of the control core", true), ("queue_insn", "for a queue", false)]
    {
        let group = t.insn.iter().filter(|i| (i.unit == "control") == control);
        let list = group.map(|i| format!("$crate::isa::Insn::{} {{ .. }}", i.variant()));
        patterns(&mut out, name, &format!("every instruction {what}"), list);
    }
    instruction(&mut out, t);
    format_source(&out)
}

/// A macro for the pattern of all these.
pub(super) fn patterns(out: &mut String, name: &str, what: &str, list: impl Iterator<Item = String>) {
    let list = list.collect::<Vec<_>>().join(" | ");
    let _ = write!(
        out,
        "/// A pattern: {what}.\nmacro_rules! {name} {{\n() => {{ {list} }};\n}}\npub(crate) use {name};\n\n"
    );
}

/// rustfmt, so that the committed file passes `cargo fmt --check`.
pub(super) fn format_source(source: &str) -> String {
    use std::io::Write as _;
    let mut child = std::process::Command::new("rustfmt")
        .args(["--edition", "2024", "--emit", "stdout", "--quiet", "--config-path"])
        .arg(crate::repository::root())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("rustfmt belongs to the toolchain");
    child.stdin.take().unwrap().write_all(source.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "rustfmt refused the generated code:\n{source}");
    String::from_utf8(output.stdout).unwrap()
}

/// First letter upper case: `dmain` → `Dmain`.
fn camel(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

fn register(out: &mut String, k: &Kind) {
    let (name, doc, prefix, count) = (&k.rust, &k.doc, &k.prefix, k.count);
    let _ = write!(
        out,
        "/// A {doc}.\n#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]\npub struct {name}(pub(super) u8);\n\n\
         impl {name} {{\n/// How many there are.\npub const COUNT: usize = {count};\n\n\
         /// The register of this number, if it exists.\n#[must_use]\n\
         pub const fn new(number: u8) -> Option<Self> {{\n\
         if (number as usize) < Self::COUNT {{ Some(Self(number)) }} else {{ None }}\n}}\n\n\
         /// Its number.\n#[must_use]\npub const fn index(self) -> usize {{ self.0 as usize }}\n}}\n\n\
         impl std::fmt::Display for {name} {{\nfn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {{\n\
         write!(f, \"{prefix}{{}}\", self.0)\n}}\n}}\n\n"
    );
}

fn enumeration(out: &mut String, name: &str, doc: &str, values: &[(&str, u32)]) {
    let _ = write!(
        out,
        "/// {}.\n#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]\n#[repr(u8)]\npub enum {name} {{\n",
        camel(doc)
    );
    for (value, number) in values {
        let _ = writeln!(out, "/// `{value}`\n{} = {number},", camel(value));
    }
    let list = values.iter().map(|(v, _)| format!("Self::{}", camel(v))).collect::<Vec<_>>().join(", ");
    let _ = write!(
        out,
        "}}\n\nimpl {name} {{\n/// All values, in order.\npub const ALL: [Self; {}] = [{list}];\n\n\
         /// The value of this number, if there is one.\n#[must_use]\n\
         pub fn new(number: u8) -> Option<Self> {{\n\
         Self::ALL.into_iter().find(|v| *v as u8 == number)\n}}\n\n\
         /// Name in assembly text.\n#[must_use]\npub fn name(self) -> &'static str {{\nmatch self {{\n",
        values.len()
    );
    for (value, _) in values {
        let _ = writeln!(out, "Self::{} => \"{value}\",", camel(value));
    }
    let _ = write!(
        out,
        "}}\n}}\n\n/// Its number.\n#[must_use]\npub const fn index(self) -> usize {{ self as usize }}\n}}\n\n"
    );
}

fn flags(out: &mut String, k: &Kind) {
    let _ = write!(
        out,
        "bitflags::bitflags! {{\n/// Flags: {}.\n#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]\npub struct {}: u8 {{\n",
        k.doc, k.rust
    );
    for (name, bit) in k.ordered() {
        let _ = writeln!(out, "/// `{name}`\nconst {} = 1 << {bit};", name.to_uppercase());
    }
    out.push_str("}\n}\n\n");
}

fn descriptor(out: &mut String, d: &Descriptor) {
    let name = &d.rust;
    let ty = |f: &DescField| {
        let one = if f.ty == "enum" { f.rust.clone() } else { f.ty.clone() };
        f.count.map_or(one.clone(), |n| format!("[{one}; {n}]"))
    };
    let _ = write!(out, "/// {}\n#[derive(Debug, Clone, Copy, PartialEq)]\npub struct {name} {{\n", d.doc);
    for f in &d.fields {
        let unit = if f.unit.is_empty() { String::new() } else { format!(" [{}]", f.unit) };
        let _ = writeln!(out, "/// {}{unit}.\npub {}: {},", camel(&f.doc), f.name, ty(f));
    }
    let _ = write!(
        out,
        "}}\n\nimpl {name} {{\n/// Size of the record.\npub const BYTES: usize = {};\n\n\
         /// The record as it stands in the constants, little endian.\n#[must_use]\n\
         pub fn to_bytes(&self) -> [u8; {}] {{\nlet mut out = [0; {}];\n",
        d.bytes, d.bytes, d.bytes
    );
    for f in &d.fields {
        let (at, size) = (f.offset, f.size());
        let value = |v: &str| {
            if f.ty == "enum" { format!("({v} as u8).to_le_bytes()") } else { format!("{v}.to_le_bytes()") }
        };
        match f.count {
            None => {
                let _ = writeln!(
                    out,
                    "out[{at}..{}].copy_from_slice(&{});",
                    at + size,
                    value(&format!("self.{}", f.name))
                );
            }
            Some(_) => {
                let _ = writeln!(
                    out,
                    "for (i, v) in self.{}.iter().enumerate() {{\n\
                     out[{at} + {size} * i..{at} + {size} * (i + 1)].copy_from_slice(&{});\n}}",
                    f.name,
                    value("v")
                );
            }
        }
    }
    let _ = write!(
        out,
        "out\n}}\n\n/// Reads a record.\n///\n/// # Errors\n/// A wrong length, a reserved byte that is not zero, a value that is not legal.\n\
         pub fn from_bytes(bytes: &[u8]) -> Result<Self, DescriptorError> {{\n\
         let b: &[u8; {}] = bytes.try_into().map_err(|_| DescriptorError::Length {{ descriptor: \"{name}\", found: bytes.len(), wanted: {} }})?;\n",
        d.bytes, d.bytes
    );
    let mut covered = vec![false; d.bytes as usize];
    for f in &d.fields {
        for byte in f.offset..f.offset + f.size() * f.count.unwrap_or(1) {
            covered[byte as usize] = true;
        }
    }
    let reserved: Vec<String> =
        covered.iter().enumerate().filter(|(_, c)| !**c).map(|(i, _)| i.to_string()).collect();
    if !reserved.is_empty() {
        let _ = writeln!(out, "decode::reserved_bytes(\"{name}\", b, &[{}])?;", reserved.join(", "));
    }
    for f in f_checked(d) {
        let legal = f.legal.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        let _ =
            writeln!(out, "decode::legal_byte(\"{name}\", \"{}\", b[{}], &[{legal}])?;", f.name, f.offset);
    }
    out.push_str("Ok(Self {\n");
    for f in &d.fields {
        let (at, size) = (f.offset, f.size());
        let read = |start: &str| match f.ty.as_str() {
            "u8" => format!("b[{start}]"),
            "enum" => format!(
                "{}::new(b[{start}]).ok_or(DescriptorError::Field {{ descriptor: \"{name}\", field: \"{}\", value: b[{start}] }})?",
                f.rust, f.name
            ),
            ty => format!("{ty}::from_le_bytes(decode::part(b, {start}))"),
        };
        let value = match f.count {
            None => read(&at.to_string()),
            Some(n) => {
                let items: Vec<String> = (0..n).map(|i| read(&(at + size * i).to_string())).collect();
                format!("[{}]", items.join(", "))
            }
        };
        let _ = writeln!(out, "{}: {value},", f.name);
    }
    out.push_str("})\n}\n}\n\n");
}

fn f_checked(d: &Descriptor) -> impl Iterator<Item = &DescField> {
    d.fields.iter().filter(|f| !f.legal.is_empty())
}

fn timing(out: &mut String, t: &Table) {
    out.push_str("/// Timing classes; the manual gives their formulas.\n#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]\npub enum Timing {\n");
    for (name, class) in &t.timing {
        let variant: String = name.split('_').map(camel).collect();
        let _ = writeln!(out, "/// `{}`: {}\n{variant},", class.formula, class.doc);
    }
    out.push_str("}\n\nimpl Timing {\n/// Cycles, as the manual has them.\n#[must_use]\npub fn formula(self) -> &'static str {\nmatch self {\n");
    for (name, class) in &t.timing {
        let variant: String = name.split('_').map(camel).collect();
        let _ = writeln!(out, "Self::{variant} => {:?},", class.formula);
    }
    out.push_str("}\n}\n}\n\n");
}

fn opcode(out: &mut String, t: &Table) {
    out.push_str("/// Operation codes.\n#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]\n#[repr(u8)]\npub enum Opcode {\n");
    for i in &t.insn {
        let _ = writeln!(out, "/// `{}`: {}\n{} = {:#04x},", i.mnemonic, i.does, i.variant(), i.opcode);
    }
    let all: Vec<String> = t.insn.iter().map(|i| format!("Self::{}", i.variant())).collect();
    let _ = write!(
        out,
        "}}\n\nimpl Opcode {{\n/// All operation codes, in the table's order.\npub const ALL: [Self; {}] = [{}];\n\n\
         /// Mnemonic, unit, timing class, syntax and fields.\n#[must_use]\n\
         pub fn info(self) -> &'static OpcodeInfo {{\n\
         &INFO[self as usize]\n}}\n}}\n\n",
        all.len(),
        all.join(", ")
    );
    // A dense table by opcode number keeps the look-up a plain index.
    let last = t.insn.iter().map(|i| i.opcode).max().unwrap_or(0);
    let _ = writeln!(out, "static INFO: [OpcodeInfo; {}] = [", u32::from(last) + 1);
    for code in 0..=last {
        match t.insn.iter().find(|i| i.opcode == code) {
            None => out.push_str("OpcodeInfo::UNUSED,\n"),
            Some(i) => {
                let unit = match i.unit.as_str() {
                    "control" => "Unit::Control".to_string(),
                    "queue" => "Unit::Named".to_string(),
                    q => format!("Unit::Queue(Queue::{})", camel(q)),
                };
                let timing: String = i.timing.split('_').map(camel).collect();
                let format = &t.format[&i.format];
                let fields: Vec<String> = i
                    .operands()
                    .iter()
                    .map(|n| field_info(n, &format.fields[*n], &t.kind[&format.fields[*n].kind]))
                    .collect();
                let _ = writeln!(
                    out,
                    "OpcodeInfo {{ opcode: {code:#04x}, mnemonic: \"{}\", unit: {unit}, timing: Timing::{timing}, \
                     syntax: \"{}\", reads: &{:?}, writes: &{:?}, fields: &[{}] }},",
                    i.mnemonic,
                    i.syntax,
                    i.reads,
                    i.writes,
                    fields.join(", ")
                );
            }
        }
    }
    out.push_str("];\n\n");
}

fn field_info(name: &str, f: &Field, k: &Kind) -> String {
    let values = |k: &Kind| {
        let list: Vec<String> = k.ordered().iter().map(|(n, v)| format!("(\"{n}\", {v})")).collect();
        format!("&[{}]", list.join(", "))
    };
    let class = match k.class.as_str() {
        "register" => format!("Class::Register {{ prefix: \"{}\" }}", k.prefix),
        "signed" => "Class::Signed".into(),
        "unsigned" => "Class::Unsigned".into(),
        "relative" => "Class::Relative".into(),
        "enum" => format!("Class::Enum({})", values(k)),
        "flags" => format!("Class::Flags({})", values(k)),
        other => panic!("{name}: no class {other} in operands"),
    };
    format!("FieldInfo {{ name: \"{name}\", lo: {}, width: {}, class: {class} }}", f.lo, f.width)
}

/// Rust type of an operand.
fn operand_type(f: &Field, k: &Kind) -> String {
    match k.class.as_str() {
        "signed" | "relative" => format!("i{}", f.width),
        "unsigned" => format!("u{}", f.width),
        _ => k.rust.clone(),
    }
}

fn instruction(out: &mut String, t: &Table) {
    out.push_str(
        "/// An instruction.\n#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]\npub enum Insn {\n",
    );
    for i in &t.insn {
        let format = &t.format[&i.format];
        let _ = write!(out, "/// {}\n{}", i.does, i.variant());
        let mut fields: Vec<String> = i
            .operands()
            .iter()
            .map(|n| {
                let f = &format.fields[*n];
                let k = &t.kind[&f.kind];
                format!("/// {}\n{n}: {}", camel(&k.doc), operand_type(f, k))
            })
            .collect();
        if format.fields.contains_key("cond0") {
            fields.push("/// Conditions before it may start\nwait: Wait".into());
        }
        if fields.is_empty() {
            out.push_str(",\n");
        } else {
            let _ = writeln!(out, " {{\n{},\n}},", fields.join(",\n"));
        }
    }
    out.push_str("}\n\nimpl Insn {\n/// Its operation code.\n#[must_use]\npub fn opcode(&self) -> Opcode {\nmatch self {\n");
    for i in &t.insn {
        let pattern = if has_fields(t, i) { " { .. }" } else { "" };
        let _ = writeln!(out, "Self::{}{pattern} => Opcode::{},", i.variant(), i.variant());
    }
    out.push_str("}\n}\n\n/// Its conditions; none for control instructions.\n#[must_use]\npub fn wait(&self) -> Wait {\nmatch self {\n");
    for i in t.insn.iter().filter(|i| i.unit != "control") {
        let _ = writeln!(out, "Self::{} {{ wait, .. }} => *wait,", i.variant());
    }
    out.push_str("control_insn!() => Wait::NONE,\n}\n}\n\n/// The instruction with other conditions; none if it takes no conditions and some are given.\n#[must_use]\npub fn with_wait(mut self, conds: Wait) -> Option<Self> {\nmatch &mut self {\n");
    for i in t.insn.iter().filter(|i| i.unit != "control") {
        let _ = writeln!(out, "Self::{} {{ wait, .. }} => *wait = conds,", i.variant());
    }
    out.push_str("control_insn!() => if conds != Wait::NONE { return None },\n}\nSome(self)\n}\n\n/// The queue that executes it; none for control instructions.\n#[must_use]\npub fn queue(&self) -> Option<Queue> {\nSome(match self {\n");
    for i in t.insn.iter().filter(|i| i.unit != "control") {
        let (field, queue) = match i.unit.as_str() {
            "queue" => ("queue, ", "*queue".to_string()),
            named => ("", format!("Queue::{}", camel(named))),
        };
        let _ = writeln!(out, "Self::{} {{ {field}.. }} => {queue},", i.variant());
    }
    out.push_str("control_insn!() => return None,\n})\n}\n\n");

    out.push_str("/// The instruction word.\n#[must_use]\npub fn encode(&self) -> u128 {\nmatch *self {\n");
    for i in &t.insn {
        encode_arm(out, t, i);
    }
    out.push_str("}\n}\n\n/// Reads an instruction word.\n///\n/// # Errors\n/// Says which bits are not legal, and why.\npub fn decode(word: u128) -> Result<Self, DecodeError> {\nOk(match (word & 0xff) as u8 {\n");
    for i in &t.insn {
        decode_arm(out, t, i);
    }
    out.push_str("opcode => return Err(DecodeError::Opcode { opcode }),\n})\n}\n}\n");
}

fn has_fields(t: &Table, i: &Insn) -> bool {
    !t.format[&i.format].fields.is_empty()
}

fn encode_arm(out: &mut String, t: &Table, i: &Insn) {
    let format = &t.format[&i.format];
    let names = i.operands();
    let mut terms = vec![format!("{:#04x}", i.opcode)];
    for n in &names {
        let f = &format.fields[*n];
        let raw = match t.kind[&f.kind].class.as_str() {
            "register" => format!("{n}.0"),
            "enum" => format!("{n} as u8"),
            "flags" => format!("{n}.bits()"),
            _ => format!("{n} as u{}", f.width),
        };
        terms.push(format!("u128::from({raw}) << {}", f.lo));
    }
    let mut pattern: Vec<String> = names.iter().map(ToString::to_string).collect();
    if format.fields.contains_key("cond0") {
        pattern.push("wait".into());
        terms.push(format!("wait.encode({}, {})", format.fields["cond0"].lo, format.fields["cond1"].lo));
    }
    let binding = if pattern.is_empty() { String::new() } else { format!(" {{ {} }}", pattern.join(", ")) };
    let _ = writeln!(out, "Self::{}{binding} => {},", i.variant(), terms.join(" | "));
}

fn decode_arm(out: &mut String, t: &Table, i: &Insn) {
    let format = &t.format[&i.format];
    let mask = format.fields.values().fold(0xff_u128, |m, f| m | f.mask());
    let _ = writeln!(out, "{:#04x} => {{\ndecode::reserved(word, {mask:#x}, \"{}\")?;", i.opcode, i.mnemonic);
    let mut fields = Vec::new();
    for n in i.operands() {
        let f = &format.fields[n];
        let k = &t.kind[&f.kind];
        let raw = format!("decode::bits(word, {}, {})", f.lo, f.width);
        let bad = |raw: &str| {
            format!("DecodeError::Field {{ mnemonic: \"{}\", field: \"{n}\", value: {raw} }}", i.mnemonic)
        };
        fields.push(match k.class.as_str() {
            "register" => format!("{n}: {}({raw} as u8)", k.rust),
            "enum" => format!("{n}: {}::new({raw} as u8).ok_or({})?", k.rust, bad(&raw)),
            "flags" => {
                let exclusive: Vec<String> = k
                    .exclusive
                    .iter()
                    .map(|set| set.iter().map(|s| (1 << k.values[s]).to_string()).collect::<Vec<_>>().join(" | "))
                    .collect();
                format!(
                    "{n}: {}::from_bits({raw} as u8).filter(|f| ![{}].iter().any(|x: &u8| f.bits() & x == *x)).ok_or({})?",
                    k.rust,
                    exclusive.join(", "),
                    bad(&raw)
                )
            }
            "signed" | "relative" => format!("{n}: {raw} as i{}", f.width),
            _ => format!("{n}: {raw} as u{}", f.width),
        });
    }
    if let (Some(a), Some(b)) = (format.fields.get("cond0"), format.fields.get("cond1")) {
        fields.push(format!("wait: Wait::decode(word, {}, {}, \"{}\")?", a.lo, b.lo, i.mnemonic));
    }
    let body = if fields.is_empty() { String::new() } else { format!(" {{ {} }}", fields.join(", ")) };
    let _ = writeln!(out, "Self::{}{body}\n}}", i.variant());
}

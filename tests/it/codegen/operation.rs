//! Writes `src/sim/op/kind.rs`: queue instructions with the contents of their registers, and how they get
//! them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::rust::{HEAD, format_source, patterns};
use super::table::{Insn, Table};

/// One field of an operation: where it comes from.
struct Part {
    name: String,
    ty: String,
    /// Expression over the instruction's fields and the registers `r`.
    value: String,
    /// A tensor; whether it may be absent.
    tensor: Option<bool>,
}

/// Fields of the operation that an instruction becomes, in the order in which registers are read.
fn parts(t: &Table, i: &Insn) -> Vec<Part> {
    let format = &t.format[&i.format];
    let operands = i.operands();
    let part = |name: &str, ty: &str, value: String, tensor| Part {
        name: name.into(),
        ty: ty.into(),
        value,
        tensor,
    };
    // A flag that is named like an operand says whether that is read.
    let flag_of = |operand: &str| {
        let flags = format.fields.iter().filter(|(_, f)| t.kind[&f.kind].class == "flags");
        flags
            .filter(|(_, f)| t.kind[&f.kind].values.contains_key(operand))
            .map(|(name, f)| format!("{name}.contains({}::{})", t.kind[&f.kind].rust, operand.to_uppercase()))
            .next()
    };
    let mut all = Vec::new();
    for n in &operands {
        let field = &format.fields[*n];
        let kind = &t.kind[&field.kind];
        match (kind.class.as_str(), field.kind.as_str(), *n) {
            ("register", "t", _) => all.push(match flag_of(n) {
                None => part(n, "TensorDesc", format!("r.tensor({n})?"), Some(false)),
                Some(flag) => part(
                    n,
                    "Option<TensorDesc>",
                    format!("if {flag} {{ Some(r.tensor({n})?) }} else {{ None }}"),
                    Some(true),
                ),
            }),
            ("register", "q", _) => all.push(part(n, "QuantDesc", format!("r.quant({n})?"), None)),
            ("register", "w", _) => all.push(part(n, "WindowDesc", format!("r.window({n})?"), None)),
            ("register", "x", "oy") => {
                all.push(part("origin", "[i64; 2]", "[r.scalar(oy), r.scalar(ox)]".into(), None));
            }
            // Handled with its `oy`.
            ("register", "x", "ox") => assert!(operands.contains(&"oy"), "{}: ox without oy", i.mnemonic),
            ("register", "x", "mask") => {
                all.insert(
                    0,
                    part("pruned", "Option<Pruned>", "Some(r.pruned(weights, mask)?)".into(), None),
                );
            }
            ("enum", "queue", _) => {}
            ("enum", ..) => all.push(part(n, &kind.rust, (*n).into(), None)),
            ("flags", ..) => {
                for flag in kind.ordered().into_iter().map(|(f, _)| f).filter(|f| !operands.contains(f)) {
                    let name = if flag == "acc" { "accumulate" } else { flag };
                    let value = format!("{n}.contains({}::{})", kind.rust, flag.to_uppercase());
                    all.push(part(name, "bool", value, None));
                }
            }
            (class, kind, _) => {
                panic!("{}: {n} is a {class} operand of kind {kind}, which no operation holds", i.mnemonic)
            }
        }
    }
    all
}

/// What the operations are made of; instructions that become the same one must agree.
struct Operation<'t> {
    name: &'t str,
    record: &'t str,
    insns: Vec<&'t Insn>,
    parts: Vec<Part>,
}

fn operations(t: &Table) -> Vec<Operation<'_>> {
    let mut all: Vec<Operation<'_>> = Vec::new();
    for i in t.insn.iter().filter(|i| i.unit != "control") {
        let new = parts(t, i);
        match all.iter_mut().find(|o| o.name == i.op) {
            None => all.push(Operation { name: &i.op, record: &i.record, insns: vec![i], parts: new }),
            Some(known) => {
                assert!(known.record == i.record, "{}: {} has another record", i.mnemonic, i.op);
                known.insns.push(i);
                for part in new {
                    if !known.parts.iter().any(|p| p.name == part.name) {
                        known.parts.push(part);
                    }
                }
            }
        }
    }
    all
}

impl Operation<'_> {
    /// The operation as a pattern that binds some of its fields.
    fn pattern(&self, fields: &[&str]) -> String {
        match (self.record, self.parts.is_empty()) {
            ("", true) => format!("OpKind::{}", self.name),
            ("", false) if fields.is_empty() => format!("OpKind::{} {{ .. }}", self.name),
            ("", false) => format!("OpKind::{} {{ {}, .. }}", self.name, fields.join(", ")),
            (record, _) if fields.is_empty() => {
                assert!(!record.is_empty());
                format!("OpKind::{}(_)", self.name)
            }
            (record, _) => format!("OpKind::{}({record} {{ {}, .. }})", self.name, fields.join(", ")),
        }
    }

    fn has(&self, field: &str) -> bool {
        self.parts.iter().any(|p| p.name == field)
    }
}

pub(super) fn generate(t: &Table) -> String {
    let ops = operations(t);
    let mut out = String::from(HEAD);
    imports(&mut out, t, &ops);
    enumeration(&mut out, &ops);
    for (name, what, units) in [
        ("dma_op", "everything that only moves", &["dmain", "dmaout"][..]),
        ("mac_op", "everything that multiplies and accumulates", &["mac"]),
        ("vec_op", "everything that the vector unit executes", &["vec"]),
    ] {
        let inside = |o: &&Operation<'_>| o.insns.iter().all(|i| units.contains(&i.unit.as_str()));
        let list = ops.iter().filter(inside).map(|o| format!("$crate::sim::op::{}", o.pattern(&[])));
        patterns(&mut out, name, what, list);
    }
    out.push_str("impl OpKind {\n");
    capture(&mut out, t, &ops);
    lookup(
        &mut out,
        &ops,
        "The written tensor; none for `qnop`.",
        "dst(&self) -> Option<&TensorDesc>",
        "None",
        |o| o.insns[0].writes.first().map(|w| (w.clone(), format!("Some({w})"))),
    );
    lookup(
        &mut out,
        &ops,
        "How it brings its result to the output type.",
        "quant(&self) -> Option<&QuantDesc>",
        "None",
        |o| o.has("quant").then(|| ("quant".into(), "Some(quant)".into())),
    );
    lookup(
        &mut out,
        &ops,
        "Whether the present accumulators are read.",
        "accumulates(&self) -> bool",
        "false",
        |o| o.has("accumulate").then(|| ("accumulate".into(), "*accumulate".into())),
    );
    reads(&mut out, &ops);
    out.push_str("}\n");
    format_source(&out)
}

fn imports(out: &mut String, t: &Table, ops: &[Operation<'_>]) {
    let mut names: BTreeSet<String> = ["Insn", "TensorDesc", "QuantDesc"].map(String::from).into();
    for part in ops.iter().flat_map(|o| &o.parts) {
        let ty = part.ty.trim_start_matches("Option<").trim_end_matches('>');
        if ty.chars().next().is_some_and(char::is_uppercase) && ty != "Pruned" {
            names.insert(ty.into());
        }
        names.extend(
            t.kind
                .values()
                .filter(|k| k.class == "flags" && part.value.contains(&k.rust))
                .map(|k| k.rust.clone()),
        );
    }
    let records: BTreeSet<&str> = ops.iter().map(|o| o.record).filter(|r| !r.is_empty()).collect();
    let _ = write!(
        out,
        "use super::conv::{{{}}};\nuse super::registers::Registers;\nuse crate::isa::{{{}, control_insn}};\n\n",
        records.into_iter().collect::<Vec<_>>().join(", "),
        names.into_iter().collect::<Vec<_>>().join(", ")
    );
}

fn enumeration(out: &mut String, ops: &[Operation<'_>]) {
    out.push_str(
        "/// What a queue instruction does, with everything captured that its operands name.\n\
         #[derive(Debug, Clone, Copy, PartialEq)]\npub enum OpKind {\n",
    );
    for o in ops {
        let mnemonics: Vec<String> = o.insns.iter().map(|i| format!("`{}`", i.mnemonic)).collect();
        let _ = write!(out, "/// {}\n{}", mnemonics.join(", "), o.name);
        if !o.record.is_empty() {
            let _ = write!(out, "({})", o.record);
        } else if !o.parts.is_empty() {
            let fields: Vec<String> = o.parts.iter().map(|p| format!("{}: {}", p.name, p.ty)).collect();
            let _ = write!(out, " {{ {} }}", fields.join(", "));
        }
        out.push_str(",\n");
    }
    out.push_str("}\n\n");
}

fn capture(out: &mut String, t: &Table, ops: &[Operation<'_>]) {
    // All fields of a record, whichever of its instructions has them.
    let mut records: BTreeMap<&str, Vec<&Part>> = BTreeMap::new();
    for part in
        ops.iter().filter(|o| !o.record.is_empty()).flat_map(|o| o.parts.iter().map(move |p| (o.record, p)))
    {
        let known = records.entry(part.0).or_default();
        if !known.iter().any(|k| k.name == part.1.name) {
            known.push(part.1);
        }
    }
    out.push_str(
        "/// The operation that an instruction is with the present contents of the registers; none for an instruction of the\n\
         /// control core.\n///\n/// # Errors\n/// Those of the registers.\n\
         pub fn capture<R: Registers>(insn: &Insn, r: &mut R) -> Result<Option<OpKind>, R::Error> {\nOk(Some(match *insn {\n",
    );
    for o in ops {
        for i in &o.insns {
            let own = parts(t, i);
            let used = |n: &&str| {
                own.iter().any(|p| p.value.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == *n))
            };
            let fields: Vec<String> =
                i.operands().iter().filter(|n| used(n)).map(|n| format!("{n}, ")).collect();
            let _ = write!(out, "Insn::{} {{ {}.. }} => OpKind::{}", i.variant(), fields.join(""), o.name);
            let field = |p: &Part| {
                if p.name == p.value { p.name.clone() } else { format!("{}: {}", p.name, p.value) }
            };
            let mut list: Vec<String> = own.iter().map(field).collect();
            let whole =
                if o.record.is_empty() { o.parts.iter().collect() } else { records[o.record].clone() };
            for missing in whole.into_iter().filter(|w| !own.iter().any(|p| p.name == w.name)) {
                assert!(missing.ty.starts_with("Option<"), "{}: has no {}", i.mnemonic, missing.name);
                list.push(format!("{}: None", missing.name));
            }
            let list = list.join(", ");
            let _ = match (o.record, list.is_empty()) {
                ("", true) => writeln!(out, ","),
                ("", false) => writeln!(out, " {{ {list} }},"),
                (record, _) => writeln!(out, "({record} {{ {list} }}),"),
            };
        }
    }
    out.push_str("control_insn!() => return Ok(None),\n}))\n}\n\n");
}

/// A function that returns one field of the operations that have it.
fn lookup(
    out: &mut String,
    ops: &[Operation<'_>],
    doc: &str,
    signature: &str,
    none: &str,
    of: impl Fn(&Operation<'_>) -> Option<(String, String)>,
) {
    let _ = write!(out, "/// {doc}\n#[must_use]\npub fn {signature} {{\nmatch self {{\n");
    let mut arms: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for o in ops {
        let (fields, value) = of(o).map_or((Vec::new(), none.to_string()), |(f, v)| (vec![f], v));
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        arms.entry(value).or_default().push(o.pattern(&fields));
    }
    for (value, patterns) in arms {
        let _ = writeln!(out, "{} => {value},", patterns.join(" | "));
    }
    out.push_str("}\n}\n\n");
}

/// The tensors that an operation reads, as the table lists them.
fn reads(out: &mut String, ops: &[Operation<'_>]) {
    let most = ops.iter().map(|o| o.insns[0].reads.len()).max().unwrap_or(0);
    let _ = write!(
        out,
        "/// The tensors that are read, in the table's order; present accumulators and multipliers are none of them.\n\
         pub fn reads(&self) -> impl Iterator<Item = &TensorDesc> {{\nlet list: [Option<&TensorDesc>; {most}] = match self {{\n"
    );
    let mut arms: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for o in ops {
        let names: Vec<&str> = o.insns[0].reads.iter().map(String::as_str).collect();
        assert!(
            o.insns.iter().all(|i| i.reads == names),
            "{}: its instructions read different operands",
            o.name
        );
        let optional = |n: &str| o.parts.iter().any(|p| p.name == n && p.tensor == Some(true));
        let mut values: Vec<String> = names
            .iter()
            .map(|n| if optional(n) { format!("{n}.as_ref()") } else { format!("Some({n})") })
            .collect();
        values.resize(most, "None".into());
        arms.entry(values.join(", ")).or_default().push(o.pattern(&names));
    }
    for (values, patterns) in arms {
        let _ = writeln!(out, "{} => [{values}],", patterns.join(" | "));
    }
    out.push_str("};\nlist.into_iter().flatten()\n}\n");
}

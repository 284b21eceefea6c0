//! Reads and checks `isa/rcn.toml`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    pub isa: String,
    pub version: u32,
    pub word_bits: u32,
    pub opcode: Bits,
    pub kind: BTreeMap<String, Kind>,
    pub descriptor: BTreeMap<String, Descriptor>,
    pub timing: BTreeMap<String, Timing>,
    pub format: BTreeMap<String, Format>,
    pub insn: Vec<Insn>,
}

#[derive(Debug, Deserialize, Clone, Copy)]
#[serde(deny_unknown_fields)]
pub(super) struct Bits {
    pub lo: u32,
    pub width: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kind {
    pub class: String,
    #[serde(default)]
    pub rust: String,
    #[serde(default)]
    pub prefix: String,
    #[serde(default)]
    pub count: u32,
    #[serde(default)]
    pub values: BTreeMap<String, u32>,
    #[serde(default)]
    pub exclusive: Vec<Vec<String>>,
    pub doc: String,
}

impl Kind {
    /// Names in order of their values.
    pub(super) fn ordered(&self) -> Vec<(&str, u32)> {
        let mut all: Vec<(&str, u32)> = self.values.iter().map(|(n, v)| (n.as_str(), *v)).collect();
        all.sort_by_key(|(_, v)| *v);
        all
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Descriptor {
    pub rust: String,
    pub kind: String,
    pub bytes: u32,
    pub align: u32,
    pub doc: String,
    pub fields: Vec<DescField>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DescField {
    pub name: String,
    pub offset: u32,
    #[serde(rename = "type")]
    pub ty: String,
    #[serde(default)]
    pub rust: String,
    #[serde(default)]
    pub count: Option<u32>,
    #[serde(default)]
    pub unit: String,
    #[serde(default)]
    pub values: BTreeMap<String, u32>,
    #[serde(default)]
    pub legal: Vec<u32>,
    pub doc: String,
}

impl DescField {
    /// Bytes of one element.
    pub(super) fn size(&self) -> u32 {
        match self.ty.as_str() {
            "i64" => 8,
            "u32" | "i32" | "f32" => 4,
            "u16" | "i16" => 2,
            "u8" | "enum" => 1,
            other => panic!("descriptor field {}: unknown type {other}", self.name),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Timing {
    pub formula: String,
    pub doc: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Format {
    pub fields: BTreeMap<String, Field>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Field {
    pub lo: u32,
    pub width: u32,
    pub kind: String,
}

impl Field {
    /// Bits of the field in the word.
    pub(super) fn mask(&self) -> u128 {
        ((1_u128 << self.width) - 1) << self.lo
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Insn {
    pub mnemonic: String,
    pub opcode: u8,
    pub format: String,
    pub unit: String,
    pub timing: String,
    #[serde(default)]
    pub op: String,
    #[serde(default)]
    pub record: String,
    pub syntax: String,
    #[serde(default)]
    pub reads: Vec<String>,
    #[serde(default)]
    pub writes: Vec<String>,
    pub does: String,
}

impl Insn {
    /// `dma.in` → `DmaIn`.
    pub(super) fn variant(&self) -> String {
        self.mnemonic
            .split('.')
            .map(|part| {
                let mut letters = part.chars();
                letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
            })
            .collect()
    }

    /// Field names in the order of the syntax.
    pub(super) fn operands(&self) -> Vec<&str> {
        self.syntax.split('{').skip(1).filter_map(|s| s.split('}').next()).collect()
    }
}

/// Loads the table and checks that it is consistent.
pub(super) fn load() -> Table {
    let text = std::fs::read_to_string(crate::repository::root().join("isa/rcn.toml")).unwrap();
    let table: Table = toml::from_str(&text).unwrap_or_else(|e| panic!("isa/rcn.toml: {e}"));
    check(&table);
    table
}

fn check(t: &Table) {
    assert_eq!((t.word_bits, t.opcode.lo, t.opcode.width), (128, 0, 8), "the word layout is fixed");
    let mut used_kinds: BTreeSet<&str> = t.descriptor.values().map(|d| d.kind.as_str()).collect();
    for (name, format) in &t.format {
        let mut taken = (1_u128 << t.opcode.width) - 1;
        for (field, f) in &format.fields {
            assert!(f.width > 0 && f.lo + f.width <= 128, "format {name}.{field}: outside the word");
            assert_eq!(taken & f.mask(), 0, "format {name}.{field}: overlaps another field");
            taken |= f.mask();
            let kind =
                t.kind.get(&f.kind).unwrap_or_else(|| panic!("format {name}.{field}: no kind {}", f.kind));
            used_kinds.insert(&f.kind);
            match kind.class.as_str() {
                "register" => assert_eq!(kind.count, 1 << f.width, "{name}.{field}: count and width differ"),
                "enum" | "flags" => assert!(
                    kind.values.values().all(|v| u64::from(*v)
                        < if kind.class == "enum" { 1 << f.width } else { u64::from(f.width) }),
                    "{name}.{field}: a value does not fit"
                ),
                "condition" => assert_eq!(f.width, 11, "{name}.{field}: conditions have 11 bits"),
                "signed" | "unsigned" | "relative" => {
                    assert!(f.width == 32 || f.width == 64, "{name}.{field}: immediates have 32 or 64 bits");
                }
                other => panic!("kind {}: unknown class {other}", f.kind),
            }
        }
    }
    for kind in t.kind.keys() {
        assert!(used_kinds.contains(kind.as_str()), "kind {kind} is not used");
    }
    let mut opcodes = BTreeSet::new();
    let mut mnemonics = BTreeSet::new();
    let (mut formats, mut timings) = (BTreeSet::new(), BTreeSet::new());
    for i in &t.insn {
        assert!(i.opcode != 0 && opcodes.insert(i.opcode), "{}: opcode {:#x} is taken", i.mnemonic, i.opcode);
        assert!(mnemonics.insert(&i.mnemonic), "{}: defined twice", i.mnemonic);
        let format =
            t.format.get(&i.format).unwrap_or_else(|| panic!("{}: no format {}", i.mnemonic, i.format));
        assert!(t.timing.contains_key(&i.timing), "{}: no timing class {}", i.mnemonic, i.timing);
        formats.insert(&i.format);
        timings.insert(&i.timing);
        let shown: BTreeSet<&str> = i.operands().into_iter().collect();
        assert_eq!(shown.len(), i.operands().len(), "{}: an operand stands twice in the syntax", i.mnemonic);
        let fields: BTreeSet<&str> =
            format.fields.iter().filter(|(_, f)| f.kind != "cond").map(|(n, _)| n.as_str()).collect();
        assert_eq!(shown, fields, "{}: syntax and format name different fields", i.mnemonic);
        for operand in i.reads.iter().chain(&i.writes) {
            assert_eq!(format.fields[operand].kind, "t", "{}: {operand} is not a tensor operand", i.mnemonic);
        }
        let queue = ["dmain", "dmaout", "mac", "vec", "queue"].contains(&i.unit.as_str());
        assert!(queue || i.unit == "control", "{}: unknown unit {}", i.mnemonic, i.unit);
        assert_eq!(queue, format.fields.contains_key("cond0"), "{}: conditions belong to queues", i.mnemonic);
        assert_eq!(
            queue,
            !i.op.is_empty(),
            "{}: queue instructions, and no others, name an `op`",
            i.mnemonic
        );
        assert!(i.writes.len() <= 1, "{}: writes more than one tensor", i.mnemonic);
    }
    assert!(t.format.keys().all(|f| formats.contains(f)), "a format is not used");
    assert!(t.timing.keys().all(|f| timings.contains(f)), "a timing class is not used");
    for (name, d) in &t.descriptor {
        let mut taken = BTreeSet::new();
        for f in &d.fields {
            for byte in f.offset..f.offset + f.size() * f.count.unwrap_or(1) {
                assert!(byte < d.bytes && taken.insert(byte), "descriptor {name}.{}: byte {byte}", f.name);
            }
            assert_eq!(f.offset % f.size(), 0, "descriptor {name}.{}: not aligned", f.name);
        }
    }
}

//! Text → program.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use nom::Err;

use super::super::{CodeRange, HostEntry, Layer, MachineId, Place, Program, RemovedEntry, Role, TensorEntry};
use super::data::{self, Data};
use crate::dtype::DType;
use crate::isa::asm::{self, Expected, Number, Parsed};
use crate::isa::limits::MAX_EXTENT;
use crate::isa::{ISA_VERSION, Insn};
use crate::machine::Machine;

/// Most bytes of constants and host models that text may describe.
const MAX_CONSTANTS: usize = 1 << 30;
/// Most bytes of them in `.zero`: a short text must not fill the memory.
const MAX_ZEROS: usize = 1 << 28;
/// Most errors that are reported.
const MAX_ERRORS: usize = 20;

/// One error in assembly text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsmError {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// The range of bytes in the whole text.
    span: Range<usize>,
}

/// All errors of a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(|e| format!("line {}, column {}: {}", e.line, e.column, e.message)).collect::<Vec<_>>().join("\n"))]
pub struct AsmErrors(pub Vec<AsmError>);

impl AsmErrors {
    /// The errors, each with its line and carets below it. `source` is the text, `path` its name.
    #[must_use]
    pub fn render(&self, source: &str, path: &str) -> String {
        let renderer = Renderer::plain();
        let report = |e: &AsmError| {
            let mark = AnnotationKind::Primary.span(e.span.clone());
            let snippet = Snippet::source(source).path(path).annotation(mark);
            renderer.render(&[Level::ERROR.primary_title(e.message.as_str()).element(snippet)]).to_string()
        };
        self.0.iter().map(report).collect::<Vec<_>>().join("\n")
    }
}

/// Assembles a program.
///
/// # Errors
/// Every error found, up to 20.
pub fn assemble(source: &str) -> Result<Program, AsmErrors> {
    let mut assembler = Assembler::new();
    let mut offset = 0;
    for (at, line) in source.split('\n').enumerate() {
        let place = Line { number: at + 1, offset, text: line.strip_suffix('\r').unwrap_or(line) };
        assembler.line(&place);
        if assembler.errors.len() >= MAX_ERRORS {
            break;
        }
        offset += line.len() + 1;
    }
    assembler.finish()
}

#[derive(Debug, Clone, Copy)]
struct Line<'a> {
    number: usize,
    /// Offset of its first byte in the text.
    offset: usize,
    text: &'a str,
}

impl Line<'_> {
    /// An error at bytes `span` of the line.
    fn error(&self, span: Range<usize>, message: impl Into<String>) -> AsmError {
        let start = span.start.min(self.text.len());
        let end = span.end.clamp(start, self.text.len());
        AsmError {
            line: self.number,
            column: self.text.get(..start).map_or(start, |t| t.chars().count()) + 1,
            message: message.into(),
            span: self.offset + start..self.offset + end,
        }
    }
}

/// The section that statements belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Code,
    Constants,
    Model,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Symbol {
    Code(usize),
    Constant(usize),
    Buffer(usize),
    Number(i64),
}

/// A statement with unresolved symbols, and its line for errors.
struct Pending<'a, T> {
    line: Line<'a>,
    /// Bytes of the line behind the statement (a comment).
    tail: usize,
    what: T,
}

enum Word {
    Raw(u128),
    Insn(Parsed),
}

struct Assembler<'a> {
    program: Program,
    section: Section,
    constants: Vec<u8>,
    /// Bytes of constants and models so far.
    data_bytes: usize,
    /// Bytes of `.zero` so far.
    zeros: usize,
    models: Vec<Vec<u8>>,
    code: Vec<Pending<'a, Word>>,
    /// Addresses in the constants.
    addresses: Vec<Pending<'a, (usize, Number)>>,
    /// Tensors in short form: index, address.
    places: Vec<Pending<'a, (usize, Number)>>,
    symbols: BTreeMap<String, Symbol>,
    buffers: Vec<u64>,
    machine: Option<MachineId>,
    dram: Option<u64>,
    layer: Option<CodeRange>,
    errors: Vec<AsmError>,
}

/// The statement without its comment: up to the first `;` outside quotes.
fn statement(line: &str) -> &str {
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ';' if !quoted => return &line[..at],
            _ => {}
        }
    }
    line
}

impl<'a> Assembler<'a> {
    fn new() -> Assembler<'a> {
        let mut program = Program::default();
        program.meta.isa_version = ISA_VERSION;
        Assembler {
            program,
            section: Section::Code,
            constants: Vec::new(),
            data_bytes: 0,
            zeros: 0,
            models: Vec::new(),
            code: Vec::new(),
            addresses: Vec::new(),
            places: Vec::new(),
            symbols: BTreeMap::new(),
            buffers: Vec::new(),
            machine: None,
            dram: None,
            layer: None,
            errors: Vec::new(),
        }
    }

    fn line(&mut self, line: &Line<'a>) {
        let text = statement(line.text);
        let mut rest = text.trim_start();
        // Labels.
        while let Ok((after, label)) = asm::name(rest)
            && let Some(behind) = after.trim_start().strip_prefix(':')
        {
            let symbol = match self.section {
                Section::Code => Symbol::Code(self.code.len()),
                _ => Symbol::Constant(self.constants.len()),
            };
            let at = text.len() - rest.len();
            self.define(line, at..at + label.len(), label, symbol);
            rest = behind.trim_start();
        }
        if rest.trim_end().is_empty() {
            return;
        }
        let body = rest.trim_end();
        let start = text.len() - rest.len();
        let tail = line.text.len() - (start + body.len());
        let result = if body.starts_with('.') {
            self.directive(line, body, tail)
        } else {
            self.instruction(line, body, tail)
        };
        if let Err(e) = result {
            let (rest, message) = match e {
                Err::Error(e) | Err::Failure(e) => (e.rest.len(), e.message),
                Err::Incomplete(_) => (0, "the line is not complete".into()),
            };
            let at = (start + body.len()).saturating_sub(rest);
            // The caret covers the word at the error.
            let word = line.text.get(at..).map_or(0, |t| t.find([' ', ',', '(', ')']).unwrap_or(t.len()));
            self.errors.push(line.error(at..at + word.max(1), message));
        }
    }

    fn define(&mut self, line: &Line<'a>, span: Range<usize>, name: &str, symbol: Symbol) {
        if self.symbols.insert(name.into(), symbol).is_some() {
            self.errors.push(line.error(span, format!("\"{name}\" is defined twice")));
        }
    }

    fn instruction(&mut self, line: &Line<'a>, body: &'a str, tail: usize) -> Result<(), Err<Expected<'a>>> {
        if self.section != Section::Code {
            return Err(failure(body, "an instruction is expected behind .code only"));
        }
        let (_, parsed) = asm::parse(body)?;
        self.code.push(Pending { line: *line, tail, what: Word::Insn(parsed) });
        Ok(())
    }

    fn directive(&mut self, line: &Line<'a>, body: &'a str, tail: usize) -> Result<(), Err<Expected<'a>>> {
        let (rest, word) =
            asm::name(&body[1..]).map_err(|_| failure(body, "a directive is expected here"))?;
        let rest = rest.trim_start();
        if let Some(parsed) = data::directive(word, rest) {
            let (after, found) = parsed?;
            end_of_line(after)?;
            return self.data(line, body, tail, found);
        }
        let meta = &mut self.program.meta;
        match word {
            "code" => self.section = Section::Code,
            "const" => self.section = Section::Constants,
            "model" => {
                self.section = Section::Model;
                self.models.push(Vec::new());
            }
            "name" => meta.name = json(rest)?,
            "layer" => meta.layers.push(json::<Layer>(rest)?),
            "host" => meta.hosts.push(json::<HostEntry>(rest)?),
            "removed" => meta.removed.push(json::<RemovedEntry>(rest)?),
            "tensor" if rest.starts_with('{') => meta.tensors.push(json::<TensorEntry>(rest)?),
            "tensor" => self.tensor(line, rest, tail)?,
            "isa" => meta.isa_version = whole(rest, u32::MAX.into())? as u32,
            "dram" => self.dram = Some(whole(rest, i64::MAX.into())? as u64),
            "machine" => self.machine = Some(machine(rest)?),
            "zero" => {
                let n = whole(rest, MAX_ZEROS as i128)? as usize;
                self.zeros += n;
                if self.zeros > MAX_ZEROS {
                    return Err(failure(rest, "runs of zeros exceed 2^28 bytes"));
                }
                self.data(line, body, tail, Data { bytes: vec![0; n], addresses: Vec::new() })?;
            }
            "align" => {
                let n = whole(rest, 4096)? as usize;
                if n == 0 {
                    return Err(failure(rest, "an alignment is at least 1"));
                }
                let gap = self.constants.len().next_multiple_of(n) - self.constants.len();
                self.data(line, body, tail, Data { bytes: vec![0; gap], addresses: Vec::new() })?;
            }
            "word" => {
                let (after, n) =
                    data::plain(rest, 0, i128::MAX).or_else(|_| big(rest).map(|n| ("", n as i128)))?;
                end_of_line(after)?;
                self.code.push(Pending { line: *line, tail, what: Word::Raw(n as u128) });
            }
            "equ" | "buffer" => {
                let (after, symbol) =
                    asm::name(rest).map_err(|_| failure(rest, "a name is expected here"))?;
                let value = after.trim_start().trim_start_matches(',');
                let n = whole(value, i64::MAX.into())?;
                let what = if word == "equ" {
                    Symbol::Number(n as i64)
                } else {
                    self.buffers.push(n as u64);
                    Symbol::Buffer(self.buffers.len() - 1)
                };
                let at = line.text.len() - tail - rest.len();
                self.define(line, at..at + symbol.len(), symbol, what);
            }
            "in" => {
                let at = self.code.len() as u32;
                self.close_layer(at);
                if rest.trim() != "none" {
                    let layer = whole(rest, u32::MAX.into())? as u32;
                    self.layer = Some(CodeRange { start: at, end: at, layer });
                }
            }
            other => {
                return Err(failure(
                    body,
                    format!("there is no directive \".{other}\"; the manual lists them"),
                ));
            }
        }
        Ok(())
    }

    fn close_layer(&mut self, end: u32) {
        if let Some(range) = self.layer.take() {
            self.program.meta.provenance.push(CodeRange { end, ..range });
        }
    }

    fn data(
        &mut self,
        line: &Line<'a>,
        body: &'a str,
        tail: usize,
        found: Data,
    ) -> Result<(), Err<Expected<'a>>> {
        let to = match self.section {
            Section::Code => return Err(failure(body, "data is expected behind .const only")),
            Section::Constants => &mut self.constants,
            Section::Model => match self.models.last_mut() {
                Some(model) => model,
                None => return Ok(()),
            },
        };
        let base = to.len();
        self.data_bytes += found.bytes.len();
        if self.data_bytes > MAX_CONSTANTS {
            return Err(failure(body, "constants and host models exceed 2^30 bytes"));
        }
        to.extend(found.bytes);
        if self.section == Section::Model && !found.addresses.is_empty() {
            return Err(failure(body, "a host model holds no addresses"));
        }
        for (at, number) in found.addresses {
            self.addresses.push(Pending { line: *line, tail, what: (base + at, number) });
        }
        Ok(())
    }

    /// `NAME ROLE TYPE [SHAPE] at ADDRESS [layer N]`.
    fn tensor(&mut self, line: &Line<'a>, rest: &'a str, tail: usize) -> Result<(), Err<Expected<'a>>> {
        let (rest, name) =
            asm::name(rest).map_err(|_| failure(rest, "a name or a JSON record is expected here"))?;
        let (start, after) = (rest.trim_start(), rest.trim_start());
        let (rest, role) = asm::name(after).map_err(|_| failure(start, "a role is expected here"))?;
        let role = match role {
            "input" => Role::Input,
            "output" => Role::Output,
            "layer" => Role::Layer,
            _ => return Err(failure(start, "a role is expected here: input, output or layer")),
        };
        let rest = rest.trim_start();
        let wanted =
            || failure(rest, "an element type is expected here: u8, s8, u16, s16, s32, s64, f32 or bool");
        let (after, dtype) = asm::name(rest).map_err(|_| wanted())?;
        let dtype = DType::from_name(dtype).ok_or_else(wanted)?;
        let rest = after;
        let (rest, shape) = data::extents(rest, 1, MAX_EXTENT.into())?;
        let rest = match rest.strip_prefix("at") {
            Some(rest) => rest.trim_start(),
            None => return Err(failure(rest, "`at` and an address are expected here")),
        };
        let (rest, address) = asm::number(rest)?;
        let mut rest = rest.trim_start();
        let mut layer = None;
        if let Some(number) = rest.strip_prefix("layer") {
            let (after, n) = data::plain(number, 0, u32::MAX.into())?;
            layer = Some(n as u32);
            rest = after;
        }
        end_of_line(rest)?;
        let size = dtype.bytes() as i64;
        let dims: Vec<u64> = shape.iter().map(|d| *d as u64).collect();
        let mut strides = vec![size; dims.len()];
        for i in (1..dims.len()).rev() {
            strides[i - 1] = strides[i].saturating_mul(dims[i] as i64);
        }
        let index = self.program.meta.tensors.len();
        self.program.meta.tensors.push(TensorEntry {
            name: name.into(),
            role,
            layer,
            dtype,
            shape: dims.clone(),
            place: Place { dims, strides, ..Place::default() },
            ..TensorEntry::default()
        });
        self.places.push(Pending { line: *line, tail, what: (index, address) });
        Ok(())
    }

    fn finish(mut self) -> Result<Program, AsmErrors> {
        let words = self.code.len() as u32;
        self.close_layer(words);
        let base = (self.constants.len() as u64).next_multiple_of(4096);
        let mut end = base;
        let addresses: Vec<i64> = self
            .buffers
            .iter()
            .map(|n| {
                let start = end.saturating_add(63) / 64 * 64;
                end = start.saturating_add(*n);
                start as i64
            })
            .collect();
        let symbols = std::mem::take(&mut self.symbols);
        let lookup = |name: &str| {
            Some(match *symbols.get(name)? {
                Symbol::Code(at) => (at as i64, true),
                Symbol::Constant(at) => (at as i64, false),
                Symbol::Number(n) => (n, false),
                Symbol::Buffer(i) => (addresses[i], false),
            })
        };
        let mut errors = std::mem::take(&mut self.errors);
        let value = |p: &Pending<(usize, Number)>, errors: &mut Vec<AsmError>| -> i64 {
            let number = &p.what.1;
            let symbol = match &number.symbol {
                None => Some(0),
                Some(name) => lookup(name).map(|(v, _)| v),
            };
            let sum = symbol.and_then(|s| i64::try_from(i128::from(s).checked_add(number.addend)?).ok());
            sum.unwrap_or_else(|| {
                let end = p.line.text.len() - p.tail;
                let span = end.saturating_sub(number.span.end)..end.saturating_sub(number.span.start);
                let message = match (&number.symbol, symbol) {
                    (Some(name), None) => format!("nothing is named \"{name}\""),
                    _ => "this address does not fit 64 bits".into(),
                };
                errors.push(p.line.error(span, message));
                0
            })
        };
        for p in &self.addresses {
            let v = value(p, &mut errors);
            self.constants[p.what.0..p.what.0 + 8].copy_from_slice(&v.to_le_bytes());
        }
        for p in &self.places {
            self.program.meta.tensors[p.what.0].place.address = value(p, &mut errors) as u64;
        }
        for (pc, p) in self.code.iter().enumerate() {
            let word = match &p.what {
                Word::Raw(word) => *word,
                Word::Insn(parsed) => match parsed.resolve(pc, &lookup) {
                    Ok(insn) => Insn::encode(&insn),
                    Err(e) => {
                        let end = p.line.text.len() - p.tail;
                        let span = end.saturating_sub(e.span.end)..end.saturating_sub(e.span.start);
                        errors.push(p.line.error(span, e.message));
                        0
                    }
                },
            };
            self.program.code.push(word);
        }
        if !errors.is_empty() {
            errors.sort_by_key(|e| (e.line, e.column));
            errors.truncate(MAX_ERRORS);
            return Err(AsmErrors(errors));
        }
        let mut program = self.program;
        program.meta.machine = self.machine.unwrap_or_else(|| shipped("rcn-m"));
        program.meta.dram_bytes = self.dram.unwrap_or(end);
        program.constants = self.constants.into();
        program.host_models = self.models.into_iter().map(Arc::from).collect();
        Ok(program)
    }
}

fn failure<'a>(rest: &'a str, message: impl Into<String>) -> Err<Expected<'a>> {
    Err::Failure(Expected { rest, message: message.into() })
}

fn end_of_line(rest: &str) -> Result<(), Err<Expected<'_>>> {
    let rest = rest.trim_start();
    if rest.is_empty() { Ok(()) } else { Err(failure(rest, "the end of the line is expected here")) }
}

/// A number up to the end of the line.
fn whole(rest: &str, hi: i128) -> Result<i128, Err<Expected<'_>>> {
    let (after, n) = data::plain(rest, 0, hi)?;
    end_of_line(after)?;
    Ok(n)
}

/// A hexadecimal number of up to 128 bits.
fn big(rest: &str) -> Result<u128, Err<Expected<'_>>> {
    let digits = rest.trim().strip_prefix("0x").and_then(|d| u128::from_str_radix(d, 16).ok());
    digits.ok_or_else(|| failure(rest, "a number of at most 128 bits is expected here"))
}

fn json<'a, T: serde::de::DeserializeOwned>(rest: &'a str) -> Result<T, Err<Expected<'a>>> {
    serde_json::from_str(rest).map_err(|e| {
        let at = rest.char_indices().nth(e.column().saturating_sub(1)).map_or(rest.len(), |(i, _)| i);
        failure(&rest[at..], format!("this JSON is not understood: {e}"))
    })
}

/// A word up to the next space, or a JSON string with any contents; and the text behind it.
fn word(rest: &str) -> Result<Option<(String, &str)>, Err<Expected<'_>>> {
    let rest = rest.trim_start();
    if !rest.starts_with('"') {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        return Ok((end > 0).then(|| (rest[..end].to_string(), &rest[end..])));
    }
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<String>();
    match values.next() {
        Some(Ok(text)) => Ok(Some((text, &rest[values.byte_offset()..]))),
        _ => Err(failure(rest, "this string is not understood: it is written as in JSON")),
    }
}

fn machine(rest: &str) -> Result<MachineId, Err<Expected<'_>>> {
    let (name, after) = word(rest)?.ok_or_else(|| failure(rest, "a machine is expected here"))?;
    let hash = word(after)?;
    end_of_line(hash.as_ref().map_or(after, |(_, after)| after))?;
    match hash {
        Some((hash, _)) => Ok(MachineId { name, hash }),
        None if Machine::named(&name).is_ok() => Ok(shipped(&name)),
        None => Err(failure(rest, format!("\"{name}\" is not shipped; write its hash behind its name"))),
    }
}

/// Name and hash of a shipped machine.
fn shipped(name: &str) -> MachineId {
    let hash = Machine::named(name).map_or_else(|_| String::new(), |m| format!("{:016x}", m.hash()));
    MachineId { name: name.into(), hash }
}

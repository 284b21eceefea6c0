//! One instruction from text, by the table: the inverse of [`disasm`](super::disasm).
//!
//! Parsing and resolving are two steps, since a label may be defined later: [`parse`] gives a [`Parsed`] with
//! [`Number`]s that may name symbols, [`Parsed::resolve`] puts their values into the fields.

use std::ops::Range;

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::character::complete::{char, digit1, hex_digit1, space0};
use nom::combinator::{opt, recognize};
use nom::sequence::{pair, preceded};
use nom::{Err, IResult, Parser};

use super::disasm::disassemble;
use super::generated::{Insn, Opcode};
use super::kinds::Queue;
use super::operand::{Class, Cond, FieldInfo, OpcodeInfo, Wait};

/// What was expected, and where: the rest of the line from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected<'a> {
    /// The text at the error.
    pub rest: &'a str,
    /// One sentence.
    pub message: String,
}

impl<'a> nom::error::ParseError<&'a str> for Expected<'a> {
    fn from_error_kind(rest: &'a str, _: nom::error::ErrorKind) -> Self {
        Expected { rest, message: "this is not understood here".into() }
    }

    fn append(_: &'a str, _: nom::error::ErrorKind, other: Self) -> Self {
        other
    }
}

/// Result of a parser of this module.
pub type Parse<'a, T> = IResult<&'a str, T, Expected<'a>>;

/// Fails at `rest` without trying alternatives.
pub fn fail<T>(rest: &str, message: impl Into<String>) -> Parse<'_, T> {
    Err(Err::Failure(Expected { rest, message: message.into() }))
}

/// A number, or a symbol with a number added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    /// Symbol, if there is one.
    pub symbol: Option<String>,
    /// The number.
    pub addend: i128,
    /// Its position in the parsed text, counted from the end: bytes from its start and end to the end of the
    /// line.
    pub span: Range<usize>,
}

/// Names: letters, digits, `_` and `.`, not beginning with a digit.
pub fn name(input: &str) -> Parse<'_, &str> {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let rest = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    recognize(pair(take_while1(first), take_while(rest))).parse(input)
}

/// Decimal or `0x` digits.
fn digits(input: &str) -> Parse<'_, i128> {
    let (rest, hex) = opt(preceded(alt((tag("0x"), tag("0X"))), hex_digit1)).parse(input)?;
    let (rest, value) = match hex {
        Some(h) => (rest, i128::from_str_radix(h, 16)),
        None => {
            let (rest, d) = digit1(input)?;
            (rest, d.parse())
        }
    };
    match value {
        Ok(v) => Ok((rest, v)),
        Err(_) => fail(input, "this number is too large"),
    }
}

/// `-?digits`, `symbol`, `symbol+digits` or `symbol-digits`.
pub fn number(input: &str) -> Parse<'_, Number> {
    let sign = |input| opt(alt((char('+'), char('-')))).parse(input);
    let negate = |s: Option<char>, v: i128| if s == Some('-') { -v } else { v };
    let spanned = |rest: &str, symbol, addend| Number { symbol, addend, span: rest.len()..input.len() };
    if let Ok((rest, symbol)) = name(input) {
        let (after, s) = sign(rest)?;
        if s.is_none() {
            return Ok((rest, spanned(rest, Some(symbol.into()), 0)));
        }
        let (rest, value) = digits(after)?;
        return Ok((rest, spanned(rest, Some(symbol.into()), negate(s, value))));
    }
    let (rest, s) = sign(input)?;
    match digits(rest) {
        Ok((rest, value)) => Ok((rest, spanned(rest, None, negate(s, value)))),
        Err(Err::Failure(e)) => Err(Err::Failure(e)),
        _ => fail(input, "a number or a symbol is expected here"),
    }
}

/// A parsed instruction whose symbols have no values yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    opcode: Opcode,
    operands: Vec<(FieldInfo, Number)>,
    wait: Wait,
}

/// Parses an instruction; everything up to the end of `input`.
///
/// # Errors
/// What was expected, and where.
pub fn parse(input: &str) -> Parse<'_, Parsed> {
    let (rest, mnemonic) = name(input).map_err(|_| {
        Err::Failure(Expected {
            rest: input,
            message: "an instruction, a label or a directive is expected here".into(),
        })
    })?;
    let Some(opcode) = Opcode::ALL.into_iter().find(|o| o.info().mnemonic == mnemonic) else {
        return fail(input, format!("there is no instruction \"{mnemonic}\"{}", similar(mnemonic)));
    };
    let info = opcode.info();
    let (rest, operands) = operands(rest, info)?;
    let (rest, wait) = if info.queued() { wait(rest)? } else { (rest, Wait::NONE) };
    let (rest, _) = space0(rest)?;
    if !rest.is_empty() {
        let after = if info.queued() && wait == Wait::NONE {
            "the end of the line or wait(…)"
        } else {
            "the end of the line"
        };
        return fail(rest, format!("{after} is expected here; the form is `{mnemonic} {}`", info.syntax));
    }
    Ok((rest, Parsed { opcode, operands, wait }))
}

/// ` (did you mean "mac.conv"?)`, by the longest common beginning.
fn similar(mnemonic: &str) -> String {
    let common = |other: &str| other.bytes().zip(mnemonic.bytes()).take_while(|(a, b)| a == b).count();
    let best = Opcode::ALL.into_iter().map(|o| o.info().mnemonic).max_by_key(|m| common(m));
    match best.filter(|m| common(m) >= 2) {
        Some(m) => format!("; did you mean \"{m}\"?"),
        None => "; isa/MANUAL.md lists them".into(),
    }
}

/// Follows the syntax in the table: literal text, and fields in braces.
fn operands<'a>(input: &'a str, info: &OpcodeInfo) -> Parse<'a, Vec<(FieldInfo, Number)>> {
    let mut rest = input;
    let mut found = Vec::new();
    let mut syntax = info.syntax;
    while let Some(open) = syntax.find('{') {
        let (literal, tail) = syntax.split_at(open);
        let (field, tail) = tail[1..].split_once('}').unwrap_or((&tail[1..], ""));
        rest = literal_text(rest, literal, info)?.0;
        if let Some(field) = info.fields.iter().find(|f| f.name == field) {
            let (after, value) = operand(space0(rest)?.0, field, info)?;
            rest = after;
            found.push((*field, value));
        }
        syntax = tail;
    }
    rest = literal_text(rest, syntax, info)?.0;
    Ok((rest, found))
}

fn literal_text<'a>(input: &'a str, literal: &str, info: &OpcodeInfo) -> Parse<'a, ()> {
    let mut rest = input;
    for c in literal.chars().filter(|c| !c.is_whitespace()) {
        let (trimmed, _) = space0(rest)?;
        match trimmed.strip_prefix(c) {
            Some(after) => rest = after,
            None => {
                let form = format!("`{c}` is expected here; the form is `{} {}`", info.mnemonic, info.syntax);
                return fail(trimmed, form);
            }
        }
    }
    Ok((rest, ()))
}

fn operand<'a>(input: &'a str, field: &FieldInfo, info: &OpcodeInfo) -> Parse<'a, Number> {
    let value = |rest: &'a str, v: u64| {
        (rest, Number { symbol: None, addend: v.into(), span: rest.len()..input.len() })
    };
    match field.class {
        Class::Register { prefix } => {
            let register = input.strip_prefix(prefix).filter(|r| r.starts_with(|c: char| c.is_ascii_digit()));
            let Some(after) = register else {
                let form = format!("`{} {}`", info.mnemonic, info.syntax);
                return fail(
                    input,
                    format!(
                        "a register {prefix}0…{prefix}{} is expected here: {form}",
                        (1_u64 << field.width) - 1
                    ),
                );
            };
            let (rest, n) = digits(after)?;
            match u64::try_from(n).ok().filter(|n| n >> field.width == 0) {
                Some(n) => Ok(value(rest, n)),
                None => fail(input, format!("the last register is {prefix}{}", (1_u64 << field.width) - 1)),
            }
        }
        Class::Signed | Class::Unsigned | Class::Relative => number(input),
        Class::Enum(values) => {
            if let Ok((rest, word)) = name(input)
                && let Some((_, v)) = values.iter().find(|(n, _)| *n == word)
            {
                return Ok(value(rest, (*v).into()));
            }
            let names: Vec<&str> = values.iter().map(|(n, _)| *n).collect();
            fail(input, format!("one of {} is expected here", names.join(", ")))
        }
        Class::Flags(values) => {
            let Some(mut rest) = input.strip_prefix('{') else { return Ok(value(input, 0)) };
            let mut set = 0;
            loop {
                rest = space0(rest)?.0;
                if let Some(after) = rest.strip_prefix('}') {
                    return Ok(value(after, set));
                }
                let found = name(rest).ok().and_then(|(after, word)| {
                    values.iter().find(|(n, _)| *n == word).map(|(_, bit)| (after, *bit))
                });
                match found {
                    Some((after, bit)) => {
                        set |= 1 << bit;
                        rest = after;
                    }
                    None => {
                        let names: Vec<&str> = values.iter().map(|(n, _)| *n).collect();
                        return fail(rest, format!("one of {} or `}}` is expected here", names.join(", ")));
                    }
                }
            }
        }
    }
}

/// `wait(mac-1, dmain)`, or nothing.
fn wait(input: &str) -> Parse<'_, Wait> {
    let (rest, _) = space0(input)?;
    let Some(mut rest) = rest.strip_prefix("wait") else { return Ok((input, Wait::NONE)) };
    rest = space0(rest)?.0;
    let Some(mut rest) = rest.strip_prefix('(') else { return fail(rest, "`(` is expected here") };
    let mut conds = [None, None];
    for cond in &mut conds {
        rest = space0(rest)?.0;
        let queue = name(rest)
            .ok()
            .and_then(|(after, word)| Queue::ALL.into_iter().find(|q| q.name() == word).map(|q| (after, q)));
        let Some((after, queue)) = queue else {
            return fail(rest, "a queue is expected here: dmain, dmaout, mac or vec");
        };
        rest = space0(after)?.0;
        let mut back = 0;
        if let Some(after) = rest.strip_prefix('-') {
            let (after, n) = digits(space0(after)?.0)?;
            match u8::try_from(n) {
                Ok(n) => back = n,
                Err(_) => return fail(rest, "a condition reaches back at most 255 instructions"),
            }
            rest = space0(after)?.0;
        }
        *cond = Some(Cond { queue, back });
        if let Some(after) = rest.strip_prefix(')') {
            return Ok((after, Wait(conds)));
        }
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None => return fail(rest, "`,` or `)` is expected here"),
        }
    }
    fail(rest, "an instruction carries at most two conditions; put more on a qnop before it")
}

/// Why an operand has no value, and its position (see [`Number::span`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unresolved {
    /// One sentence.
    pub message: String,
    /// Span, counted from the line's end.
    pub span: Range<usize>,
}

impl Parsed {
    /// The instruction with symbols resolved by `symbol`: to instruction indices for code labels (with
    /// `true`), to addresses for others. `pc` is the index of this instruction: branch targets are relative
    /// to it, unless they are numbers.
    ///
    /// # Errors
    /// An unknown symbol, or a value that does not fit its field.
    pub fn resolve(
        &self,
        pc: usize,
        symbol: &dyn Fn(&str) -> Option<(i64, bool)>,
    ) -> Result<Insn, Unresolved> {
        let mut word = u128::from(self.opcode.info().opcode);
        for (field, number) in &self.operands {
            let fail = |message: String| Unresolved { message, span: number.span.clone() };
            let relative = field.class == Class::Relative;
            let mut value = number.addend;
            if let Some(name) = &number.symbol {
                let Some((v, code)) = symbol(name) else {
                    return Err(fail(format!("nothing is named \"{name}\"")));
                };
                if relative != code {
                    let what = if code {
                        "a place in the code, not an address"
                    } else {
                        "an address, not a place in the code"
                    };
                    return Err(fail(format!("\"{name}\" is {what}")));
                }
                let from = i128::from(v) - if relative { pc as i128 } else { 0 };
                value = value.checked_add(from).ok_or_else(|| fail("this sum is far too large".into()))?;
            }
            let (lo, hi) = match field.class {
                Class::Signed | Class::Relative => {
                    (-(1_i128 << (field.width - 1)), (1_i128 << (field.width - 1)) - 1)
                }
                _ => (0, (1_i128 << field.width) - 1),
            };
            if value < lo || value > hi {
                return Err(fail(format!("{value} does not fit field {} ({lo} … {hi})", field.name)));
            }
            word |= (value as u128 & ((1_u128 << field.width) - 1)) << field.lo;
        }
        let whole = || 0..usize::MAX;
        let insn = Insn::decode(word).map_err(|e| Unresolved { message: e.to_string(), span: whole() })?;
        insn.with_wait(self.wait).ok_or_else(|| Unresolved {
            message: format!("`{}` takes no conditions", disassemble(&insn)),
            span: whole(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Insn {
        parse(text).unwrap().1.resolve(0, &|_| None).unwrap()
    }

    fn error(text: &str) -> (usize, String) {
        match parse(text).unwrap_err() {
            Err::Failure(e) | Err::Error(e) => (text.len() - e.rest.len(), e.message),
            Err::Incomplete(_) => (0, String::new()),
        }
    }

    #[test]
    fn spacing_is_free() {
        let tight = one("mac.conv t0,t1,t2,t3,w0,x4,x5{acc}wait(dmain,vec-1)");
        assert_eq!(tight, one("mac.conv  t0 , t1, t2, t3, w0, x4, x5 { acc } wait ( dmain , vec - 1 )"));
        assert_eq!(disassemble(&tight), "mac.conv t0, t1, t2, t3, w0, x4, x5 {acc} wait(dmain, vec-1)");
    }

    #[test]
    fn errors_name_place_and_form() {
        let (at, message) = error("addi x1, y2, 3");
        assert_eq!(at, 9);
        assert!(message.contains("x0…x31"), "{message}");
        let (at, message) = error("mac.convv t0");
        assert_eq!(at, 0);
        assert!(message.contains("did you mean \"mac.conv\""), "{message}");
        assert_eq!(error("addi x1 x2, 3").0, 8);
        assert_eq!(error("li x32, 0").0, 3);
        assert_eq!(error("halt now").0, 5);
        assert_eq!(error("dma.fill t0 wait(mac, vec, dmain)").0, 26);
        assert!(error("dma.fill t0 wait(mac-256)").1.contains("255"));
    }

    #[test]
    fn values_must_fit() {
        let (_, parsed) = parse("addi x1, x2, 2147483648").unwrap();
        let error = parsed.resolve(0, &|_| None).unwrap_err();
        assert!(error.message.contains("does not fit field imm"), "{}", error.message);
    }
}

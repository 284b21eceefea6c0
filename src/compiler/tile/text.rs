//! Text form of the tiled operations: [`print()`] and [`parse`] are inverse, so that lowering can be read and
//! tested as text.
//!
//! ```text
//! layer "conv1" conv
//!   for v0 = 0 to 112 step 28 {
//!     load spm u8 [1, 28, 112, 4] at (256 + (v0 * 448)) strides [0, 448, 4, 1] zp 0 lanes 4 in 256+50176 <- dram …
//!   }
//! ```
//!
//! An operation is its name, its views (destination, `<-`, sources), and what else it has: `quant`, `window`,
//! `origin`, `mask`, `accumulate`, `flag`. Expressions are fully parenthesized.

use std::fmt::Write;

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while1};
use nom::character::complete::{char, digit1, multispace0};
use nom::combinator::{cut, map_opt, opt, recognize, value};
use nom::multi::{many0, separated_list1};
use nom::sequence::{delimited, pair, preceded, terminated};
use nom::{IResult, Parser};

use super::{Buffer, Code, Expr, Quant, Slot, Stmt, TileLayer, TileOp, Var, View};
use crate::isa::{EType, Profile, Space, WindowDesc};
use crate::numeric::Rescale;

/// The text of some layers.
#[must_use]
pub fn print(layers: &[TileLayer]) -> String {
    let mut out = String::new();
    for layer in layers {
        let _ = writeln!(out, "layer {} {}", quoted(&layer.name), layer.kind);
        body(&layer.body, 1, &mut out);
        out.push('\n');
    }
    out
}

/// A string in quotes, with quotes and backslashes escaped.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn body(stmts: &[Stmt], depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    for s in stmts {
        match s {
            Stmt::Loop { var, start, end, step, slots, body: inner } => {
                let _ = write!(out, "{indent}for v{} = {start} to {end} step {step} ", var.0);
                for slot in slots {
                    let _ = write!(out, "slot v{} {} ", slot.var.0, slot.bytes);
                }
                out.push_str("{\n");
                body(inner, depth + 1, out);
                let _ = writeln!(out, "{indent}}}");
            }
            Stmt::Op(op) => {
                let _ = writeln!(out, "{indent}{}", operation(op));
            }
            Stmt::Host(id) => {
                let _ = writeln!(out, "{indent}host {id}");
            }
        }
    }
}

fn operation(op: &TileOp) -> String {
    let views: Vec<String> = op.views.iter().map(view).collect();
    let mut text = op.code.name().to_string();
    if let Some((to, from)) = views.split_first() {
        let _ = write!(text, " {to}");
        if !from.is_empty() {
            let _ = write!(text, " <- {}", from.join("; "));
        }
    }
    if let Some(q) = &op.quant {
        let [lo, hi] = q.clamp;
        let _ =
            write!(text, " quant zp {} clamp {lo} {hi} m {:?} {:?} c {:?}", q.zero_point, q.m0, q.m1, q.c);
        if q.profile.0 != Profile::Onnx {
            let [a, b, c] = q.profile.1.map(|r| format!("{} {}", r.multiplier, r.shift));
            let _ = write!(text, " profile {} {a} {b} {c}", q.profile.0.name());
        }
        if let Some((table, buffer)) = &q.table {
            let _ = write!(text, " table {} in {}", table, bytes(buffer));
        }
    }
    if let Some(w) = &op.window {
        let _ = write!(
            text,
            " window kernel {:?} stride {:?} dilation {:?} pads {:?} origin {} {}",
            w.kernel, w.stride, w.dilation, w.pads, op.origin[0], op.origin[1]
        );
    }
    if let Some(mask) = &op.mask {
        let _ = write!(text, " mask {mask}");
    }
    text.push_str(if op.accumulate { " accumulate" } else { "" });
    text.push_str(if op.flag { " flag" } else { "" });
    text
}

fn view(v: &View) -> String {
    let dims: Vec<String> = v.dims.iter().map(Expr::to_string).collect();
    format!(
        "{} {} [{}] at {} strides {:?} zp {} lanes {} in {}",
        v.space.name(),
        v.etype.name(),
        dims.join(", "),
        v.base,
        v.strides,
        v.zero_point,
        v.lanes,
        bytes(&v.buffer)
    )
}

fn bytes(b: &Buffer) -> String {
    let slot = b.slot.map_or_else(String::new, |Var(n)| format!(" slot v{n}"));
    let ahead = if b.ahead == 0 { String::new() } else { format!(" ahead {}", b.ahead) };
    format!("{}+{}{slot}{ahead}", b.start, b.bytes)
}

impl std::fmt::Display for Expr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Expr::Const(c) => write!(f, "{c}"),
            Expr::Var(v) => write!(f, "v{}", v.0),
            Expr::Add(a, b) => write!(f, "({a} + {b})"),
            Expr::Mul(a, b) => write!(f, "({a} * {b})"),
            Expr::Min(a, b) => write!(f, "min({a}, {b})"),
            Expr::Max(a, b) => write!(f, "max({a}, {b})"),
        }
    }
}

/// Why a text is not a list of tiled operations.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: this is not understood: {near}")]
pub struct TileTextError {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// The text there.
    pub near: String,
}

/// Reads what [`print()`] wrote.
///
/// # Errors
/// The place that could not be parsed.
pub fn parse(text: &str) -> Result<Vec<TileLayer>, TileTextError> {
    let place = |rest: &str| {
        let before = &text[..text.len() - rest.len()];
        TileTextError {
            line: before.matches('\n').count() + 1,
            column: before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1,
            near: rest.lines().next().unwrap_or_default().chars().take(40).collect(),
        }
    };
    match preceded(multispace0, many0(layer)).parse(text) {
        Ok(("", layers)) => Ok(layers),
        Ok((rest, _)) => Err(place(rest)),
        Err(nom::Err::Error(e) | nom::Err::Failure(e)) => Err(place(e.input)),
        Err(nom::Err::Incomplete(_)) => Err(place("")),
    }
}

/// A word and the space behind it.
fn word<'a>(w: &'static str) -> impl Parser<&'a str, Output = (), Error = nom::error::Error<&'a str>> {
    value((), terminated(tag(w), multispace0))
}

/// A signed number and the space behind it.
fn int<T: std::str::FromStr>(input: &str) -> IResult<&str, T> {
    let digits = recognize(pair(opt(char('-')), digit1));
    terminated(map_opt(digits, |s: &str| s.parse().ok()), multispace0).parse(input)
}

fn float(input: &str) -> IResult<&str, f32> {
    let text = take_while1(|c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'));
    terminated(map_opt(text, |s: &str| s.parse().ok()), multispace0).parse(input)
}

fn four<T: std::str::FromStr + Copy + Default, const N: usize>(input: &str) -> IResult<&str, [T; N]> {
    let list = delimited(word("["), separated_list1(word(","), int), word("]"));
    map_opt(list, |v: Vec<T>| <[T; N]>::try_from(v).ok()).parse(input)
}

fn string(input: &str) -> IResult<&str, String> {
    let (mut rest, _) = char('"')(input)?;
    let mut out = String::new();
    loop {
        let mut chars = rest.chars();
        match chars.next() {
            Some('"') => return Ok((chars.as_str().trim_start(), out)),
            Some('\\') => match chars.next() {
                Some(c) => out.push(c),
                None => return nom::combinator::fail().parse(rest),
            },
            Some(c) => out.push(c),
            None => return nom::combinator::fail().parse(rest),
        }
        rest = chars.as_str();
    }
}

fn layer(input: &str) -> IResult<&str, TileLayer> {
    let (rest, ()) = word("layer").parse(input)?;
    let (rest, name) = cut(string).parse(rest)?;
    let (rest, kind) =
        cut(terminated(take_while1(|c: char| c.is_alphanumeric()), multispace0)).parse(rest)?;
    let (rest, body) = many0(statement).parse(rest)?;
    Ok((rest, TileLayer { name, kind: kind.into(), body }))
}

fn statement(input: &str) -> IResult<&str, Stmt> {
    if let Ok((rest, ())) = word("for ").parse(input) {
        return cut(repeated).parse(rest);
    }
    if let Ok((rest, ())) = word("host ").parse(input) {
        let (rest, id) = cut(int).parse(rest)?;
        return Ok((rest, Stmt::Host(id)));
    }
    let (rest, op) = op(input)?;
    Ok((rest, Stmt::Op(op)))
}

fn repeated(input: &str) -> IResult<&str, Stmt> {
    let (rest, var) = variable(input)?;
    let (rest, start) = preceded(word("="), int).parse(rest)?;
    let (rest, end) = preceded(word("to"), int).parse(rest)?;
    let (rest, step) = preceded(word("step"), int).parse(rest)?;
    let slot = preceded(word("slot"), pair(variable, int));
    let (rest, slots) = many0(slot.map(|(var, bytes)| Slot { var, bytes })).parse(rest)?;
    let (rest, body) = delimited(word("{"), many0(statement), word("}")).parse(rest)?;
    Ok((rest, Stmt::Loop { var, start, end, step, slots, body }))
}

fn op(input: &str) -> IResult<&str, TileOp> {
    let name = take_while1(|c: char| c.is_ascii_lowercase());
    let code = map_opt(name, |n: &str| Code::all().find(|c| c.name() == n));
    let (rest, code) = terminated(code, multispace0).parse(input)?;
    cut(move |rest| operands(code, rest)).parse(rest)
}

fn operands(code: Code, input: &str) -> IResult<&str, TileOp> {
    let (rest, to) = a_view(input)?;
    let mut op = TileOp::new(code, vec![to]);
    let (rest, from) = opt(preceded(word("<-"), separated_list1(word(";"), a_view))).parse(rest)?;
    op.views.extend(from.unwrap_or_default());
    let (rest, quant) = opt(preceded(word("quant"), a_quant)).parse(rest)?;
    op.quant = quant;
    let (rest, window) = opt(preceded(word("window"), a_window)).parse(rest)?;
    if let Some((window, origin)) = window {
        op = op.with_window(window, origin);
    }
    let (rest, mask) = opt(preceded(word("mask"), an_expression)).parse(rest)?;
    op.mask = mask;
    let (rest, accumulate) = opt(word("accumulate")).parse(rest)?;
    let (rest, flag) = opt(word("flag")).parse(rest)?;
    op.accumulate = accumulate.is_some();
    op.flag = flag.is_some();
    Ok((rest, op))
}

fn a_view(input: &str) -> IResult<&str, View> {
    let name = || take_while1(|c: char| c.is_ascii_alphanumeric());
    let space = map_opt(name(), |n: &str| Space::ALL.into_iter().find(|s| s.name() == n));
    let (rest, space) = terminated(space, multispace0).parse(input)?;
    let etype = map_opt(name(), |n: &str| EType::ALL.into_iter().find(|t| t.name() == n));
    let (rest, etype) = terminated(etype, multispace0).parse(rest)?;
    let dims = delimited(word("["), separated_list1(word(","), an_expression), word("]"));
    let (rest, dims) = map_opt(dims, |v| <[Expr; 4]>::try_from(v).ok()).parse(rest)?;
    let (rest, base) = preceded(word("at"), an_expression).parse(rest)?;
    let (rest, strides) = preceded(word("strides"), four).parse(rest)?;
    let (rest, zero_point) = preceded(word("zp"), int).parse(rest)?;
    let (rest, lanes) = preceded(word("lanes"), int).parse(rest)?;
    let (rest, buffer) = preceded(word("in"), a_buffer).parse(rest)?;
    Ok((rest, View { space, etype, base, dims, strides, zero_point, lanes, buffer }))
}

fn a_buffer(input: &str) -> IResult<&str, Buffer> {
    let (rest, start) = int(input)?;
    let (rest, bytes) = preceded(word("+"), int).parse(rest)?;
    let (rest, slot) = opt(preceded(word("slot"), variable)).parse(rest)?;
    let (rest, ahead) = opt(preceded(word("ahead"), int)).parse(rest)?;
    Ok((rest, Buffer { start, bytes, slot, ahead: ahead.unwrap_or(0) }))
}

fn a_quant(input: &str) -> IResult<&str, Quant> {
    let (rest, zero_point) = preceded(word("zp"), int).parse(input)?;
    let (rest, clamp) = preceded(word("clamp"), pair(int, int)).parse(rest)?;
    let (rest, (m0, m1)) = preceded(word("m"), pair(float, float)).parse(rest)?;
    let (rest, c) = preceded(word("c"), float).parse(rest)?;
    let name = take_while1(|c: char| c.is_ascii_alphanumeric());
    let profile = map_opt(name, |n: &str| Profile::ALL.into_iter().find(|p| p.name() == n));
    let one = || pair(int, int).map(|(multiplier, shift)| Rescale { multiplier, shift });
    let three = (one(), one(), one()).map(|(a, b, c)| [a, b, c]);
    let (rest, profile) =
        opt(preceded(word("profile"), pair(terminated(profile, multispace0), three))).parse(rest)?;
    let profile = profile.unwrap_or(Quant::ONNX);
    let table = preceded(word("table"), pair(an_expression, preceded(word("in"), a_buffer)));
    let (rest, table) = opt(table).parse(rest)?;
    Ok((rest, Quant { zero_point, clamp: [clamp.0, clamp.1], m0, m1, c, profile, table }))
}

fn a_window(input: &str) -> IResult<&str, (WindowDesc, [Expr; 2])> {
    let (rest, kernel) = preceded(word("kernel"), four).parse(input)?;
    let (rest, stride) = preceded(word("stride"), four).parse(rest)?;
    let (rest, dilation) = preceded(word("dilation"), four).parse(rest)?;
    let (rest, pads) = preceded(word("pads"), four).parse(rest)?;
    let (rest, (oy, ox)) = preceded(word("origin"), pair(an_expression, an_expression)).parse(rest)?;
    Ok((rest, (WindowDesc { kernel, stride, dilation, pads }, [oy, ox])))
}

fn variable(input: &str) -> IResult<&str, Var> {
    let (rest, n) = preceded(char('v'), int).parse(input)?;
    Ok((rest, Var(n)))
}

fn an_expression(input: &str) -> IResult<&str, Expr> {
    let two = |input| separated_pair_of(an_expression, input);
    let boxed = |(a, b)| (Box::new(a), Box::new(b));
    let minimum = preceded(word("min("), terminated(two, word(")")))
        .map(boxed)
        .map(|(a, b): (Box<Expr>, Box<Expr>)| Expr::Min(a, b));
    let maximum = preceded(word("max("), terminated(two, word(")")))
        .map(boxed)
        .map(|(a, b): (Box<Expr>, Box<Expr>)| Expr::Max(a, b));
    let binary = delimited(
        word("("),
        (an_expression, alt((char('+'), char('*'))), preceded(multispace0, an_expression)),
        word(")"),
    )
    .map(|(a, op, b)| {
        let (a, b) = (Box::new(a), Box::new(b));
        if op == '+' { Expr::Add(a, b) } else { Expr::Mul(a, b) }
    });
    alt((int.map(Expr::Const), variable.map(Expr::Var), minimum, maximum, binary)).parse(input)
}

fn separated_pair_of(item: fn(&str) -> IResult<&str, Expr>, input: &str) -> IResult<&str, (Expr, Expr)> {
    let (rest, a) = item(input)?;
    let (rest, b) = preceded(word(","), item).parse(rest)?;
    Ok((rest, (a, b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_place() {
        let error = parse("layer \"a\" conv\n  load spm u9 [1, 1, 1, 1]").unwrap_err();
        assert_eq!((error.line, error.column), (2, 12), "{error}");
        assert!(parse("layer").is_err());
        assert_eq!(parse("").unwrap(), []);
    }
}

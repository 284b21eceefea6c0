//! Data directives: numbers, bytes and descriptors of the constant segment.

use nom::character::complete::{char, space0};
use nom::multi::separated_list1;
use nom::sequence::{delimited, preceded};
use nom::{Err, Parser};

use crate::isa::asm::{Expected, Number, Parse, fail, name, number};
use crate::isa::{EType, Profile, QuantDesc, QuantMode, Space, TensorDesc, WindowDesc};

/// Bytes, and offsets in them that are replaced by the address of a symbol (64 bits, little endian).
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Data {
    pub(super) bytes: Vec<u8>,
    pub(super) addresses: Vec<(usize, Number)>,
}

/// Spaces around a parser.
fn spaced<'a, T>(
    parser: impl Parser<&'a str, Output = T, Error = Expected<'a>>,
) -> impl Parser<&'a str, Output = T, Error = Expected<'a>> {
    delimited(space0, parser, space0)
}

fn list(input: &str) -> Parse<'_, Vec<Number>> {
    separated_list1(char(','), spaced(number)).parse(input)
}

/// A number without symbol, in a range.
pub(super) fn plain(input: &str, lo: i128, hi: i128) -> Parse<'_, i128> {
    let (start, _) = space0(input)?;
    let (rest, n) = number(start)?;
    if n.symbol.is_some() {
        return fail(start, "a number is expected here, not a symbol");
    }
    if n.addend < lo || n.addend > hi {
        return fail(start, format!("{} is outside {lo} … {hi}", n.addend));
    }
    Ok((space0(rest)?.0, n.addend))
}

/// `[1, 2, 3]`.
pub(super) fn extents(input: &str, lo: i128, hi: i128) -> Parse<'_, Vec<i128>> {
    let (start, _) = space0(input)?;
    let (mut rest, _) =
        char('[').parse(start).or_else(|_: Err<Expected<'_>>| fail(start, "`[` is expected here"))?;
    let mut values = Vec::new();
    rest = space0(rest)?.0;
    if let Some(after) = rest.strip_prefix(']') {
        return Ok((space0(after)?.0, values));
    }
    loop {
        let (after, v) = plain(rest, lo, hi)?;
        values.push(v);
        match after.strip_prefix(',') {
            Some(after) => rest = after,
            None => match after.strip_prefix(']') {
                Some(after) => return Ok((space0(after)?.0, values)),
                None => return fail(after, "`,` or `]` is expected here"),
            },
        }
    }
}

/// Parses a data directive; `None` if `directive` is another one.
pub(super) fn directive<'a>(directive: &str, input: &'a str) -> Option<Parse<'a, Data>> {
    Some(match directive {
        "u8" => integers(input, 1, 0, 255),
        "s8" => integers(input, 1, -128, 127),
        "u16" => integers(input, 2, 0, 65535),
        "s16" => integers(input, 2, -32768, 32767),
        "s32" => integers(input, 4, i32::MIN.into(), u32::MAX.into()),
        "s64" => integers(input, 8, i64::MIN.into(), u64::MAX.into()),
        "f32" => floats(input),
        "hex" => hex(input),
        "tdesc" => tensor(input),
        "qdesc" => quant(input),
        "wdesc" => window(input),
        _ => return None,
    })
}

fn integers(input: &str, size: usize, lo: i128, hi: i128) -> Parse<'_, Data> {
    let (rest, values) = list(input)?;
    let mut data = Data::default();
    for n in values {
        if n.symbol.is_some() {
            if size != 8 {
                return fail(input, "a symbol's address needs 64 bits: .s64");
            }
            data.addresses.push((data.bytes.len(), n));
            data.bytes.extend([0; 8]);
            continue;
        }
        if n.addend < lo || n.addend > hi {
            return fail(input, format!("{} is outside {lo} … {hi}", n.addend));
        }
        data.bytes.extend(&n.addend.to_le_bytes()[..size]);
    }
    Ok((rest, data))
}

fn float(input: &str) -> Parse<'_, f32> {
    let (start, _) = space0(input)?;
    let end = start.find([',', ' ', '\t', ']']).unwrap_or(start.len());
    match start[..end].parse() {
        Ok(v) => Ok((space0(&start[end..])?.0, v)),
        Err(_) => fail(start, "a float is expected here"),
    }
}

fn floats(input: &str) -> Parse<'_, Data> {
    let (rest, values) = separated_list1(char(','), float).parse(input)?;
    let bytes = values.into_iter().flat_map(f32::to_le_bytes).collect();
    Ok((rest, Data { bytes, addresses: Vec::new() }))
}

fn hex(input: &str) -> Parse<'_, Data> {
    let mut bytes = Vec::with_capacity(input.len() / 2);
    let mut high: Option<u8> = None;
    for (at, c) in input.char_indices() {
        if c.is_whitespace() {
            continue;
        }
        let Some(digit) = c.to_digit(16) else {
            return fail(&input[at..], "a hexadecimal digit is expected here");
        };
        match high.take() {
            None => high = Some(digit as u8),
            Some(h) => bytes.push(h << 4 | digit as u8),
        }
    }
    if high.is_some() {
        return fail(&input[input.len()..], "an even number of digits is expected");
    }
    Ok(("", Data { bytes, addresses: Vec::new() }))
}

/// One name of a list.
fn choice<'a, T: Copy>(input: &'a str, what: &str, values: &[(&str, T)]) -> Parse<'a, T> {
    let (start, _) = space0(input)?;
    if let Ok((rest, word)) = name(start)
        && let Some((_, v)) = values.iter().find(|(n, _)| *n == word)
    {
        return Ok((space0(rest)?.0, *v));
    }
    let names: Vec<&str> = values.iter().map(|(n, _)| *n).collect();
    fail(start, format!("{what} is expected here: {}", names.join(", ")))
}

/// `name=`, and the text behind it.
fn key<'a>(input: &'a str, names: &[&'static str]) -> Parse<'a, &'static str> {
    let (start, _) = space0(input)?;
    let known =
        name(start).ok().and_then(|(rest, word)| names.iter().find(|n| **n == word).map(|n| (rest, *n)));
    match known {
        Some((rest, n)) => {
            let (rest, _) = preceded(space0, char('='))
                .parse(rest)
                .or_else(|_: Err<Expected<'_>>| fail(rest, "`=` is expected here"))?;
            Ok((rest, n))
        }
        None => fail(start, format!("one of {} is expected here", names.join("=, ") + "=")),
    }
}

const DIM: i128 = u32::MAX as i128;

fn four<'a, T: Copy + TryFrom<i128>>(at: &'a str, values: &[i128]) -> Result<[T; 4], Err<Expected<'a>>> {
    let narrow: Option<Vec<T>> = values.iter().map(|v| T::try_from(*v).ok()).collect();
    narrow
        .and_then(|v| <[T; 4]>::try_from(v).ok())
        .ok_or_else(|| Err::Failure(Expected { rest: at, message: "four numbers are expected here".into() }))
}

fn tensor(input: &str) -> Parse<'_, Data> {
    let spaces: Vec<(&str, Space)> = Space::ALL.iter().map(|s| (s.name(), *s)).collect();
    let types: Vec<(&str, EType)> = EType::ALL.iter().map(|t| (t.name(), *t)).collect();
    let (rest, space) = choice(input, "a memory", &spaces)?;
    let (rest, etype) = choice(rest, "an element type", &types)?;
    let (rest, base) = spaced(number).parse(rest)?;
    let (mut after, dims) = extents(rest, 0, DIM)?;
    let dims: [u32; 4] = four(rest, &dims)?;
    let mut d = TensorDesc::dense(space, etype, 0, dims);
    let mut given = None;
    if after.starts_with('[') {
        let (next, strides) = extents(after, i64::MIN.into(), i64::MAX.into())?;
        given = Some(four::<i64>(after, &strides)?);
        after = next;
    }
    while !after.is_empty() {
        let (value, field) = key(after, &["zp", "lanes"])?;
        if field == "zp" {
            let (rest, v) = plain(value, i32::MIN.into(), i32::MAX.into())?;
            (d.zero_point, after) = (v as i32, rest);
        } else {
            let (rest, v) = plain(value, 0, 255)?;
            if ![1, 4, 16].contains(&v) {
                return fail(value, "lanes is 1, 4 or 16");
            }
            (d.lanes, after) = (v as u8, rest);
        }
    }
    d.strides = given.unwrap_or_else(|| {
        let [a, b, c, channels] = dims;
        let padded = channels.checked_next_multiple_of(d.lanes.into()).unwrap_or(u32::MAX);
        TensorDesc::dense(space, etype, 0, [a, b, c, padded]).strides
    });
    // The base is the record's first field.
    Ok((after, Data { bytes: d.to_bytes().to_vec(), addresses: vec![(0, base)] }))
}

fn quant(input: &str) -> Parse<'_, Data> {
    let mut d = QuantDesc {
        profile: Profile::Onnx,
        mode: QuantMode::Tensor,
        zero_point: 0,
        lo: 0,
        hi: 255,
        m0: 1.0,
        m1: 1.0,
        c: 0.0,
        s0: 31,
        s1: 31,
        s2: 31,
        k0: 0,
        k1: 0,
        k2: 0,
        table: 0,
    };
    let modes: Vec<(&str, QuantMode)> = QuantMode::ALL.iter().map(|m| (m.name(), *m)).collect();
    let profiles: Vec<(&str, Profile)> = Profile::ALL.iter().map(|p| (p.name(), *p)).collect();
    let mut table = None;
    let mut rest = space0(input)?.0;
    while !rest.is_empty() {
        let (value, field) = key(
            rest,
            &[
                "profile", "mode", "zp", "lo", "hi", "m0", "m1", "c", "s0", "s1", "s2", "k0", "k1", "k2",
                "table",
            ],
        )?;
        rest = match field {
            "mode" => {
                let (rest, mode) = choice(value, "a mode", &modes)?;
                d.mode = mode;
                rest
            }
            "profile" => {
                let (rest, profile) = choice(value, "a profile", &profiles)?;
                d.profile = profile;
                rest
            }
            "s0" | "s1" | "s2" => {
                let (rest, v) = plain(value, 0, 63)?;
                match field {
                    "s0" => d.s0 = v as u8,
                    "s1" => d.s1 = v as u8,
                    _ => d.s2 = v as u8,
                }
                rest
            }
            "m0" | "m1" | "c" => {
                let (rest, v) = float(value)?;
                match field {
                    "m0" => d.m0 = v,
                    "m1" => d.m1 = v,
                    _ => d.c = v,
                }
                rest
            }
            "table" => {
                let (rest, n) = spaced(number).parse(value)?;
                table = Some(n);
                rest
            }
            _ => {
                let (rest, v) = plain(value, i32::MIN.into(), i32::MAX.into())?;
                match field {
                    "zp" => d.zero_point = v as i32,
                    "lo" => d.lo = v as i32,
                    "k0" => d.k0 = v as i32,
                    "k1" => d.k1 = v as i32,
                    "k2" => d.k2 = v as i32,
                    _ => d.hi = v as i32,
                }
                rest
            }
        };
    }
    // Offset of `table` in the record: its last 8 bytes.
    let addresses = table.map(|n| (QuantDesc::BYTES - 8, n)).into_iter().collect();
    Ok((rest, Data { bytes: d.to_bytes().to_vec(), addresses }))
}

fn window(input: &str) -> Parse<'_, Data> {
    let mut d = WindowDesc { kernel: [1, 1], stride: [1, 1], dilation: [1, 1], pads: [0; 4] };
    let mut rest = space0(input)?.0;
    while !rest.is_empty() {
        let (value, field) = key(rest, &["kernel", "stride", "dilation", "pads"])?;
        let (lo, hi) =
            if field == "pads" { (i16::MIN.into(), i16::MAX.into()) } else { (0, u16::MAX.into()) };
        let (after, values) = extents(value, lo, hi)?;
        let wrong = |n: usize| fail(value, format!("{field} takes {n} numbers"));
        if field == "pads" {
            let Ok(pads) = <[i16; 4]>::try_from(values.iter().map(|v| *v as i16).collect::<Vec<_>>()) else {
                return wrong(4);
            };
            d.pads = pads;
        } else {
            let Ok(pair) = <[u16; 2]>::try_from(values.iter().map(|v| *v as u16).collect::<Vec<_>>()) else {
                return wrong(2);
            };
            match field {
                "kernel" => d.kernel = pair,
                "stride" => d.stride = pair,
                _ => d.dilation = pair,
            }
        }
        rest = after;
    }
    Ok((rest, Data { bytes: d.to_bytes().to_vec(), addresses: Vec::new() }))
}

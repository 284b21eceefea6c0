//! Changes of texts that consist of lines and words: assembly, TOML.

use super::super::random::Random;
use super::values::{INTEGERS, NAMES, damage, near};

/// Words of a form that a mutant may get, beside those that the text has.
pub(crate) type Words = &'static [&'static str];

pub(crate) const ASSEMBLY: Words = &[
    ".name",
    ".isa",
    ".machine",
    ".dram",
    ".buffer",
    ".const",
    ".code",
    ".model",
    ".u8",
    ".s8",
    ".u16",
    ".s16",
    ".s32",
    ".s64",
    ".f32",
    ".hex",
    ".zero",
    ".align",
    ".tdesc",
    ".qdesc",
    ".wdesc",
    ".word",
    ".in",
    ".layer",
    ".tensor",
    ".host",
    ".removed",
    "x0",
    "x31",
    "t0",
    "t15",
    "q0",
    "w0",
    "x32",
    "t16",
    "dram",
    "spm",
    "acc",
    "[1, 2, 3, 4]",
    "[]",
    "{}",
    "\"",
    "0x",
    "0xffffffffffffffffffffffffffffffff",
    "1e39",
    "nan",
    ":",
    ",",
    ";",
    ";;!",
    "zp=1",
    "lanes=7",
    "none",
    "halt",
    "jump",
    "host",
    "layer.begin",
    "layer.end",
    "fence",
];
pub(crate) const TOML: Words = &[
    "true",
    "nan",
    "1e400",
    "[]",
    "[[1]]",
    "{}",
    "\"x\"",
    "1.5",
    "0x10",
    "1979-05-27",
    "[\"onnx\"]",
    "[\"q31\"]",
    "[mac]",
    "[[mac]]",
    "[x]",
    "[",
    "=",
    "\"",
    "#",
    "lanes",
    "bytes",
    "banks",
];

/// The text with some lines, words or bytes changed.
pub(crate) fn change(random: &mut Random, text: &[u8], words: Words) -> Vec<u8> {
    let mut text = String::from_utf8_lossy(text).into_owned();
    for _ in 0..random.few(4) {
        match random.below(10) {
            0 => {
                let mut bytes = text.into_bytes();
                damage(random, &mut bytes);
                text = String::from_utf8_lossy(&bytes).into_owned();
            }
            1..=3 => text = lines(random, &text),
            _ => text = word(random, &text, words),
        }
    }
    text.into_bytes()
}

fn lines(random: &mut Random, text: &str) -> String {
    let mut lines: Vec<&str> = text.split('\n').collect();
    let (at, other) = (random.below(lines.len()), random.below(lines.len()));
    match random.below(5) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(other, lines[at]),
        2 => lines.swap(at, other),
        3 => lines.truncate(at),
        _ => {
            let repeated = vec![lines[at]; random.pick(&[2, 50, 1000])];
            lines.splice(at..at, repeated);
        }
    }
    lines.join("\n")
}

/// Ranges of words: letters, digits, and what stands inside names and numbers.
fn words_of(text: &str) -> Vec<(usize, usize)> {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
    let mut found = Vec::new();
    let mut from = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (from, part(c)) {
            (None, true) => from = Some(at),
            (Some(start), false) => {
                found.push((start, at));
                from = None;
            }
            _ => {}
        }
    }
    found
}

fn word(random: &mut Random, text: &str, words: Words) -> String {
    let all = words_of(text);
    let Some(place) = random.place(&all) else { return random.pick(words).into() };
    let (start, end) = all[place];
    let old = &text[start..end];
    let new = match old.parse::<i64>() {
        Ok(value) if random.one_in(2) => near(random, value).to_string(),
        Ok(_) if random.one_in(2) => random.pick(INTEGERS).to_string(),
        _ => match random.below(4) {
            0 => random.pick(NAMES).into(),
            1 => random.pick(words).into(),
            // A word of its own kind most often: they stand at like places.
            _ => {
                let near = all[(place + random.below(12)).saturating_sub(6).min(all.len() - 1)];
                let (a, b) = if random.one_in(2) { near } else { all[random.below(all.len())] };
                text[a..b].into()
            }
        },
    };
    format!("{}{new}{}", &text[..start], &text[end..])
}

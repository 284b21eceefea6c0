//! Numbers and names that code tends not to expect, and damage to bytes.

use super::super::random::Random;

pub(crate) const INTEGERS: &[i64] = &[
    0,
    1,
    -1,
    2,
    3,
    4,
    7,
    16,
    127,
    128,
    255,
    256,
    -128,
    -129,
    65_535,
    65_536,
    1_000_003,
    i32::MAX as i64,
    i32::MIN as i64,
    1 << 31,
    u32::MAX as i64,
    1 << 32,
    1 << 40,
    1 << 62,
    i64::MAX,
    i64::MIN,
    i64::MIN + 1,
];
pub(crate) const FLOATS: &[f32] = &[
    f32::NAN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    0.0,
    -0.0,
    -1.0,
    1e-45,
    1.2e-38,
    1e-30,
    1e-10,
    0.5,
    1.0,
    255.0,
    65_536.0,
    1e10,
    1e30,
    f32::MAX,
];
pub(crate) const NAMES: &[&str] = &[
    "",
    " ",
    "x",
    "y",
    "\n",
    "a\tb",
    "é",
    "\u{202e}\u{1f600}",
    "../../x",
    "/",
    "\0",
    "'\"`{}",
    "%s%n",
    "-o",
    "CON",
    "\x1b[31m",
    ".",
    "a=b",
    "rcn-s",
    "rcn-m",
    "rcn-l",
    "u8",
    "s8",
    "s16",
    "s32",
    "s64",
    "f32",
    "input",
    "output",
    "layer",
    "dram",
    "spm",
    "host",
    "conv",
];

/// An integer as attributes, extents and lengths have them, or an extreme one.
pub(crate) fn small(random: &mut Random) -> i64 {
    if random.below(5) < 3 {
        random.pick(&[-2, -1, 0, 1, 2, 3, 4, 5, 7, 8, 16])
    } else {
        random.pick(INTEGERS)
    }
}

/// An integer made of another one.
pub(crate) fn near(random: &mut Random, value: i64) -> i64 {
    match random.below(7) {
        0 => value.wrapping_add(1),
        1 => value.wrapping_sub(1),
        2 => value.wrapping_neg(),
        3 => value.wrapping_mul(2),
        4 => value / 2,
        5 => value ^ (1 << random.below(62)),
        _ => small(random),
    }
}

/// Bytes with some flipped, overwritten, cut out, copied, or cut off.
pub(crate) fn damage(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..random.few(4) {
        if bytes.is_empty() {
            return;
        }
        let at = random.below(bytes.len());
        let end = (at + random.pick(&[1, 2, 4, 8, 64])).min(bytes.len());
        match random.below(7) {
            0 | 1 => bytes[at] ^= 1 << random.below(8),
            2 => {
                let with = random.pick(&[0xff, 0, 0x80, 0x7f]);
                bytes[at..end].fill(with);
            }
            3 => drop(bytes.drain(at..end)),
            4 => {
                let copied = bytes[at..end].to_vec();
                bytes.splice(at..at, copied);
            }
            5 => {
                let new = random.bytes(end - at);
                bytes[at..end].copy_from_slice(&new);
            }
            _ if random.one_in(3) => bytes.truncate(at),
            _ => {
                let number = random.pick(INTEGERS).to_le_bytes();
                let size = (end - at).min(8);
                bytes[at..at + size].copy_from_slice(&number[..size]);
            }
        }
    }
}

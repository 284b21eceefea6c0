//! Changes of program files: of the container (`container`), and of what it holds (`content`). Checksums are
//! mended.

use super::super::random::Random;
use super::container::{CHECKSUM, Section, join, mend, split, table_at};
use super::values::{FLOATS, INTEGERS, damage};
use super::{json, onnx};

/// Bytes of an instruction word.
const WORD: usize = 16;

/// A file with a header field changed, or with other sections.
pub(crate) fn container(random: &mut Random, bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let Some(mut sections) = split(bytes).filter(|_| !random.one_in(3)) else {
        let table = table_at(bytes).min(bytes.len());
        for _ in 0..random.few(3) {
            let at =
                if random.one_in(2) { random.below(64) } else { table + random.below(bytes.len() - table) };
            let size = random.pick(&[1, 2, 4, 8]);
            let value = random.pick(INTEGERS).to_le_bytes();
            if let Some(field) = out.get_mut(at..at + size) {
                field.copy_from_slice(&value[..size]);
            }
        }
        mend(&mut out);
        return out;
    };
    for _ in 0..random.few(3) {
        let Some(at) = random.place(&sections) else { break };
        match random.below(8) {
            0 => drop(sections.remove(at)),
            1 => sections.insert(at, sections[at].clone()),
            2 => random.shuffle(&mut sections),
            3 => {
                let longer = sections[at].1.len() + random.pick(&[1, 4, 16, 5000]);
                sections[at].1.resize(longer, 0);
            }
            4 => {
                let shorter = random.below(sections[at].1.len());
                sections[at].1.truncate(shorter);
            }
            5 => {
                sections[at].0 =
                    random.pick(&[".rcn.code", ".rcn.meta", CHECKSUM, "", ".text", ".shstrtab"]).into()
            }
            _ => section(random, &mut sections[at]),
        }
    }
    out = join(&sections);
    if random.one_in(8) {
        damage(random, &mut out);
        mend(&mut out);
    }
    out
}

/// A file whose container is right, with other code, constants or tables.
pub(crate) fn content(random: &mut Random, bytes: &[u8]) -> Vec<u8> {
    let Some(mut sections) = split(bytes) else { return container(random, bytes) };
    for _ in 0..random.few(3) {
        if let Some(at) = random.place(&sections) {
            section(random, &mut sections[at]);
        }
    }
    join(&sections)
}

fn section(random: &mut Random, (name, content): &mut Section) {
    match name.as_str() {
        ".rcn.code" => words(random, content),
        ".rcn.const" => constants(random, content),
        ".rcn.meta" => *content = json::document(random, content),
        ".rcn.host" => hosts(random, content),
        _ => damage(random, content),
    }
}

/// Instruction words with bits, bytes or whole words changed, moved, left out or repeated.
fn words(random: &mut Random, code: &mut Vec<u8>) {
    let count = code.len() / WORD;
    if count == 0 {
        return code.resize(WORD, 0);
    }
    let (at, other) = (random.below(count) * WORD, random.below(count) * WORD);
    let word = code[at..at + WORD].to_vec();
    match random.below(9) {
        0..=2 => code[at + random.below(WORD)] ^= 1 << random.below(8),
        3 => code[at + random.below(WORD)] = random.next() as u8,
        4 => drop(code.drain(at..at + WORD)),
        5 => drop(code.splice(other..other, word)),
        6 => {
            // Another operation on the same operands.
            code[at] = code[other];
        }
        7 => {
            let second = code[other..other + WORD].to_vec();
            code[at..at + WORD].copy_from_slice(&second);
            code[other..other + WORD].copy_from_slice(&word);
        }
        _ => code[at + 8..at + 16].copy_from_slice(&random.pick(INTEGERS).to_le_bytes()),
    }
}

/// Descriptors hold fields of 8, 32 and 64 bits: one of them, or some bytes, are changed.
fn constants(random: &mut Random, bytes: &mut Vec<u8>) {
    if bytes.len() < 12 || random.one_in(3) {
        return damage(random, bytes);
    }
    let at = random.below(bytes.len() / 4 - 1) * 4;
    match random.below(5) {
        0 => bytes[at..at + 4].copy_from_slice(&random.pick(FLOATS).to_le_bytes()),
        1 => bytes[at..at + 8].copy_from_slice(&random.pick(INTEGERS).to_le_bytes()),
        2 => bytes[at] = random.pick(&[0, 1, 2, 3, 4, 5, 6, 7, 255]),
        3 => {
            let value = u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
            let close = value.wrapping_add(random.pick(&[1, 2, 64, u32::MAX, value]));
            bytes[at..at + 4].copy_from_slice(&close.to_le_bytes());
        }
        _ => bytes[at..at + 4].copy_from_slice(&random.pick(INTEGERS).to_le_bytes()[..4]),
    }
}

/// The table of host models: its count, a length, or a model.
fn hosts(random: &mut Random, bytes: &mut Vec<u8>) {
    let length = bytes
        .get(4..12)
        .and_then(|b| <[u8; 8]>::try_from(b).ok())
        .map_or(0, |b| u64::from_le_bytes(b) as usize);
    match (random.below(4), bytes.get(12..12_usize.saturating_add(length))) {
        (0, _) => bytes
            .splice(..4.min(bytes.len()), random.pick(INTEGERS).to_le_bytes()[..4].to_vec())
            .for_each(drop),
        (1, Some(_)) => bytes[4..12].copy_from_slice(&random.pick(INTEGERS).to_le_bytes()),
        (_, Some(model)) if length > 0 => {
            let model = onnx::change(random, model);
            bytes.splice(4..12, model.len().to_le_bytes());
            bytes.splice(12..12 + length, model);
        }
        _ => damage(random, bytes),
    }
}

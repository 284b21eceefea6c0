//! Changes of `.npy` files, and archives of them.

use std::io::{Cursor, Read, Write};

use super::super::random::Random;
use super::values::{INTEGERS, damage};

const KINDS: &[&str] = &[
    "|u1", "|i1", "<u2", "<i2", "<i4", "<i8", "<u4", "<u8", "<f2", "<f4", "<f8", ">f4", ">i2", ">f2", ">u8",
    "|b1", "<c8", "|O", "<U4", "|S3", "<M8[ns]", "|V4", "u1", "uint8", "<f16", "", "<i3", "|u2", "=f4",
];

/// A `.npy` file of a header's text and its data.
pub(crate) fn file(version: u8, text: &str, data: &[u8]) -> Vec<u8> {
    let mut out = b"\x93NUMPY".to_vec();
    out.extend([version, 0]);
    let before = if version == 1 { 10 } else { 12 };
    let mut text = text.as_bytes().to_vec();
    text.resize((before + text.len() + 1).next_multiple_of(64) - before - 1, b' ');
    text.push(b'\n');
    let length = (text.len() as u32).to_le_bytes();
    out.extend(if version == 1 { &length[..2] } else { &length });
    out.extend(text);
    out.extend(data);
    out
}

/// Header's text and data.
fn split(bytes: &[u8]) -> Option<(String, &[u8])> {
    let at = if bytes.get(6)? == &1 { 10 } else { 12 };
    let length = bytes.get(8..at)?.iter().rev().fold(0_usize, |n, b| n << 8 | usize::from(*b));
    let text = bytes.get(at..at.checked_add(length)?)?;
    Some((String::from_utf8_lossy(text).trim_end().to_string(), &bytes[at + length..]))
}

/// The text with what stands between two others replaced.
fn field(text: &str, before: &str, after: char, new: &str) -> Option<String> {
    let start = text.find(before)? + before.len();
    let end = start + text[start..].find(after)?;
    Some(format!("{}{new}{}", &text[..start], &text[end..]))
}

pub(crate) fn change(random: &mut Random, bytes: &[u8]) -> Vec<u8> {
    if bytes.starts_with(b"PK") {
        return archive(random, bytes);
    }
    if random.one_in(12) {
        return packed(&[("x.npy".into(), bytes.to_vec())], random.one_in(2));
    }
    let mut damaged = bytes.to_vec();
    let Some((text, data)) = split(bytes).filter(|_| !random.one_in(6)) else {
        damage(random, &mut damaged);
        return damaged;
    };
    let version = if random.one_in(8) { random.pick(&[0, 2, 3, 4, 255]) } else { 1 };
    let changed = match random.below(6) {
        0 => field(&text, "'descr': '", '\'', random.pick(KINDS)),
        1 => field(&text, "'fortran_order': ", ',', random.pick(&["True", "True", "1", "None", "'x'"])),
        2 | 3 => {
            let mut shape: Vec<String> =
                (0..random.below(5)).map(|_| random.pick(&[0, 1, 1, 2, 3, 6]).to_string()).collect();
            if random.one_in(2) {
                let at = random.below(shape.len() + 1);
                shape.insert(at, random.pick(INTEGERS).to_string());
            }
            let shape = match random.below(8) {
                0 => "1,".repeat(random.pick(&[17, 500])),
                1 => random.pick(&["1e3,", "-1,", "0x10,", "18446744073709551616,", "1)", "True,"]).into(),
                _ => shape.join(", ") + ",",
            };
            field(&text, "'shape': (", ')', &shape)
        }
        4 => {
            let more = random.pick(&[
                "'more': 1, ",
                "'descr': '<f4', ",
                "'shape': (1,), ",
                "{{{{",
                "# x",
                "\0",
                "é",
                "'''",
            ]);
            Some(text.replacen('{', &format!("{{{more}"), 1))
        }
        _ => None,
    };
    let mut data = data.to_vec();
    if random.one_in(4) {
        damage(random, &mut data);
    } else if random.one_in(4) {
        data.extend(random.bytes(random.clone().pick(&[1, 8, 5000])));
    }
    file(version, changed.as_ref().unwrap_or(&text), &data)
}

fn packed(members: &[(String, Vec<u8>)], deflated: bool) -> Vec<u8> {
    let mut out = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let way = if deflated { zip::CompressionMethod::Deflated } else { zip::CompressionMethod::Stored };
    let options = zip::write::SimpleFileOptions::default().compression_method(way);
    for (name, content) in members {
        // A name may stand there twice, which the writer refuses.
        if out.start_file(name.as_str(), options).is_ok() {
            let _ = out.write_all(content);
        }
    }
    out.finish().map(Cursor::into_inner).unwrap_or_default()
}

fn members(bytes: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).ok()?;
    (0..archive.len().min(16))
        .map(|i| {
            let member = archive.by_index(i).ok()?;
            let name = member.name().to_string();
            let mut content = Vec::new();
            member.take(1 << 20).read_to_end(&mut content).ok()?;
            Some((name, content))
        })
        .collect()
}

/// An archive with another member, or with a directory that lies.
fn archive(random: &mut Random, bytes: &[u8]) -> Vec<u8> {
    let mut damaged = bytes.to_vec();
    let Some(mut members) = members(bytes).filter(|m| !m.is_empty() && !random.one_in(2)) else {
        // Fields of entries, of the directory and of its end stand behind `PK`.
        let heads: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"PK")).collect();
        let at = random.place(&heads).map_or(0, |i| heads[i]) + random.below(46);
        let (size, value) = (random.pick(&[1, 2, 4]), random.pick(INTEGERS).to_le_bytes());
        match damaged.get_mut(at..at + size) {
            Some(field) if !random.one_in(4) => field.copy_from_slice(&value[..size]),
            _ => damage(random, &mut damaged),
        }
        return damaged;
    };
    let at = random.below(members.len());
    match random.below(4) {
        0 => members[at].0 = random.pick(&["", ".npy", "../x.npy", "x", "a/b.npy", "é.npy", "x.npy"]).into(),
        1 => members[at].1 = vec![0; 1 << 20],
        _ => members[at].1 = change(random, &members[at].1.clone()),
    }
    packed(&members, random.one_in(2))
}

//! RCN program files taken apart and put together again, with the checksum of what they hold
//! (`src/program/elf.rs`).

/// Offsets in an ELF64 header and in an entry of the section table, and their sizes.
const HEADER: usize = 64;
const TABLE_AT: usize = 40;
const COUNT_AT: usize = 60;
const NAMES_AT: usize = 62;
const SECTION: usize = 64;
pub(crate) const CHECKSUM: &str = ".rcn.checksum";

/// Name and content.
pub(crate) type Section = (String, Vec<u8>);

fn number(bytes: &[u8], at: usize, size: usize) -> Option<usize> {
    let part = bytes.get(at..at.checked_add(size)?)?;
    Some(part.iter().rev().fold(0, |n, b| n << 8 | usize::from(*b)))
}

/// Name, offset and size of each section. None if the headers point outside.
fn table(bytes: &[u8]) -> Option<Vec<(String, usize, usize)>> {
    let table = number(bytes, TABLE_AT, 8)?;
    let count = number(bytes, COUNT_AT, 2)?.min(70);
    let entry = |i: usize| table.checked_add(i * SECTION);
    let names_at = number(bytes, entry(number(bytes, NAMES_AT, 2)?)?.checked_add(24)?, 8)?;
    (1..count)
        .map(|i| {
            let at = entry(i)?;
            let start = names_at.checked_add(number(bytes, at, 4)?)?;
            let name = bytes.get(start..)?.split(|b| *b == 0).next()?;
            let offset = number(bytes, at.checked_add(24)?, 8)?;
            let size = number(bytes, at.checked_add(32)?, 8)?;
            Some((String::from_utf8_lossy(name).into_owned(), offset, size))
        })
        .collect()
}

/// Where the section table begins.
pub(crate) fn table_at(bytes: &[u8]) -> usize {
    number(bytes, TABLE_AT, 8).unwrap_or(0)
}

/// The sections, without that of the names.
pub(crate) fn split(bytes: &[u8]) -> Option<Vec<Section>> {
    let all = table(bytes)?.into_iter().filter(|(name, ..)| name != ".shstrtab");
    all.map(|(name, at, size)| Some((name, bytes.get(at..at.checked_add(size)?)?.to_vec()))).collect()
}

/// A program file of these sections.
pub(crate) fn join(sections: &[Section]) -> Vec<u8> {
    let mut body = vec![0; HEADER];
    let mut names = vec![0];
    let mut entries = vec![0; SECTION];
    let mut place = |body: &mut Vec<u8>, name: usize, kind: u32, content: &[u8], align: usize| {
        body.resize(body.len().next_multiple_of(align), 0);
        let mut entry = vec![0; SECTION];
        entry[..4].copy_from_slice(&(name as u32).to_le_bytes());
        entry[4..8].copy_from_slice(&kind.to_le_bytes());
        entry[24..32].copy_from_slice(&body.len().to_le_bytes());
        entry[32..40].copy_from_slice(&content.len().to_le_bytes());
        entry[48..56].copy_from_slice(&align.to_le_bytes());
        entries.extend(entry);
        body.extend(content);
    };
    for (name, content) in sections {
        let align = if name == ".rcn.const" { 4096 } else { 16 };
        place(&mut body, names.len(), 1, content, align);
        names.extend(name.bytes().filter(|b| *b != 0).chain([0]));
    }
    let of_names = names.len();
    names.extend(b".shstrtab\0");
    place(&mut body, of_names, 3, &names, 1);
    body.resize(body.len().next_multiple_of(8), 0);
    let table = body.len();
    let count = (entries.len() / SECTION) as u16;
    body.extend(entries);
    body[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    for (at, value) in
        [(16, 2), (18, 0x5243), (20, 1), (48, 1), (52, 64), (54, 56), (58, 64), (60, count), (62, count - 1)]
    {
        body[at..at + 2].copy_from_slice(&u16::to_le_bytes(value));
    }
    body[TABLE_AT..TABLE_AT + 8].copy_from_slice(&table.to_le_bytes());
    mend(&mut body);
    body
}

/// Writes the checksum of the bytes, if they still have a place for one.
pub(crate) fn mend(bytes: &mut [u8]) {
    let found = table(bytes).and_then(|all| all.into_iter().find(|(name, ..)| name == CHECKSUM));
    let Some((_, at, 8)) = found else { return };
    let Some(field) = at.checked_add(8).and_then(|end| bytes.get_mut(at..end)) else { return };
    field.fill(0);
    let sum = xxhash_rust::xxh3::xxh3_64(bytes);
    bytes[at..at + 8].copy_from_slice(&sum.to_le_bytes());
}

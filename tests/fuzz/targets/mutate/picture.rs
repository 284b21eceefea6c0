//! Changes of pictures: PNG chunks with right checksums, JPEG segments; bytes of the others.

use super::super::random::Random;
use super::values::damage;

const SIZES: &[u32] =
    &[0, 1, 2, 28, 255, 256, 4096, 8192, 32_767, 32_768, 65_535, 65_536, i32::MAX as u32, 1 << 31, u32::MAX];
const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

fn crc(parts: &[&[u8]]) -> u32 {
    let mut crc = u32::MAX;
    for byte in parts.iter().copied().flatten() {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

/// Data as a zlib stream that does not compress.
fn stored(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in data {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    let blocks: Vec<&[u8]> = if data.is_empty() { vec![&[]] } else { data.chunks(65_535).collect() };
    for (i, block) in blocks.iter().enumerate() {
        out.push(u8::from(i + 1 == blocks.len()));
        out.extend((block.len() as u16).to_le_bytes());
        out.extend((!(block.len() as u16)).to_le_bytes());
        out.extend(*block);
    }
    out.extend((b << 16 | a).to_be_bytes());
    out
}

/// Name and content.
type Chunk = ([u8; 4], Vec<u8>);

fn chunks(bytes: &[u8]) -> Option<Vec<Chunk>> {
    let mut rest = bytes.strip_prefix(SIGNATURE)?;
    let mut found = Vec::new();
    while let Some((head, tail)) = rest.split_first_chunk::<8>() {
        let [a, b, c, d, name @ ..] = *head;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        let content = tail.get(..length)?;
        found.push((name, content.to_vec()));
        rest = tail.get(length + 4..)?;
    }
    (!found.is_empty()).then_some(found)
}

pub(crate) fn png(chunks: &[Chunk]) -> Vec<u8> {
    let mut out = SIGNATURE.to_vec();
    for (name, content) in chunks {
        out.extend((content.len() as u32).to_be_bytes());
        out.extend(name);
        out.extend(content);
        out.extend(crc(&[name, content]).to_be_bytes());
    }
    out
}

/// A whole PNG of noise: its colour type, bits of a sample, extents and how it is interlaced as given, rows
/// as these ask for.
pub(crate) fn noise(
    random: &mut Random,
    [colour, bits, interlaced]: [u8; 3],
    width: u32,
    height: u32,
) -> Vec<u8> {
    let samples = [1, 0, 3, 1, 2, 0, 4].get(usize::from(colour)).copied().unwrap_or(1);
    let row = (width as usize * samples * usize::from(bits)).div_ceil(8);
    let rows: Vec<u8> = (0..height)
        .flat_map(|_| {
            let mut line = vec![random.below(5) as u8];
            line.extend(random.bytes(row));
            line
        })
        .collect();
    let mut head = [width.to_be_bytes(), height.to_be_bytes()].concat();
    head.extend([bits, colour, 0, 0, interlaced]);
    let mut chunks = vec![(*b"IHDR", head), (*b"IDAT", stored(&rows)), (*b"IEND", Vec::new())];
    if colour == 3 {
        let colours = random.pick(&[0, 3, 4, 48, 768, 771]);
        chunks.insert(1, (*b"PLTE", random.bytes(colours)));
    }
    png(&chunks)
}

fn header(random: &mut Random, head: &mut [u8]) {
    let Some(head) = head.first_chunk_mut::<13>() else { return };
    match random.below(6) {
        0 => head[..4].copy_from_slice(&random.pick(SIZES).to_be_bytes()),
        1 => head[4..8].copy_from_slice(&random.pick(SIZES).to_be_bytes()),
        2 => head[8] = random.pick(&[1, 2, 4, 8, 16, 0, 3, 255]),
        3 => head[9] = random.pick(&[0, 2, 3, 4, 6, 1, 5, 7]),
        4 => head[12] = random.pick(&[0, 1, 2]),
        _ => head[10 + random.below(2)] = random.pick(&[1, 255]),
    }
}

fn extra(random: &mut Random) -> Chunk {
    let content = |random: &mut Random, sizes: &[usize]| {
        let n = random.pick(sizes);
        random.bytes(n)
    };
    match random.below(7) {
        0 => (*b"PLTE", content(random, &[0, 3, 4, 768, 771])),
        1 => (*b"tRNS", content(random, &[0, 1, 2, 6, 300])),
        2 => (*b"iCCP", [b"x\0\0".to_vec(), stored(&vec![0; 100_000])].concat()),
        3 => (*b"acTL", [SIZES[13].to_be_bytes(), [0; 4]].concat()),
        4 => (*b"fcTL", vec![0; 26]),
        5 => (
            *b"eXIf",
            [b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec(), content(random, &[1, 7])]
                .concat(),
        ),
        _ => (*b"tEXt", content(random, &[0, 1, 50])),
    }
}

pub(crate) fn change(random: &mut Random, bytes: &[u8]) -> Vec<u8> {
    if random.one_in(8) {
        let form = [random.pick(&[0, 2, 3, 4, 6]), random.pick(&[1, 2, 4, 8, 16]), random.pick(&[0, 0, 1])];
        let (width, height) = (1 + random.below(40) as u32, 1 + random.below(40) as u32);
        return noise(random, form, width, height);
    }
    if bytes.starts_with(b"\xff\xd8") {
        return jpeg(random, bytes);
    }
    let mut damaged = bytes.to_vec();
    let Some(mut chunks) = chunks(bytes).filter(|_| !random.one_in(6)) else {
        damage(random, &mut damaged);
        return damaged;
    };
    for _ in 0..random.few(3) {
        let Some(at) = random.place(&chunks) else { break };
        match random.below(9) {
            0..=2 => header(random, &mut chunks[0].1),
            3 => drop(chunks.remove(at)),
            4 => chunks.insert(at, chunks[at].clone()),
            5 => random.shuffle(&mut chunks),
            6 => chunks.insert(at, extra(random)),
            7 => {
                chunks[at].0 = *random.pick(&[
                    b"IHDR",
                    b"IDAT",
                    b"IEND",
                    b"PLTE",
                    b"tRNS",
                    b"fdAT",
                    b"gAMA",
                    b"\0\0\0\0",
                ])
            }
            _ => damage(random, &mut chunks[at].1),
        }
    }
    png(&chunks)
}

/// Starts of segments before the first scan, and their lengths.
fn segments(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = 2;
    while let Some(&[0xff, marker, high, low]) = bytes.get(at..at + 4) {
        let length = 2 + (usize::from(high) << 8 | usize::from(low));
        if at + length > bytes.len() {
            break;
        }
        found.push((at, length));
        at += length;
        if marker == 0xda {
            break;
        }
    }
    found
}

fn jpeg(random: &mut Random, bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let all = segments(bytes);
    let Some(place) = random.place(&all).filter(|_| !random.one_in(5)) else {
        damage(random, &mut out);
        return out;
    };
    let (at, length) = all[place];
    let frame = all.iter().find(|(at, length)| matches!(bytes[at + 1], 0xc0..=0xc2) && *length >= 19);
    match (random.below(7), frame) {
        (0, Some((frame, _))) => {
            let side = |random: &mut Random| (random.pick(SIZES) as u16).to_be_bytes();
            out[frame + 5..frame + 7].copy_from_slice(&side(random));
            out[frame + 7..frame + 9].copy_from_slice(&side(random));
        }
        (1, Some((frame, _))) => {
            out[frame + 9 + random.below(10)] = random.pick(&[0, 1, 2, 3, 4, 0x11, 0x22, 0x41, 0x44, 255])
        }
        (2, Some((frame, _))) => out[frame + 4] = random.pick(&[0, 1, 2, 12, 16, 255]),
        (3, _) => drop(out.drain(at..at + length)),
        (4, _) => {
            let segment = bytes[at..at + length].to_vec();
            out.splice(at..at, segment.repeat(random.pick(&[1, 100])));
        }
        (5, _) => out[at + 1] = 0xc0 + random.below(64) as u8,
        _ => {
            let mut inside = bytes[at + 4..at + length].to_vec();
            damage(random, &mut inside);
            inside.resize(length - 4, 0);
            out[at + 4..at + length].copy_from_slice(&inside);
        }
    }
    out
}

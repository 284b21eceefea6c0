//! Changes of traces: head and index as JSON, records, and the numbers that say where these lie
//! (`src/trace/mod.rs`).

use super::super::random::Random;
use super::json;
use super::values::{INTEGERS, damage};

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    let word = bytes.get(at..at.checked_add(8)?)?;
    usize::try_from(word.iter().rev().fold(0_u64, |n, b| n << 8 | u64::from(*b))).ok()
}

/// Head, records, index.
fn split(bytes: &[u8]) -> Option<[&[u8]; 3]> {
    let end = bytes.len().checked_sub(16)?;
    let records = word(bytes, 8)?.checked_add(16)?;
    let index = word(bytes, end)?;
    Some([
        bytes.get(16..records)?,
        bytes.get(records..index)?,
        bytes.get(index..index.checked_add(word(bytes, end + 8)?)?)?,
    ])
}

/// A trace of these parts, its chunks moved with the records if the head grew.
fn join(head: &[u8], records: &[u8], index: &[u8], before: usize) -> Vec<u8> {
    let mut out = b"RCNTRACE".to_vec();
    out.extend((head.len() as u64).to_le_bytes());
    out.extend(head);
    let moved = out.len() as i64 - 16 - before as i64;
    out.extend(records);
    let at = out.len() as u64;
    let index = match serde_json::from_slice::<serde_json::Value>(index) {
        Ok(mut chunks) if moved != 0 => {
            for chunk in chunks.as_array_mut().into_iter().flatten() {
                let offset = chunk.get("offset").and_then(|o| o.as_i64());
                if let (Some(offset), Some(chunk)) = (offset, chunk.as_object_mut()) {
                    chunk.insert("offset".into(), offset.wrapping_add(moved).into());
                }
            }
            serde_json::to_vec(&chunks).unwrap_or_default()
        }
        _ => index.to_vec(),
    };
    out.extend(&index);
    out.extend(at.to_le_bytes());
    out.extend((index.len() as u64).to_le_bytes());
    out
}

pub(crate) fn change(random: &mut Random, bytes: &[u8]) -> Vec<u8> {
    let mut damaged = bytes.to_vec();
    let Some([head, records, index]) = split(bytes).filter(|_| !random.one_in(8)) else {
        damage(random, &mut damaged);
        return damaged;
    };
    match random.below(7) {
        0 => join(&json::document(random, head), records, index, head.len()),
        1 | 2 => join(head, records, &json::document(random, index), head.len()),
        3 => {
            let at = random.pick(&[8, bytes.len() - 16, bytes.len() - 8]);
            damaged[at..at + 8].copy_from_slice(&random.pick(INTEGERS).to_le_bytes());
            damaged
        }
        _ => {
            // As many bytes as the index says.
            let mut changed = records.to_vec();
            damage(random, &mut changed);
            changed.resize(records.len(), 0xff);
            join(head, &changed, index, head.len())
        }
    }
}

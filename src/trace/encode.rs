//! Encoding and decoding of records.

use super::{Executed, Range, Record};
use crate::isa::{Queue, Space};
use crate::sim::clock::{Cause, Causes};
use crate::sim::{RegisterFile, Written};

/// The values that the next record of a chunk is encoded relative to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Last {
    seq: u64,
    pc: u32,
    issue: u64,
}

const QUEUED: u8 = 1;
const WRITES: u8 = 2;
const LAYER: u8 = 4;
const WROTE: u8 = 8;

/// Cycles and addresses are below this, so that no sum of two of them can overflow.
const LIMIT: u64 = 1 << 62;

/// The sum of two cycles; `None` if it is out of range.
fn later(cycle: u64, by: u64) -> Option<u64> {
    cycle.checked_add(by).filter(|sum| *sum < LIMIT)
}

fn number(mut n: u64, out: &mut Vec<u8>) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn signed(n: i64, out: &mut Vec<u8>) {
    number(((n << 1) ^ (n >> 63)) as u64, out);
}

/// Appends a record.
pub(super) fn encode(r: &Record, last: &mut Last, out: &mut Vec<u8>) {
    let mut flags = 0;
    let mut set = |flag, present: bool| flags |= if present { flag } else { 0 };
    set(QUEUED, r.executed.is_some());
    set(WRITES, r.written.is_some());
    set(LAYER, r.layer.is_some());
    set(WROTE, r.executed.as_ref().is_some_and(|e| e.wrote.is_some()));
    out.push(flags);
    signed(i64::from(r.pc) - i64::from(last.pc), out);
    number(r.issue.wrapping_sub(last.issue), out);
    if let Some(layer) = r.layer {
        number(layer.into(), out);
    }
    if let Some(w) = r.written {
        out.push((w.file as u8) << 5 | w.number & 31);
        signed(w.value, out);
    }
    if let Some(e) = &r.executed {
        out.push(e.queue.index() as u8);
        number(e.number, out);
        number(e.start.wrapping_sub(r.issue), out);
        number(e.end.wrapping_sub(e.start), out);
        let present = Cause::ALL.iter().enumerate().filter(|(_, c)| e.causes[**c] > 0);
        out.push(present.clone().fold(0, |mask, (i, _)| mask | 1 << i));
        present.for_each(|(_, c)| number(e.causes[*c], out));
        for ticket in e.tickets {
            match ticket {
                None => out.push(0),
                Some((queue, count)) => {
                    out.push(1 + queue.index() as u8);
                    number(count, out);
                }
            }
        }
        number(e.macs, out);
        number(e.dram_bytes, out);
        number(e.ranges.len() as u64, out);
        for range in &e.ranges {
            out.push(range.space as u8 * 2 + u8::from(range.writes));
            signed(range.start, out);
            number((range.end - range.start) as u64, out);
        }
        if let Some((bytes, digest)) = e.wrote {
            number(bytes, out);
            out.extend(digest.to_le_bytes());
        }
    }
    *last = Last { seq: r.seq + 1, pc: r.pc, issue: r.issue };
}

/// Reads numbers; `None` at the end of the bytes.
struct Bytes<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bytes<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn number(&mut self) -> Option<u64> {
        let mut n = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            n |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(n);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        let n = self.number()?;
        Some((n >> 1) as i64 ^ -((n & 1) as i64))
    }
}

/// The record at `at`, and the offset of the next one; `None` if the bytes are not a record.
pub(super) fn decode(bytes: &[u8], at: usize, last: &mut Last) -> Option<(Record, usize)> {
    let mut b = Bytes { bytes, at };
    let flags = b.byte()?;
    let pc = u32::try_from(i64::from(last.pc).checked_add(b.signed()?)?).ok()?;
    let issue = later(last.issue, b.number()?)?;
    let layer = if flags & LAYER > 0 { Some(u32::try_from(b.number()?).ok()?) } else { None };
    let written = if flags & WRITES > 0 {
        let register = b.byte()?;
        let file = *RegisterFile::ALL.get(usize::from(register >> 5))?;
        Some(Written { file, number: register & 31, value: b.signed()? })
    } else {
        None
    };
    let executed = if flags & QUEUED > 0 { Some(executed(&mut b, issue, flags & WROTE > 0)?) } else { None };
    let record = Record { seq: last.seq, pc, layer, issue, written, executed };
    *last = Last { seq: last.seq.checked_add(1)?, pc, issue };
    Some((record, b.at))
}

fn executed(b: &mut Bytes<'_>, issue: u64, wrote: bool) -> Option<Executed> {
    let queue = *Queue::ALL.get(usize::from(b.byte()?))?;
    let number = b.number()?;
    let start = later(issue, b.number()?)?;
    let end = later(start, b.number()?)?;
    let mask = b.byte()?;
    let mut causes = Causes::default();
    for (_, cause) in Cause::ALL.into_iter().enumerate().filter(|(i, _)| mask >> i & 1 == 1) {
        causes[cause] = b.number()?;
    }
    let mut tickets = [None; 2];
    for ticket in &mut tickets {
        *ticket = match b.byte()? {
            0 => None,
            queue => Some((*Queue::ALL.get(usize::from(queue) - 1)?, b.number()?)),
        };
    }
    let (macs, dram_bytes) = (b.number()?, b.number()?);
    let mut ranges = Vec::new();
    for _ in 0..b.number()?.min(16) {
        let kind = b.byte()?;
        let space = *Space::ALL.iter().find(|s| **s as u8 == kind / 2)?;
        let start = b.signed().filter(|start| start.unsigned_abs() < LIMIT)?;
        let end = start.checked_add_unsigned(b.number()?).filter(|end| end.unsigned_abs() < LIMIT)?;
        ranges.push(Range { space, start, end, writes: kind % 2 == 1 });
    }
    let wrote = if wrote {
        let bytes = b.number()?;
        let digest = b.bytes.get(b.at..b.at + 8)?.try_into().ok()?;
        b.at += 8;
        Some((bytes, u64::from_le_bytes(digest)))
    } else {
        None
    };
    Some(Executed { queue, number, start, end, causes, tickets, ranges, wrote, macs, dram_bytes })
}

impl Last {
    /// The state before record `seq`, the first of its chunk.
    pub(super) fn before(seq: u64) -> Last {
        Last { seq, ..Last::default() }
    }
}

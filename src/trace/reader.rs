//! Reading a trace.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::encode::{Last, decode};
use super::writer::{Chunk, VERSION};
use super::{Header, MAGIC, Record, TraceError};
use crate::files;
use crate::isa::{Insn, Space, disasm};

/// A selection of records; every condition given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of these layers, by index.
    pub layers: Option<Vec<u32>>,
    /// Of these units: 0 control, 1 to 4 the queues.
    pub units: Option<Vec<usize>>,
    /// With a pc in this range, both ends included.
    pub pc: Option<[u32; 2]>,
    /// That are active in these cycles, the last one excluded.
    pub cycles: Option<[u64; 2]>,
    /// That write this byte.
    pub writes: Option<(Space, i64)>,
}

impl Filter {
    fn wants_chunk(&self, c: &Chunk) -> bool {
        self.layers.as_ref().is_none_or(|l| l.iter().any(|l| c.layers.binary_search(l).is_ok()))
            && self.units.as_ref().is_none_or(|u| u.iter().any(|u| c.units >> u & 1 == 1))
            && self.cycles.is_none_or(|[from, to]| c.cycles[0] < to && from < c.cycles[1])
    }

    fn wants(&self, r: &Record) -> bool {
        let unit = r.executed.as_ref().map_or(0, |e| 1 + e.queue.index());
        self.layers.as_ref().is_none_or(|l| r.layer.is_some_and(|layer| l.contains(&layer)))
            && self.units.as_ref().is_none_or(|u| u.contains(&unit))
            && self.pc.is_none_or(|[from, to]| (from..=to).contains(&r.pc))
            && self.cycles.is_none_or(|[from, to]| r.issue < to && from < r.end())
            && self.writes.is_none_or(|(space, at)| {
                r.executed.as_ref().is_some_and(|e| {
                    e.ranges.iter().any(|x| x.writes && x.space == space && (x.start..x.end).contains(&at))
                })
            })
    }
}

/// An open trace.
#[derive(Debug)]
pub struct TraceReader {
    /// Its header.
    pub header: Header,
    file: BufReader<File>,
    index: Vec<Chunk>,
}

fn damaged(reason: impl Into<String>, offset: u64) -> TraceError {
    TraceError::Damaged { reason: reason.into(), offset }
}

impl TraceReader {
    /// One past the last cycle of any record.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.index.iter().map(|c| c.cycles[1]).max().unwrap_or(0)
    }

    /// Opens a trace file and checks header and index.
    ///
    /// # Errors
    /// It cannot be read, or is not a trace.
    pub fn open(path: &Path) -> Result<TraceReader, TraceError> {
        let mut file = BufReader::new(files::open_regular(path)?);
        let size = file.seek(SeekFrom::End(0))?;
        file.rewind()?;
        let mut head = [0; 16];
        file.read_exact(&mut head).map_err(|_| damaged("it is too short", 0))?;
        if &head[..8] != MAGIC {
            return Err(damaged("it does not begin with RCNTRACE", 0));
        }
        let mut word = [0; 8];
        word.copy_from_slice(&head[8..]);
        let length = u64::from_le_bytes(word);
        let header: Header = serde_json::from_slice(&block(&mut file, 16, length, size)?)
            .map_err(|e| damaged(format!("header: {e}"), 16))?;
        if header.version != VERSION {
            return Err(damaged(format!("version {}, this build reads {VERSION}", header.version), 16));
        }
        let tail = block(&mut file, size.saturating_sub(16), 16, size)?;
        let word = |at: usize| tail[at..at + 8].iter().rev().fold(0, |n, b| n << 8 | u64::from(*b));
        let index: Vec<Chunk> = serde_json::from_slice(&block(&mut file, word(0), word(8), size)?)
            .map_err(|e| damaged(format!("index: {e}"), word(0)))?;
        check(&index, size)?;
        Ok(TraceReader { header, file, index })
    }

    /// Number of records.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.index.iter().fold(0, |n: u64, c| n.saturating_add(c.records))
    }

    /// Calls `f` for every selected record, in program order, until it returns `false`.
    ///
    /// # Errors
    /// The file cannot be read, or a chunk is damaged.
    pub fn read(&mut self, filter: &Filter, f: &mut impl FnMut(&Record) -> bool) -> Result<(), TraceError> {
        let size = self.file.seek(SeekFrom::End(0))?;
        for chunk in self.index.iter().filter(|c| filter.wants_chunk(c)) {
            let bytes = block(&mut self.file, chunk.offset, chunk.bytes, size)?;
            let (mut at, mut last) = (0, Last::before(chunk.seq));
            for _ in 0..chunk.records {
                let (record, next) = decode(&bytes, at, &mut last)
                    .ok_or_else(|| damaged("a record is none", chunk.offset + at as u64))?;
                at = next;
                if filter.wants(&record) && !f(&record) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Calls `f` for the records from number `seq` on, until it returns `false`.
    ///
    /// # Errors
    /// As [`TraceReader::read`].
    pub fn read_from(&mut self, seq: u64, f: &mut impl FnMut(&Record) -> bool) -> Result<(), TraceError> {
        let index = self.index.clone();
        self.index.retain(|c| c.seq.saturating_add(c.records) > seq);
        let result = self.read(&Filter::default(), &mut |r| r.seq < seq || f(r));
        self.index = index;
        result
    }

    /// Assembly text of every instruction.
    #[must_use]
    pub fn disassembly(&self) -> Vec<String> {
        let word = |text: &String| u128::from_str_radix(text, 16).ok();
        let text = |w: u128| {
            Insn::decode(w).map_or_else(|_| format!(".word {w:#x}"), |insn| disasm::disassemble(&insn))
        };
        self.header.code.iter().map(|t| word(t).map_or_else(|| format!(".word {t}"), text)).collect()
    }
}

/// Whether chunks are consecutive in the file and in their records, and no record takes fewer than three
/// bytes: reading all of them then takes time proportional to the file.
fn check(index: &[Chunk], size: u64) -> Result<(), TraceError> {
    let (mut from, mut seq) = (0, 0);
    for c in index {
        let end = c.offset.checked_add(c.bytes).filter(|end| *end <= size);
        let Some(end) = end else { return Err(damaged("a chunk lies outside the file", c.offset)) };
        if c.offset < from || c.seq != seq || c.records > c.bytes / 3 {
            return Err(damaged("a chunk does not follow the one before it", c.offset));
        }
        // Both stay below the file's size.
        (from, seq) = (end, seq + c.records);
    }
    Ok(())
}

/// `length` bytes at an offset of a file of `size` bytes.
fn block(file: &mut BufReader<File>, offset: u64, length: u64, size: u64) -> Result<Vec<u8>, TraceError> {
    if offset.checked_add(length).is_none_or(|end| end > size) {
        return Err(damaged("a part lies outside the file", offset));
    }
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = vec![0; length as usize];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

//! Writing a trace while a program runs.

use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::encode::{Last, encode};
use super::{Executed, Header, LayerName, MAGIC, Range, Record, TraceError};
use crate::files::Staged;
use crate::isa::Queue;
use crate::sim::access::{dram_bytes, for_each_region};
use crate::sim::clock::{OpTiming, cost};
use crate::sim::{Loaded, Memory, Observer, QueueOp, Written};

/// Version of the format.
pub(super) const VERSION: u32 = 2;

/// Records of a chunk, the unit of decoding.
const CHUNK: u64 = 4096;

/// Position of a chunk, and what it contains.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Chunk {
    pub(super) offset: u64,
    pub(super) bytes: u64,
    pub(super) seq: u64,
    pub(super) records: u64,
    /// First cycle and one past the last.
    pub(super) cycles: [u64; 2],
    /// One bit a unit: control, then the queues.
    pub(super) units: u8,
    /// Layers of its records, ascending.
    pub(super) layers: Vec<u32>,
}

/// Observes a run and writes its trace. The file appears under its name when [`TraceWriter::finish`] is
/// called; if dropped before, it leaves nothing behind.
pub struct TraceWriter<'a> {
    loaded: &'a Loaded,
    timings: Vec<OpTiming>,
    out: Staged,
    offset: u64,
    seq: u64,
    issued: [u64; 4],
    last: Last,
    buffer: Vec<u8>,
    chunk: Chunk,
    index: Vec<Chunk>,
    pending: Option<(Executed, Option<u32>)>,
    open: Option<u32>,
    failed: Option<std::io::Error>,
}

impl<'a> TraceWriter<'a> {
    /// Starts the trace of a program's run.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn create(path: &Path, loaded: &'a Loaded) -> Result<TraceWriter<'a>, TraceError> {
        let mut out = Staged::create(path)?;
        let (program, machine) = (loaded.program(), loaded.machine());
        let header = Header {
            version: VERSION,
            program: program.meta.name.clone(),
            machine: machine.name.clone(),
            clock_mhz: machine.clock_mhz,
            macs_per_cycle: machine.macs_per_cycle(),
            spm_bytes: machine.spm.bytes,
            acc_bytes: machine.acc.bytes,
            dram_bytes: program.meta.dram_bytes,
            layers: program
                .meta
                .layers
                .iter()
                .map(|l| LayerName { name: l.name.clone(), onnx_nodes: l.onnx_nodes.clone() })
                .collect(),
            code: program.code.iter().map(|w| format!("{w:x}")).collect(),
        };
        let header = serde_json::to_vec(&header).map_err(std::io::Error::from)?;
        out.write_all(MAGIC)?;
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        let damaged = |e: crate::sim::Fault| TraceError::Damaged { reason: e.to_string(), offset: 0 };
        Ok(TraceWriter {
            loaded,
            timings: loaded.timeline().map_err(damaged)?,
            out,
            offset: 16 + header.len() as u64,
            seq: 0,
            issued: [0; 4],
            last: Last::default(),
            buffer: Vec::new(),
            chunk: Chunk::default(),
            index: Vec::new(),
            pending: None,
            open: None,
            failed: None,
        })
    }

    /// Ends the trace: writes the index and renames the file into place. Returns the numbers of records and
    /// bytes.
    ///
    /// # Errors
    /// An error in writing any part of it.
    pub fn finish(mut self) -> Result<(u64, u64), TraceError> {
        self.flush();
        if let Some(failed) = self.failed.take() {
            return Err(failed.into());
        }
        let index = serde_json::to_vec(&self.index).map_err(std::io::Error::from)?;
        self.out.write_all(&index)?;
        self.out.write_all(&self.offset.to_le_bytes())?;
        self.out.write_all(&(index.len() as u64).to_le_bytes())?;
        self.out.finish()?;
        Ok((self.seq, self.offset + index.len() as u64 + 16))
    }

    fn flush(&mut self) {
        if self.chunk.records == 0 {
            return;
        }
        let mut chunk = std::mem::take(&mut self.chunk);
        (chunk.offset, chunk.bytes) = (self.offset, self.buffer.len() as u64);
        if let Err(e) = self.out.write_all(&self.buffer) {
            self.failed.get_or_insert(e);
        }
        self.offset += chunk.bytes;
        chunk.layers.sort_unstable();
        self.index.push(chunk);
        self.buffer.clear();
        self.last = Last::before(self.seq);
    }

    fn record(&mut self, r: &Record) {
        if self.chunk.records == 0 {
            self.chunk = Chunk { seq: r.seq, cycles: [r.issue, 0], ..Chunk::default() };
        }
        encode(r, &mut self.last, &mut self.buffer);
        let chunk = &mut self.chunk;
        chunk.records += 1;
        chunk.cycles = [chunk.cycles[0].min(r.issue), chunk.cycles[1].max(r.end())];
        chunk.units |= 1 << r.executed.as_ref().map_or(0, |e| 1 + e.queue.index());
        if let Some(layer) = r.layer.filter(|l| chunk.layers.last() != Some(l) && !chunk.layers.contains(l)) {
            chunk.layers.push(layer);
        }
        self.seq += 1;
        if self.chunk.records == CHUNK {
            self.flush();
        }
    }
}

/// Ranges that an operation touches, and number and digest of the bytes that it wrote.
fn touched(op: &QueueOp, memory: &Memory) -> (Vec<Range>, Option<(u64, u64)>) {
    let mut ranges = Vec::with_capacity(4);
    let (mut hash, mut bytes) = (Xxh3::new(), 0);
    let _: Result<(), ()> = for_each_region(&op.kind, &mut |region, writes| {
        let space = region.space();
        if let Some((start, end)) = region.span() {
            ranges.push(Range { space, start, end, writes });
        }
        if !writes {
            return Ok(());
        }
        region.rows(&mut |row| {
            hash.update(memory.read(space, row.start, row.len as usize));
            bytes += row.len as u64;
            Ok(())
        })
    });
    let wrote = (bytes > 0).then(|| (bytes, hash.digest()));
    (ranges, wrote)
}

impl Observer for TraceWriter<'_> {
    fn layer_begin(&mut self, layer: u32) {
        self.open = Some(layer);
    }

    fn op(&mut self, op: &QueueOp, memory: &Memory) {
        let Some(timing) = self.timings.get(op.seq as usize) else { return };
        let number = &mut self.issued[op.queue.index()];
        *number += 1;
        let (ranges, wrote) = touched(op, memory);
        let executed = Executed {
            queue: op.queue,
            number: *number,
            start: timing.start,
            end: timing.end,
            causes: timing.causes,
            tickets: op.tickets.map(|t| t.filter(|t| t.count > 0).map(|t| (t.queue, t.count))),
            ranges,
            wrote,
            macs: if op.queue == Queue::Mac { cost::macs(&op.kind) } else { 0 },
            dram_bytes: dram_bytes(&op.kind),
        };
        self.pending = Some((executed, op.layer));
    }

    fn retire(&mut self, pc: u32, cycle: u64, written: Option<Written>) {
        let (executed, layer) = match self.pending.take() {
            Some((executed, layer)) => (Some(executed), layer),
            None => (None, self.loaded.program().layer_index(pc as usize).or(self.open)),
        };
        let record = Record { seq: self.seq, pc, layer, issue: cycle, written, executed };
        self.record(&record);
    }
}

//! Trace event format, for Perfetto and `chrome://tracing`: units as tracks, layers as slices, arrows from
//! what an instruction waited for, and counters for the DRAM channel, the array and the scratchpad.
//!
//! DMA instructions overlap, so a DMA unit has as many tracks as it has instructions in flight. The
//! scratchpad's occupancy counts lines of 64 bytes from the write of a value to its last read.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::{Value, json};

use super::each::each;
use super::form::PerfettoTrace;
use crate::document;
use crate::isa::limits::MAX_SPM;
use crate::isa::{Queue, Space};
use crate::trace::{Executed, Filter, Record, TraceError, TraceReader};

/// Samples of a counter.
const SAMPLES: u64 = 2000;
/// Bytes of a scratchpad line.
const LINE: i64 = 64;
/// Track numbers: layers, the control core, then the units, each with room for its tracks.
const LAYERS: u64 = 1;
const CONTROL: u64 = 2;

fn tracks(queue: Queue) -> u64 {
    1000 * (1 + queue.index() as u64)
}

#[derive(Default)]
struct State {
    /// End and track of every instruction of each queue, by number.
    ended: [BTreeMap<u64, (u64, u64)>; 4],
    /// When each track of each queue is free again.
    free: [Vec<u64>; 4],
    /// Latest end of each layer.
    layers: BTreeMap<u32, u64>,
    first: Option<u64>,
    flows: u64,
    /// Multiply-accumulates and bytes, with the cycles over which they are distributed.
    macs: Vec<[u64; 3]>,
    dram: Vec<[u64; 3]>,
    lines: Vec<Option<[u64; 2]>>,
    occupied: BTreeMap<u64, i64>,
}

pub(super) fn write(
    trace: &mut TraceReader,
    filter: &Filter,
    out: &mut impl Write,
) -> Result<(), TraceError> {
    let code = trace.disassembly();
    let header = trace.header.clone();
    let lines = (header.spm_bytes.min(MAX_SPM) / LINE as u64) as usize + 1;
    let mut state = State { lines: vec![None; lines], ..State::default() };
    let title = format!("{} on {} (1 us = 1 cycle)", header.program, header.machine);
    // The events are written one by one into the empty list.
    let empty = PerfettoTrace { display_time_unit: "ns", trace_events: Vec::new() };
    let head = document::line(&empty);
    write!(out, "{}\n{}", head.trim_end().trim_end_matches("]}"), meta("process_name", 0, &title))?;
    for (track, name) in [(LAYERS, "layers"), (CONTROL, "control core")] {
        write!(out, ",\n{}", meta("thread_name", track, name))?;
    }
    each(trace, filter, |r| {
        let text = code.get(r.pc as usize).map_or("", String::as_str);
        state.first.get_or_insert(r.issue);
        if let Some(layer) = r.layer {
            let end = state.layers.entry(layer).or_default();
            *end = r.end().max(*end);
        }
        let layer = r.layer.and_then(|l| header.layers.get(l as usize)).map(|l| l.name.as_str());
        let name = text.split_whitespace().next().unwrap_or("?");
        let (track, start) = match &r.executed {
            None => (CONTROL, r.issue),
            Some(e) => (state.track(e, out)?, e.start),
        };
        let mut args = json!({ "pc": r.pc, "seq": r.seq, "instruction": text, "layer": layer });
        if let Some(e) = &r.executed {
            args["causes"] = json!(e.causes);
            args["issue"] = json!(r.issue);
        }
        let slice = json!({
            "ph": "X", "name": name, "cat": r.unit(), "ts": start, "dur": r.end().saturating_sub(start), "pid": 1, "tid": track,
            "args": args,
        });
        write!(out, ",\n{slice}")?;
        if let Some(e) = &r.executed {
            state.waited(e, track, out)?;
            state.count(r, e);
        }
        Ok(())
    })?;
    let mut from = state.first.unwrap_or(0);
    for (layer, end) in &state.layers {
        let name = header.layers.get(*layer as usize).map_or("?", |l| l.name.as_str());
        let to = from.max(*end);
        let slice = if to > from {
            json!({
                "ph": "X", "name": name, "cat": "layer", "ts": from, "dur": to - from, "pid": 1, "tid": LAYERS,
            })
        } else {
            // A slice without length would be drawn around the next one.
            json!({ "ph": "i", "name": name, "cat": "layer", "ts": from, "s": "t", "pid": 1, "tid": LAYERS })
        };
        write!(out, ",\n{slice}")?;
        from = to;
    }
    state.counters(header.macs_per_cycle, out)?;
    writeln!(out, "\n]}}")?;
    Ok(())
}

fn meta(kind: &str, track: u64, name: &str) -> Value {
    json!({ "ph": "M", "name": kind, "pid": 1, "tid": track, "ts": 0, "args": { "name": name } })
}

fn counter(name: &str, ts: u64, value: f64) -> Value {
    json!({ "ph": "C", "name": name, "ts": ts, "pid": 1, "args": { "value": value } })
}

impl State {
    /// The first track of its unit that is free at its start.
    fn track(&mut self, e: &Executed, out: &mut impl Write) -> std::io::Result<u64> {
        let unit = e.queue.index();
        let free = &mut self.free[unit];
        let slot = match free.iter().position(|end| *end <= e.start) {
            Some(slot) => slot,
            None => {
                let name = if free.is_empty() {
                    e.queue.name().to_string()
                } else {
                    format!("{} ({})", e.queue.name(), free.len() + 1)
                };
                write!(out, ",\n{}", meta("thread_name", tracks(e.queue) + free.len() as u64, &name))?;
                free.push(0);
                free.len() - 1
            }
        };
        free[slot] = e.end;
        let track = tracks(e.queue) + slot as u64;
        self.ended[unit].insert(e.number, (e.end, track));
        Ok(track)
    }

    /// Arrows from what the instruction waited for.
    fn waited(&mut self, e: &Executed, track: u64, out: &mut impl Write) -> std::io::Result<()> {
        for (queue, count) in e.tickets.iter().flatten() {
            let Some((end, from)) = self.ended[queue.index()].get(count) else { continue };
            self.flows += 1;
            let id = self.flows;
            let start = json!({
                "ph": "s", "name": "wait", "cat": "sync", "id": id, "ts": end.saturating_sub(1), "pid": 1, "tid": from,
            });
            let finish = json!({
                "ph": "f", "bp": "e", "name": "wait", "cat": "sync", "id": id, "ts": e.start, "pid": 1, "tid": track,
            });
            write!(out, ",\n{start},\n{finish}")?;
        }
        Ok(())
    }

    fn count(&mut self, r: &Record, e: &Executed) {
        if e.macs > 0 {
            self.macs.push([e.start, e.end, e.macs]);
        }
        if e.dram_bytes > 0 {
            self.dram.push([e.start, e.end, e.dram_bytes]);
        }
        for range in e.ranges.iter().filter(|x| x.space == Space::Spm) {
            let lines = (range.start.max(0) / LINE) as usize..=((range.end - 1).max(0) / LINE) as usize;
            for line in self.lines.get_mut(lines).into_iter().flatten() {
                if !range.writes {
                    if let Some([_, last]) = line {
                        *last = e.end.max(*last);
                    }
                } else if line.is_none_or(|[_, last]| last < r.end())
                    && let Some([from, to]) = line.replace([e.start, e.end])
                {
                    *self.occupied.entry(from).or_default() += 1;
                    *self.occupied.entry(to.max(from)).or_default() -= 1;
                }
            }
        }
    }

    fn counters(&mut self, peak: u64, out: &mut impl Write) -> std::io::Result<()> {
        let first = self.first.unwrap_or(0);
        let total = self.layers.values().copied().max().unwrap_or(first).max(first + 1);
        let step = ((total - first) / SAMPLES).max(1);
        for (name, spans, scale) in [
            ("DRAM bytes/cycle", &self.dram, 1.0),
            ("MAC utilization %", &self.macs, 100.0 / peak.max(1) as f64),
        ] {
            let mut sums = vec![0.0; ((total - first) / step + 2) as usize];
            for [start, end, amount] in spans {
                let rate = *amount as f64 / end.saturating_sub(*start).max(1) as f64;
                let mut at = *start;
                while at < *end {
                    let bucket = (at.saturating_sub(first) / step) as usize;
                    if bucket >= sums.len() {
                        break;
                    }
                    let until = (first + (bucket as u64 + 1) * step).min(*end).max(at + 1);
                    if let Some(sum) = sums.get_mut(bucket) {
                        *sum += rate * (until - at) as f64;
                    }
                    at = until;
                }
            }
            for (bucket, sum) in sums.iter().enumerate() {
                let ts = first + bucket as u64 * step;
                write!(out, ",\n{}", counter(name, ts, sum / step as f64 * scale))?;
            }
        }
        for [from, to] in self.lines.iter().flatten() {
            *self.occupied.entry(*from).or_default() += 1;
            *self.occupied.entry((*to).max(*from)).or_default() -= 1;
        }
        let (mut lines, mut next) = (0, 0);
        for (cycle, change) in &self.occupied {
            lines += change;
            if *cycle >= next {
                write!(out, ",\n{}", counter("SPM bytes in use", *cycle, (lines * LINE) as f64))?;
                next = cycle + step;
            }
        }
        Ok(())
    }
}

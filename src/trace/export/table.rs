//! Records as lines of text, JSON and CSV.

use std::io::Write;

use super::each::each;
use super::form::{TraceHead, TraceRecord};
use crate::document;
use crate::sim::clock::{Cause, awaited, unit};
use crate::trace::{Executed, Filter, Record, TraceError, TraceReader};

pub(super) fn text(trace: &mut TraceReader, filter: &Filter, out: &mut impl Write) -> Result<(), TraceError> {
    let code = trace.disassembly();
    let width = code.iter().map(|t| t.chars().count()).max().unwrap_or(0).min(60);
    let names: Vec<String> = trace.header.layers.iter().map(|l| l.name.clone()).collect();
    writeln!(
        out,
        "{:>9} {:>10} {:>10} {:>10} {:<7} {:>6}  {:<width$}  what changed",
        "#", "issue", "start", "end", "unit", "pc", "instruction"
    )?;
    let mut layer = None;
    each(trace, filter, |r| {
        if r.layer != layer {
            layer = r.layer;
            let name = layer.and_then(|l| names.get(l as usize)).map_or("outside all layers", String::as_str);
            writeln!(out, "-- {name}")?;
        }
        let text = code.get(r.pc as usize).map_or("", String::as_str);
        let (start, end) = match &r.executed {
            Some(e) => (e.start.to_string(), e.end.to_string()),
            None => (String::new(), String::new()),
        };
        writeln!(
            out,
            "{:>9} {:>10} {start:>10} {end:>10} {:<7} {:>6}  {text:<width$}  {}",
            r.seq,
            r.issue,
            r.unit(),
            r.pc,
            change(r)
        )
    })
}

fn change(r: &Record) -> String {
    let mut parts: Vec<String> = r.written.iter().map(ToString::to_string).collect();
    if let Some(e) = &r.executed {
        if let Some((bytes, digest)) = e.wrote {
            let at = e.ranges.iter().find(|x| x.writes);
            let at = at.map_or(String::new(), |x| format!("{} {:#x}..{:#x}", x.space.name(), x.start, x.end));
            parts.push(format!("{at}: {bytes} bytes, xxh3 {digest:016x}"));
        }
        let waits: Vec<String> = waits(e).collect();
        if !waits.is_empty() {
            parts.push(format!("waited for {}", waits.join(", ")));
        }
    }
    parts.join("; ")
}

/// What an instruction waited for, with the cycles.
fn waits(e: &Executed) -> impl Iterator<Item = String> + '_ {
    e.causes.iter().filter(|(c, _)| *c != Cause::Busy).map(|(cause, cycles)| {
        let ticket = match cause {
            Cause::Condition1 => e.tickets[0],
            Cause::Condition2 => e.tickets[1],
            _ => None,
        };
        match ticket {
            Some((queue, _)) => format!("{}: {} {cycles}", unit(queue), awaited(e.queue, queue)),
            None => format!("{} {cycles}", cause.waited_for()),
        }
    })
}

pub(super) fn json(trace: &mut TraceReader, filter: &Filter, out: &mut impl Write) -> Result<(), TraceError> {
    let code = trace.disassembly();
    let header = &trace.header;
    let head = TraceHead {
        program: header.program.clone(),
        machine: header.machine.clone(),
        clock_mhz: header.clock_mhz,
        layers: header.layers.clone(),
    };
    write!(out, "{}", document::line(&head))?;
    each(trace, filter, |r| {
        serde_json::to_writer(&mut *out, &TraceRecord::of(r, &code, &head.layers))?;
        writeln!(out)
    })
}

pub(super) fn csv(trace: &mut TraceReader, filter: &Filter, out: &mut impl Write) -> Result<(), TraceError> {
    let code = trace.disassembly();
    let names: Vec<String> = trace.header.layers.iter().map(|l| l.name.clone()).collect();
    write!(out, "seq,pc,unit,layer,instruction,issue,start,end,register,written_bytes,xxh3,macs,dram_bytes")?;
    for cause in Cause::ALL {
        write!(out, ",{}", cause.name())?;
    }
    writeln!(out)?;
    each(trace, filter, |r| {
        let layer = r.layer.and_then(|l| names.get(l as usize)).map_or("", String::as_str);
        let text = code.get(r.pc as usize).map_or("", String::as_str);
        let register = r.written.map_or(String::new(), |w| w.to_string());
        let (layer, text) = (quoted(layer), quoted(text));
        write!(out, "{},{},{},{layer},{text},{},", r.seq, r.pc, r.unit(), r.issue)?;
        match &r.executed {
            None => write!(out, "{},{},{register},,,,", r.issue, r.end())?,
            Some(e) => {
                let (bytes, digest) =
                    e.wrote.map_or_else(Default::default, |(n, d)| (n.to_string(), format!("{d:016x}")));
                write!(out, "{},{},{register},{bytes},{digest},{},{}", e.start, e.end, e.macs, e.dram_bytes)?;
            }
        }
        for cause in Cause::ALL {
            write!(out, ",{}", r.executed.as_ref().map_or(String::new(), |e| e.causes[cause].to_string()))?;
        }
        writeln!(out)
    })
}

/// A field of a CSV line (RFC 4180).
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.into() }
}

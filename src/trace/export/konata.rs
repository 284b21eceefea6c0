//! Kanata 0004: the log format of the Konata pipeline viewer. Every instruction has the stage `Q` while it
//! waits in its queue and `X` while it executes; control instructions only `X`.

use std::collections::BTreeMap;
use std::io::Write;

use super::each::each;
use crate::trace::{Filter, TraceError, TraceReader};

pub(super) fn write(
    trace: &mut TraceReader,
    filter: &Filter,
    out: &mut impl Write,
) -> Result<(), TraceError> {
    let code = trace.disassembly();
    // The log is in the order of cycles, records are in program order: lines are held back until their cycle.
    let mut events: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    let mut now = None;
    let (mut id, mut retired) = (0_u64, 0_u64);
    writeln!(out, "Kanata\t0004")?;
    let mut flush = |events: &mut BTreeMap<u64, Vec<String>>, until: u64, out: &mut dyn Write| {
        while let Some(entry) = events.first_entry().filter(|e| *e.key() < until) {
            let (cycle, lines) = entry.remove_entry();
            match now {
                None => writeln!(out, "C=\t{cycle}")?,
                // Only in a damaged trace time goes back.
                Some(before) => writeln!(out, "C\t{}", cycle.saturating_sub(before))?,
            }
            now = Some(cycle);
            for line in lines {
                if line.starts_with('R') {
                    let at = line.find('#').unwrap_or(line.len());
                    writeln!(out, "{}{retired}{}", &line[..at], &line[at + 1..])?;
                    retired += 1;
                } else {
                    writeln!(out, "{line}")?;
                }
            }
        }
        Ok::<(), std::io::Error>(())
    };
    each(trace, filter, |r| {
        // Issues ascend, so no earlier event can follow.
        flush(&mut events, r.issue, out)?;
        let text = code.get(r.pc as usize).map_or("", String::as_str);
        let first = events.entry(r.issue).or_default();
        first.push(format!("I\t{id}\t{}\t0", r.seq));
        first.push(format!("L\t{id}\t0\t{}: {text}", r.pc));
        first.push(format!("L\t{id}\t1\t{}", r.unit()));
        let start = r.executed.as_ref().map_or(r.issue, |e| e.start);
        if start > r.issue {
            first.push(format!("S\t{id}\t0\tQ"));
            events.entry(start).or_default().push(format!("E\t{id}\t0\tQ"));
        }
        events.entry(start).or_default().push(format!("S\t{id}\t0\tX"));
        let last = events.entry(r.end()).or_default();
        last.push(format!("E\t{id}\t0\tX"));
        last.push(format!("R\t{id}\t#\t0"));
        id += 1;
        Ok(())
    })?;
    flush(&mut events, u64::MAX, out)?;
    Ok(())
}

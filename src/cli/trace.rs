//! `rcar-iss trace`: asks a trace, and brings it into other forms.

use std::io::{BufWriter, Write};
use std::path::Path;

use super::args::{TraceArgs, TraceFormat};
use super::{Outcome, Report, effect, places};
use crate::explain::{Failure, INPUT};
use crate::files;
use crate::isa::{Queue, Space};
use crate::readable;
use crate::trace::export::{Format, export};
use crate::trace::{Filter, Header, TraceError, TraceReader};

pub(super) fn run(args: &TraceArgs) -> Result<Outcome, Failure> {
    if let Some(path) = &args.output {
        places::writes("--output", path)?;
    }
    places::reads(files::system_path(&args.file))?;
    let failed = |e: TraceError| failure(&args.file, &e);
    let mut trace = TraceReader::open(files::system_path(&args.file)).map_err(failed)?;
    let filter = filter(args, &trace)?;
    matches(&mut trace, &filter).map_err(failed)??;
    let form = match args.format {
        TraceFormat::Text => Format::Text,
        TraceFormat::Json => Format::Json,
        TraceFormat::Csv => Format::Csv,
        TraceFormat::Perfetto => Format::Perfetto,
        TraceFormat::Konata => Format::Konata,
    };
    let Some(path) = args.output.as_deref().filter(|path| !places::is_stdout(path)) else {
        let file = args.file.clone();
        let stream = move |out: &mut dyn Write| {
            let mut out = BufWriter::new(out);
            let done = export(&mut trace, &filter, form, &mut out).and_then(|()| Ok(out.flush()?));
            match done {
                Err(TraceError::Io(e)) => places::written(Err(e)),
                done => done.map_err(|e| failure(&file, &e)),
            }
        };
        return Ok(Outcome::Stream(Box::new(stream)));
    };
    let mut damage = None;
    let written = files::replace_with(path, |mut out| {
        export(&mut trace, &filter, form, &mut out).map_err(|e| match e {
            TraceError::Io(e) => e,
            other => {
                damage = Some(other);
                std::io::ErrorKind::InvalidData.into()
            }
        })
    });
    if let Some(e) = damage {
        return Err(failed(e));
    }
    written.map_err(|e| Failure::file(path, &e))?;
    let bytes = std::fs::metadata(path).map_err(|e| Failure::file(path, &e))?.len();
    Ok(Outcome::Report(Report::fine(format!("{}: {}\n", path.display(), readable::bytes(bytes)))))
}

/// A trace that cannot be written or read.
pub(super) fn failure(path: &Path, e: &TraceError) -> Failure {
    let failure = Failure::new(INPUT, format!("'{}'", path.display())).why(e);
    match e {
        TraceError::Damaged { .. } => failure.help("write it again with `rcar-iss run P.rcn --trace FILE`"),
        _ => failure,
    }
}

/// Refuses conditions that no record fulfils together. That nothing writes an address is an answer, not a mistake.
fn matches(trace: &mut TraceReader, filter: &Filter) -> Result<Result<(), Failure>, TraceError> {
    let asked = Filter { writes: None, ..filter.clone() };
    let mut any = asked == Filter::default();
    if !any {
        trace.read(&asked, &mut |_| {
            any = true;
            false
        })?;
    }
    let refused = || {
        Failure::usage("no record of the trace matches")
            .why(&"nothing is of these layers and units, at these places and in these cycles")
            .help("leave a condition out; `rcar-iss info P.rcn --provenance` lists layers and their instructions")
    };
    Ok(if any { Ok(()) } else { Err(refused()) })
}

fn filter(args: &TraceArgs, trace: &TraceReader) -> Result<Filter, Failure> {
    let layers = &trace.header.layers;
    let mut chosen: Option<Vec<u32>> = None;
    for (wanted, what, of) in [(&args.layer, "layer", false), (&args.node, "ONNX node", true)] {
        for name in wanted {
            let matches = |l: &crate::trace::LayerName| {
                if of { l.onnx_nodes.contains(name) } else { l.name == *name }
            };
            let found: Vec<u32> =
                layers.iter().enumerate().filter(|(_, l)| matches(l)).map(|(i, _)| i as u32).collect();
            if found.is_empty() {
                let of_layer = |l: &crate::trace::LayerName| {
                    if of { l.onnx_nodes.clone() } else { vec![l.name.clone()] }
                };
                let known: Vec<String> = layers.iter().flat_map(of_layer).collect();
                return Err(Failure::usage(format!("the trace has no {what} '{name}'"))
                    .help("`rcar-iss info P.rcn --provenance` lists layers and nodes")
                    .nearest(name, known.iter().map(String::as_str)));
            }
            chosen.get_or_insert_default().extend(found);
        }
    }
    let mut units = Vec::new();
    for name in &args.unit {
        let unit = if name == "control" {
            Some(0)
        } else {
            Queue::ALL.into_iter().find(|q| q.name() == name).map(|q| 1 + q.index())
        };
        units.push(unit.ok_or_else(|| {
            Failure::usage(format!("there is no unit '{name}'"))
                .help("units are control, dmain, dmaout, mac and vec")
                .nearest(name, Queue::ALL.into_iter().map(Queue::name).chain(["control"]))
        })?);
    }
    if args.writes.is_some() && !units.is_empty() && units.iter().all(|u| *u == 0) {
        return Err(Failure::usage("--writes with --unit control")
            .why(&"the control core writes no memory: nothing can match")
            .help("leave one of the two out"));
    }
    let pc = args.pc.as_deref().map(|t| range(t, "--pc")).transpose()?;
    let cycles = args.cycles.as_deref().map(|t| range(t, "--cycles")).transpose()?;
    let (words, end) = (trace.header.code.len() as u64, trace.end());
    for (option, found, most, what) in [
        ("--pc", pc, words, format!("the program has {words} instructions")),
        ("--cycles", cycles, end, format!("the trace ends after {end} cycles")),
    ] {
        if found.is_some_and(|[from, _]| from >= most) {
            let text = if option == "--pc" { &args.pc } else { &args.cycles };
            return Err(effect::wrong(option, &text.as_deref().unwrap_or_default(), &what));
        }
    }
    let narrow = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    Ok(Filter {
        layers: chosen,
        units: (!units.is_empty()).then_some(units),
        pc: pc.map(|[from, to]| [narrow(from), narrow(to)]),
        cycles,
        writes: args.writes.as_deref().map(|text| address(text, &trace.header)).transpose()?,
    })
}

/// `1000`, `1,000` or `0x3e8`: commas stand before three digits each.
fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        // Rust reads a sign, too.
        Some(hex) if hex.starts_with('+') => None,
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => {
            let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            let (first, groups) = text.split_once(',').unwrap_or((text, ""));
            let parted = first.len() <= 3 && groups.split(',').all(|g| g.len() == 3 && digits(g));
            let well = digits(first) && (parted || !text.contains(','));
            if well { text.replace(',', "").parse().ok() } else { None }
        }
    }
}

/// `A..B`, or one number.
fn range(text: &str, option: &str) -> Result<[u64; 2], Failure> {
    let bounds = match text.split_once("..") {
        Some((a, b)) => number(a).zip(if b.is_empty() { Some(u64::MAX) } else { number(b) }),
        None => number(text).map(|n| (n, if option == "--pc" { n } else { n.saturating_add(1) })),
    };
    let wrong = || {
        Failure::usage(format!("{option} '{text}' is no range"))
            .help("write it like 100..200, or 100..: numbers from 0")
    };
    let [a, b] = bounds.map(|(a, b)| [a, b]).ok_or_else(wrong)?;
    // Cycles leave out the end, places of the code have it.
    if a > b || (option == "--cycles" && a == b) {
        let why = if a > b { "it ends before it begins" } else { "it is empty: the end is left out" };
        return Err(effect::wrong(option, &text, why).help("write it like 100..200, or 100.."));
    }
    Ok([a, b])
}

/// `[spm:]0x400`, inside its memory.
fn address(text: &str, header: &Header) -> Result<(Space, i64), Failure> {
    let (space, at) = text.split_once(':').unwrap_or(("spm", text));
    let space = Space::ALL.into_iter().find(|s| s.name() == space);
    let at = number(at).and_then(|n| i64::try_from(n).ok());
    let (space, at) = space.zip(at).ok_or_else(|| {
        Failure::usage(format!("--writes '{text}' is no address"))
            .help("write it like spm:0x400, dram:8192 or acc:0")
    })?;
    let (bytes, what) = match space {
        Space::Spm => (header.spm_bytes, "the scratchpad has"),
        Space::Acc => (header.acc_bytes, "the accumulators have"),
        Space::Dram => (header.dram_bytes, "of DRAM the program uses"),
    };
    if at as u64 >= bytes {
        let why = format!("{what} {bytes} bytes");
        return Err(effect::wrong("--writes", &text, &why));
    }
    Ok((space, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_part_three_digits_each() {
        for (text, value) in
            [("0", 0), ("1000", 1000), ("1,000", 1000), ("12,345,678", 12_345_678), ("0x3e8", 1000)]
        {
            assert_eq!(number(text), Some(value), "{text}");
        }
        for text in
            ["", ",", "1,", ",000", "1,2", "1000,000", "1,0000", "1,,000", "+1", "-1", "0x", "0x+1", "1,+00"]
        {
            assert_eq!(number(text), None, "{text}");
        }
    }
}

//! `rcar-iss trace`: queries a trace, and converts it to other formats.

use std::io::{BufWriter, Write};

use super::args::{TraceArgs, TraceFormat};
use super::{Outcome, Report, places};
use crate::explain::Failure;
use crate::files;
use crate::readable;
use crate::trace::export::{Format, export};
use crate::trace::{TraceError, TraceReader, Wanted};

pub(super) fn run(args: &TraceArgs) -> Result<Outcome, Failure> {
    if let Some(path) = &args.output {
        places::writes("--output", path)?;
    }
    places::reads(files::system_path(&args.file))?;
    let failed = |e: TraceError| Failure::trace(&args.file, &e);
    let mut trace = TraceReader::open(files::system_path(&args.file)).map_err(failed)?;
    let wanted = Wanted {
        layers: args.layer.clone(),
        nodes: args.node.clone(),
        units: args.unit.clone(),
        pc: args.pc.clone(),
        cycles: args.cycles.clone(),
        writes: args.writes.clone(),
    };
    let filter = wanted.filter(&trace)?;
    if !filter.can_match(&mut trace).map_err(failed)? {
        return Err(Failure::usage("no record of the trace matches")
            .why(&"nothing is of these layers and units, at these places and in these cycles")
            .help("leave a condition out; `rcar-iss info P.rcn --provenance` lists layers and their instructions"));
    }
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
                done => done.map_err(|e| Failure::trace(&file, &e)),
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

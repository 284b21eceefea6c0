//! `rcar-iss bench`: the duration of a program on this computer, and its parts.

use std::io::{BufRead, Write as _};
use std::sync::Arc;
use std::time::Instant;

use super::args::BenchArgs;
use super::{Report, effect, given, inputs, kernels, places, source};
use crate::batch::Repeat;
use crate::document;
use crate::explain::Failure;
use crate::inputs::{Samples, bytes_of};
use crate::report::{BenchReady, BenchReport};
use crate::sim::{Limits, Loaded};

pub(super) fn run(args: &BenchArgs) -> Result<Report, Failure> {
    let level = kernels::level(&args.kernels)?;
    let (program, machine) = source::executed(&args.file, &args.model)?;
    if program.meta.hosts.is_empty() {
        effect::engine(&args.model.graph.engine, "there are no host layers")?;
    }
    let inputs = inputs::of_program(&program.meta, &args.input, &args.pictures, &args.file)?;
    if inputs.count() > 1 {
        let why = format!("bench runs on one input, {} are given", inputs.count());
        return Err(Failure::usage("--input")
            .why(&why)
            .help("give one array or picture; `rcar-iss run` times many"));
    }
    let begin = now();
    let loaded = Loaded::new(Arc::new(program), &machine, Limits::default())
        .map_err(|e| Failure::load(&args.file, &e))?;
    let load = begin.elapsed().as_secs_f64();
    let sample = given::declared(inputs.read(0))?;
    let values = bytes_of(&sample);
    let how = (level, args.threads.get());
    let mut repeat = Repeat::new(&loaded, &values, how, args.profile);
    let failed = |e| Failure::run(&args.file, e);
    let first = repeat.once().map_err(failed)?;
    if args.serve {
        return serve(&mut || repeat.once().map_err(failed), [load, first]);
    }
    let measured = repeat.measure(args.repeat.get()).map_err(failed)?;
    let report = BenchReport::new(&loaded, how, [load, first], &measured);
    Ok(Report::fine(if args.json { document::pretty(&report) } else { report.text() }))
}

/// Prints one line when ready, then for each line on stdin executes one repetition and prints its
/// milliseconds.
fn serve(once: &mut dyn FnMut() -> Result<f64, Failure>, [load, first]: [f64; 2]) -> Result<Report, Failure> {
    let mut out = std::io::stdout().lock();
    let ready = document::line(&BenchReady { load_ms: load * 1e3, first_ms: first * 1e3 });
    let mut said = out.write_all(ready.as_bytes()).and_then(|()| out.flush());
    let mut lines = std::io::stdin().lock().lines();
    while said.is_ok() && lines.next().is_some_and(|l| l.is_ok()) {
        let time = once()?;
        said = writeln!(out, "{}", time * 1e3).and_then(|()| out.flush());
    }
    // The reader may close the pipe: then the work is done.
    places::written(said)?;
    Ok(Report::fine(String::new()))
}

#[expect(clippy::disallowed_methods, reason = "real time is what is measured")]
fn now() -> Instant {
    Instant::now()
}

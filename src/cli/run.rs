//! `rcar-iss run`: executes a program on one or many inputs.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::args::{EngineArg, RunArgs};
use super::progress::Progress;
use super::{Report, effect, given, inputs, kernels, places, source, widths};
use crate::batch::{Batch, BatchError, Dumps};
use crate::document;
use crate::dump::{self, Dump, Selection};
use crate::explain::Failure;
use crate::inputs::{Samples, read_classes};
use crate::outputs;
use crate::program::Meta;
use crate::report::{RunDetails, RunInput, RunReport, RunWritten};
use crate::sim::{EngineKind, Limits, Loaded};

pub(super) fn run(args: &RunArgs) -> Result<Report, Failure> {
    if args.engine == EngineArg::Reference && args.kernels.kernels.is_some() {
        return Err(effect::none(
            "--kernels",
            &"the reference engine has no kernels; this is for --engine fast",
        ));
    }
    if let Some(dir) = &args.dump_layers {
        places::replaces("--dump-layers", dir)?;
        dump::check_target(dir)?;
    }
    if let Some(path) = &args.trace {
        places::needs_file("--trace", path)?;
        places::writes("--trace", path)?;
    }
    let (mut program, machine) = source::executed(&args.file, &args.model)?;
    if program.meta.hosts.is_empty() {
        effect::engine(&args.model.graph.engine, "there are no host layers")?;
    }
    if args.output.is_some() && program.meta.outputs().next().is_none() {
        return Err(effect::none("--output", &"the program has no outputs"));
    }
    if args.dump_layers.is_some() && program.meta.tensors.is_empty() {
        return Err(effect::none("--dump-layers", &"the program names no tensors"));
    }
    if let Some(dir) = &args.output {
        declare(dir, &program.meta)?;
    }
    if let Some(path) = &args.classes {
        let names = given::declared(read_classes(path, given::reader()))?;
        effect::classes(&outputs::name_classes(&mut program.meta, &names), names.len())?;
    }
    let defaults = Limits::default();
    let limits = Limits {
        instructions: args.max_instructions.map_or(defaults.instructions, std::num::NonZero::get),
        macs: args.max_macs.unwrap_or(defaults.macs),
        bytes: args.max_bytes.unwrap_or(defaults.bytes),
        unordered: args.max_unordered.unwrap_or(defaults.unordered),
        comparisons: args.max_comparisons.unwrap_or(defaults.comparisons),
    };
    let inputs = inputs::of_program(&program.meta, &args.input, &args.pictures, &args.file)?;
    if let Some(threads) = args.threads.filter(|n| n.get() > 1)
        && (inputs.count(), args.engine) == (1, EngineArg::Reference)
    {
        let why = "the reference engine works on one thread for each input, and there is one";
        return Err(effect::none(&format!("--threads {threads}"), &why));
    }
    if args.trace.is_some() && inputs.count() > 1 {
        return Err(Failure::batch(&args.file, BatchError::Traces(inputs.count())));
    }
    let loaded =
        Loaded::new(Arc::new(program), &machine, limits).map_err(|e| Failure::load(&args.file, &e))?;
    let widths = widths::of(&loaded, &args.widths)?;
    let meta = &loaded.program().meta;
    let progress = Progress::new((inputs.count() * meta.layers.len().max(1)) as u64, "layers");
    let step = || progress.step();
    let engine = match args.engine {
        EngineArg::Reference => EngineKind::Reference,
        EngineArg::Fast => EngineKind::Fast,
    };
    let mut batch =
        Batch::new(&loaded, &inputs).engine(engine, kernels::level(&args.kernels)?).layer_done(&step);
    if let Some(threads) = args.threads {
        batch = batch.threads(threads.get());
    }
    if let Some(folder) = &args.dump_layers {
        let names = &args.dump_layer;
        let selection = if names.is_empty() { Selection::All } else { Selection::Named(names.clone()) };
        batch = batch.dumping(Dumps { folder: folder.clone(), selection, dequantize: args.dequantize });
    }
    if let Some(path) = &args.trace {
        batch = batch.tracing(path);
    }
    let begin = now();
    let runs = batch.run().map_err(|e| Failure::batch(&args.file, e))?;
    let seconds = begin.elapsed().as_secs_f64();
    progress.finish();
    let files = match &args.output {
        Some(dir) => {
            dump::write_outputs(dir, meta, &runs.iter().map(|r| r.outputs.as_slice()).collect::<Vec<_>>())?
        }
        None => Vec::new(),
    };
    let shown = |path: &Option<std::path::PathBuf>| path.as_ref().map(|p| p.display().to_string());
    let status = widths.status();
    let details = RunDetails {
        engine,
        inputs: inputs
            .sources()
            .map(|(name, from)| RunInput { name: name.into(), from: from.into() })
            .collect(),
        names: inputs.names(),
        not_finite_inputs: given::declared(inputs.not_finite())?,
        widths: widths.layers,
        wrong_widths: widths.wrong,
        profile: args.profile,
        written: RunWritten {
            outputs: shown(&args.output),
            trace: shown(&args.trace),
            dumps: shown(&args.dump_layers),
        },
        files,
        seconds,
    };
    let report = RunReport::new(&loaded, &runs, details);
    Ok(Report { text: if args.json { document::pretty(&report) } else { report.text() }, status })
}

/// Declares the output files, and checks that they can be written.
fn declare(dir: &Path, meta: &Meta) -> Result<(), Failure> {
    places::needs_folder("--output", dir)?;
    if Dump::is_dump(dir) {
        return Err(Failure::usage(format!("--output {}", dir.display()))
            .why(&"the folder holds a dump, whose files would not be what it says any more")
            .help("choose another folder"));
    }
    places::writes_in_folder("--output", dir)?;
    dump::output_files(meta)
        .try_for_each(|(_, file)| places::writes_in_folder("--output", &dir.join(file)))?;
    Ok(places::try_folder(dir)?)
}

#[expect(clippy::disallowed_methods, reason = "the throughput of many runs is measured")]
fn now() -> Instant {
    Instant::now()
}

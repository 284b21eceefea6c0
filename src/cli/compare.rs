//! `rcar-iss compare`: a quantized network against its float reference, layer by layer.

use std::path::Path;
use std::sync::Arc;

use super::args::{CompareArgs, ModelArgs};
use super::progress::Progress;
use super::{Report, effect, inputs, places, reference, source};
use crate::analysis;
use crate::document;
use crate::explain::{Failure, NO};
use crate::files::Batch;
use crate::inputs::Samples;
use crate::profile::{Profile, lifetimes};
use crate::program::FileKind;
use crate::report::{self, ComparisonReport};
use crate::sim::{Limits, Loaded};

pub(super) fn run(args: &CompareArgs) -> Result<Report, Failure> {
    effect::compare(args)?;
    for (option, path) in [("--csv", &args.csv), ("--report", &args.report)] {
        path.iter().try_for_each(|path| places::writes(option, path))?;
    }
    let mut model = args.sides.model.clone();
    let is_model = source::kind_of(&args.file)? == FileKind::Model;
    if is_model && model.graph.observe.iter().any(|o| o == "all") {
        return Err(effect::none("--observe all", &"compare keeps every tensor of a model"));
    }
    if is_model && model.graph.observe.is_empty() {
        model.graph.observe.push("all".into());
    }
    let (program, machine) = source::executed(&args.file, &model)?;
    let inputs = inputs::of_program(&program.meta, &args.sides.input, &args.sides.pictures, &args.file)?;
    let given = reference::given(&args.sides.reference, &args.sides.model.graph.engine, &program.meta)?;
    let bound = given.bind(&program.meta)?;
    let loaded = Loaded::new(Arc::new(program), &machine, Limits::default())
        .map_err(|e| Failure::load(&args.file, &e))?;
    let threads = args.sides.threads.or(std::thread::available_parallelism().ok());
    let progress = Progress::new(inputs.count() as u64, "inputs");
    let result =
        analysis::compare(&loaded, &bound, &inputs, threads.map_or(1, std::num::NonZero::get), &|| {
            progress.step();
        });
    progress.finish();
    let mut comparison = result?;
    let deployed = if is_model { &plain(&args.file, &args.sides.model)? } else { &loaded };
    let profile = Profile::of(deployed);
    let profile = if is_model { profile.told_by(&loaded.program().meta.layers) } else { profile };
    comparison.charge(&profile);
    let not_finite = inputs.not_finite()?;
    let mut written = Batch::new();
    if let Some(path) = &args.csv {
        places::stage(&mut written, path, report::comparison_csv(&comparison).as_bytes())?;
    }
    if let Some(path) = &args.report {
        let picture = scratchpad(deployed, &profile).map_err(|e| Failure::new(NO, e))?;
        let page =
            report::html::page(&comparison, &profile, &loaded.program().meta, &inputs.names(), &picture)
                .map_err(|e| Failure::new(NO, e.to_string()))?;
        places::stage(&mut written, path, page.as_bytes())?;
    }
    written.finish()?;
    let reference = args.sides.reference.reference.display().to_string();
    let told = (inputs.names(), not_finite);
    let report = ComparisonReport::new(comparison, &reference, told, args.fail_under);
    let text = if args.sides.json { document::pretty(&report) } else { report.text() };
    Ok(Report { text, status: if report.passes() { 0 } else { NO } })
}

/// The picture of what lies in the scratchpad.
fn scratchpad(loaded: &Loaded, profile: &Profile) -> Result<String, String> {
    let list = lifetimes(loaded.decoded()).map_err(|e| e.to_string())?;
    let title = format!("{} on {}", profile.program, profile.machine);
    let size = loaded.machine().spm.bytes;
    report::lifetimes_plot(&title, &list, size, profile.cycles).map_err(|e| e.to_string())
}

/// A model's program as it is deployed, without tensors kept for comparison.
pub(super) fn plain(path: &Path, args: &ModelArgs) -> Result<Loaded, Failure> {
    let mut args = args.clone();
    args.graph.observe.clear();
    let (program, machine) = source::program(path, &args)?;
    Loaded::new(Arc::new(program), &machine, Limits::default()).map_err(|e| Failure::load(path, &e))
}

//! `rcar-iss dequantize`: dumped integers to real values.

use super::args::DequantizeArgs;
use super::{Report, effect, given, places};
use crate::document;
use crate::dump::{DequantizeError, Dequantizer, Like, RealForm};
use crate::explain::Failure;
use crate::report::{DequantizeReport, WrittenTensor};

pub(super) fn run(args: &DequantizeArgs) -> Result<Report, Failure> {
    effect::dequantize(args)?;
    let like = match (args.scale, args.zero_point, &args.program) {
        (Some(scale), Some(zero), _) => Like::Given(scale, zero),
        (_, _, Some(program)) => Like::Program(program),
        _ => Like::Manifest,
    };
    let (path, output) = (args.path.as_path(), args.output.as_path());
    let wanted = Dequantizer { path, names: &args.layer, like, reader: given::reader() };
    let written = if let Some(form) = RealForm::of(path, output, args.csv) {
        places::writes("--output", output)?;
        let (bytes, tensors) = given::declared(wanted.file(output, form))?;
        places::write(output, &bytes)?;
        tensors.into_iter().map(|tensor| (tensor, output.to_path_buf())).collect()
    } else {
        places::writes_in_folder("--output", output)?;
        given::declared(wanted.folder(output, args.csv, |files| {
            given::declared(Ok::<(), DequantizeError>(()))?;
            files.iter().try_for_each(|file| places::writes_in_folder("--output", file))
        }))?
    };
    let written = written.into_iter().map(|(tensor, file)| WrittenTensor { tensor, file }).collect();
    let done = DequantizeReport { written, output: args.output.clone() };
    Ok(Report::fine(if args.json { document::pretty(&done) } else { done.text() }))
}

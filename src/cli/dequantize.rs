//! `rcar-iss dequantize`: dumped integers to real values.

use std::path::{Path, PathBuf};

use super::args::DequantizeArgs;
use super::{Report, effect, given, places, source};
use crate::document;
use crate::dump::{self, Dump, Values, stem};
use crate::explain::Failure;
use crate::files::Batch;
use crate::program::TensorEntry;
use crate::report::{DequantizeReport, WrittenTensor};
use crate::tensor_file;

pub(super) fn run(args: &DequantizeArgs) -> Result<Report, Failure> {
    effect::dequantize(args)?;
    let form = Form::of(args);
    let written = if form == Form::Folder { folder(args)? } else { one_file(args, form)? };
    let done = DequantizeReport { written, output: args.output.clone() };
    Ok(Report::fine(if args.json { document::pretty(&done) } else { done.text() }))
}

/// What is read at a time: the dumps, each with what its files' names get in front, or none for a single file.
fn dumps(args: &DequantizeArgs) -> Result<Option<Vec<(PathBuf, String)>>, Failure> {
    if !args.path.is_dir() {
        return Ok(None);
    }
    if Dump::is_dump(&args.path) {
        return Ok(Some(vec![(args.path.clone(), String::new())]));
    }
    let found = Dump::below(&args.path).map_err(|e| Failure::file(&args.path, &e.source))?;
    if found.is_empty() {
        return Err(Failure::no_dump(&args.path));
    }
    let named = |dir: PathBuf| {
        let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        (dir, format!("{name}/"))
    };
    Ok(Some(found.into_iter().map(named).collect()))
}

/// Hands what was asked for to `take`, dump by dump: all of them together may be more than memory holds.
fn each(
    args: &DequantizeArgs,
    mut take: impl FnMut(Vec<Values>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let Some(dumps) = dumps(args)? else { return take(vec![of_file(args)?]) };
    for (dir, before) in dumps {
        let dump = Dump::open(&dir)?;
        places::reads(&dir.join("manifest.json"))?;
        dump.manifest.tensors.iter().try_for_each(|e| places::reads(&dir.join(&e.file)))?;
        let mut found = Vec::new();
        for entry in dump.named(&args.layer).map_err(|e| Failure::in_dump(&dir, e))? {
            let values = dump.values(entry)?;
            found.push(Values { stem: format!("{before}{}", values.stem), ..values });
        }
        take(found)?;
    }
    Ok(())
}

/// A single file: its scale is typed, stands in the manifest beside it, or in a program.
fn of_file(args: &DequantizeArgs) -> Result<Values, Failure> {
    let path = &args.path;
    let integers = tensor_file::parse(&given::read(path)?).map_err(|e| Failure::tensor(path, e))?;
    let stem = stem(path);
    let like = if let (Some(scale), Some(zero)) = (args.scale, args.zero_point) {
        let (scale, zero_point) = (Some(scale), Some(zero));
        TensorEntry { name: stem.clone(), scale, zero_point, ..TensorEntry::default() }
    } else if let Some(program) = &args.program {
        let meta = source::read_program(program)?.meta;
        dump::tensor_of_stem(&meta, &stem).ok_or_else(|| Failure::no_tensor_for(program, &stem))?
    } else {
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !Dump::is_dump(dir) {
            return Err(Failure::no_scale(path));
        }
        places::reads(&dir.join("manifest.json"))?;
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        Dump::open(dir)?.tensor_of(&file).ok_or_else(|| Failure::no_scale(path))?
    };
    if integers.element.is_float() && args.scale.is_some() {
        let why = format!("'{}' holds floats, which are values already", path.display());
        return Err(effect::none("--scale", &why));
    }
    Values::of(&stem, integers, &like).map_err(|e| Failure::file(path, &e))
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Npz,
    Npy,
    Csv,
    /// A file for each tensor.
    Folder,
}

impl Form {
    /// Told by the name; what goes to standard output is one file.
    fn of(args: &DequantizeArgs) -> Form {
        let stdout = places::is_stdout(&args.output);
        match args.output.extension().and_then(|e| e.to_str()).unwrap_or_default() {
            "npz" => Form::Npz,
            "npy" => Form::Npy,
            "csv" => Form::Csv,
            _ if stdout && args.csv => Form::Csv,
            _ if stdout => Form::Npy,
            // A device, a pipe, or a file that has no ending.
            _ if !args.path.is_dir() && args.output.exists() && !args.output.is_dir() => Form::Npy,
            _ => Form::Folder,
        }
    }
}

/// Writes all tensors into one file; gives it for each.
fn one_file(args: &DequantizeArgs, form: Form) -> Result<Vec<WrittenTensor>, Failure> {
    let output = args.output.as_path();
    places::writes("--output", output)?;
    let mut found = Vec::new();
    each(args, |values| {
        found.extend(values);
        Ok(())
    })?;
    let bytes = if form == Form::Npz {
        let named = found.iter().map(|r| (r.stem.as_str(), &r.real));
        tensor_file::to_npz(named).map_err(|e| Failure::tensor(output, e))?
    } else {
        let [one] = found.as_slice() else {
            let what = format!("{} tensors do not fit into one file", found.len());
            return Err(Failure::usage(what).help("give a folder or an .npz, or choose one with --layer"));
        };
        content(output, one, form == Form::Csv)?
    };
    places::write(output, &bytes)?;
    Ok(found.into_iter().map(|r| WrittenTensor { tensor: r.tensor, file: output.into() }).collect())
}

/// Writes a file for each tensor.
fn folder(args: &DequantizeArgs) -> Result<Vec<WrittenTensor>, Failure> {
    let output = args.output.as_path();
    let extension = if args.csv { "csv" } else { "npy" };
    places::writes_in_folder("--output", output)?;
    let mut batch = Batch::new();
    let mut written = Vec::new();
    each(args, |found| {
        // Once it is known what is read: a file that is must be called that, not a place that is no folder.
        places::try_folder(output)?;
        batch.folder(output)?;
        for values in found {
            let file = output.join(format!("{}.{extension}", values.stem));
            places::writes_in_folder("--output", &file)?;
            batch.folder(file.parent().unwrap_or(output))?;
            batch.file(&file, &content(&file, &values, args.csv)?)?;
            written.push(WrittenTensor { tensor: values.tensor, file });
        }
        Ok(())
    })?;
    batch.finish()?;
    Ok(written)
}

fn content(path: &Path, values: &Values, csv: bool) -> Result<Vec<u8>, Failure> {
    if csv { Ok(values.csv().into_bytes()) } else { values.npy().map_err(|e| Failure::tensor(path, e)) }
}

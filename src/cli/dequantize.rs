//! `rcar-iss dequantize`: dumped integers to real values.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::args::DequantizeArgs;
use super::{Report, effect, given, places, source};
use crate::document;
use crate::dump::{self, Dump};
use crate::explain::Failure;
use crate::files::Batch;
use crate::program::TensorEntry;
use crate::readable;
use crate::report::{DequantizeReport, WrittenTensor};
use crate::tensor_file::{self, Element, TensorData};

/// One tensor, before and after.
struct Real {
    tensor: String,
    /// Name of its file, without extension; with the folder in front if there are several dumps.
    stem: String,
    integers: TensorData,
    values: TensorData,
}

pub(super) fn run(args: &DequantizeArgs) -> Result<Report, Failure> {
    effect::dequantize(args)?;
    let form = Form::of(args);
    let written = if form == Form::Folder { folder(args)? } else { one_file(args, form)? };
    let text = if args.json {
        let one = |(tensor, path): &(String, PathBuf)| WrittenTensor {
            tensor: tensor.clone(),
            file: path.to_string_lossy().into_owned(),
        };
        document::pretty(&DequantizeReport { written: written.iter().map(one).collect() })
    } else {
        format!("{} tensors written to {}\n", readable::grouped(written.len() as u64), args.output.display())
    };
    Ok(Report::fine(text))
}

/// What is read at a time.
enum Part {
    File,
    /// A dump, and what its tensors' names get in front.
    Dump(PathBuf, String),
}

impl Part {
    fn read(&self, args: &DequantizeArgs) -> Result<Vec<Real>, Failure> {
        match self {
            Part::File => Ok(vec![of_file(args)?]),
            Part::Dump(dir, before) => of_dump(dir, args, before),
        }
    }
}

fn parts(args: &DequantizeArgs) -> Result<Vec<Part>, Failure> {
    if !args.path.is_dir() {
        return Ok(vec![Part::File]);
    }
    if Dump::is_dump(&args.path) {
        return Ok(vec![Part::Dump(args.path.clone(), String::new())]);
    }
    let named = |dir: PathBuf| {
        let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Part::Dump(dir, format!("{name}/"))
    };
    Ok(dumps_below(&args.path)?.into_iter().map(named).collect())
}

/// The dumps in a folder, by name: one for each stacked input.
fn dumps_below(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unreadable = |e: std::io::Error| Failure::file(dir, &e);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if Dump::is_dump(&path) {
            found.push(path);
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(Failure::file(dir, &"it holds no manifest.json, and no folder in it does")
            .help("give a folder that `rcar-iss run --dump-layers` wrote"));
    }
    Ok(found)
}

/// The wanted tensors of a dump; what their files are called gets `before` in front.
fn of_dump(dir: &Path, args: &DequantizeArgs, before: &str) -> Result<Vec<Real>, Failure> {
    let dump = Dump::open(dir)?;
    let entries = &dump.manifest.tensors;
    places::reads(&dir.join("manifest.json"))?;
    entries.iter().try_for_each(|e| places::reads(&dir.join(&e.file)))?;
    for name in &args.layer {
        if !entries.iter().any(|e| e.tensor == *name || e.layer.as_ref() == Some(name)) {
            return Err(Failure::usage(format!(
                "no layer or tensor of '{}' is named '{name}'",
                dir.display()
            ))
            .nearest(
                name,
                entries.iter().flat_map(|e| e.layer.iter().chain([&e.tensor])).map(String::as_str),
            ));
        }
    }
    let wanted = |e: &&dump::ManifestEntry| {
        let named = |n: &String| e.tensor == *n || e.layer.as_ref() == Some(n);
        args.layer.is_empty() || args.layer.iter().any(named)
    };
    let mut found = Vec::new();
    for entry in entries.iter().filter(wanted) {
        found.push(Real {
            tensor: entry.tensor.clone(),
            stem: format!("{before}{}", stem(Path::new(&entry.file))),
            integers: dump.integers(entry)?,
            values: dump.real(entry)?,
        });
    }
    Ok(found)
}

fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned())
}

/// A single file: its scale is typed, stands in the manifest beside it, or in a program.
fn of_file(args: &DequantizeArgs) -> Result<Real, Failure> {
    let path = &args.path;
    let integers = tensor_file::parse(&given::read(path)?).map_err(|e| Failure::tensor(path, e))?;
    let stem = stem(path);
    let like = if let (Some(scale), Some(zero)) = (args.scale, args.zero_point) {
        TensorEntry {
            name: stem.clone(),
            scale: Some(scale),
            zero_point: Some(zero),
            ..TensorEntry::default()
        }
    } else if let Some(program) = &args.program {
        let meta = source::read_program(program)?.meta;
        let names = dump::file_names(&meta);
        let found = meta.tensors.into_iter().zip(names).find(|(_, name)| *name == stem).map(|(t, _)| t);
        found.ok_or_else(|| {
            Failure::usage(format!("'{}' has no tensor for the file name '{stem}'", program.display()))
                .help("`rcar-iss info --tensors` lists them; or give --scale and --zero-point")
        })?
    } else {
        let dir = path.parent().unwrap_or(Path::new(""));
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        let unknown = || {
            Failure::usage(format!(
                "no manifest.json beside '{}' says its scale and zero point",
                path.display()
            ))
            .help("give --program P.rcn, or --scale and --zero-point")
        };
        if !Dump::is_dump(dir) {
            return Err(unknown());
        }
        places::reads(&dir.join("manifest.json"))?;
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let dump = Dump::open(dir)?;
        let entry = dump.manifest.tensors.into_iter().find(|e| e.file == file).ok_or_else(unknown)?;
        TensorEntry {
            name: entry.tensor,
            scale: entry.scale,
            zero_point: entry.zero_point,
            ..TensorEntry::default()
        }
    };
    if integers.element.is_float() && args.scale.is_some() {
        let why = format!("'{}' holds floats, which are values already", path.display());
        return Err(effect::none("--scale", &why));
    }
    let values = dump::dequantize(&integers, &like).unwrap_or_else(|| integers.clone());
    if values.element != Element::F32 {
        let why = format!("its elements are {}, which have no scale", integers.element.numpy_name());
        return Err(Failure::file(path, &why));
    }
    Ok(Real { tensor: like.name, stem, integers, values })
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
fn one_file(args: &DequantizeArgs, form: Form) -> Result<Vec<(String, PathBuf)>, Failure> {
    let output = args.output.as_path();
    places::writes("--output", output)?;
    let mut found = Vec::new();
    for part in parts(args)? {
        found.extend(part.read(args)?);
    }
    if form == Form::Npz {
        let named = found.iter().map(|r| (r.stem.as_str(), &r.values));
        let bytes = tensor_file::to_npz(named).map_err(|e| Failure::tensor(output, e))?;
        places::write(output, &bytes)?;
    } else {
        let [one] = found.as_slice() else {
            let what = format!("{} tensors do not fit into one file", found.len());
            return Err(Failure::usage(what).help("give a folder or an .npz, or choose one with --layer"));
        };
        places::write(output, &content(output, one, form == Form::Csv)?)?;
    }
    Ok(found.into_iter().map(|r| (r.tensor, output.to_path_buf())).collect())
}

/// Writes a file for each tensor, dump by dump: all of them together may be more than memory holds.
fn folder(args: &DequantizeArgs) -> Result<Vec<(String, PathBuf)>, Failure> {
    let output = args.output.as_path();
    let extension = if args.csv { "csv" } else { "npy" };
    places::writes_in_folder("--output", output)?;
    let mut batch = Batch::new();
    let mut written = Vec::new();
    for part in parts(args)? {
        let found = part.read(args)?;
        // Once it is known what is read: a file that is must be called that, not a place that is no folder.
        places::try_folder(output)?;
        batch.folder(output)?;
        for real in found {
            let path = output.join(format!("{}.{extension}", real.stem));
            places::writes_in_folder("--output", &path)?;
            batch.folder(path.parent().unwrap_or(output))?;
            batch.file(&path, &content(&path, &real, args.csv)?)?;
            written.push((real.tensor, path));
        }
    }
    batch.finish()?;
    Ok(written)
}

fn content(path: &Path, real: &Real, csv: bool) -> Result<Vec<u8>, Failure> {
    if csv {
        return Ok(table(real).into_bytes());
    }
    tensor_file::to_npy(&real.values).map_err(|e| Failure::tensor(path, e))
}

/// One line for each element: indices, integer, real value.
fn table(real: &Real) -> String {
    let shape = &real.integers.shape;
    let mut text = String::new();
    for axis in 0..shape.len() {
        let _ = write!(text, "i{axis},");
    }
    text.push_str("integer,value\n");
    let ones = TensorEntry { scale: Some(1.0), zero_point: Some(0), ..TensorEntry::default() };
    // 16 bits and less are exact in f32; floats have no integer.
    let integers = dump::dequantize(&real.integers, &ones);
    let floats = |t: &TensorData| -> Vec<f32> {
        t.bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
    };
    let integers: Option<Vec<f32>> = integers.as_ref().map(floats);
    let mut index = vec![0_usize; shape.len()];
    for (at, value) in floats(&real.values).into_iter().enumerate() {
        for i in &index {
            let _ = write!(text, "{i},");
        }
        let integer = integers.as_ref().and_then(|v| v.get(at)).map_or_else(String::new, f32::to_string);
        let _ = writeln!(text, "{integer},{value}");
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    text
}

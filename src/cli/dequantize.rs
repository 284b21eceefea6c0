//! `rcar-iss dequantize`: dumped integers to real values.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::args::DequantizeArgs;
use super::failure::Failure;
use super::{Report, format, given, source};
use crate::dump::{self, Dump};
use crate::files;
use crate::program::TensorEntry;
use crate::tensor_file::{self, Element, TensorData};

/// One tensor, before and after.
struct Real {
    tensor: String,
    stem: String,
    integers: TensorData,
    values: TensorData,
}

pub(super) fn run(args: &DequantizeArgs) -> Result<Report, Failure> {
    let mut written = Vec::new();
    if args.path.is_dir() && !Dump::is_dump(&args.path) {
        for dir in dumps_below(&args.path)? {
            let name = dir.file_name().unwrap_or_default();
            write(args, &args.output.join(name), &of_dump(&dir, args)?, &mut written)?;
        }
    } else {
        let found = if args.path.is_dir() { of_dump(&args.path, args)? } else { vec![of_file(args)?] };
        write(args, &args.output, &found, &mut written)?;
    }
    let text = if args.json {
        let list: Vec<_> =
            written.iter().map(|(tensor, path)| json!({ "tensor": tensor, "file": path })).collect();
        format!("{:#}\n", json!({ "written": list }))
    } else {
        format!("{} tensors written to {}\n", format::grouped(written.len() as u64), args.output.display())
    };
    Ok(Report::fine(text))
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

fn of_dump(dir: &Path, args: &DequantizeArgs) -> Result<Vec<Real>, Failure> {
    let dump = Dump::open(dir)?;
    let entries = &dump.manifest.tensors;
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
            stem: stem(Path::new(&entry.file)),
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
    let values = dump::dequantize(&integers, &like).unwrap_or_else(|| integers.clone());
    if values.element != Element::F32 {
        let why = format!("its elements are {}, which have no scale", integers.element.numpy_name());
        return Err(Failure::file(path, &why));
    }
    Ok(Real { tensor: like.name, stem, integers, values })
}

fn write(
    args: &DequantizeArgs,
    output: &Path,
    found: &[Real],
    written: &mut Vec<(String, PathBuf)>,
) -> Result<(), Failure> {
    let extension = output.extension().and_then(|e| e.to_str()).unwrap_or_default();
    match extension {
        "npz" => {
            let named = found.iter().map(|r| (r.stem.as_str(), &r.values));
            let bytes = tensor_file::to_npz(named).map_err(|e| Failure::tensor(output, e))?;
            files::replace(output, &bytes)?;
            written.extend(found.iter().map(|r| (r.tensor.clone(), output.to_path_buf())));
        }
        "npy" | "csv" => {
            let [one] = found else {
                let what = format!("{} tensors do not fit into one .{extension} file", found.len());
                return Err(Failure::usage(what).help("give a folder or an .npz, or choose one with --layer"));
            };
            one_file(output, one, extension == "csv")?;
            written.push((one.tensor.clone(), output.to_path_buf()));
        }
        _ => {
            std::fs::create_dir_all(output).map_err(|e| Failure::file(output, &e))?;
            for real in found {
                let path = output.join(format!("{}.{}", real.stem, if args.csv { "csv" } else { "npy" }));
                one_file(&path, real, args.csv)?;
                written.push((real.tensor.clone(), path));
            }
        }
    }
    Ok(())
}

fn one_file(path: &Path, real: &Real, csv: bool) -> Result<(), Failure> {
    if csv {
        return Ok(files::replace(path, table(real).as_bytes())?);
    }
    tensor_file::write(path, &real.values).map_err(|e| Failure::tensor(path, e))
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

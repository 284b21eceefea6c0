//! Options that have no effect on the given files, or contradict each other. A command refuses them: a user
//! who gives an option relies on it, and would misread the figures.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;

use super::args::{
    CalibrationArgs, CompareArgs, DequantizeArgs, EngineArgs, GraphArgs, PictureArgs, ReferenceArgs,
};
use crate::dtype::DType;
use crate::explain::Failure;
use crate::inputs::Held;
use crate::onnx::proto::GraphProto;
use crate::onnx::{ImportOptions, check_extents};
use crate::program::TensorEntry;

/// An option that changes nothing, and why.
pub(super) fn none(option: &str, why: &impl Display) -> Failure {
    Failure::usage(format!("{option} has no effect")).why(why).help("leave it out")
}

/// An option with an invalid value.
pub(super) fn wrong(option: &str, value: &impl Display, why: &str) -> Failure {
    Failure::usage(format!("{option} {value}")).why(&why)
}

/// The first option that was given although it has no effect.
fn first(typed: &[(bool, &str)], why: &str) -> Result<(), Failure> {
    typed.iter().find(|(typed, _)| *typed).map_or(Ok(()), |(_, option)| Err(none(option, &why)))
}

/// Options for compiling a model, given with a file that is not a model.
pub(super) fn for_models(args: &GraphArgs, path: &Path, what: &str) -> Result<(), Failure> {
    let typed = args.typed();
    if typed.is_empty() {
        return Ok(());
    }
    let has = if typed.len() == 1 { "has" } else { "have" };
    let why = format!("'{}' is {what}; this is for ONNX models", path.display());
    Err(Failure::usage(format!("{} {has} no effect", typed.join(", ")))
        .why(&why)
        .help("compile the model again with it, or leave it out"))
}

/// Adds a pair to a map of options; a name may be repeated only with the same value.
pub(super) fn once<T: PartialEq>(
    known: &mut BTreeMap<String, T>,
    option: &str,
    name: String,
    value: T,
) -> Result<(), Failure> {
    match known.get(&name) {
        Some(before) if *before != value => Err(Failure::usage(format!("{option} {name}=…"))
            .why(&format!("it is given twice for '{name}', with different values"))
            .help("give it once")),
        _ => {
            known.insert(name, value);
            Ok(())
        }
    }
}

/// Checks that `--shape` and `--dim` name inputs and extents that the model has and leaves open.
pub(super) fn extents(graph: &GraphProto, options: &ImportOptions) -> Result<(), Failure> {
    Ok(check_extents(graph, options)?)
}

/// Checks class names of a single network: `found` are the numbers of classes of its outputs.
pub(super) fn classes(found: &[u64], count: usize) -> Result<(), Failure> {
    if found.is_empty() {
        return Err(none("--classes", &"no output of the network is a list of classes"));
    }
    if found.contains(&(count as u64)) {
        return Ok(());
    }
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    let why = format!("the file has {count} names, the network {} classes", found.join(" and "));
    Err(Failure::usage("--classes").why(&why).help("give one name for each class"))
}

/// Options of calibration that need calibration inputs, or do not apply to saved statistics. `corrects`:
/// biases are corrected on the calibration inputs. `measured`: the network is executed in any case, and
/// whether other inputs are given for that.
pub(super) fn calibration(
    args: &CalibrationArgs,
    corrects: bool,
    measured: Option<bool>,
) -> Result<(), Failure> {
    normalization(&args.pictures)?;
    let inputs = !args.calib.is_empty();
    first(
        &[(args.calib_limit.is_some() && !inputs, "--calib-limit")],
        "there are no calibration inputs (--calib)",
    )?;
    if !inputs && measured != Some(true) {
        first(&pictures_typed(&args.pictures), "there are no inputs that could be pictures (--calib)")?;
    }
    if args.statistics.is_some() {
        let why = match measured {
            Some(true) => "the ranges come from --statistics, and models are measured on --input",
            _ => "the ranges come from --statistics",
        };
        let used = corrects || measured == Some(false);
        first(&[(inputs && !used, "--calib")], why)?;
    }
    if args.statistics.is_some() && measured.is_none() {
        first(
            &[
                (args.threads.is_some() && !inputs, "--threads"),
                (args.engine.float_engine.is_some() && !inputs, "--float-engine"),
            ],
            "nothing is run: the ranges come from --statistics",
        )?;
    }
    Ok(())
}

fn pictures_typed(p: &PictureArgs) -> [(bool, &'static str); 5] {
    [
        (!p.mean.is_empty(), "--mean"),
        (!p.std.is_empty(), "--std"),
        (p.resize.is_some(), "--resize"),
        (p.bgr, "--bgr"),
        (p.nhwc, "--nhwc"),
    ]
}

/// Checks that per-channel values are finite and, if they divide, positive.
fn numbers(option: &str, values: &[f32], divides: bool) -> Result<(), Failure> {
    match values.iter().find(|v| !v.is_finite() || (divides && **v <= 0.0)) {
        Some(v) if divides => Err(wrong(option, v, "pixels are divided by it: it must be a number above 0")),
        Some(v) => Err(wrong(option, v, "it must be a number")),
        None => Ok(()),
    }
}

/// Checks options for pictures, before an input is read.
pub(super) fn normalization(args: &PictureArgs) -> Result<(), Failure> {
    numbers("--mean", &args.mean, false)?;
    numbers("--std", &args.std, true)
}

/// Checks options for pictures against all inputs that a command reads.
pub(super) fn pictures<'a>(
    args: &PictureArgs,
    inputs: impl Iterator<Item = (&'a TensorEntry, Held)>,
) -> Result<(), Failure> {
    let typed = pictures_typed(args);
    let drawn: Vec<(&TensorEntry, Held)> = inputs.filter(|(_, h)| h.pictures || h.pixels).collect();
    let Some((tensor, _)) = drawn.first() else {
        return first(&typed, "it is for pictures and pixels, and no input is either");
    };
    if drawn.iter().all(|(t, _)| t.dtype != DType::F32) {
        let why = format!("input '{}' takes pixels as they are: its type is uint8", tensor.name);
        first(&typed[..2], &why)?;
    }
    let shown = || drawn.iter().filter(|(_, h)| h.pictures).map(|(t, _)| *t);
    if shown().next().is_none() {
        let why = "none of the inputs is a picture; arrays of pixels have their size and order";
        first(&typed[2..4], why)?;
    }
    // [1, C, H, W], or with --nhwc [1, H, W, C].
    let coloured = |t: &TensorEntry| match t.shape[..] {
        [_, _, _, last] if args.nhwc => last == 3,
        [_, second, _, _] => second == 3,
        _ => false,
    };
    first(&[(args.bgr && !shown().any(coloured), "--bgr")], "no input has three channels")?;
    let several = |t: &TensorEntry| t.preprocess.as_ref().is_some_and(|h| h.mean.len().max(h.std.len()) > 1);
    let ordered = shown().any(|t| t.shape.len() == 4) || drawn.iter().any(|(t, h)| h.pixels && several(t));
    let why = "none of the inputs is a picture, and all channels of its pixels become values alike";
    first(&[(args.nhwc && !ordered, "--nhwc")], why)
}

/// Refuses `--float-engine` where no library runs anything.
pub(super) fn engine(args: &EngineArgs, why: &str) -> Result<(), Failure> {
    first(&[(args.float_engine.is_some(), "--float-engine")], why)
}

/// Checks options of a reference against its kind.
pub(super) fn reference(args: &ReferenceArgs, files: bool) -> Result<(), Failure> {
    let why = "the reference is a float network, whose order of axes is known; this is for files";
    first(&[(!files && args.reference_layout.is_some(), "--reference-layout")], why)
}

/// Checks the thresholds and outputs of `compare`.
pub(super) fn compare(args: &CompareArgs) -> Result<(), Failure> {
    if let Some(db) = args.fail_under.filter(|db| !db.is_finite()) {
        return Err(wrong("--fail-under", &db, "it must be a number of decibels: nothing is less than that"));
    }
    Ok(())
}

/// Checks which options of `dequantize` are for single files, and which for folders.
pub(super) fn dequantize(args: &DequantizeArgs) -> Result<(), Failure> {
    if let Some(scale) = args.scale.filter(|s| !(s.is_finite() && *s > 0.0)) {
        return Err(wrong("--scale", &scale, "a scale is a number above 0"));
    }
    if args.path.is_dir() {
        let why = "a folder of dumps says itself what its integers stand for; this is for a single file";
        first(
            &[
                (args.program.is_some(), "--program"),
                (args.scale.is_some(), "--scale"),
                (args.zero_point.is_some(), "--zero-point"),
            ],
            why,
        )?;
    } else if args.path.is_file() {
        first(&[(!args.layer.is_empty(), "--layer")], "a single file holds one tensor")?;
    }
    let ending = args.output.extension().and_then(|e| e.to_str()).unwrap_or_default();
    let why = format!("the ending of '{}' says what is written", args.output.display());
    first(&[(args.csv && matches!(ending, "npz" | "npy" | "csv"), "--csv")], &why)
}

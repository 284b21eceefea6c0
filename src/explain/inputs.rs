//! Messages on inputs.

use super::{Failure, INPUT, nearest};
use crate::image::Format;
use crate::inputs::{FileFault, InputError, NormalizationFault, key};
use crate::readable;
use crate::tensor_file::Element;

impl From<InputError> for Failure {
    fn from(error: InputError) -> Failure {
        Failure::inputs("--input", error)
    }
}

impl Failure {
    /// Inputs that were given with `option`.
    pub fn inputs(option: &str, error: InputError) -> Failure {
        match error {
            InputError::File(file) => file.into(),
            InputError::In { path, fault } => in_file(Failure::file(&path, &fault), fault),
            InputError::Missing { ref input, ref takes } => {
                Failure::usage(error.to_string()).help(format!("add {option} {input}=FILE ({takes})"))
            }
            InputError::Uneven { input, count, others } => {
                let why = format!("input '{input}' has {count} of them, another input {others}");
                Failure::new(INPUT, "stacked inputs differ in number").why(&why)
            }
            InputError::NoSample { .. } => Failure::new(INPUT, error.to_string()),
            InputError::NoFile { .. } | InputError::NoInputs { .. } => Failure::usage(error.to_string()),
            InputError::NoSuchInput { given, name, inputs } => {
                Failure::usage(format!("'{given}': no input is named '{name}'"))
                    .why(&format!("there are {}", quoted(&inputs)))
                    .nearest(&name, inputs.iter().map(String::as_str))
            }
            InputError::Ambiguous { given, path, inputs } => {
                let why =
                    format!("there are {}, and '{}' is called like none", quoted(&inputs), path.display());
                Failure::usage(format!("'{given}' does not say which input it is for")).why(&why).help(
                    "write NAME=FILE, or give an .npz with arrays, or a folder with .npy files, that are called like the inputs",
                )
            }
            InputError::Normalization { of, said, input, fault } => {
                let what = if said { format!("--{}", of.name()) } else { of.of_input(&input) };
                let failure = Failure::usage(what).why(&fault);
                match fault {
                    NormalizationFault::Count { .. } => {
                        failure.help("give one number, or one for each channel")
                    }
                    NormalizationFault::Number { .. }
                    | NormalizationFault::Sign { .. }
                    | NormalizationFault::Range { .. } => failure,
                }
            }
            InputError::Extents { input, model, why } => {
                Failure::usage(format!("input '{input}' of '{}'", model.display())).why(&why)
            }
            InputError::NotFinite(odd) => {
                Failure::new(INPUT, format!("input \"{}\" from {}", odd.input, odd.label))
                    .why(&format!("of {} values {}; no integer stands for that", odd.values, odd.words()))
                    .help("leave it out, or write numbers in their place")
            }
            InputError::Occupied { model, path, why } => {
                let (model, path) = (model.display(), path.display());
                Failure::usage(format!("--output {model}: '{path}' stands beside it"))
                    .why(&why)
                    .help("choose another output, or move that file away")
            }
            InputError::LabelCount { path, found, given, used } => {
                let inputs = if used == given {
                    format!("{given} inputs")
                } else {
                    format!("{given} inputs, of which {used} are used")
                };
                Failure::usage(format!("--labels {}", path.display()))
                    .why(&format!("{found} labels for {inputs}"))
                    .help("give one label for each input, in their order")
            }
            InputError::LabelShape { path, shape } => Failure::usage(format!("--labels {}", path.display()))
                .why(&format!("the array has shape {}", readable::shape(&shape)))
                .help("labels have one axis, or Nx1: one class for each input"),
        }
    }
}

/// The advice on a file that cannot be used.
fn in_file(failure: Failure, fault: FileFault) -> Failure {
    match fault {
        FileFault::Array(_)
        | FileFault::Picture(_)
        | FileFault::Folder(_)
        | FileFault::Irregular
        | FileFault::Sidecar { .. }
        | FileFault::NoGraph => failure,
        FileFault::Empty { pictures: true, .. } => {
            failure.help(format!("pictures of {} are read: convert the others", Format::NAMES))
        }
        FileFault::Empty { pictures: false, .. } => {
            failure.help(format!("inputs are .npy, .npz and pictures ({})", Format::NAMES))
        }
        FileFault::Foreign { wanted, .. } => match wanted.as_deref() {
            Some((input, takes)) => {
                failure.help(format!("input '{input}' takes {takes}; pictures may be {}", Format::NAMES))
            }
            None => failure,
        },
        FileFault::NoArray { wanted, held } => {
            match nearest::question(&wanted, held.iter().map(String::as_str)) {
                Some(question) => failure.help(question),
                None => failure,
            }
        }
        FileFault::Strange { .. } => failure.help("name the arrays like the inputs, or write NAME=FILE"),
        FileFault::Shape { wanted, found, .. } => failure.help(shape_help(&wanted, &found)),
        FileFault::Type { wanted: Element::F32, found: Element::U8, .. } => failure.help(
            "save values as float32; if they are pixels, say with --mean and --std how they become values",
        ),
        FileFault::Type { wanted, .. } => {
            failure.help(format!("save it with array.astype(numpy.{})", wanted.numpy_name()))
        }
        FileFault::NoPicture { .. } => failure.help("give a .npy file"),
        FileFault::Unnormalized { sidecar: None, .. } => failure.help("give --mean and --std"),
        FileFault::Unnormalized { input, sidecar: Some(file), .. } => failure.help(format!(
            "give --mean and --std, or write them into {file} beside the model, under [input.{}]",
            key(&input)
        )),
        FileFault::Classes { .. } => {
            failure.help("class names are a JSON list of names, or an object from class number to name")
        }
        FileFault::Labels => failure.help("save them with array.astype(numpy.int64)"),
    }
}

/// `'left', 'right'`.
fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}

/// The advice on an array whose shape does not fit.
fn shape_help(wanted: &[u64], found: &[u64]) -> String {
    if let ([batch, c, h, w], [n, a, b, d]) = (wanted, found)
        && [a, b, d] == [h, w, c]
        && n % batch.max(&1) == 0
    {
        return "its channels are last: save it with array.transpose(0, 3, 1, 2)".into();
    }
    if let ([_, h, w, c], [n, a, b, d]) = (wanted, found)
        && [a, b, d] == [c, h, w]
        && *n > 0
    {
        return "its channels are second, the input's are last: save it with array.transpose(0, 2, 3, 1)"
            .into();
    }
    match wanted.split_first() {
        Some((1, rest)) if !rest.is_empty() && rest == found => {
            "the leading axis of extent 1 is missing: save it with array[numpy.newaxis]".into()
        }
        Some((1, rest)) if !rest.is_empty() => {
            format!("give {} for one run, or Nx{} for N runs", readable::shape(wanted), readable::shape(rest))
        }
        _ => format!("give {}", readable::shape(wanted)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_file::ConvertError;

    fn in_array(fault: FileFault) -> String {
        Failure::from(InputError::In { path: "a.npy".into(), fault }).render()
    }

    #[test]
    fn a_wrong_shape_says_what_to_do() {
        for (wanted, found, says) in [
            (&[1, 3][..], &[3, 1][..], "Nx3 for N runs"),
            (&[1, 3, 4, 5], &[2, 4, 5, 3], "transpose(0, 3, 1, 2)"),
            (&[1, 4, 5, 3], &[1, 3, 4, 5], "transpose(0, 2, 3, 1)"),
            (&[1, 3, 4, 5], &[3, 4, 5], "array[numpy.newaxis]"),
        ] {
            let (input, wanted, found) = ("x".into(), wanted.to_vec(), found.to_vec());
            let text = in_array(FileFault::Shape { input, wanted, found });
            assert!(text.contains("has shape") && text.contains(says), "{text}");
        }
    }

    #[test]
    fn a_wrong_type_says_what_to_do() {
        for (wanted, found, says) in
            [(Element::S64, Element::F32, "astype(numpy.int64)"), (Element::F32, Element::U8, "--mean")]
        {
            let source = ConvertError::Kind { found };
            let text = in_array(FileFault::Type { input: "x".into(), wanted, found, source });
            assert!(text.contains(says), "{text}");
        }
    }

    #[test]
    fn missing_inputs_name_the_option_that_gives_them() {
        let missing = || InputError::Missing { input: "x".into(), takes: "a .npy".into() };
        assert!(Failure::from(missing()).render().contains("add --input x=FILE (a .npy)"));
        assert!(Failure::inputs("--calib", missing()).render().contains("add --calib x=FILE (a .npy)"));
    }
}

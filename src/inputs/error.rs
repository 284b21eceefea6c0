//! Errors of inputs.

use std::path::PathBuf;

use crate::files::FileError;
use crate::image::ImageError;
use crate::readable;
use crate::tensor_file::{ConvertError, Element, TensorFileError};

/// Why inputs cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The operating system refuses.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file cannot be used.
    #[error("'{}': {fault}", path.display())]
    In {
        /// Which one.
        path: PathBuf,
        /// Why.
        fault: FileFault,
    },
    /// An input has no samples.
    #[error("no value is given for input '{input}'")]
    Missing {
        /// Its name.
        input: String,
        /// What it takes.
        takes: String,
    },
    /// Inputs have different numbers of samples.
    #[error("stacked inputs differ in number: input '{input}' has {count} of them, another input {others}")]
    Uneven {
        /// One of them.
        input: String,
        /// Samples of this one.
        count: usize,
        /// Samples of the one that has most.
        others: usize,
    },
    /// There is no sample of this number.
    #[error("there is no sample {at}, only {count}")]
    NoSample {
        /// Which, from 0.
        at: usize,
        /// How many there are.
        count: usize,
    },
    /// No file exists for an argument.
    #[error("'{given}': a file name is missing")]
    NoFile {
        /// What was given.
        given: String,
    },
    /// The network takes no inputs.
    #[error("'{given}': the network has no inputs")]
    NoInputs {
        /// What was given.
        given: String,
    },
    /// No input of this name.
    #[error("'{given}': no input is named '{name}': there are {}", quoted(inputs))]
    NoSuchInput {
        /// What was given.
        given: String,
        /// The name before the path.
        name: String,
        /// The network's inputs.
        inputs: Vec<String>,
    },
    /// A file without an input's name, with several inputs.
    #[error(
        "'{given}' does not say which input it is for: there are {}, and '{}' is called like none",
        quoted(inputs),
        path.display()
    )]
    Ambiguous {
        /// What was given.
        given: String,
        /// The file, which may be one of a folder.
        path: PathBuf,
        /// The network's inputs.
        inputs: Vec<String>,
    },
    /// Invalid preprocessing.
    #[error("{}: {fault}", .of.of_input(input))]
    Normalization {
        /// The wrong value.
        of: Statistic,
        /// Whether the caller gave it, and not the program or the sidecar.
        said: bool,
        /// The input.
        input: String,
        /// Why.
        fault: NormalizationFault,
    },
    /// An extent of a float network's input is open, or too large.
    #[error("input '{input}' of '{}': {why}", model.display())]
    Extents {
        /// The input.
        input: String,
        /// The network's file.
        model: PathBuf,
        /// Why.
        why: String,
    },
    /// NaN or infinities, which cannot be quantized.
    #[error(transparent)]
    NotFinite(#[from] super::finite::NotFinite),
    /// A user's file exists where a sidecar would be written.
    #[error("'{}' stands beside '{}': {why}", path.display(), model.display())]
    Occupied {
        /// The model that is written.
        model: PathBuf,
        /// The file.
        path: PathBuf,
        /// Why the file does not agree.
        why: String,
    },
    /// The number of labels differs from that of the samples.
    #[error("'{}': {found} labels for {}", path.display(), inputs_given(*given, *used))]
    LabelCount {
        /// The file.
        path: PathBuf,
        /// Labels.
        found: usize,
        /// Samples that were given.
        given: usize,
        /// Samples that are used.
        used: usize,
    },
    /// The array of labels is not a list.
    #[error("'{}': the array has shape {}", path.display(), readable::shape(shape))]
    LabelShape {
        /// The file.
        path: PathBuf,
        /// Its shape.
        shape: Vec<u64>,
    },
}

/// Why a file cannot be used as an input, or for an input.
#[derive(Debug, thiserror::Error)]
pub enum FileFault {
    /// An unreadable array.
    #[error(transparent)]
    Array(TensorFileError),
    /// An unreadable picture, or one that this input cannot take.
    #[error(transparent)]
    Picture(#[from] ImageError),
    /// A folder cannot be listed.
    #[error(transparent)]
    Folder(#[from] std::io::Error),
    /// A pipe or device in a folder, which would block and was not named.
    #[error("it is no regular file")]
    Irregular,
    /// A folder without inputs.
    #[error("the folder holds no files that can be inputs{}", but(left_out))]
    Empty {
        /// What it contains instead: `3 .heic, 1 .txt`.
        left_out: String,
        /// Whether unsupported pictures are among them.
        pictures: bool,
    },
    /// Neither picture nor array.
    #[error("{what}")]
    Foreign {
        /// What it is.
        what: String,
        /// The input, and what it takes.
        wanted: Option<Box<(String, String)>>,
    },
    /// An archive without the required array.
    #[error("it holds {}, none of them named {wanted}", held.join(", "))]
    NoArray {
        /// The array's name.
        wanted: String,
        /// The archive's arrays.
        held: Vec<String>,
    },
    /// An archive whose arrays have no input's name.
    #[error("it holds {}; the inputs are {}", held.join(", "), quoted(inputs))]
    Strange {
        /// The archive's arrays.
        held: Vec<String>,
        /// The network's inputs.
        inputs: Vec<String>,
    },
    /// An array of another shape.
    #[error("input '{input}' has shape {}, the array {}", readable::shape(wanted), readable::shape(found))]
    Shape {
        /// The input.
        input: String,
        /// Its shape.
        wanted: Vec<u64>,
        /// The array's.
        found: Vec<u64>,
    },
    /// An array of another element type.
    #[error("input '{input}' takes {}, {source}", wanted.numpy_name())]
    Type {
        /// The input.
        input: String,
        /// Its element type.
        wanted: Element,
        /// The array's.
        found: Element,
        /// Why it cannot be converted.
        source: ConvertError,
    },
    /// A picture for an input that takes none.
    #[error("a picture cannot become input '{input}' of type {}", element.numpy_name())]
    NoPicture {
        /// The input.
        input: String,
        /// Its element type.
        element: Element,
    },
    /// The preprocessing of an input is unknown.
    #[error("a picture, but {why}")]
    Unnormalized {
        /// The input.
        input: String,
        /// Why it is unknown.
        why: String,
        /// The sidecar that could contain it; `None` for a model without a path.
        sidecar: Option<String>,
    },
    /// Not a sidecar.
    #[error("no description of a model's inputs: line {line}: {reason}")]
    Sidecar {
        /// From 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// Not a list of class names.
    #[error("{reason}")]
    Classes {
        /// What is wrong.
        reason: String,
    },
    /// A float network without a graph.
    #[error("it has no graph")]
    NoGraph,
    /// Labels that are not integers from 0.
    #[error("labels are integers from 0")]
    Labels,
}

/// A parameter of normalization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    /// The subtracted value.
    Mean,
    /// The divisor.
    Std,
}

impl Statistic {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Statistic::Mean => "mean",
            Statistic::Std => "std",
        }
    }

    /// `mean of input 'x'`.
    #[must_use]
    pub fn of_input(self, input: &str) -> String {
        format!("{} of input '{input}'", self.name())
    }
}

/// Why a parameter of normalization is invalid.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NormalizationFault {
    /// Neither one number nor one for each channel.
    #[error(
        "{count} values, but input '{input}' has {channels} channel{}",
        if *channels == 1 { "" } else { "s" }
    )]
    Count {
        /// Numbers.
        count: usize,
        /// The input.
        input: String,
        /// Its channels.
        channels: usize,
    },
    /// Not a finite number.
    #[error("{value} is no number to compute with")]
    Number {
        /// The value.
        value: f32,
    },
    /// The divisor is not above 0.
    #[error("pixels are divided by it: it must be above 0, not {value}")]
    Sign {
        /// The value.
        value: f32,
    },
    /// The divisor is too small.
    #[error("with {value:?} pixels become values beyond single precision")]
    Range {
        /// The value.
        value: f32,
    },
}

impl InputError {
    /// Something is wrong with a file.
    pub(super) fn of(path: impl Into<PathBuf>, fault: FileFault) -> InputError {
        InputError::In { path: path.into(), fault }
    }

    /// A file of arrays cannot be used.
    pub(super) fn array(path: impl Into<PathBuf>, error: TensorFileError) -> InputError {
        match error {
            TensorFileError::File(file) => file.into(),
            other => InputError::of(path, FileFault::Array(other)),
        }
    }
}

/// `'left', 'right'`.
fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}

fn but(left_out: &str) -> String {
    if left_out.is_empty() { String::new() } else { format!(", but {left_out}") }
}

fn inputs_given(given: usize, used: usize) -> String {
    if given == used {
        format!("{given} inputs")
    } else {
        format!("{given} inputs, of which {used} are used")
    }
}

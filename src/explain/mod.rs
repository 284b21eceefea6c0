//! Errors as users see them: what, where, why, and what to do. Every typed error of the library is rendered
//! here.

use std::path::Path;

use serde::Serialize;

mod batch;
mod dump;
mod inputs;
mod model;
pub mod nearest;
mod places;
mod quantize;
mod trace;
mod tune;

use crate::analysis::{CompareError, MapError, ReferenceError};
use crate::document::Kind;
use crate::dump::DumpError;
use crate::files::FileError;
use crate::image::ImageError;
use crate::machine::{Machine, MachineError};
use crate::program::elf::ProgramFileError;
use crate::sim::{Fault, LoadError, RunError};
use crate::tensor_file::TensorFileError;

/// The answer is "no".
pub const NO: u8 = 1;
/// Wrong usage.
pub const USAGE: u8 = 2;
/// Bad input file.
pub const INPUT: u8 = 3;
/// Unsupported model.
pub const UNSUPPORTED: u8 = 4;
/// The program did something illegal.
pub const ILLEGAL: u8 = 5;

/// A failure as a JSON document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct FailureReport {
    /// The exit status.
    pub status: u8,
    /// What failed.
    pub error: String,
    /// Why.
    pub why: Option<String>,
    /// What to do.
    pub help: Option<String>,
    /// The fault, if the program did something illegal.
    pub fault: Option<FaultReport>,
}

impl Kind for FailureReport {
    const KIND: &'static str = "failure";
}

/// A fault of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct FaultReport {
    /// Name of the violated rule.
    pub kind: String,
    /// Index of the instruction word.
    pub pc: u64,
    /// Its text; none if it is no instruction.
    pub instruction: Option<String>,
    /// Its layer.
    pub layer: Option<String>,
    /// What is wrong, in a sentence.
    pub reason: String,
}

/// A message with an exit status.
#[derive(Debug)]
pub struct Failure {
    /// The exit status of a command that fails with it.
    pub status: u8,
    what: String,
    why: Option<String>,
    help: Option<String>,
    fault: Option<Box<Fault>>,
}

impl Failure {
    /// What failed.
    pub fn new(status: u8, what: impl Into<String>) -> Failure {
        Failure { status, what: what.into(), why: None, help: None, fault: None }
    }

    /// The request is not possible.
    pub fn usage(what: impl Into<String>) -> Failure {
        Failure::new(USAGE, what)
    }

    /// A file that is not what it should be.
    pub fn file(path: &Path, why: &impl std::fmt::Display) -> Failure {
        Failure::new(INPUT, format!("'{}'", path.display())).why(why)
    }

    /// What failed, and where.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Why, if that is known.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.why.as_deref()
    }

    /// What to do next, if there is advice.
    #[must_use]
    pub fn advice(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// Adds the reason.
    #[must_use]
    pub fn why(mut self, why: &impl std::fmt::Display) -> Failure {
        self.why = Some(why.to_string());
        self
    }

    /// Adds advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Failure {
        self.help = Some(help.into());
        self
    }

    /// Adds a suggestion of similar names; earlier advice stays if there is none.
    pub fn nearest<'a>(self, wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Failure {
        match nearest::question(wanted, known) {
            Some(question) => self.help(question),
            None => self,
        }
    }

    /// Adds the fault of a program.
    pub fn fault(mut self, fault: Fault) -> Failure {
        self.fault = Some(Box::new(fault));
        self
    }

    /// The failure as a document.
    #[must_use]
    pub fn report(&self) -> FailureReport {
        let fault = self.fault.as_ref().map(|f| FaultReport {
            kind: f.kind.name().into(),
            pc: f.pc,
            instruction: f.insn.as_deref().map(Into::into),
            layer: f.layer.as_deref().map(Into::into),
            reason: f.kind.to_string(),
        });
        FailureReport {
            status: self.status,
            error: self.what.clone(),
            why: self.why.clone(),
            help: self.help.clone(),
            fault,
        }
    }

    /// What failed and why, in one line.
    pub fn text(&self) -> String {
        match &self.why {
            Some(why) => format!("{}: {}", self.what, why.trim_end()),
            None => self.what.clone(),
        }
    }

    /// The message for a terminal, ending in a new line.
    pub fn render(&self) -> String {
        let mut text = format!("error: {}", self.what);
        if let Some(why) = &self.why {
            // A reason of several lines (a caret below assembly text) starts on its own line.
            text.push_str(if why.contains('\n') { ":\n" } else { ": " });
            text.push_str(why.trim_end());
        }
        if let Some(help) = &self.help {
            text.push_str("\n  help: ");
            text.push_str(help);
        }
        text.push('\n');
        text
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text())
    }
}

impl std::error::Error for Failure {}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Failure {
        Failure::new(INPUT, error.to_string())
    }
}

impl From<CompareError> for Failure {
    fn from(error: CompareError) -> Failure {
        match error {
            CompareError::Reference(ReferenceError::Map(error)) => {
                let (name, known, help) = match &error {
                    MapError::Ours { name, known, .. } => {
                        (name, known, "`rcar-iss info P.rcn --layers --tensors` lists what a program has")
                    }
                    MapError::Theirs { name, known } => {
                        (name, known, "write a tensor or node of the float network, or a file of the folder")
                    }
                };
                let failure = Failure::usage("--map").why(&error).help(help);
                failure.nearest(name, known.iter().map(String::as_str))
            }
            CompareError::Run(RunError::Fault(fault)) => {
                Failure::new(ILLEGAL, "the program").why(&fault).fault(fault)
            }
            CompareError::Inputs(misfit) => Failure::new(INPUT, "--reference").why(&misfit).help(
                "give the inputs of which the reference was dumped, in the same order, stacked or one folder each",
            ),
            CompareError::Sample(error) => error.into(),
            CompareError::Nothing { .. } => Failure::new(INPUT, error.to_string())
                .help("reference tensors are matched by name; --map FILE says which belongs to which"),
            other => Failure::new(INPUT, "the reference").why(&other),
        }
    }
}

impl From<DumpError> for Failure {
    fn from(error: DumpError) -> Failure {
        let status = match error {
            DumpError::File(_)
            | DumpError::Tensor { .. }
            | DumpError::Changed { .. }
            | DumpError::Elsewhere { .. } => INPUT,
            _ => USAGE,
        };
        let failure = Failure::new(status, "layer dump").why(&error);
        match &error {
            DumpError::UnknownName { name, known } => failure
                .help("`rcar-iss info --tensors` lists them")
                .nearest(name, known.iter().map(String::as_str)),
            _ => failure,
        }
    }
}

impl From<ProgramFileError> for Failure {
    fn from(error: ProgramFileError) -> Failure {
        match error {
            ProgramFileError::File(file) => file.into(),
            other => Failure::new(INPUT, "program file").why(&other),
        }
    }
}

impl Failure {
    /// A program file that cannot be used.
    pub fn program(path: &Path, error: ProgramFileError) -> Failure {
        match error {
            ProgramFileError::File(file) => file.into(),
            other => Failure::file(path, &other),
        }
    }

    /// A file of arrays that cannot be used.
    pub fn tensor(path: &Path, error: TensorFileError) -> Failure {
        match error {
            TensorFileError::File(file) => file.into(),
            other => Failure::file(path, &other),
        }
    }

    /// A picture that cannot be used.
    pub fn image(path: &Path, error: &ImageError) -> Failure {
        Failure::file(path, error)
    }

    /// The failure of a load.
    pub fn load(path: &Path, error: &LoadError) -> Failure {
        match error {
            LoadError::Refused(_) => Failure::file(path, error),
            LoadError::Fault(fault) => {
                Failure::new(ILLEGAL, format!("'{}'", path.display())).why(fault).fault(fault.clone())
            }
        }
    }

    /// A machine that cannot be used.
    pub fn machine(name: &str, error: &MachineError) -> Failure {
        match error {
            MachineError::Unknown { name, .. } => Failure::usage(error.to_string())
                .nearest(name, Machine::names().into_iter().chain(Machine::fitted())),
            _ => Failure::new(INPUT, format!("machine file '{name}'")).why(error),
        }
    }
}

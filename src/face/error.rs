//! Errors, one type for each stage. Each names the file or object concerned, and contains the error of its
//! stage; each can be [explained](Failure) in the command line's words.

use std::path::{Path, PathBuf};

use crate::analysis;
use crate::compiler::{CompileError, PreprocessError};
use crate::explain::Failure;
use crate::files::FileError;
use crate::host::HostError;
use crate::inputs::InputError;
use crate::machine::MachineError;
use crate::onnx::proto::GraphProto;
use crate::onnx::{self, ExtentError, LoadError};
use crate::program::TargetError;
use crate::program::elf::ProgramFileError;
use crate::quantize::PipelineError;
use crate::sim;
use crate::tune::TuneError;

/// A machine that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenMachine {
    /// Its file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Its name is unknown, or its file is wrong.
    #[error("'{}': {kind}", path.display())]
    Machine {
        /// The file or name.
        path: PathBuf,
        /// What is wrong.
        #[source]
        kind: MachineError,
    },
}

/// A file that is not a model, or a file beside it that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenModel {
    /// It is not a model.
    #[error("'{}': {kind}", path.display())]
    Model {
        /// The file, or `model`.
        path: PathBuf,
        /// What is wrong.
        #[source]
        kind: LoadError,
    },
    /// Its sidecar (preprocessing of pictures, class names) cannot be used.
    #[error(transparent)]
    Sidecar(#[from] InputError),
}

/// A model that cannot be imported as a graph.
#[derive(Debug, thiserror::Error)]
pub enum Import {
    /// Nodes that cannot be compiled, all of them, or a model that violates ONNX's own rules.
    #[error("'{}': {kind}", path.display())]
    Model {
        /// The model's file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        kind: onnx::ImportError,
        /// The model's graph, to suggest similar names.
        graph: Box<GraphProto>,
    },
    /// An extent is given that the model does not leave open.
    #[error(transparent)]
    Extent(#[from] ExtentError),
    /// The preprocessing of pictures does not fit the inputs.
    #[error("'{}': {kind}", path.display())]
    Pictures {
        /// The file with the preprocessing.
        path: PathBuf,
        /// What is wrong.
        #[source]
        kind: PreprocessError,
    },
}

/// A graph that cannot be compiled.
#[derive(Debug, thiserror::Error)]
pub enum Compile {
    /// A layer has no lowering, or does not fit the machine.
    #[error("'{}' cannot be compiled: {kind}", path.display())]
    Graph {
        /// The model's file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        kind: CompileError,
    },
    /// A host layer that the library cannot run.
    #[error(transparent)]
    Host(#[from] HostError),
}

/// A program file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("'{}': {kind}", path.display())]
pub struct ProgramFile {
    /// The file, or `program`.
    pub path: PathBuf,
    /// What is wrong.
    #[source]
    pub kind: ProgramFileError,
}

/// A program that cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum Load {
    /// It is not for the machine.
    #[error(transparent)]
    Machine(#[from] TargetError),
    /// It does not fit, or does something illegal.
    #[error("'{}': {kind}", path.display())]
    Program {
        /// Where it came from.
        path: PathBuf,
        /// What is wrong.
        #[source]
        kind: Box<sim::LoadError>,
    },
}

/// A float network that cannot be quantized or tuned with these settings.
#[derive(Debug, thiserror::Error)]
pub enum Quantize {
    /// An error of quantization.
    #[error("'{}': {kind}", path.display())]
    Pipeline {
        /// The model's file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        kind: PipelineError,
    },
    /// An error of the search of widths.
    #[error("'{}': {kind}", path.display())]
    Tune {
        /// The model's file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        kind: TuneError,
    },
}

/// A network that cannot be compared with its float reference.
#[derive(Debug, thiserror::Error)]
pub enum Compare {
    /// The models are not of one network, or cannot be run on the samples.
    #[error(transparent)]
    Compare(Box<analysis::CompareError>),
    /// The quantized model cannot be imported.
    #[error(transparent)]
    Import(#[from] Import),
    /// It cannot be compiled.
    #[error(transparent)]
    Compile(#[from] Compile),
    /// It cannot be loaded.
    #[error(transparent)]
    Load(#[from] Load),
}

impl OpenMachine {
    pub(super) fn of(path: &Path) -> impl Fn(MachineError) -> OpenMachine {
        move |kind| OpenMachine::Machine { path: path.to_path_buf(), kind }
    }
}

impl Compile {
    pub(super) fn of(path: &Path) -> impl Fn(CompileError) -> Compile {
        move |kind| Compile::Graph { path: path.to_path_buf(), kind }
    }
}

impl ProgramFile {
    pub(super) fn of(path: &Path) -> impl Fn(ProgramFileError) -> ProgramFile {
        move |kind| ProgramFile { path: path.to_path_buf(), kind }
    }
}

impl Load {
    pub(super) fn of(path: &Path) -> impl Fn(sim::LoadError) -> Load {
        move |kind| Load::Program { path: path.to_path_buf(), kind: Box::new(kind) }
    }
}

impl From<OpenMachine> for Failure {
    fn from(error: OpenMachine) -> Failure {
        match error {
            OpenMachine::File(file) => file.into(),
            OpenMachine::Machine { path, kind } => Failure::machine(&path.to_string_lossy(), &kind),
        }
    }
}

impl From<OpenModel> for Failure {
    fn from(error: OpenModel) -> Failure {
        match error {
            OpenModel::Model { path, kind } => Failure::onnx(&path, kind),
            OpenModel::Sidecar(error) => error.into(),
        }
    }
}

impl From<Import> for Failure {
    fn from(error: Import) -> Failure {
        match error {
            Import::Model { path, kind, graph } => Failure::import(&path, &graph, &kind),
            Import::Extent(error) => error.into(),
            Import::Pictures { path, kind } => Failure::preprocess(&path, &kind),
        }
    }
}

impl From<Compile> for Failure {
    fn from(error: Compile) -> Failure {
        match error {
            Compile::Graph { path, kind } => Failure::compile(&path, &kind),
            Compile::Host(error) => error.into(),
        }
    }
}

impl From<ProgramFile> for Failure {
    fn from(error: ProgramFile) -> Failure {
        Failure::program(&error.path, error.kind)
    }
}

impl From<Load> for Failure {
    fn from(error: Load) -> Failure {
        match error {
            Load::Machine(error) => Failure::target(None, &error),
            Load::Program { path, kind } => Failure::load(&path, &kind),
        }
    }
}

impl From<Quantize> for Failure {
    fn from(error: Quantize) -> Failure {
        match error {
            Quantize::Pipeline { path, kind } => Failure::pipeline(&path, kind),
            Quantize::Tune { path, kind } => Failure::tune(&path, &kind),
        }
    }
}

impl From<analysis::CompareError> for Compare {
    fn from(error: analysis::CompareError) -> Compare {
        Compare::Compare(Box::new(error))
    }
}

impl From<Compare> for Failure {
    fn from(error: Compare) -> Failure {
        match error {
            Compare::Compare(error) => (*error).into(),
            Compare::Import(error) => error.into(),
            Compare::Compile(error) => error.into(),
            Compare::Load(error) => error.into(),
        }
    }
}

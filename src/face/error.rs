//! What may go wrong, a type for each stage. Each names what it happened to, and has the kind of its stage inside; each can be
//! [explained](Failure) in the command line's words.

use std::path::PathBuf;

use crate::compiler::CompileError;
use crate::explain::Failure;
use crate::files::FileError;
use crate::machine::MachineError;
use crate::onnx::{self, LoadError};
use crate::program::elf::ProgramFileError;
use crate::sim;

/// A machine that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MachineFile {
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

impl MachineFile {
    pub(super) fn of(path: &std::path::Path) -> impl Fn(MachineError) -> MachineFile {
        move |kind| MachineFile::Machine { path: path.to_path_buf(), kind }
    }
}

macro_rules! stages {
    ($($(#[$doc:meta])* $stage:ident($kind:ty) = $text:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, thiserror::Error)]
            #[error($text, path.display())]
            pub struct $stage {
                /// The file, or the name that stands for it.
                pub path: PathBuf,
                /// What is wrong.
                #[source]
                pub kind: $kind,
            }

            impl $stage {
                pub(super) fn of(path: &std::path::Path) -> impl Fn($kind) -> $stage {
                    move |kind| $stage { path: path.to_path_buf(), kind }
                }
            }
        )*
    };
}

stages! {
    /// A file that is no model.
    OpenModel(LoadError) = "'{}': {kind}";
    /// A model that cannot become a graph.
    Import(onnx::ImportError) = "'{}': {kind}";
    /// A graph that cannot be compiled.
    Compile(CompileError) = "'{}' cannot be compiled: {kind}";
    /// A program file that cannot be used.
    ProgramFile(ProgramFileError) = "'{}': {kind}";
    /// A program that does something illegal, or does not fit its machine.
    Load(sim::LoadError) = "'{}': {kind}";
}

impl From<MachineFile> for Failure {
    fn from(error: MachineFile) -> Failure {
        match error {
            MachineFile::File(file) => file.into(),
            MachineFile::Machine { path, kind } => Failure::machine(&path.to_string_lossy(), &kind),
        }
    }
}

impl From<OpenModel> for Failure {
    fn from(error: OpenModel) -> Failure {
        Failure::file(&error.path, &error.kind)
    }
}

impl From<Import> for Failure {
    fn from(error: Import) -> Failure {
        Failure::file(&error.path, &error.kind)
    }
}

impl From<Compile> for Failure {
    fn from(error: Compile) -> Failure {
        Failure::file(&error.path, &error.kind)
    }
}

impl From<ProgramFile> for Failure {
    fn from(error: ProgramFile) -> Failure {
        Failure::program(&error.path, error.kind)
    }
}

impl From<Load> for Failure {
    fn from(error: Load) -> Failure {
        Failure::load(&error.path, &error.kind)
    }
}

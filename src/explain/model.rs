//! Messages on the way from a file to a program.

use std::path::Path;

use super::{Failure, INPUT, UNSUPPORTED};
use crate::compiler::{CompileError, PreprocessError};
use crate::float::{FindError, Library, RuntimeError, VARIABLE, library_name};
use crate::host::HostError;
use crate::onnx::proto::GraphProto;
use crate::onnx::{self, ExtentError, GivenError, ImportError};
use crate::profile::ExpectError;
use crate::program::text::AsmErrors;
use crate::program::{HostEntry, TargetError};
use crate::report;

impl From<ExtentError> for Failure {
    fn from(error: ExtentError) -> Failure {
        let idle = |option: String| Failure::usage(format!("{option} has no effect"));
        let listed = |names: &std::collections::BTreeSet<String>, nothing: &str| match names.len() {
            0 => nothing.to_string(),
            _ => names.iter().map(|n| format!("'{n}'")).collect::<Vec<_>>().join(", "),
        };
        match &error {
            ExtentError::NoInput { name, known } => idle(format!("--shape {name}=…"))
                .why(&error)
                .help(format!("its inputs are {}", listed(known, "none")))
                .nearest(name, known.iter().map(String::as_str)),
            ExtentError::NoExtent { name, known } => idle(format!("--dim {name}=…"))
                .why(&error)
                .help(format!("its open extents are {}", listed(known, "none: all its extents are numbers")))
                .nearest(name, known.iter().map(String::as_str)),
            ExtentError::Given { name } => idle(format!("--dim {name}=…"))
                .why(&"--shape gives all inputs that have this extent")
                .help("leave it out"),
        }
    }
}

impl From<GivenError> for Failure {
    fn from(error: GivenError) -> Failure {
        match error {
            GivenError::NoShape { text } => {
                Failure::usage(format!("--shape {text}")).help("write NAME=1x3x224x224")
            }
            GivenError::Nothing { text } => {
                Failure::usage(format!("--shape {text}")).why(&"an extent is at least 1")
            }
            GivenError::NoExtent { text } => {
                Failure::usage(format!("--dim {text}")).help("write NAME=NUMBER, like height=320")
            }
        }
    }
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Failure {
        let HostError { layer, op_types, nodes, why } = error;
        Failure::new(UNSUPPORTED, format!("host layer \"{layer}\" with {op_types} cannot run"))
            .why(&format!("{why} (ONNX nodes {nodes})"))
    }
}

impl Failure {
    /// The model at `path` cannot be read.
    pub fn onnx(path: &Path, error: onnx::LoadError) -> Failure {
        match error {
            onnx::LoadError::File(e) => e.into(),
            other => {
                Failure::file(path, &other).help("an ONNX model or a program file of this tool is expected")
            }
        }
    }

    /// The model at `path`, with this graph, cannot be imported.
    pub fn import(path: &Path, graph: &GraphProto, error: &ImportError) -> Failure {
        match error {
            ImportError::Malformed { .. } => Failure::file(path, error),
            ImportError::NoSuchTensor { name } => {
                let tensors = graph.node.iter().flat_map(|n| &n.output).map(String::as_str);
                Failure::usage(error.to_string())
                    .help("`rcar-iss check MODEL --all` lists the nodes")
                    .nearest(name, tensors.chain(graph.input.iter().map(|i| i.name())))
            }
            ImportError::Unsupported { rows } => Failure::new(UNSUPPORTED, format!("'{}'", path.display()))
                .why(&format!("{error}\n{}", report::unsupported(rows)))
                .help("`rcar-iss check MODEL` shows what is supported"),
        }
    }

    /// The model at `path` cannot be compiled.
    pub fn compile(path: &Path, error: &CompileError) -> Failure {
        Failure::new(UNSUPPORTED, format!("'{}' cannot be compiled", path.display())).why(error)
    }

    /// The preprocessing in the file at `path` does not fit the model.
    pub fn preprocess(path: &Path, error: &PreprocessError) -> Failure {
        Failure::file(path, error).help("write one number, or one for each channel")
    }

    /// The text at `path` cannot be assembled.
    pub fn assembly(path: &Path, source: &str, errors: &AsmErrors) -> Failure {
        let n = errors.0.len();
        let what = format!("'{}' has {n} error{}", path.display(), if n == 1 { "" } else { "s" });
        Failure::new(INPUT, what).why(&errors.render(source, &path.display().to_string()))
    }

    /// A program and a machine do not fit; `typed` is the machine that was named.
    pub fn target(typed: Option<&str>, error: &TargetError) -> Failure {
        match error {
            TargetError::NotShipped { .. } => {
                Failure::new(INPUT, error.to_string()).help("give its machine file with --machine FILE")
            }
            TargetError::Another { .. } => {
                let typed = typed.unwrap_or("FILE");
                Failure::usage(format!("--machine {typed}: the machine does not match the program"))
                    .why(error)
                    .help("leave it out, or compile the model for this machine")
            }
            TargetError::Changed { .. } => {
                Failure::new(INPUT, "the machine does not match the program").why(error).help(
                    "compile the program for this machine, or give the machine file that it was compiled for",
                )
            }
        }
    }

    /// Expected widths that no layer can have, or of a layer that does not exist.
    pub fn expect_bits(error: ExpectError) -> Failure {
        match error {
            ExpectError::NoLayer { name, bits, known } => {
                let typed = if bits.is_empty() { name.clone() } else { format!("{name}={bits}") };
                Failure::usage(format!("--expect-bits {typed}: no such layer"))
                    .help("write LAYER=16x8; `rcar-iss info --layers` lists the layers")
                    .nearest(&name, known.iter().map(String::as_str))
            }
            ExpectError::NotBits { layer, bits } => Failure::usage(format!("--expect-bits {layer}={bits}"))
                .why(&"no layer can be executed with such bits")
                .help("write bits like 16x8, 8, 8+16 or f32; `rcar-iss info --layers` shows those of each layer"),
        }
    }

    /// The library for float networks is not available. `typed` is what was asked for.
    pub fn float_engine(typed: &str, library: &Library, error: &FindError) -> Failure {
        let what = if library.by_variable {
            format!("environment variable {VARIABLE}")
        } else {
            format!("--float-engine {typed}")
        };
        let help = match error {
            FindError::NoFile { .. } => {
                format!("name the file {}; --float-engine rten needs no library", library_name())
            }
            FindError::Load(RuntimeError::Load { .. }) => format!(
                "install ONNX Runtime 1.17 or later (pip install onnxruntime), or name its {} by --float-engine or {VARIABLE}; \
                 --float-engine rten needs no library",
                library_name()
            ),
            FindError::Load(RuntimeError::Another { .. }) => "name the same library everywhere".into(),
        };
        Failure::new(INPUT, what).why(error).help(help)
    }

    /// The program at `path` has a host layer for ONNX Runtime, and `rten` was chosen.
    pub fn needs_onnx_runtime(path: &Path, host: &HostEntry) -> Failure {
        let types = host.op_types.join(", ");
        Failure::new(UNSUPPORTED, format!("'{}'", path.display()))
            .why(&format!("its host layer with {types} was compiled for ONNX Runtime, not for rten"))
            .help("run it with --float-engine onnxruntime")
    }
}

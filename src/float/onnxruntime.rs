//! ONNX Runtime, loaded at run time by the `ort` crate. Nothing is linked or downloaded.
//!
//! For every tensor to be shown, a node with a custom operator is added to the network, which shows its input
//! as soon as it is computed. So only tensors that live at the same time are in memory.

use std::any::Any;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::environment::Environment;
use ort::operator::{
    BoxedKernel, ComputeContext, KernelContext, Operator, OperatorDomain, OperatorInput, OperatorOutput,
};
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{Session, SessionInputValue};
use ort::value::{Tensor, TensorElementType, TensorRef};

use super::convert::chunks;
use super::network::{Network, Observer, Order, Shown};
use crate::tensor_file::{Element, TensorData};

/// The library that this process has loaded.
static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);

/// Why ONNX Runtime cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuntimeError {
    /// The file is missing, is not a library for this computer, or not an ONNX Runtime of a known version.
    #[error("'{}' cannot be loaded as ONNX Runtime: {reason}", path.display())]
    Load {
        /// The library.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A process can load only one.
    #[error("ONNX Runtime is loaded already, from '{}'", path.display())]
    Another {
        /// The library that is loaded.
        path: PathBuf,
    },
}

/// A loaded ONNX Runtime.
#[derive(Clone)]
pub struct Runtime {
    library: Arc<Path>,
    environment: Environment,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Runtime({})", self.library.display())
    }
}

impl Runtime {
    pub(super) fn load(library: &Path) -> Result<Runtime, RuntimeError> {
        let failed =
            |reason: String| RuntimeError::Load { path: PathBuf::from(library), reason: first_line(&reason) };
        // A bare file name is left to the system's loader; other paths are made absolute, so that they mean
        // the same everywhere.
        let bare = library.components().count() == 1 && !library.exists();
        let path = if bare {
            library.to_path_buf()
        } else {
            library.canonicalize().map_err(|e| failed(e.to_string()))?
        };
        // A poisoned lock means that another thread panicked while loading: nothing is loaded.
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*loaded {
            return if *runtime.library == *path {
                Ok(runtime.clone())
            } else {
                Err(RuntimeError::Another { path: runtime.library.to_path_buf() })
            };
        }
        let environment = ort::init_from(&path)
            .map_err(|e| failed(reason(&e)))?
            .with_name("rcar-iss")
            .with_telemetry(false)
            // Errors are returned as values; other messages are dropped.
            .with_logger(Arc::new(|_, _, _, _, _| ()))
            .build()
            .map_err(|e| failed(e.to_string()))?;
        environment.set_log_level(ort::logging::LogLevel::Fatal);
        let runtime = Runtime { library: path.into(), environment };
        *loaded = Some(runtime.clone());
        Ok(runtime)
    }

    /// The library that this process has loaded, if any.
    #[must_use]
    pub fn loaded() -> Option<Runtime> {
        LOADED.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A session that computes the outputs of a model node by node, without optimization: an optimized graph
    /// omits casts, and with them roundings.
    pub(super) fn plain(&self, model: &[u8]) -> Result<Session, String> {
        let session = || -> Result<Session, ort::Error> {
            SessionBuilder::new(&self.environment)?
                .with_optimization_level(GraphOptimizationLevel::Disable)?
                .with_intra_threads(1)?
                .with_inter_threads(1)?
                .with_log_level(ort::logging::LogLevel::Fatal)?
                .commit_from_memory(model)
        };
        session().map_err(refused)
    }

    /// The file that was loaded.
    #[must_use]
    pub fn library(&self) -> &Path {
        &self.library
    }

    /// One thread: several callers run in parallel, and results must not depend on how a sum is distributed.
    fn session(&self, model: &[u8], names: &Arc<[String]>) -> Result<Showing, ort::Error> {
        let slot = Slot::default();
        let domain =
            OperatorDomain::new(DOMAIN)?.add(Show { slot: Arc::clone(&slot), names: Arc::clone(names) })?;
        let session = SessionBuilder::new(&self.environment)?
            .with_operators(domain)?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .with_intra_threads(1)?
            .with_inter_threads(1)?
            .with_log_level(ort::logging::LogLevel::Fatal)?
            .commit_from_memory(model)?;
        Ok(Showing { session, slot })
    }
}

/// Why the library cannot be loaded, in the system's words where it has some.
fn reason(error: &ort::LoadDynamicError) -> String {
    match error {
        ort::LoadDynamicError::Dlopen { error, .. } => {
            std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
        }
        other => other.to_string(),
    }
}

/// Where the operator finds the observer of the present run.
type Slot = Arc<Mutex<Option<Box<dyn Observer>>>>;

/// A session, and the slot for its observer.
struct Showing {
    session: Session,
    slot: Slot,
}

const DOMAIN: &str = "rcar_iss";
const SHOW: &str = "Show";

/// The operator that shows its input. It returns one zero, because an operator must have an output.
struct Show {
    slot: Slot,
    /// The node's name is an index into this list.
    names: Arc<[String]>,
}

impl Operator for Show {
    type Kernel<'attr> = BoxedKernel<'attr>;

    fn name(&self) -> &'static str {
        SHOW
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        // One, of any type.
        [OperatorInput::variadic(1)]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(TensorElementType::Float32)]
    }

    fn create_kernel<'attr>(&self, context: &KernelContext<'attr>) -> ort::Result<BoxedKernel<'attr>> {
        let index: Option<usize> = context.node_name()?.parse().ok();
        let name = index.and_then(|i| self.names.get(i)).cloned();
        let name = name.ok_or_else(|| ort::Error::new("a node that shows has no number"))?;
        let slot = Arc::clone(&self.slot);
        Ok(Box::new(move |context: &ComputeContext| {
            // Only tensors of f32 are shown.
            if let Some(value) = context.input(0)?
                && let Ok((shape, values)) = value.try_extract_tensor::<f32>()
                && let Some(observer) = &mut *slot.lock().unwrap_or_else(PoisonError::into_inner)
            {
                let shape: Vec<usize> = shape.iter().map(|d| usize::try_from(*d).unwrap_or(0)).collect();
                observer.see(Shown { name: &name, shape: &shape, values });
            }
            if let Some(mut output) = context.output(0, [1_i64])? {
                output.try_extract_tensor_mut::<f32>()?.1.fill(0.0);
            }
            Ok(())
        }))
    }
}

/// A network loaded by ONNX Runtime.
pub(super) struct Sessions {
    runtime: Runtime,
    /// The network with the added nodes.
    model: Vec<u8>,
    names: Arc<[String]>,
    shown_inputs: BTreeSet<String>,
    /// Idle sessions. Each can serve only one caller at a time.
    idle: Mutex<Vec<Showing>>,
}

impl Sessions {
    pub(super) fn load(runtime: &Runtime, network: Network, order: Order) -> Result<Sessions, String> {
        let names: Arc<[String]> = order.computed.into();
        let mut model = network.model;
        model.extend(showing(&names));
        let first = runtime.session(&model, &names).map_err(refused)?;
        let idle = Mutex::new(vec![first]);
        Ok(Sessions { runtime: runtime.clone(), model, names, shown_inputs: order.inputs, idle })
    }

    pub(super) fn run<O: Observer>(
        &self,
        inputs: &[(&str, &TensorData)],
        mut observer: O,
    ) -> Result<O, String> {
        let mut given: Vec<(String, SessionInputValue<'_>)> = Vec::with_capacity(inputs.len());
        for (name, tensor) in inputs {
            if self.shown_inputs.contains(*name) && tensor.element == Element::F32 {
                let values = chunks(&tensor.bytes, f32::from_le_bytes);
                observer.see(Shown { name, shape: &tensor.shape, values: &values });
            }
            given.push(((*name).to_string(), value(name, tensor)?));
        }
        let free = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut showing = match free {
            Some(showing) => showing,
            None => self.runtime.session(&self.model, &self.names).map_err(refused)?,
        };
        *showing.slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(observer));
        let ended = showing.session.run(given).map(|_| ()).map_err(refused);
        let observer = showing.slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(showing);
        ended?;
        let observer = observer.and_then(|o| (o as Box<dyn Any>).downcast::<O>().ok());
        observer.map(|o| *o).ok_or_else(|| "the observer is lost".into())
    }
}

pub(super) fn refused(error: ort::Error) -> String {
    format!("ONNX Runtime: {}", first_line(&error.to_string()))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_string()
}

fn value<'v>(name: &str, tensor: &'v TensorData) -> Result<SessionInputValue<'v>, String> {
    borrowed(name, tensor.element, &tensor.shape, &tensor.bytes)
}

/// Converts a tensor to the library's.
pub(super) fn borrowed<'v>(
    name: &str,
    element: Element,
    shape: &[usize],
    b: &'v [u8],
) -> Result<SessionInputValue<'v>, String> {
    let shape: Vec<i64> = shape.iter().map(|d| *d as i64).collect();
    let made = match element {
        Element::F32 => {
            Tensor::from_array((shape, chunks(b, f32::from_le_bytes))).map(|t| t.into_dyn().into())
        }
        Element::S32 => {
            Tensor::from_array((shape, chunks(b, i32::from_le_bytes))).map(|t| t.into_dyn().into())
        }
        Element::S64 => {
            Tensor::from_array((shape, chunks(b, i64::from_le_bytes))).map(|t| t.into_dyn().into())
        }
        Element::S8 => Tensor::from_array((shape, chunks(b, i8::from_le_bytes))).map(|t| t.into_dyn().into()),
        Element::U8 => TensorRef::from_array_view((shape, b)).map(|t| t.into_dyn().into()),
        Element::Bool => {
            let flags: Vec<bool> = b.iter().map(|v| *v != 0).collect();
            Tensor::from_array((shape, flags)).map(|t| t.into_dyn().into())
        }
        other => return Err(format!("input '{name}': elements of type {} are not supported", other.name())),
    };
    made.map_err(|e| format!("input '{name}': {e}"))
}

/// A serialized `ModelProto` with a numbered node for each name, which shows the value. Appending it to a
/// model merges the two: for a message field that occurs twice, repeated fields are concatenated (Protocol
/// Buffers, "Encoding", last one wins). Field numbers are those of `onnx.proto`. ONNX Runtime runs later
/// leaves first, so the last name comes first.
fn showing(names: &[String]) -> Vec<u8> {
    fn field(number: u8, body: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2];
        prost::encoding::encode_varint(body.len() as u64, &mut out);
        out.extend_from_slice(body);
        out
    }
    let mut graph = Vec::new();
    for (at, name) in names.iter().enumerate().rev() {
        let zero = format!("{DOMAIN}.{at}");
        let node = [
            field(1, name.as_bytes()),
            field(2, zero.as_bytes()),
            field(3, at.to_string().as_bytes()),
            field(4, SHOW.as_bytes()),
            field(7, DOMAIN.as_bytes()),
        ];
        graph.extend(field(1, &node.concat()));
        graph.extend(field(12, &field(1, zero.as_bytes())));
    }
    // OperatorSetIdProto: domain, and version 1.
    let opset = [field(1, DOMAIN.as_bytes()), vec![2 << 3, 1]].concat();
    [field(8, &opset), field(7, &graph)].concat()
}

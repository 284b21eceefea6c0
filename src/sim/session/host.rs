//! The interface to host layers.

use crate::dtype::DType;
use crate::program::HostEntry;

/// A tensor passed to or returned by a host layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostValue {
    /// ONNX name.
    pub name: String,
    /// Element type, as in the tensor table.
    pub dtype: DType,
    /// ONNX shape.
    pub shape: Vec<u64>,
    /// Row-major, little endian.
    pub bytes: Vec<u8>,
}

/// Executes host layers. Implementations live outside the simulator and must be deterministic.
pub trait HostRuntime {
    /// Runs one host layer: the embedded ONNX model on its inputs.
    ///
    /// # Errors
    /// Why it could not be executed, in one sentence.
    fn call(
        &mut self,
        host: &HostEntry,
        model: &[u8],
        inputs: &[HostValue],
    ) -> Result<Vec<HostValue>, String>;
}

/// Refuses host layers: for programs without any.
impl HostRuntime for () {
    fn call(&mut self, host: &HostEntry, _: &[u8], _: &[HostValue]) -> Result<Vec<HostValue>, String> {
        Err(format!("no host runtime was given for {}", host.op_types.join(", ")))
    }
}

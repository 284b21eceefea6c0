//! The runtime of host layers.

use crate::dtype::DType;
use crate::float::{Borrowed, Engine, FloatRunner, Runtime};
use crate::program::HostEntry;
use crate::sim::{HostRuntime, HostValue};
use crate::tensor_file::Element;

/// Runs the host layers of programs in `rten`, or in ONNX Runtime if they were compiled for it.
#[derive(Debug, Default)]
pub struct FloatHost {
    rten: FloatRunner,
    /// Created when a layer needs it.
    onnxruntime: Option<FloatRunner>,
}

impl FloatHost {
    /// A runtime without models.
    #[must_use]
    pub fn new() -> FloatHost {
        FloatHost::default()
    }

    /// Loads a layer's model if it is not loaded yet, so that an unsupported operator is found before the
    /// program runs.
    ///
    /// # Errors
    /// The library's reason, which names the operator; or the layer needs ONNX Runtime, and this process has
    /// not loaded it.
    pub fn prepare(&mut self, host: &HostEntry, model: &[u8]) -> Result<(), String> {
        self.runner(host)?.prepare(model)
    }

    /// The runner of a layer.
    fn runner(&mut self, host: &HostEntry) -> Result<&mut FloatRunner, String> {
        if !host.onnxruntime {
            return Ok(&mut self.rten);
        }
        if self.onnxruntime.is_none() {
            let Some(runtime) = Runtime::loaded() else {
                return Err("it was compiled for ONNX Runtime, which is not loaded".into());
            };
            self.onnxruntime = Some(FloatRunner::by(&Engine::OnnxRuntime(runtime)));
        }
        self.onnxruntime.as_mut().ok_or_else(|| "ONNX Runtime is not loaded".into())
    }
}

impl HostRuntime for FloatHost {
    fn call(
        &mut self,
        host: &HostEntry,
        model: &[u8],
        inputs: &[HostValue],
    ) -> Result<Vec<HostValue>, String> {
        let given: Vec<(&str, Borrowed<'_>)> = inputs
            .iter()
            .map(|v| {
                let shape = v.shape.iter().map(|d| *d as usize).collect();
                (v.name.as_str(), Borrowed { element: v.dtype.into(), shape, bytes: &v.bytes })
            })
            .collect();
        let wanted: Vec<&str> = host.outputs.iter().map(|t| t.name.as_str()).collect();
        let results = self.runner(host)?.run_borrowed(model, &given, &wanted)?;
        let named = host.outputs.iter().zip(results).map(|(t, data)| {
            let (dtype, bytes) = match (t.dtype, data.element) {
                // The library computes 64-bit integers in 32 bits.
                (DType::S64, Element::S32) => {
                    let narrow = data.bytes.as_chunks().0.iter();
                    let wide = narrow.flat_map(|b| i64::from(i32::from_le_bytes(*b)).to_le_bytes());
                    (DType::S64, wide.collect())
                }
                // Booleans too: all values but zero are true.
                (DType::Bool, Element::S32) => {
                    let words = data.bytes.as_chunks::<4>().0.iter();
                    (DType::Bool, words.map(|b| u8::from(*b != [0; 4])).collect())
                }
                (wanted, found) => match found.dtype() {
                    Some(dtype) => (dtype, data.bytes),
                    None => {
                        return Err(format!("output \"{}\" is {} instead of {wanted}", t.name, found.name()));
                    }
                },
            };
            let shape = data.shape.iter().map(|d| *d as u64).collect();
            Ok(HostValue { name: t.name.clone(), dtype, shape, bytes })
        });
        named.collect()
    }
}

//! Host layers: what the accelerator cannot compute, run by a library (see [`float`](crate::float)).
//!
//! A host layer is an ONNX model inside the program file. Claims of bit-exactness stop at tensors behind one.

use crate::float::{Borrowed, FloatRunner};
use crate::program::HostEntry;
use crate::sim::{HostRuntime, HostValue};
use crate::tensor_file::Element;

/// Runs the host layers of programs.
#[derive(Debug, Default)]
pub struct RtenHost {
    runner: FloatRunner,
}

impl RtenHost {
    /// A runtime without models.
    #[must_use]
    pub fn new() -> RtenHost {
        RtenHost::default()
    }

    /// Loads a model if it is not loaded yet, so that an operator which the library does not know is found before the
    /// program runs.
    ///
    /// # Errors
    /// The library's reason; it names the operator.
    pub fn prepare(&mut self, model: &[u8]) -> Result<(), String> {
        self.runner.prepare(model)
    }
}

impl HostRuntime for RtenHost {
    fn call(
        &mut self,
        host: &HostEntry,
        model: &[u8],
        inputs: &[HostValue],
    ) -> Result<Vec<HostValue>, String> {
        let given: Vec<(&str, Borrowed<'_>)> = inputs
            .iter()
            .map(|v| {
                let element =
                    Element::from_name(&v.dtype).ok_or_else(|| format!("unknown type {}", v.dtype))?;
                let shape = v.shape.iter().map(|d| *d as usize).collect();
                Ok((v.name.as_str(), Borrowed { element, shape, bytes: &v.bytes }))
            })
            .collect::<Result<_, String>>()?;
        let wanted: Vec<&str> = host.outputs.iter().map(|t| t.name.as_str()).collect();
        let results = self.runner.run_borrowed(model, &given, &wanted)?;
        let named = host.outputs.iter().zip(results).map(|(t, data)| {
            let mut value = HostValue {
                name: t.name.clone(),
                dtype: data.element.name().into(),
                shape: data.shape.iter().map(|d| *d as u64).collect(),
                bytes: data.bytes,
            };
            // The library computes 64-bit integers in 32 bits.
            if t.dtype == "s64" && value.dtype == "s32" {
                let wide = value.bytes.as_chunks().0.iter();
                value.bytes = wide.flat_map(|b| i64::from(i32::from_le_bytes(*b)).to_le_bytes()).collect();
                value.dtype = "s64".into();
            }
            // And truth values, too: all but zero are true.
            if t.dtype == "bool" && value.dtype == "s32" {
                let words = value.bytes.as_chunks::<4>().0.iter();
                value.bytes = words.map(|b| u8::from(*b != [0; 4])).collect();
                value.dtype = "bool".into();
            }
            value
        });
        Ok(named.collect())
    }
}

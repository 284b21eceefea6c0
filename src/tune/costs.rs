//! Accuracy lost by pruning and by quantization.

use super::measure::Candidate;
use crate::compiler::CompileOptions;
use crate::inputs::{Sample, Samples};
use crate::machine::Machine;
use crate::onnx::ImportOptions;
use crate::onnx::proto::ModelProto;
use crate::quantize::{self, Calibrated, QuantizeError};

/// Signal-to-noise ratio at the outputs after pruning and after quantization, in dB.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Costs {
    /// The pruned float network against the original one.
    pub pruning: f64,
    /// The quantized network against the pruned float one, and against the original one; none if it cannot be
    /// executed.
    pub quantization: Option<[f64; 2]>,
    /// Number of inputs they were measured on.
    pub inputs: usize,
}

impl Costs {
    /// Executes the quantized `model` of a pruned network on the inputs on which pruning was measured: the
    /// first calibration inputs. `None` if the network was not pruned. The values do not depend on the
    /// machine.
    ///
    /// # Errors
    /// An input cannot be read.
    pub fn measure(
        calibrated: &Calibrated,
        model: &ModelProto,
        inputs: &dyn Samples,
        machine: &Machine,
        import: &ImportOptions,
    ) -> Result<Option<Costs>, QuantizeError> {
        let Some(pruned) = &calibrated.done.pruned else { return Ok(None) };
        let read = |at| inputs.read(at).map_err(|e| QuantizeError::Input { at, why: e.to_string() });
        let inputs: Vec<Sample> = (0..pruned.sparse.len()).map(read).collect::<Result<_, _>>()?;
        let found = Candidate::compile(model, machine, import, &CompileOptions::default())
            .and_then(|c| c.run(&inputs, calibrated.threads));
        let against = |found| [&pruned.sparse, &pruned.whole].map(|of| quantize::sqnr(of, found));
        Ok(Some(Costs {
            pruning: quantize::sqnr(&pruned.whole, &pruned.sparse),
            quantization: found.ok().as_ref().map(against),
            inputs: inputs.len(),
        }))
    }
}

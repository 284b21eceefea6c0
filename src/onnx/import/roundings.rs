//! Results that the machine does not round in one step: they pass through floats, or another element type.

use super::expr::{Format, range};
use super::importer::Importer;
use super::value::{Pending, Refusal, Value, unsupported};
use crate::graph::{DType, LaneStep, Op, Quant, Tensor, TensorId};
use crate::isa::Float2;

impl Importer<'_> {
    /// `sat(rne(f32(acc)·m) + zy)` of sums of 64 bits, which the machine's own requantization multiplies
    /// exactly: the product leaves the array as a float, and is quantized with scale 1. ONNX Runtime has
    /// 32-bit sums here and rounds twice.
    pub(super) fn rounded_as_floats(
        &mut self,
        p: &Pending,
        op: Op,
        output: Tensor,
        clamp: [i32; 2],
        nodes: &[usize],
    ) -> TensorId {
        let shape = output.shape.clone();
        let zero_point = output.quant.map_or(0, |q| q.zero_point);
        let floats = Tensor {
            name: format!("{}.products", output.name),
            shape: shape.clone(),
            dtype: DType::F32,
            quant: None,
        };
        let products = self.mac_layer(p, op, floats, nodes);
        let mut steps = vec![LaneStep::Input(0)];
        let full = range(output.dtype);
        for (f, bound, open) in [(Float2::Max, clamp[0], full[0]), (Float2::Min, clamp[1], full[1])] {
            if bound != open {
                steps.push(LaneStep::Number((bound - zero_point) as f32));
                let last = steps.len() - 1;
                steps.push(LaneStep::Two(f, last - 1, last));
            }
        }
        let unit = Some(Quant { scale: 1.0, zero_point });
        let name = format!("{}.rounded", output.name);
        let rounded = Tensor { name, shape, dtype: output.dtype, quant: unit };
        let rounded = self.unnamed_layer(p.own, "rounding", Op::Lane { steps }, vec![products], rounded);
        self.unnamed_layer(p.own, "scale", Op::Reshape, vec![rounded], output)
    }

    /// An average whose result has another element type than its input. Pools keep the type: for a 16-bit
    /// result the input is widened to 16 bits, for one of the same width it is shifted by half its range, and
    /// for an 8-bit one it is first rounded to 16 bits.
    pub(super) fn average_between_types(
        &mut self,
        p: &Pending,
        quantizer: usize,
        name: &str,
        to: Format,
    ) -> Result<Value, Refusal> {
        let input = p.inputs[0];
        let t = self.graph.tensor(input).clone();
        let Some(quant) = t.quant else { return unsupported("an average of integers without their scale") };
        let (from, [from_least, _], [to_least, _]) = (t.dtype, range(t.dtype), range(to.1));
        let requantize = || Op::Lane { steps: vec![LaneStep::Input(0)] };
        if from.bytes() < to.1.bytes() {
            let zero_point = quant.zero_point - from_least + to_least;
            let wide = Tensor {
                name: format!("{name}.wide_input"),
                dtype: to.1,
                quant: Some(Quant { zero_point, ..quant }),
                ..t
            };
            let wide = self.unnamed_layer(p.own, "widening", requantize(), vec![input], wide);
            let plain = Pending { inputs: vec![wide], ..p.clone() };
            return self.complete(&plain, quantizer, name, to);
        }
        let zero_point = to.0.zero_point - to_least;
        let between = if from.bytes() == to.1.bytes() {
            Quant { scale: to.0.scale, zero_point: zero_point + from_least }
        } else {
            Quant { scale: to.0.scale / 256.0, zero_point: zero_point * 256 + 128 + from_least }
        };
        let Value::Tensor(average) =
            self.complete(p, quantizer, &format!("{name}.average"), (between, from))?
        else {
            return unsupported("its result is no tensor");
        };
        let output = Tensor { name: name.into(), shape: p.shape.clone(), dtype: to.1, quant: Some(to.0) };
        Ok(Value::Tensor(self.unnamed_layer(quantizer, "type", requantize(), vec![average], output)))
    }
}

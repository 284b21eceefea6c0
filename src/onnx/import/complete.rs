//! Operator + output quantization = layer.

use std::sync::Arc;

use super::function::{Format, Unary, range, table};
use super::value::{Pending, PendingKind, Real, Refusal, Value, unsupported};
use super::{Importer, same_quant};
use crate::graph::{MacEpilogue, Op, Quant, Tensor, TensorId, Weights};
use crate::numeric;

impl Importer<'_> {
    /// Turns an operator that waited for its quantizer into a layer with the output `name`.
    pub(super) fn complete(
        &mut self,
        p: &Pending,
        quantizer: usize,
        name: &str,
        to: Format,
    ) -> Result<Value, Refusal> {
        let mut nodes = p.nodes.clone();
        nodes.push(quantizer);
        let clamp = clamp(&p.functions, to);
        let narrowed = clamp != range(to.1);
        let op = match &p.kind {
            PendingKind::Conv { window, groups, weights, bias } => Op::Conv {
                window: window.clone(),
                groups: *groups,
                epilogue: self.epilogue(p.inputs[0], weights, bias.as_deref(), to.0, clamp)?,
                weights: weights.clone(),
            },
            PendingKind::Gemm { weights, bias } => Op::Gemm {
                epilogue: self.epilogue(p.inputs[0], weights, bias.as_deref(), to.0, clamp)?,
                weights: weights.clone(),
            },
            PendingKind::Add => Op::Add { clamp },
            PendingKind::Mul => Op::Mul { clamp },
            _ if narrowed => return self.complete_then_clamp(p, quantizer, name, to),
            PendingKind::AvgPool { window, include_pad } => {
                Op::AvgPool { window: window.clone(), count_include_pad: *include_pad }
            }
            PendingKind::GlobalAvgPool => Op::GlobalAvgPool,
            PendingKind::Concat { axis } => {
                let tables = p.inputs.iter().map(|id| {
                    let from = (self.quant_of(*id)?, self.graph.tensor(*id).dtype);
                    let same = from.1 == to.1 && same_quant(from.0, to.0);
                    Ok((!same).then(|| table(&[], from, to)))
                });
                Op::Concat { axis: *axis, tables: tables.collect::<Result<_, Refusal>>()? }
            }
        };
        let output = Tensor { name: name.into(), shape: p.shape.clone(), dtype: to.1, quant: Some(to.0) };
        if let (Op::Gemm { .. }, [a, b, c, last]) = (&op, p.shape.as_slice()) {
            return Ok(self.product_of_images(p, op, [a * b * c, *last], output, &nodes));
        }
        Ok(Value::Tensor(self.layer(p.own, op, p.inputs.clone(), output, &nodes)))
    }

    /// A matrix product over the last axis of a tensor of four axes, which otherwise lies as an image: its rows are
    /// brought together before, and apart again after.
    fn product_of_images(
        &mut self,
        p: &Pending,
        op: Op,
        [rows, cols]: [usize; 2],
        output: Tensor,
        nodes: &[usize],
    ) -> Value {
        let x = self.graph.tensor(p.inputs[0]).clone();
        let depth = x.shape.last().copied().unwrap_or(1);
        let x = Tensor { name: format!("{}.input_rows", output.name), shape: vec![rows, depth], ..x };
        let y = Tensor { name: format!("{}.rows", output.name), shape: vec![rows, cols], ..output.clone() };
        let x = self.layer(p.own, Op::Reshape, p.inputs.clone(), x, &[]);
        let y = self.layer(p.own, op, vec![x], y, nodes);
        Value::Tensor(self.layer(p.own, Op::Reshape, vec![y], output, &[]))
    }

    /// For operators without a clamp of their own: the operator, then a table.
    fn complete_then_clamp(
        &mut self,
        p: &Pending,
        quantizer: usize,
        name: &str,
        to: Format,
    ) -> Result<Value, Refusal> {
        let plain = Pending { functions: Vec::new(), ..p.clone() };
        let between = self.nodes[p.own].result()?;
        let Value::Tensor(tensor) = self.complete(&plain, p.own, between, to)? else {
            return unsupported("its result is no tensor");
        };
        let real = Real { tensor, functions: p.functions.clone(), nodes: p.nodes.clone(), unnamed: false };
        self.table_layer(quantizer, &real, name, to)
    }

    pub(super) fn quant_of(&self, id: TensorId) -> Result<Quant, Refusal> {
        let t = self.graph.tensor(id);
        t.quant.ok_or_else(|| Refusal::Unsupported(format!("the quantization of \"{}\" is unknown", t.name)))
    }

    fn epilogue(
        &self,
        input: TensorId,
        weights: &Weights,
        bias: Option<&[i32]>,
        y: Quant,
        clamp: [i32; 2],
    ) -> Result<MacEpilogue, Refusal> {
        let sx = self.quant_of(input)?.scale;
        let multiplier =
            weights.scale.iter().map(|sw| numeric::requantize_multiplier(sx, *sw, y.scale)).collect();
        Ok(MacEpilogue { bias: bias.map(Arc::from), multiplier, clamp })
    }
}

/// Relu and Clip as bounds of the quantized value: quantization is monotonic, so it commutes with them.
fn clamp(functions: &[Unary], to: Format) -> [i32; 2] {
    let full = range(to.1);
    functions.iter().filter_map(|f| f.bounds()).fold(full, |[lo, hi], (least, greatest)| {
        let bound = |x: f32| numeric::quantize(x, to.0.scale, to.0.zero_point, full);
        let (least, greatest) = (bound(least), bound(greatest));
        [lo.max(least).min(greatest), hi.max(least).min(greatest)]
    })
}

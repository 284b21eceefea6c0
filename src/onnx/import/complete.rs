//! Completion: an operator and the quantization of its output become a layer.

use super::super::constant::Constant;
use super::expr::{Expr, Format, is_finite, range, table};
use super::importer::{Importer, same_quant};
use super::node::OnnxNode;
use super::unary::{character, clamp};
use super::value::{Pending, PendingKind, Real, Refusal, Value, unsupported};
use crate::graph::{DType, LaneStep, MacEpilogue, Op, Quant, Tensor, TensorId, Weights};
use crate::isa::Float2;
use crate::numeric;

impl<'a> Importer<'a> {
    /// An operator that waits for its quantizer.
    pub(super) fn pending(
        &self,
        kind: PendingKind,
        n: &OnnxNode<'a>,
        shape: Vec<usize>,
        inputs: Vec<TensorId>,
        mut nodes: Vec<usize>,
    ) -> Pending {
        nodes.push(n.index);
        Pending {
            kind,
            own: n.index,
            shape,
            inputs,
            bounds: Vec::new(),
            moves: Vec::new(),
            nodes,
            bias: None,
            centred: false,
        }
    }

    /// Turns an operator that waited for its quantizer into a layer with the output `name`.
    pub(super) fn complete(
        &mut self,
        p: &Pending,
        quantizer: usize,
        name: &str,
        to: Format,
    ) -> Result<Value, Refusal> {
        if let Some((last, before)) = p.moves.split_last() {
            // The moves follow the quantization, which commutes with them.
            let still = Pending { moves: before.to_vec(), shape: last.before.clone(), ..p.clone() };
            let between = format!("{name}.before_{}", self.nodes[last.node].op_type());
            let Value::Tensor(id) = self.complete(&still, quantizer, &between, to)? else {
                return unsupported("its result is no tensor");
            };
            let t = self.graph.tensor(id).clone();
            let output = Tensor { name: name.into(), shape: last.shape.clone(), ..t };
            let mut op = last.op.clone();
            if let (Op::Move { fill, .. }, Some(x)) = (&mut op, last.fill) {
                *fill = Some(numeric::quantize(x, to.0.scale, to.0.zero_point, range(to.1)));
            }
            return Ok(Value::Tensor(self.layer(last.node, op, vec![id], output, &[quantizer])));
        }
        let mut nodes = p.nodes.clone();
        nodes.push(quantizer);
        let clamp = clamp(&p.bounds, to);
        let narrowed = clamp != range(to.1);
        let shape = p.shape.clone();
        let output = Tensor { name: name.into(), shape, dtype: to.1, quant: Some(to.0) };
        if let Some(op) = self.mac_operator(p, Some(to.0), clamp)? {
            if single_step(self, p, &output) {
                return Ok(Value::Tensor(self.rounded_as_floats(p, op, output, clamp, &nodes)));
            }
            return Ok(Value::Tensor(self.mac_layer(p, op, output, &nodes)));
        }
        let op = match &p.kind {
            kind @ (PendingKind::Add | PendingKind::Mul) => {
                let [a, b] = p.inputs[..] else { return unsupported("it has not two operands") };
                match self.table_with_number(kind, [a, b], &p.shape, to, clamp) {
                    Some((id, lut)) => {
                        return Ok(Value::Tensor(self.layer(
                            p.own,
                            Op::Table(lut),
                            vec![id],
                            output,
                            &nodes,
                        )));
                    }
                    None if matches!(kind, PendingKind::Add) => Op::Add { clamp },
                    None => Op::Mul { clamp },
                }
            }
            _ if narrowed => return self.complete_then_clamp(p, quantizer, name, to),
            PendingKind::AvgPool { .. } if self.graph.tensor(p.inputs[0]).dtype != to.1 => {
                return self.average_between_types(p, quantizer, name, to);
            }
            PendingKind::AvgPool { window, include_pad } => {
                Op::AvgPool { window: window.clone(), count_include_pad: *include_pad }
            }
            PendingKind::GlobalAvgPool => Op::GlobalAvgPool,
            PendingKind::Concat { axis } => return self.join(p, *axis, output, &nodes),
            PendingKind::Softmax { axis } => {
                let input = self.graph.tensor(p.inputs[0]);
                if input.dtype.bytes() > 1 || to.1.bytes() > 1 {
                    return unsupported("a softmax of 16 bits");
                }
                Op::Softmax { axis: *axis }
            }
            PendingKind::Resize { rows, cols } => {
                let op = Op::Resize { rows: rows.clone(), cols: cols.clone() };
                return self.resize_in_float(p, op, output, &nodes);
            }
            _ => return unsupported("its operator has no integer form"),
        };
        Ok(Value::Tensor(self.layer(p.own, op, p.inputs.clone(), output, &nodes)))
    }

    /// The operator of the MAC array for a node; `y` is the quantization of the result, `None` for floats.
    pub(super) fn mac_operator(
        &self,
        p: &Pending,
        y: Option<Quant>,
        clamp: [i32; 2],
    ) -> Result<Option<Op>, Refusal> {
        let finish = |weights: &Weights, bias: &Option<Vec<i64>>| -> Result<MacEpilogue, Refusal> {
            let sx = self.quant_of(p.inputs[0])?.scale;
            let multiplier = |sw: &f32| match y {
                Some(y) => numeric::requantize_multiplier(sx, *sw, y.scale),
                None => numeric::requantize_multiplier(sx, *sw, 1.0),
            };
            let bias = bias.as_ref().map(|b| b.iter().copied().collect());
            Ok(MacEpilogue {
                bias,
                multiplier: weights.scale.iter().map(multiplier).collect(),
                clamp,
                tail: None,
            })
        };
        Ok(Some(match &p.kind {
            PendingKind::Conv { window, groups, weights, bias } => Op::Conv {
                window: window.clone(),
                groups: *groups,
                epilogue: finish(weights, bias)?,
                weights: weights.clone(),
            },
            PendingKind::ConvTranspose { window, groups, weights, bias } => Op::ConvTranspose {
                window: window.clone(),
                groups: *groups,
                epilogue: finish(weights, bias)?,
                weights: weights.clone(),
            },
            PendingKind::Gemm { weights, bias } => {
                Op::Gemm { epilogue: finish(weights, bias)?, weights: weights.clone() }
            }
            PendingKind::MatMul => {
                let [a, b] = [0, 1].map(|i| p.inputs.get(i).copied().unwrap_or(TensorId(0)));
                let (sa, sb) = (self.quant_of(a)?.scale, self.quant_of(b)?.scale);
                let multiplier = numeric::requantize_multiplier(sa, sb, y.map_or(1.0, |y| y.scale));
                Op::MatMul { multiplier, clamp }
            }
            _ => return Ok(None),
        }))
    }

    /// Adds a layer of the MAC array, with reshapes where its shape is not the operator's own.
    pub(super) fn mac_layer(&mut self, p: &Pending, op: Op, output: Tensor, nodes: &[usize]) -> TensorId {
        match (&op, p.shape.as_slice()) {
            (Op::Gemm { .. }, [a, b, c, last]) => {
                // A product over the last axis of a tensor of four axes, which would otherwise be laid out as
                // an image.
                let (rows, cols) = (a * b * c, *last);
                let depth = self.graph.tensor(p.inputs[0]).shape.last().copied().unwrap_or(1);
                self.reshaped_layer(p, op, output, nodes, (vec![rows, depth], vec![rows, cols]))
            }
            (Op::Conv { .. } | Op::ConvTranspose { .. }, [n, c, length]) => {
                let mut image = self.graph.tensor(p.inputs[0]).shape.clone();
                if image.len() == 3 {
                    image.insert(2, 1);
                }
                self.reshaped_layer(p, op, output, nodes, (image, vec![*n, *c, 1, *length]))
            }
            _ => self.layer(p.own, op, p.inputs.clone(), output, nodes),
        }
    }

    fn reshaped_layer(
        &mut self,
        p: &Pending,
        op: Op,
        output: Tensor,
        nodes: &[usize],
        (from, to): (Vec<usize>, Vec<usize>),
    ) -> TensorId {
        let x = self.graph.tensor(p.inputs[0]).clone();
        let x = Tensor { name: format!("{}.input_reshaped", output.name), shape: from, ..x };
        let y = Tensor { name: format!("{}.before_reshape", output.name), shape: to, ..output.clone() };
        let x = self.layer(p.own, Op::Reshape, p.inputs.clone(), x, &[]);
        let y = self.layer(p.own, op, vec![x], y, nodes);
        self.layer(p.own, Op::Reshape, vec![y], output, &[])
    }

    /// Concatenation: inputs with another quantization are first requantized to the output's.
    fn join(&mut self, p: &Pending, axis: usize, output: Tensor, nodes: &[usize]) -> Result<Value, Refusal> {
        let to = (output.quant.unwrap_or(Quant { scale: 1.0, zero_point: 0 }), output.dtype);
        let mut inputs = p.inputs.clone();
        let mut tables = Vec::new();
        for (i, id) in inputs.iter_mut().enumerate() {
            let from = (self.quant_of(*id)?, self.graph.tensor(*id).dtype);
            if from.1 == to.1 && same_quant(from.0, to.0) {
                tables.push(None);
            } else if from.1.bytes() == 1 && to.1.bytes() == 1 {
                tables.push(table(&Expr::Tensor(*id), from, to));
            } else {
                let shape = self.graph.tensor(*id).shape.clone();
                let name = format!("{}.part{i}", output.name);
                let t = Tensor { name, shape, dtype: to.1, quant: Some(to.0) };
                *id = self.layer(p.own, Op::Lane { steps: vec![LaneStep::Input(0)] }, vec![*id], t, &[]);
                tables.push(None);
            }
        }
        Ok(Value::Tensor(self.layer(p.own, Op::Concat { axis, tables }, inputs, output, nodes)))
    }

    /// Interpolation between quantizers: in float, and rounded. Only the operator on integers truncates.
    fn resize_in_float(
        &mut self,
        p: &Pending,
        op: Op,
        output: Tensor,
        nodes: &[usize],
    ) -> Result<Value, Refusal> {
        let x = self.graph.tensor(p.inputs[0]).clone();
        let float = |name: String, shape: Vec<usize>| Tensor { name, shape, dtype: DType::F32, quant: None };
        let from = float(format!("{}.float_input", output.name), x.shape);
        let to = float(format!("{}.float", output.name), p.shape.clone());
        let id = self.layer(p.own, Op::Dequantize, p.inputs.clone(), from, &[]);
        let id = self.layer(p.own, op, vec![id], to, nodes);
        Ok(Value::Tensor(self.layer(p.own, Op::Quantize, vec![id], output, &[])))
    }

    /// For operators without a clamp of their own: the operator, then a table.
    fn complete_then_clamp(
        &mut self,
        p: &Pending,
        quantizer: usize,
        name: &str,
        to: Format,
    ) -> Result<Value, Refusal> {
        let plain = Pending { bounds: Vec::new(), ..p.clone() };
        let between = self.nodes[p.own].result()?;
        let Value::Tensor(tensor) = self.complete(&plain, p.own, between, to)? else {
            return unsupported("its result is no tensor");
        };
        let expr = p.bounds.iter().fold(Expr::Tensor(tensor), |e, (lo, hi)| e.clip(*lo, *hi));
        let real = Real { expr, shape: p.shape.clone(), nodes: p.nodes.clone(), unnamed: false };
        self.complete_real(&real, quantizer, name, Some(to))
    }

    /// Turns a float expression into a layer: a table, an integer operator, or steps of f32 functions.
    /// Without a format the result is float.
    pub(super) fn complete_real(
        &mut self,
        real: &Real,
        quantizer: usize,
        name: &str,
        to: Option<Format>,
    ) -> Result<Value, Refusal> {
        let mut nodes = real.nodes.clone();
        nodes.push(quantizer);
        let own = character(self, real, quantizer);
        let mut tensors = Vec::new();
        let mut several = false;
        real.expr.leaves(&mut |e| match e {
            Expr::Tensor(id) if !tensors.contains(id) => tensors.push(*id),
            Expr::Constant(_) => several = true,
            Expr::Quantized(c) => several |= c.number().is_none(),
            _ => {}
        });
        let (dtype, quant) = to.map_or((DType::F32, None), |(q, d)| (d, Some(q)));
        let output = Tensor { name: name.into(), shape: real.shape.clone(), dtype, quant };
        if let Some(to) = to {
            let (inner, bounds) = real.expr.peel();
            if let Some((kind, a, b)) = self.integer_operator(inner)? {
                let shape = real.shape.clone();
                let p = Pending {
                    kind,
                    own,
                    shape,
                    inputs: vec![a, b],
                    bounds,
                    moves: Vec::new(),
                    nodes: real.nodes.clone(),
                    bias: None,
                    centred: false,
                };
                return self.complete(&p, quantizer, name, to);
            }
            if let ([id], false, 1) = (&tensors[..], several, to.1.bytes()) {
                let t = self.graph.tensor(*id).clone();
                if let (Some(from), 1) = (t.quant, t.dtype.bytes())
                    && let Some(lut) = table(&real.expr, (from, t.dtype), to)
                {
                    let direct = t.shape == real.shape;
                    let between = format!("{name}.before_reshape");
                    let made = if direct {
                        output.clone()
                    } else {
                        Tensor { name: between, shape: t.shape, ..output.clone() }
                    };
                    let mut made = self.layer(own, Op::Table(lut), vec![*id], made, &nodes);
                    if !direct {
                        made = self.layer(own, Op::Reshape, vec![made], output, &[]);
                    }
                    return Ok(Value::Tensor(made));
                }
            }
        }
        let (steps, inputs) = self.lane(&real.expr)?;
        Ok(Value::Tensor(self.layer(own, Op::Lane { steps }, inputs, output, &nodes)))
    }

    /// The sum or the product of two quantized tensors has an integer operator.
    fn integer_operator(&mut self, e: &Expr) -> Result<Option<(PendingKind, TensorId, TensorId)>, Refusal> {
        let Expr::Two(f @ (Float2::Add | Float2::Mul), a, b) = e else { return Ok(None) };
        // Where an integer stands for an infinity, floats are not what integers compute. ONNX Runtime has no
        // integer kernels of 16 bits.
        let quantized = |importer: &Importer, e: &Expr| match e {
            Expr::Tensor(id) => {
                let t = importer.graph.tensor(*id);
                t.quant.is_some_and(|quant| t.dtype.bytes() == 1 || is_finite((quant, t.dtype)))
            }
            Expr::Quantized(c) => {
                let dtype = c.constant.dtype();
                c.quant().is_none_or(|quant| dtype.bytes() == 1 || is_finite((quant, dtype)))
            }
            _ => false,
        };
        let tensors = [a, b].iter().any(|e| matches!(***e, Expr::Tensor(_)));
        if !tensors || !quantized(self, a) || !quantized(self, b) {
            return Ok(None);
        }
        let mut sides = [TensorId(0); 2];
        for (side, e) in sides.iter_mut().zip([a, b]) {
            *side = match &**e {
                Expr::Tensor(id) => *id,
                Expr::Quantized(c) => self.constant_tensor(&c.constant, c.quant())?,
                _ => return Ok(None),
            };
        }
        let kind = if *f == Float2::Add { PendingKind::Add } else { PendingKind::Mul };
        Ok(Some((kind, sides[0], sides[1])))
    }

    /// An expression as steps, and the tensors that it reads. Shared subexpressions stay shared.
    fn lane(&mut self, e: &Expr) -> Result<(Vec<LaneStep>, Vec<TensorId>), Refusal> {
        let mut steps: Vec<LaneStep> = Vec::new();
        let mut inputs = Vec::new();
        e.walk(|part, operands: &[usize]| {
            let step = match (part, operands) {
                (Expr::Number(x), _) => LaneStep::Number(*x),
                (Expr::Tensor(id), _) => LaneStep::Input(position(&mut inputs, *id)),
                (Expr::Constant(c), _) => {
                    LaneStep::Input(position(&mut inputs, self.constant_tensor(c, None)?))
                }
                (Expr::Quantized(c), _) => {
                    let id = self.constant_tensor(&c.constant, c.quant())?;
                    LaneStep::Input(position(&mut inputs, id))
                }
                (Expr::One(f, _), [a]) => LaneStep::One(*f, *a),
                (Expr::Two(f, ..), [a, b]) => LaneStep::Two(*f, *a, *b),
                (Expr::One(..) | Expr::Two(..), _) => return unsupported("an operator without operands"),
            };
            let same = |s: &LaneStep| match (s, &step) {
                (LaneStep::Number(a), LaneStep::Number(b)) => a.to_bits() == b.to_bits(),
                (a, b) => *a == *b,
            };
            if let Some(at) = steps.iter().position(same) {
                return Ok(at);
            }
            if steps.len() == 64 {
                return unsupported("an expression of more than 64 steps between two quantizers");
            }
            steps.push(step);
            Ok(steps.len() - 1)
        })?;
        if inputs.len() > 8 {
            return unsupported("an expression of more than 8 tensors between two quantizers");
        }
        Ok((steps, inputs))
    }

    /// A constant as a tensor of the graph; equal constants share a tensor.
    pub(super) fn constant_tensor(
        &mut self,
        c: &Constant,
        quant: Option<Quant>,
    ) -> Result<TensorId, Refusal> {
        let dtype = c.dtype();
        if quant.is_some() && dtype.bytes() > 2 {
            return unsupported(format!("a constant operand of type {}", dtype.name()));
        }
        if let Some(element) = c.folding_only() {
            return unsupported(format!("a constant operand of {element}"));
        }
        let key = (c.name.clone(), quant.map(|q| (q.scale.to_bits(), q.zero_point)));
        // A constant that is read under two scales has two lists of floats.
        let bytes = c.bytes();
        if let Some(known) = self.constants.get(&key)
            && self.graph.tensor(*known).shape == c.shape
            && self.graph.tensor(*known).dtype == dtype
            && self.graph.constants.get(known).is_some_and(|data| **data == *bytes)
        {
            return Ok(*known);
        }
        let taken = self.tensor_names.contains(&c.name);
        let name = if taken { format!("{}#{}", c.name, self.graph.tensors.len()) } else { c.name.clone() };
        let id = self.tensor(Tensor { name, shape: c.shape.clone(), dtype, quant });
        self.constants.insert(key, id);
        self.graph.constants.insert(id, bytes.into());
        Ok(id)
    }

    pub(super) fn quant_of(&self, id: TensorId) -> Result<Quant, Refusal> {
        let t = self.graph.tensor(id);
        t.quant.ok_or_else(|| Refusal::Unsupported(format!("the quantization of \"{}\" is unknown", t.name)))
    }
}

/// Whether a product has sums of more than 32 bits only because operands of 8 bits were centred to 16: then
/// it is rounded as one of 8 bits.
pub(super) fn single_step(importer: &Importer, p: &Pending, output: &Tensor) -> bool {
    let eight = |id: &TensorId| importer.graph.tensor(*id).dtype.bytes() == 1;
    let centred = |id: &TensorId| importer.centred.contains(id);
    output.dtype.bytes() == 1
        && (p.centred || p.inputs.iter().any(centred))
        && p.inputs.iter().all(|id| eight(id) || centred(id))
}

fn position(inputs: &mut Vec<TensorId>, id: TensorId) -> usize {
    inputs.iter().position(|i| *i == id).unwrap_or_else(|| {
        inputs.push(id);
        inputs.len() - 1
    })
}

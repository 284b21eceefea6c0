//! Products of quantized operands whose results stay float: the sums leave the array times their scale, and
//! what follows them runs on the f32 lane.

use super::expr::Expr;
use super::importer::Importer;
use super::unary::character;
use super::value::{Pending, PendingKind, Real, Refusal, Value, unsupported};
use crate::graph::{DType, Op, Tensor, TensorId};

/// From so many on an operand is computed for itself.
const MOST_OPERANDS: usize = 4;

impl Importer<'_> {
    /// Whether a float value is a product of quantized operands, or a function of one; or the view of a
    /// tensor with a scale for each channel, which no host layer has.
    pub(super) fn of_array(&self, name: &str, value: &Value) -> bool {
        if self.producers.get(name).is_some_and(|i| self.host.contains_key(i)) {
            return false;
        }
        match value {
            Value::Pending(p) => match &p.kind {
                PendingKind::Conv { .. }
                | PendingKind::ConvTranspose { .. }
                | PendingKind::Gemm { .. }
                | PendingKind::MatMul => p.moves.iter().all(|m| m.of_floats(&p.bounds)),
                PendingKind::Add
                | PendingKind::Mul
                | PendingKind::AvgPool { .. }
                | PendingKind::GlobalAvgPool
                | PendingKind::Concat { .. }
                | PendingKind::Softmax { .. }
                | PendingKind::Resize { .. } => false,
            },
            Value::Real(r) => {
                let made = |id: &TensorId| {
                    self.graph.tensor(*id).dtype == DType::F32 && self.made_by.contains_key(id)
                };
                let viewed = || {
                    let producer = self.producers.get(name).map(|i| self.nodes[*i].op_type());
                    r.plain().is_none() && producer == Some("DequantizeLinear")
                };
                r.tensors().iter().any(made) || viewed()
            }
            _ => false,
        }
    }

    /// An operand of an expression: one that reads many tensors already becomes a tensor itself, since a lane
    /// program reads eight at most.
    pub(super) fn operand_of(&mut self, name: &str, r: Real) -> Result<Real, Refusal> {
        let mut tensors = 0;
        r.expr.leaves(&mut |e| tensors += usize::from(!matches!(e, Expr::Number(_))));
        let value = Value::Real(r.clone());
        if tensors < MOST_OPERANDS || !self.of_array(name, &value) {
            return Ok(r);
        }
        let id = self.float_tensor(name, &value)?;
        Ok(Real { expr: Expr::Tensor(id), shape: r.shape, nodes: Vec::new(), unnamed: false })
    }

    /// The f32 tensor of such a value, made on first use.
    pub(super) fn float_tensor(&mut self, name: &str, value: &Value) -> Result<TensorId, Refusal> {
        if let Some(id) = self.floats.get(name) {
            return Ok(*id);
        }
        let real = match value {
            Value::Pending(p) => self.float_result(p)?,
            Value::Real(r) => r.clone(),
            _ => return unsupported("it is no float value of the accelerator"),
        };
        if let Some(id) = real.plain() {
            return Ok(id);
        }
        let own = self.producers.get(name).copied().unwrap_or_else(|| character(self, &real, 0));
        let Value::Tensor(id) = self.complete_real(&real, own, name, None)? else {
            return unsupported("its result is no tensor");
        };
        self.floats.insert(name.into(), id);
        Ok(id)
    }

    /// The result of an operator of the MAC array as floats: sums times scale, and a bias that was float.
    pub(super) fn float_result(&mut self, p: &Pending) -> Result<Real, Refusal> {
        let name = self.nodes[p.own].result()?;
        // The node's own result may be a row or column that is moved.
        let moved = p.moves.first().is_some_and(|m| m.node == p.own);
        let mut own = if moved { format!("{name}.before_reshape") } else { name.to_string() };
        let shape = p.moves.first().map_or_else(|| p.shape.clone(), |first| first.before.clone());
        let mut id = self.float_product(p, &own, &shape)?;
        let mut expr = Expr::Tensor(id);
        if let Some(bias) = &p.bias {
            expr = expr.add(Expr::Constant(bias.clone()));
            if !p.moves.is_empty() {
                own.push_str(".biased");
                id = match self.floats.get(&own) {
                    Some(known) => *known,
                    None => {
                        let sum = Real { expr, shape, nodes: p.nodes.clone(), unnamed: false };
                        let Value::Tensor(id) = self.complete_real(&sum, p.own, &own, None)? else {
                            return unsupported("its result is no tensor");
                        };
                        self.floats.insert(own, id);
                        id
                    }
                };
                expr = Expr::Tensor(id);
            }
        }
        for m in &p.moves {
            if !m.of_floats(&p.bounds) {
                let what = self.nodes[m.node].op_type();
                return unsupported(format!("a {what} of a float value is not implemented"));
            }
            let mut name = self.nodes[m.node].result()?.to_string();
            if !p.bounds.is_empty() || m.shape != p.shape {
                name.push_str(".before_bounds");
            }
            let key = format!("{name} {:?}", m.shape);
            id = match self.floats.get(&key) {
                Some(known) => *known,
                None => {
                    let output = Tensor { name, shape: m.shape.clone(), dtype: DType::F32, quant: None };
                    let moved = self.layer(m.node, m.op.clone(), vec![id], output, &[]);
                    self.floats.insert(key, moved);
                    moved
                }
            };
            expr = Expr::Tensor(id);
        }
        let expr = p.bounds.iter().fold(expr, |e, (lo, hi)| e.clip(*lo, *hi));
        Ok(Real { expr, shape: p.shape.clone(), nodes: p.nodes.clone(), unnamed: false })
    }

    /// The sums of a product, without a bias that was float, times their scale.
    fn float_product(&mut self, p: &Pending, own: &str, shape: &[usize]) -> Result<TensorId, Refusal> {
        let name = if p.bias.is_some() { format!("{own}.products") } else { own.to_string() };
        if let Some(id) = self.floats.get(&name) {
            return Ok(*id);
        }
        let Some(mut op) = self.mac_operator(p, None, [0, 0])? else {
            let before = self.nodes[p.own].op_type();
            return unsupported(format!("a float value right behind {before}, without quantizers between"));
        };
        if let (
            true,
            Op::Conv { epilogue, .. } | Op::ConvTranspose { epilogue, .. } | Op::Gemm { epilogue, .. },
        ) = (p.bias.is_some(), &mut op)
        {
            epilogue.bias = None;
        }
        let plain = Pending { shape: shape.to_vec(), ..p.clone() };
        let output = Tensor { name: name.clone(), shape: shape.to_vec(), dtype: DType::F32, quant: None };
        let id = self.mac_layer(&plain, op, output, &p.nodes);
        self.floats.insert(name, id);
        Ok(id)
    }
}

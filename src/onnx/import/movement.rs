//! Operators that only move elements: on integers, or on the float view of integers, where they commute with
//! dequantization.

use std::rc::Rc;

use super::super::constant::Constant;
use super::super::proto::tensor_proto::DataType;
use super::constant_real::ConstantReal;
use super::declared::dtype_of;
use super::expr::Expr;
use super::fold;
use super::importer::{Fate, Importer, same_quant};
use super::node::OnnxNode;
use super::value::{Moved, PendingKind, Real, Refusal, Value, absorb, unsupported};
use crate::graph::{DType, Op, Quant, Tensor, TensorId};

/// Identity, and Dropout at inference.
pub(super) fn identity<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    if n.op_type() == "Dropout" {
        if n.proto.output.get(1).is_some_and(|o| importer.read.contains_key(o.as_str())) {
            return unsupported("a Dropout that gives its mask is not implemented");
        }
        if n.input(2).is_some() && importer.constant(n, 2, "training_mode")?.integers() != Some(vec![0]) {
            return unsupported("a Dropout that trains is not implemented");
        }
    }
    passed(importer, n, 0)
}

/// One of its inputs as the result of a node.
fn passed<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>, input: usize) -> Result<Value, Refusal> {
    let mut value = importer.value(n, input)?.clone();
    match &mut value {
        Value::Real(r) => absorb(&mut r.nodes, &[n.index])?,
        Value::Host => return unsupported("it follows a float layer"),
        Value::Pending(p) => {
            let mut moved = (**p).clone();
            absorb(&mut moved.nodes, &[n.index])?;
            *p = Rc::new(moved);
        }
        _ => importer.mark(n.index, Fate::Folded("changes nothing".into())),
    }
    Ok(value)
}

/// An operator that moves elements, and the shape of its result.
pub(super) type Step = (Op, Vec<usize>);

impl<'a> Importer<'a> {
    /// Applies `op` to the integers behind input 0; `shape` gives the shape of the result.
    pub(super) fn moved(
        &mut self,
        n: &'a OnnxNode<'a>,
        shape: impl FnOnce(&[usize]) -> Result<Step, Refusal>,
    ) -> Result<Value, Refusal> {
        self.moved_in_steps(n, |s| shape(s).map(|step| vec![step]))
    }

    /// [`Importer::moved`] with several operators in sequence.
    pub(super) fn moved_in_steps(
        &mut self,
        n: &'a OnnxNode<'a>,
        steps: impl FnOnce(&[usize]) -> Result<Vec<Step>, Refusal>,
    ) -> Result<Value, Refusal> {
        let name = n.result()?;
        match self.value(n, 0)?.clone() {
            Value::Tensor(id) => {
                let steps = steps(&self.graph.tensor(id).shape)?;
                Ok(Value::Tensor(self.move_tensor(n.index, id, steps, name, &[])))
            }
            Value::Real(mut r) => {
                // Moving elements commutes with functions of them, so the tensor that they are computed from
                // is moved.
                let mut tensors = Vec::new();
                let mut scalar = true;
                r.expr.leaves(&mut |e| match e {
                    Expr::Tensor(id) if !tensors.contains(id) => tensors.push(*id),
                    Expr::Tensor(_) | Expr::Number(_) => {}
                    Expr::Quantized(c) => scalar &= c.number().is_some(),
                    _ => scalar = false,
                });
                let (&[id], true) = (&tensors[..], scalar) else {
                    return unsupported(format!("a {} of a float value is not implemented", n.op_type()));
                };
                if self.graph.tensor(id).shape != r.shape {
                    return unsupported(format!("a {} of a float value is not implemented", n.op_type()));
                }
                let plain = r.plain().is_some();
                let steps = steps(&r.shape)?;
                let inner = format!("{name}.quantized");
                let moved = self.move_tensor(n.index, id, steps, if plain { name } else { &inner }, &r.nodes);
                r.shape.clone_from(&self.graph.tensor(moved).shape);
                r.expr = r.expr.with(id, moved);
                if plain {
                    r.nodes.clear();
                }
                r.unnamed = plain;
                Ok(Value::Real(r))
            }
            Value::Constant(c) => {
                let mut moved = (*c).clone();
                for (op, shape) in steps(&c.shape)? {
                    moved = fold::applied(&op, &moved, &shape)?;
                }
                moved.name = name.into();
                Ok(Value::Constant(moved.into()))
            }
            Value::ConstantReal(c) => {
                let steps = steps(&c.constant.shape)?;
                moved_constant(&c, &steps, name)
            }
            Value::Pending(p) => {
                let mut p = (*p).clone();
                for (op, shape) in steps(&p.shape)? {
                    let before = std::mem::replace(&mut p.shape, shape.clone());
                    p.moves.push(Moved { node: n.index, op, before, shape, fill: None });
                }
                absorb(&mut p.nodes, &[n.index])?;
                Ok(Value::Pending(p.into()))
            }
            _ => unsupported(format!("a {} of float values is not implemented", n.op_type())),
        }
    }

    /// Layers that move a tensor; the last result gets the name.
    pub(super) fn move_tensor(
        &mut self,
        own: usize,
        mut id: TensorId,
        steps: Vec<Step>,
        name: &str,
        nodes: &[usize],
    ) -> TensorId {
        let count = steps.len();
        for (i, (op, shape)) in steps.into_iter().enumerate() {
            let t = self.graph.tensor(id).clone();
            let name = if i + 1 == count { name.to_string() } else { format!("{name}.step{i}") };
            id = self.layer(own, op, vec![id], Tensor { name, shape, ..t }, nodes);
        }
        id
    }

    /// A list of integers: an input since opset 13, an attribute before.
    pub(super) fn list(
        &self,
        n: &OnnxNode<'a>,
        index: usize,
        attribute: &str,
    ) -> Result<Option<Vec<i64>>, Refusal> {
        if let Some(values) = n.ints(attribute) {
            return Ok(Some(values.to_vec()));
        }
        let Some(c) = self.optional(n, index, attribute)? else { return Ok(None) };
        c.integers()
            .map(Some)
            .ok_or_else(|| Refusal::Malformed(format!("its {attribute} is not a list of integers")))
    }
}

pub(super) fn axis(value: i64, rank: usize) -> Result<usize, Refusal> {
    let resolved = if value < 0 { value + rank as i64 } else { value };
    usize::try_from(resolved)
        .ok()
        .filter(|a| *a <= rank)
        .ok_or_else(|| Refusal::Malformed(format!("axis {value} of a tensor of rank {rank}")))
}

pub(super) fn flatten<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let at = n.int("axis", 1);
    importer.moved(n, |shape| {
        let at = axis(at, shape.len())?;
        Ok((Op::Reshape, vec![shape[..at].iter().product(), shape[at..].iter().product()]))
    })
}

pub(super) fn reshape<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let Some(wanted) = importer.list(n, 1, "shape")? else {
        return Err(Refusal::Malformed("it has no shape".into()));
    };
    let keep_zero = !n.flag("allowzero", false);
    importer.moved(n, |shape| {
        let elements: usize = shape.iter().product();
        let mut out = Vec::with_capacity(wanted.len());
        let mut open = None;
        for (i, d) in wanted.iter().enumerate() {
            match *d {
                -1 if open.is_none() => {
                    open = Some(i);
                    out.push(1);
                }
                0 if keep_zero && i < shape.len() => out.push(shape[i]),
                d if d > 0 => out.push(usize::try_from(d).unwrap_or(usize::MAX)),
                d => return Err(Refusal::Malformed(format!("its shape {wanted:?} has the extent {d}"))),
            }
        }
        let product = |out: &[usize]| out.iter().try_fold(1_usize, |n, d| n.checked_mul(*d));
        if let (Some(i), Some(rest)) = (open, product(&out)) {
            out[i] = elements / rest.max(1);
        }
        if product(&out) != Some(elements) {
            return Err(Refusal::Malformed(format!(
                "{shape:?} has {elements} elements, the new shape is {wanted:?}"
            )));
        }
        Ok((Op::Reshape, out))
    })
}

pub(super) fn squeeze<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let axes = importer.list(n, 1, "axes")?;
    importer.moved(n, |shape| {
        let gone: Vec<usize> = match axes {
            None => (0..shape.len()).filter(|i| shape[*i] == 1).collect(),
            Some(list) => list.iter().map(|a| axis(*a, shape.len())).collect::<Result<_, _>>()?,
        };
        if let Some(a) = gone.iter().find(|a| shape.get(**a) != Some(&1)) {
            return Err(Refusal::Malformed(format!("axis {a} of {shape:?} is not 1")));
        }
        Ok((
            Op::Reshape,
            shape.iter().enumerate().filter(|(i, _)| !gone.contains(i)).map(|(_, d)| *d).collect(),
        ))
    })
}

pub(super) fn unsqueeze<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let Some(axes) = importer.list(n, 1, "axes")? else {
        return Err(Refusal::Malformed("it has no axes".into()));
    };
    importer.moved(n, |shape| {
        let rank = shape.len() + axes.len();
        let new = axes.iter().map(|a| axis(*a, rank)).collect::<Result<Vec<_>, _>>()?;
        let mut old = shape.iter();
        let out: Vec<usize> = (0..rank)
            .map(|i| if new.contains(&i) { Some(1) } else { old.next().copied() })
            .collect::<Option<_>>()
            .ok_or_else(|| Refusal::Malformed(format!("its axes {axes:?} repeat")))?;
        if old.next().is_some() {
            return Err(Refusal::Malformed(format!("its axes {axes:?} do not fit rank {rank}")));
        }
        Ok((Op::Reshape, out))
    })
}

pub(super) fn transpose<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let given = n.ints("perm");
    importer.moved(n, |shape| {
        let rank = shape.len();
        let perm: Vec<usize> = match given {
            None => (0..rank).rev().collect(),
            Some(p) => p.iter().map(|a| usize::try_from(*a).unwrap_or(usize::MAX)).collect(),
        };
        let mut sorted = perm.clone();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..rank) {
            return Err(Refusal::Malformed(format!("{given:?} is no permutation of {rank} axes")));
        }
        let out = perm.iter().map(|p| shape[*p]).collect();
        Ok((Op::Transpose { perm }, out))
    })
}

/// The shape of a concatenation.
fn joined(importer: &Importer, inputs: &[TensorId], at: usize) -> Result<Vec<usize>, Refusal> {
    let shapes: Vec<&[usize]> = inputs.iter().map(|id| importer.graph.tensor(*id).shape.as_slice()).collect();
    joined_shape(&shapes, at)
}

fn joined_shape(shapes: &[&[usize]], at: usize) -> Result<Vec<usize>, Refusal> {
    let first = shapes[0];
    let fits = |s: &&[usize]| s.len() == first.len() && (0..s.len()).all(|i| i == at || s[i] == first[i]);
    if at >= first.len() || !shapes.iter().all(fits) {
        return Err(Refusal::Malformed(format!("shapes {shapes:?} do not join along axis {at}")));
    }
    let mut shape = first.to_vec();
    shape[at] = shapes.iter().map(|s| s[at]).sum();
    Ok(shape)
}

/// Concat of float views, or of integers of one quantization.
pub(super) fn concat<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let count = n.proto.input.len();
    if count == 0 {
        return Err(Refusal::Malformed("it has no inputs".into()));
    }
    if let Some(constant) = joined_constants(importer, n)? {
        return Ok(constant);
    }
    // What is empty adds nothing.
    let mut parts = Vec::with_capacity(count);
    for i in 0..count {
        if importer.shape_of(importer.value(n, i)?).is_none_or(|shape| !shape.contains(&0)) {
            parts.push(i);
        }
    }
    if let ([only], true) = (&parts[..], count > 1) {
        return passed(importer, n, *only);
    }
    let first = parts.iter().find_map(|i| match importer.value(n, *i) {
        Ok(Value::Tensor(id)) => Some(*id),
        _ => None,
    });
    let integers = first.map(|id| importer.graph.tensor(id).clone());
    let mut inputs = Vec::with_capacity(count);
    let mut nodes = Vec::new();
    for i in parts {
        match (importer.value(n, i)?.clone(), &integers) {
            (Value::Tensor(id), Some(_)) => inputs.push(id),
            (Value::Constant(c), Some(t)) if c.dtype() == t.dtype && c.folding_only().is_none() => {
                inputs.push(importer.constant_tensor(&c, t.quant)?);
            }
            _ => {
                let (id, more) = importer.real(n, i)?;
                inputs.push(id);
                nodes.extend(more);
            }
        }
    }
    let rank = importer.graph.tensor(inputs[0]).shape.len();
    let at = axis(n.int("axis", 0), rank)?;
    let shape = joined(importer, &inputs, at)?;
    let p = importer.pending(PendingKind::Concat { axis: at }, n, shape, inputs, nodes);
    if integers.is_none() {
        return Ok(Value::Pending(p.into()));
    }
    let t = importer.graph.tensor(p.inputs[0]).clone();
    let same = |id: &TensorId| {
        let other = importer.graph.tensor(*id);
        other.dtype == t.dtype && matches!((other.quant, t.quant), (Some(a), Some(b)) if same_quant(a, b))
    };
    let unscaled = |id: &TensorId| {
        let other = importer.graph.tensor(*id);
        other.dtype == t.dtype && other.quant.is_none()
    };
    match t.quant {
        Some(quant) if p.inputs.iter().all(same) => {
            importer.complete(&p, n.index, n.result()?, (quant, t.dtype))
        }
        None if p.inputs.iter().all(unscaled) => {
            let output = Tensor { name: n.result()?.into(), shape: p.shape, dtype: t.dtype, quant: None };
            let op = Op::Concat { axis: at, tables: vec![None; p.inputs.len()] };
            Ok(Value::Tensor(importer.layer(n.index, op, p.inputs, output, &[])))
        }
        _ => unsupported("a Concat of integers of different quantization"),
    }
}

/// `QLinearConcat(Y_scale, Y_zp, (X, X_scale, X_zp)…)`.
pub(super) fn qlinear_concat<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let (quant, dtype) = importer.quant(n, 0)?;
    let count = n.proto.input.len().saturating_sub(2);
    if count == 0 || !count.is_multiple_of(3) {
        return Err(Refusal::Malformed(format!("{} inputs", n.proto.input.len())));
    }
    let inputs = (0..count / 3).map(|i| importer.activation(n, 2 + 3 * i)).collect::<Result<Vec<_>, _>>()?;
    let rank = importer.graph.tensor(inputs[0]).shape.len();
    let at = axis(n.int("axis", 0), rank)?;
    let shape = joined(importer, &inputs, at)?;
    let kind = PendingKind::Concat { axis: at };
    let p = importer.pending(kind, n, shape, inputs, Vec::new());
    let own = importer.graph.tensor(p.inputs[0]).dtype;
    importer.complete(&p, n.index, n.result()?, (quant, dtype.unwrap_or(own)))
}

/// A dequantized constant, moved with the axis of its scales. Where the scales no longer lie along one axis,
/// its floats are moved.
fn moved_constant(c: &ConstantReal, steps: &[Step], name: &str) -> Result<Value, Refusal> {
    let mut moved = (*c.constant).clone();
    let mut axis = Some(c.axis);
    for (op, shape) in steps {
        axis = axis.and_then(|axis| match op {
            _ if c.scale.len() == 1 && c.zero_point.len() == 1 => Some(0),
            Op::Transpose { perm } => perm.iter().position(|p| *p == axis),
            Op::Reshape => {
                let before: usize = moved.shape[..axis].iter().product();
                (0..shape.len()).find(|a| {
                    shape[*a] == moved.shape[axis] && shape[..*a].iter().product::<usize>() == before
                })
            }
            _ => None,
        });
        if axis.is_none() {
            break;
        }
        moved = fold::applied(op, &moved, shape)?;
    }
    if let Some(axis) = axis {
        return Ok(Value::ConstantReal(Rc::new(ConstantReal {
            constant: Rc::new(moved),
            axis,
            ..c.clone()
        })));
    }
    let mut floats = c.dequantized();
    for (op, shape) in steps {
        floats = fold::applied(op, &floats, shape)?;
    }
    floats.name = name.into();
    Ok(Value::Constant(Rc::new(floats)))
}

/// Concat of constants: of quantized ones with one quantization, or of equal types.
fn joined_constants(importer: &Importer, n: &OnnxNode) -> Result<Option<Value>, Refusal> {
    let mut parts: Vec<Rc<Constant>> = Vec::new();
    let mut quants: Vec<Option<Rc<ConstantReal>>> = Vec::new();
    for name in n.proto.input.iter() {
        match importer.values.get(name.as_str()) {
            Some(Value::Constant(c)) => {
                parts.push(c.clone());
                quants.push(None);
            }
            Some(Value::ConstantReal(c)) => {
                parts.push(c.constant.clone());
                quants.push(Some(c.clone()));
            }
            _ => return Ok(None),
        }
    }
    if parts.is_empty() {
        return Ok(None);
    }
    let common = quants[0].as_ref().and_then(|c| c.quant());
    let alike = |c: &Option<Rc<ConstantReal>>| matches!((c.as_ref().and_then(|c| c.quant()), common), (Some(a), Some(b)) if same_quant(a, b));
    let quantized = quants.iter().all(alike);
    if !quantized {
        for (part, c) in parts.iter_mut().zip(&quants) {
            if let Some(c) = c {
                *part = Rc::new(c.dequantized());
            }
        }
    }
    let rank = parts[0].shape.len();
    let at = axis(n.int("axis", 0), rank)?;
    let shapes: Vec<&[usize]> = parts.iter().map(|c| c.shape.as_slice()).collect();
    let shape = joined_shape(&shapes, at)?;
    fold::bounded(&shape)?;
    let inner: usize = shape[at + 1..].iter().product();
    let outer: usize = shape[..at].iter().product();
    let mut data = parts[0].picked(std::iter::empty());
    for o in 0..outer {
        for part in &parts {
            let run = part.shape[at] * inner;
            if !data.append(&part.data, o * run..(o + 1) * run) {
                return Err(Refusal::Malformed("it joins constants of two element types".into()));
            }
        }
    }
    let constant = Rc::new(Constant { name: n.result()?.into(), shape, data });
    Ok(Some(match (&quants[0], quantized) {
        (Some(c), true) => Value::ConstantReal(Rc::new(ConstantReal { constant, ..(**c).clone() })),
        _ => Value::Constant(constant),
    }))
}

/// A Cast of floats to floats, or of integers to their own type, changes nothing. One of integers to floats
/// is a view with scale 1: small integers and booleans already are a quantized tensor, and sums leave the
/// array as floats.
pub(super) fn cast<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let to = n.int("to", 0) as i32;
    let Value::Tensor(id) = *importer.value(n, 0)? else {
        let float = to == DataType::Float as i32;
        return if float {
            identity(importer, n)
        } else {
            unsupported("a Cast of a float value to another type")
        };
    };
    let t = importer.graph.tensor(id);
    let (dtype, shape) = (t.dtype, t.shape.clone());
    if dtype_of(to) == Some(dtype) {
        return identity(importer, n);
    }
    let sums = importer.sums.get(&id).cloned();
    let id = match (sums, dtype.bytes()) {
        _ if to != DataType::Float as i32 => return unsupported("a Cast to another type than float"),
        _ if dtype == DType::Bool => importer.flags(n, id)?,
        (Some(p), _) => importer.float_sums(n, &p)?,
        (None, 1 | 2) => importer.read_as(n, id, Quant { scale: 1.0, zero_point: 0 })?,
        _ => return unsupported(format!("a Cast of computed {} integers to float", dtype.name())),
    };
    let nodes = if dtype.bytes() <= 2 { vec![n.index] } else { Vec::new() };
    Ok(Value::Real(Real { expr: Expr::Tensor(id), shape, nodes, unnamed: false }))
}

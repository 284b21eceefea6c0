//! QuantizeLinear, DequantizeLinear and constants.

use std::rc::Rc;

use super::super::constant::{Constant, Data};
use super::channels::{self, ByChannel};
use super::constant_real::ConstantReal;
use super::constants::Scales;
use super::declared::dtype_of;
use super::expr::{Expr, Format, range};
use super::importer::{Fate, Importer, same_quant};
use super::node::OnnxNode;
use super::value::{Real, Refusal, Value, unsupported};
use crate::graph::{DType, Op, Quant, Tensor};
use crate::numeric;

/// A `Constant` node.
pub(super) fn constant<'a>(_: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let data = |shape: Vec<usize>, data| Constant { name: n.output().unwrap_or("").to_string(), shape, data };
    let c = if let Some(t) = n.tensor("value") {
        Constant::read(t).map_err(|e| Refusal::Unsupported(e.to_string()))?
    } else if let Some(v) = n.float("value_float") {
        data(vec![], Data::F32(vec![v]))
    } else if n.has("value_int") {
        data(vec![], Data::S64(vec![n.int("value_int", 0)]))
    } else if let Some(v) = n.ints("value_ints") {
        data(vec![v.len()], Data::S64(v.to_vec()))
    } else if let Some(v) = n.floats("value_floats") {
        data(vec![v.len()], Data::F32(v.to_vec()))
    } else {
        return unsupported("this kind of constant is not implemented");
    };
    Ok(Value::Constant(Rc::new(c)))
}

/// Refuses block quantization.
fn no_blocks(n: &OnnxNode) -> Result<(), Refusal> {
    if n.int("block_size", 0) != 0 {
        unsupported("quantization in blocks is not implemented")
    } else {
        Ok(())
    }
}

/// Resolves an axis attribute.
fn axis_of(n: &OnnxNode, default: i64, rank: usize) -> Result<usize, Refusal> {
    let axis = n.int("axis", default);
    let resolved = if axis < 0 { axis + rank as i64 } else { axis };
    // Scalars have no axis; per-tensor quantization ignores it.
    usize::try_from(resolved)
        .ok()
        .filter(|a| *a < rank.max(2))
        .ok_or_else(|| Refusal::Malformed(format!("axis {axis} of a tensor of rank {rank}")))
}

pub(super) fn dequantize<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    no_blocks(n)?;
    let value = match importer.integers_of_host(n, 0)? {
        Some(id) => Value::Tensor(id),
        None => importer.value(n, 0)?.clone(),
    };
    match value {
        Value::Constant(constant) => {
            if constant.floats().is_some() {
                return Err(Refusal::Malformed("it dequantizes a float constant".into()));
            }
            let (scale, zero_point, _) = importer.scales(n, 1)?;
            let axis = if scale.len() > 1 { axis_of(n, 1, constant.shape.len())? } else { 0 };
            if scale.len() > 1 && constant.shape.get(axis) != Some(&scale.len()) {
                let text = format!("{} scales along axis {axis} of shape {:?}", scale.len(), constant.shape);
                return Err(Refusal::Malformed(text));
            }
            Ok(Value::ConstantReal(Rc::new(ConstantReal {
                constant,
                scale,
                zero_point,
                axis,
                node: n.index,
            })))
        }
        value @ (Value::Tensor(_) | Value::Centred(_)) if importer.scales(n, 1)?.0.len() > 1 => {
            let id = match &value {
                Value::Centred(c) => c.tensor,
                Value::Tensor(id) => *id,
                _ => return unsupported("it has no integers"),
            };
            let t = importer.graph.tensor(id);
            if t.dtype.bytes() > 2 {
                return unsupported(format!(
                    "{} activations with a scale per channel are not implemented",
                    t.dtype.name()
                ));
            }
            let (scales, shape) = (importer.scales(n, 1)?, t.shape.clone());
            if let Value::Tensor(_) = value {
                importer.same_type(n, id, scales.2)?;
            }
            let by = ByChannel::of(scales, axis_of(n, 1, shape.len())?, &shape)?;
            channels::dequantize(importer, n, &value, &by)
        }
        Value::Tensor(tensor) => {
            let dtype = importer.graph.tensor(tensor).dtype;
            if dtype.bytes() > 2 {
                return unsupported(format!(
                    "dequantizing a computed {} tensor is not implemented",
                    dtype.name()
                ));
            }
            let (quant, zero_type) = importer.quant(n, 1)?;
            importer.same_type(n, tensor, zero_type)?;
            let tensor = importer.read_as(n, tensor, quant)?;
            let shape = importer.graph.tensor(tensor).shape.clone();
            Ok(Value::Real(Real { expr: Expr::Tensor(tensor), shape, nodes: vec![n.index], unnamed: false }))
        }
        _ => unsupported("it dequantizes a float value"),
    }
}

/// The type of a QuantizeLinear's result: its zero point's, else that of an attribute (opset 21), else u8.
fn output_type(n: &OnnxNode, zero_point: Option<DType>) -> Result<DType, Refusal> {
    let named = match n.int("output_dtype", 0) {
        0 => None,
        code => match dtype_of(code as i32) {
            Some(dtype) if dtype.int_range().is_some() => Some(dtype),
            _ => return unsupported(format!("quantizing to element type {code} is not implemented")),
        },
    };
    match (zero_point, named) {
        (Some(zero), Some(named)) if zero != named => Err(Refusal::Malformed(format!(
            "its zero point is {}, its output_dtype {}",
            zero.name(),
            named.name()
        ))),
        (zero, named) => Ok(zero.or(named).unwrap_or(DType::U8)),
    }
}

/// The output format of a QuantizeLinear.
fn target(importer: &Importer, n: &OnnxNode) -> Result<Format, Refusal> {
    let (scale, zero, dtype) = importer.scales_of(n)?;
    if scale.len() != 1 || zero.len() != 1 {
        return unsupported("activations with a scale per channel are not implemented");
    }
    let dtype = output_type(n, dtype)?;
    if dtype.bytes() > 2 {
        return unsupported(format!("{} activations are not implemented; 8 and 16 bits are", dtype.name()));
    }
    let [lo, hi] = range(dtype);
    if zero[0] < lo || zero[0] > hi {
        return Err(Refusal::Malformed(format!("the zero point {} is outside {}", zero[0], dtype.name())));
    }
    Ok((Quant { scale: scale[0], zero_point: zero[0] }, dtype))
}

pub(super) fn quantize<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    no_blocks(n)?;
    if let Some(shape) = importer.failed_shape(n, 0) {
        // Values behind a quantizer can be examined again.
        let (quant, dtype) = target(importer, n)?;
        importer.fates[n.index] = Fate::Unreached;
        let name = n.result()?.into();
        return Ok(Value::Tensor(importer.tensor(Tensor { name, shape, dtype, quant: Some(quant) })));
    }
    let value = importer.value(n, 0)?.clone();
    match &value {
        Value::Constant(c) => return importer.quantize_constant(n, c),
        Value::ConstantReal(c) => return importer.quantize_constant(n, &c.dequantized()),
        _ => {}
    }
    let scales = importer.scales_of(n)?;
    if scales.0.len() > 1 {
        let Some(shape) = importer.shape_of(&value) else {
            return unsupported("a scale for each channel behind a layer of the host");
        };
        let dtype = output_type(n, scales.2)?;
        if dtype.bytes() > 2 {
            return unsupported(format!(
                "{} activations are not implemented; 8 and 16 bits are",
                dtype.name()
            ));
        }
        let by = ByChannel::of(scales, axis_of(n, 1, shape.len())?, &shape)?;
        return channels::quantize(importer, n, &value, &by, dtype);
    }
    let (quant, dtype) = target(importer, n)?;
    let name = n.result()?;
    match value {
        Value::Tensor(id) => {
            let t = importer.graph.tensor(id);
            if t.dtype != DType::F32 {
                return unsupported("it quantizes integers");
            }
            let output = Tensor { name: name.into(), shape: t.shape.clone(), dtype, quant: Some(quant) };
            Ok(Value::Tensor(importer.layer(n.index, Op::Quantize, vec![id], output, &[])))
        }
        Value::Real(real) => {
            if let Some(id) = real.plain() {
                let t = importer.graph.tensor(id);
                if t.dtype == DType::F32 {
                    let output =
                        Tensor { name: name.into(), shape: real.shape.clone(), dtype, quant: Some(quant) };
                    return Ok(Value::Tensor(importer.layer(
                        n.index,
                        Op::Quantize,
                        vec![id],
                        output,
                        &real.nodes,
                    )));
                }
                if t.dtype == dtype && t.quant.is_some_and(|q| same_quant(q, quant)) {
                    if real.unnamed && t.name != name {
                        importer.give_name(id, name, n.index);
                    } else {
                        importer.mark(n.index, Fate::Folded("the same quantization as its input".into()));
                    }
                    return Ok(Value::Tensor(id));
                }
            }
            let result = importer.complete_real(&real, n.index, name, Some((quant, dtype)));
            or_host(importer, n, result, &Value::Real(real), (quant, dtype))
        }
        Value::Pending(p) => {
            let result = importer.complete(&p, n.index, name, (quant, dtype));
            or_host(importer, n, result, &Value::Pending(p), (quant, dtype))
        }
        Value::Host => quantize_host(importer, n, (quant, dtype)),
        _ => unsupported("its input has no floats"),
    }
}

/// What has no integer form runs on the host in float, and is quantized afterwards.
fn or_host<'a>(
    importer: &mut Importer<'a>,
    n: &'a OnnxNode<'a>,
    result: Result<Value, Refusal>,
    value: &Value,
    to: Format,
) -> Result<Value, Refusal> {
    match result {
        Err(Refusal::Unsupported(reason)) if importer.options.host => {
            importer.value_to_host(n.input(0).unwrap_or(""), value, &reason);
            quantize_host(importer, n, to)
        }
        other => other,
    }
}

fn quantize_host<'a>(
    importer: &mut Importer<'a>,
    n: &'a OnnxNode<'a>,
    (quant, dtype): Format,
) -> Result<Value, Refusal> {
    let Some(input) = n.input(0) else { return Err(Refusal::Malformed("it has no input".into())) };
    let id = match importer.floats.get(input) {
        Some(id) => *id,
        None => importer.host_tensor(input)?,
    };
    let t = importer.graph.tensor(id);
    if t.dtype != DType::F32 {
        return unsupported("it quantizes integers that the host computes");
    }
    let output = Tensor { name: n.result()?.into(), shape: t.shape.clone(), dtype, quant: Some(quant) };
    Ok(Value::Tensor(importer.layer(n.index, Op::Quantize, vec![id], output, &[])))
}

impl<'a> Importer<'a> {
    fn scales_of(&self, n: &OnnxNode) -> Result<Scales, Refusal> {
        // Looked up by index, to get the importer's own lifetime.
        self.scales(&self.nodes[n.index], 1)
    }

    /// Names a moved tensor after the quantizer behind it.
    fn give_name(&mut self, id: crate::graph::TensorId, name: &str, node: usize) {
        let label = self.nodes[node].name.clone();
        self.graph.tensors[id.0 as usize].name = name.into();
        if let Some(producer) = self.made_by.get(&id).copied() {
            let layer = &mut self.graph.nodes[producer];
            layer.onnx_nodes.push(label);
            let layer = layer.name.clone();
            self.mark(node, Fate::Fused(layer));
        }
    }

    /// Float weights that the model quantizes itself.
    fn quantize_constant(&mut self, n: &'a OnnxNode<'a>, c: &Constant) -> Result<Value, Refusal> {
        let Some(values) = c.floats() else {
            if let Some(element) = c.folding_only() {
                return unsupported(format!("it quantizes a constant of {element}"));
            }
            return Err(Refusal::Malformed("it quantizes an integer constant".into()));
        };
        let (scale, zero, dtype) = self.scales(n, 1)?;
        let dtype = output_type(n, dtype)?;
        if dtype.bytes() > 2 {
            return unsupported(format!("constants of type {} are not implemented", dtype.name()));
        }
        let axis = if scale.len() > 1 { axis_of(n, 1, c.shape.len())? } else { 0 };
        if scale.len() > 1 && c.shape.get(axis) != Some(&scale.len()) {
            return Err(Refusal::Malformed(format!(
                "{} scales along axis {axis} of {:?}",
                scale.len(),
                c.shape
            )));
        }
        let inner: usize = c.shape.get(axis + 1..).map_or(1, |s| s.iter().product());
        let channel = |i: usize| if scale.len() == 1 { 0 } else { i / inner % scale.len() };
        let zero_of = |ch: usize| zero[if zero.len() == 1 { 0 } else { ch }];
        let bytes = values.iter().enumerate().map(|(i, v)| {
            let ch = channel(i);
            numeric::quantize(*v, scale[ch], zero_of(ch), range(dtype))
        });
        let data = match dtype {
            DType::S8 => Data::S8(bytes.map(|v| v as i8).collect()),
            DType::U16 => Data::U16(bytes.map(|v| v as u16).collect()),
            DType::S16 => Data::S16(bytes.map(|v| v as i16).collect()),
            _ => Data::U8(bytes.map(|v| v as u8).collect()),
        };
        Ok(Value::Constant(Rc::new(Constant { name: n.result()?.into(), shape: c.shape.clone(), data })))
    }
}

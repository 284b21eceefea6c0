//! Constants computed at import: whatever depends on constants and shapes alone.

use std::rc::Rc;

use prost::Message;

use super::super::constant::{Constant, Data};
use super::super::proto::{GraphProto, ModelProto};
use super::Importer;
use super::host::{is_quantized, named, value_info};
use super::node::OnnxNode;
use super::value::{ConstantReal, Refusal, Value, unsupported};
use crate::float::FloatRunner;
use crate::graph::{DType, Tensor};
use crate::numeric;
use crate::tensor_file::{Element, TensorData};

impl ConstantReal {
    /// The floats themselves.
    pub(super) fn dequantized(&self) -> Constant {
        let values = self.constant.integers().unwrap_or_default();
        let inner: usize = self.constant.shape.get(self.axis + 1..).map_or(1, |s| s.iter().product());
        let float = |(i, q): (usize, &i64)| {
            let channel = if self.scale.len() == 1 { 0 } else { i / inner.max(1) % self.scale.len() };
            let zero = self.zero_point[if self.zero_point.len() == 1 { 0 } else { channel }];
            // In 64 bits: a bias of 32 bits has no room for its zero point.
            numeric::scale_sum(*q - i64::from(zero), self.scale[channel])
        };
        let floats = values.iter().enumerate().map(float).collect();
        Constant {
            name: self.constant.name.clone(),
            shape: self.constant.shape.clone(),
            data: Data::F32(floats),
        }
    }
}

/// Operators that only move elements.
fn moves(op_type: &str) -> bool {
    matches!(
        op_type,
        "Reshape" | "Transpose" | "Flatten" | "Squeeze" | "Unsqueeze" | "Identity" | "Slice" | "Expand"
    )
}

impl<'a> Importer<'a> {
    /// The results of a node all of whose inputs are constants; none if some are not.
    pub(super) fn folded(&self, n: &OnnxNode<'a>) -> Result<Option<Vec<Value>>, Refusal> {
        let inputs: Vec<&'a str> =
            n.proto.input.iter().map(String::as_str).filter(|s| !s.is_empty()).collect();
        if inputs.is_empty() || is_quantized(n) || n.op_type() == "If" {
            return Ok(None);
        }
        let mut constants = Vec::new();
        let mut real = None;
        for (i, name) in inputs.iter().enumerate() {
            match self.values.get(name) {
                Some(Value::Constant(c)) => constants.push((*name, c.clone())),
                Some(Value::ConstantReal(r)) if i == 0 && moves(n.op_type()) && r.quant().is_some() => {
                    real = Some(r.clone());
                    constants.push((*name, r.constant.clone()));
                }
                Some(Value::ConstantReal(r)) => constants.push((*name, Rc::new(r.dequantized()))),
                _ => return Ok(None),
            }
        }
        if let (Some(r), "Transpose") = (&real, n.op_type())
            && r.scale.len() > 1
        {
            return Ok(None);
        }
        let results = self.evaluate(n, &constants)?;
        Ok(Some(
            results
                .into_iter()
                .map(|c| match &real {
                    Some(r) => {
                        Value::ConstantReal(Rc::new(ConstantReal { constant: Rc::new(c), ..(**r).clone() }))
                    }
                    None => Value::Constant(Rc::new(c)),
                })
                .collect(),
        ))
    }

    /// Runs one node on constants.
    fn evaluate(
        &self,
        n: &OnnxNode<'a>,
        inputs: &[(&'a str, Rc<Constant>)],
    ) -> Result<Vec<Constant>, Refusal> {
        let tensor = |name: &str, c: &Constant| {
            let t = Tensor { name: name.into(), shape: c.shape.clone(), dtype: c.dtype(), quant: None };
            value_info(name, &t)
        };
        let outputs: Vec<&str> =
            n.proto.output.iter().map(String::as_str).filter(|s| !s.is_empty()).collect();
        let model = ModelProto {
            ir_version: Some(9),
            opset_import: self.opsets.clone(),
            graph: Some(GraphProto {
                name: Some("constant".into()),
                node: vec![n.proto.clone()],
                input: inputs.iter().map(|(name, c)| tensor(name, c)).collect(),
                output: outputs.iter().map(|o| named(o)).collect(),
                ..GraphProto::default()
            }),
            ..ModelProto::default()
        };
        let mut given: Vec<(&str, TensorData)> = Vec::new();
        for (name, c) in inputs {
            if given.iter().all(|(known, _)| known != name) {
                given.push((name, c.to_tensor()));
            }
        }
        let results = FloatRunner::new()
            .run(&model.encode_to_vec(), &given, &outputs)
            .map_err(|why| Refusal::Unsupported(format!("it depends on constants only, but: {why}")))?;
        let wide = inputs.iter().any(|(_, c)| c.dtype() == DType::S64);
        let read = |(t, name): (TensorData, &&str)| {
            Constant::from_tensor(name, t, wide)
                .ok_or_else(|| Refusal::Unsupported("its result is of another type".into()))
        };
        results.into_iter().zip(&outputs).map(read).collect()
    }
}

/// `Shape` and `Size`: known without the values.
pub(super) fn shape<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let shape = match importer.value(n, 0)?.clone() {
        Value::Tensor(id) => importer.graph.tensor(id).shape.clone(),
        Value::Real(r) => r.shape,
        Value::Pending(p) => p.shape.clone(),
        Value::Constant(c) => c.shape.clone(),
        Value::ConstantReal(c) => c.constant.shape.clone(),
        Value::Host => {
            let name = n.input(0).unwrap_or("");
            let id = importer.host_tensor(name)?;
            importer.graph.tensor(id).shape.clone()
        }
        _ => return unsupported("the shape of its input is unknown"),
    };
    importer.mark(n.index, super::Fate::Folded("a constant".into()));
    let all: Vec<i64> = shape.iter().map(|d| *d as i64).collect();
    let name = n.result()?.to_string();
    if n.op_type() == "Size" {
        let data = Data::S64(vec![all.iter().product()]);
        return Ok(Value::Constant(Rc::new(Constant { name, shape: vec![], data })));
    }
    let rank = all.len() as i64;
    let bound = |v: i64| (if v < 0 { v + rank } else { v }).clamp(0, rank) as usize;
    let (start, end) = (bound(n.int("start", 0)), bound(n.int("end", rank)));
    let part = all.get(start..end.max(start)).unwrap_or(&[]).to_vec();
    Ok(Value::Constant(Rc::new(Constant { name, shape: vec![part.len()], data: Data::S64(part) })))
}

impl Constant {
    /// For the float library, which has no 64-bit integers: they saturate.
    fn to_tensor(&self) -> TensorData {
        let narrow = |v: i64| v.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
        let (element, bytes) = match &self.data {
            Data::F32(v) => (Element::F32, v.iter().flat_map(|x| x.to_le_bytes()).collect()),
            Data::U8(v) => (Element::U8, v.clone()),
            Data::S8(v) => (Element::S8, v.iter().map(|x| *x as u8).collect()),
            _ => {
                let wide = self.integers().unwrap_or_default();
                (Element::S32, wide.into_iter().flat_map(|v| narrow(v).to_le_bytes()).collect())
            }
        };
        TensorData { element, shape: self.shape.clone(), bytes }
    }

    fn from_tensor(name: &str, t: TensorData, wide: bool) -> Option<Constant> {
        let data = match t.element {
            Element::F32 => Data::F32(t.bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()),
            Element::U8 => Data::U8(t.bytes),
            Element::S8 => Data::S8(t.bytes.iter().map(|b| *b as i8).collect()),
            Element::S32 => {
                let values = t.bytes.as_chunks().0.iter().map(|b| i32::from_le_bytes(*b));
                if wide { Data::S64(values.map(i64::from).collect()) } else { Data::S32(values.collect()) }
            }
            _ => return None,
        };
        Some(Constant { name: name.into(), shape: t.shape, data })
    }
}

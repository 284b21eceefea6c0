//! Constants computed at import: whatever depends on constants and shapes alone.
//!
//! Movement uses the functions that move tensors ([`Importer::moved`]); integers and booleans are computed
//! here for every element type (`arithmetic`, `reduce`, `convert`); functions of floats are computed by the
//! float library.

mod apply;
mod arithmetic;
mod bound;
mod convert;
mod places;
mod reduce;

use std::rc::Rc;

use prost::Message;

use super::super::constant::{Constant, Data};
use super::super::proto::tensor_proto::DataType;
use super::super::proto::{GraphProto, ModelProto};
use super::super::role::is_quantized;
use super::constant_real::ConstantReal;
use super::host::{named, value_info};
use super::importer::{Fate, Importer};
use super::node::OnnxNode;
use super::value::{Refusal, Value, unsupported};
use crate::float::FloatRunner;
use crate::graph::Tensor;
use crate::numeric;
use crate::tensor_file::{Element, TensorData};
pub(super) use apply::applied;
pub(super) use bound::{MOST_ELEMENTS, bounded};
use convert::{Numbers, element};

impl ConstantReal {
    /// The float values.
    pub(super) fn dequantized(&self) -> Constant {
        let values = self.constant.integers().unwrap_or_default();
        let inner: usize = self.constant.shape.get(self.axis + 1..).map_or(1, |s| s.iter().product());
        let float = |(i, q): (usize, &i64)| {
            let channel = if self.scale.len() == 1 { 0 } else { i / inner.max(1) % self.scale.len() };
            let zero = self.zero_point[if self.zero_point.len() == 1 { 0 } else { channel }];
            // In 64 bits: the difference of a 32-bit bias and its zero point may exceed 32 bits.
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

/// Operators whose own import functions take constants, too.
fn moves(op_type: &str) -> bool {
    matches!(
        op_type,
        "Concat"
            | "DepthToSpace"
            | "Dropout"
            | "Expand"
            | "Flatten"
            | "Gather"
            | "Identity"
            | "Pad"
            | "Reshape"
            | "Shape"
            | "Size"
            | "Slice"
            | "SpaceToDepth"
            | "Split"
            | "Squeeze"
            | "Tile"
            | "Transpose"
            | "Unsqueeze"
    )
}

impl<'a> Importer<'a> {
    /// The results of a node whose inputs are all constants; `None` if some are not, or if the operator's own
    /// function takes them.
    pub(super) fn folded(&self, n: &OnnxNode<'a>) -> Result<Option<Vec<Value>>, Refusal> {
        let inputs: Vec<&'a str> =
            n.proto.input.iter().map(String::as_str).filter(|s| !s.is_empty()).collect();
        let own = moves(n.op_type()) && n.domain().is_empty();
        if inputs.is_empty() || is_quantized(n.op_type()) || n.op_type() == "If" || own {
            return Ok(None);
        }
        let mut constants = Vec::new();
        for name in &inputs {
            match self.values.get(name) {
                Some(Value::Constant(c)) => constants.push((*name, c.clone())),
                Some(Value::ConstantReal(r)) => constants.push((*name, Rc::new(r.dequantized()))),
                _ => return Ok(None),
            }
        }
        let given: Vec<&Constant> = constants.iter().map(|(_, c)| &**c).collect();
        let results = match self.computed(n, &given)? {
            Some(results) => results,
            None => self.evaluate(n, &constants)?,
        };
        Ok(Some(results.into_iter().map(|c| Value::Constant(Rc::new(c))).collect()))
    }

    /// Results computed here; `None` for functions of floats.
    fn computed(&self, n: &OnnxNode<'a>, inputs: &[&Constant]) -> Result<Option<Vec<Constant>>, Refusal> {
        if !n.domain().is_empty() || n.proto.input.iter().any(String::is_empty) && n.op_type() != "Clip" {
            return Ok(None);
        }
        let mut made = arithmetic::computed(n, inputs)?.map(|one| vec![one]);
        if made.is_none() {
            made = reduce::computed(n, self.opset, inputs)?.map(|one| vec![one]);
        }
        if made.is_none() {
            made = places::computed(n, inputs)?;
        }
        let named = |(name, (shape, data)): (&String, (Vec<usize>, Data))| Constant {
            name: name.clone(),
            shape,
            data,
        };
        Ok(made.map(|all| n.proto.output.iter().zip(all).map(named).collect()))
    }

    /// Runs one node on constants.
    fn evaluate(
        &self,
        n: &OnnxNode<'a>,
        inputs: &[(&'a str, Rc<Constant>)],
    ) -> Result<Vec<Constant>, Refusal> {
        if !by_library(n, inputs) {
            return unsupported(format!("computing {} of constants is not implemented", n.op_type()));
        }
        let tensor = |name: &str, c: &Constant| {
            let t = Tensor { name: name.into(), shape: c.shape.clone(), dtype: c.dtype(), quant: None };
            value_info(name, &t)
        };
        let outputs: Vec<&str> =
            n.proto.output.iter().map(String::as_str).filter(|s| !s.is_empty()).collect();
        let mut model = ModelProto {
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
                let tensor = c.to_tensor().ok_or_else(|| {
                    Refusal::Unsupported(format!(
                        "\"{name}\" has elements that constants are not computed of"
                    ))
                })?;
                given.push((name, tensor));
            }
        }
        self.in_words(&mut model)?;
        let results = FloatRunner::by(&self.options.engine)
            .run(&model.encode_to_vec(), &given, &outputs)
            .map_err(|why| Refusal::Unsupported(format!("it depends on constants only, but: {why}")))?;
        let read = |(t, name): (TensorData, &&str)| {
            Constant::from_tensor(name, t, self.element_types.get(*name).copied())
                .ok_or_else(|| Refusal::Unsupported("its result is of another type".into()))
        };
        results.into_iter().zip(&outputs).map(read).collect()
    }
}

/// Whether the float library computes a node: its result is not much larger than its operands, and nothing is
/// empty.
fn by_library(n: &OnnxNode, inputs: &[(&str, Rc<Constant>)]) -> bool {
    let elements: Vec<usize> = inputs.iter().map(|(_, c)| c.shape.iter().product()).collect();
    let product = elements.iter().try_fold(1_usize, |a, b| a.checked_mul(*b));
    let fits = match n.op_type() {
        "MatMul" | "Gemm" | "Einsum" | "Conv" => product.is_some_and(|p| p <= MOST_ELEMENTS),
        "BatchNormalization"
        | "InstanceNormalization"
        | "LayerNormalization"
        | "CumSum"
        | "ScatterElements"
        | "ScatterND"
        | "Softmax"
        | "LogSoftmax"
        | "Abs"
        | "Acos"
        | "Acosh"
        | "Asin"
        | "Asinh"
        | "Atan"
        | "Atanh"
        | "Ceil"
        | "Cos"
        | "Cosh"
        | "Elu"
        | "Erf"
        | "Exp"
        | "Floor"
        | "Gelu"
        | "HardSigmoid"
        | "HardSwish"
        | "LeakyRelu"
        | "Log"
        | "Mish"
        | "Neg"
        | "Pow"
        | "PRelu"
        | "Reciprocal"
        | "Relu"
        | "Round"
        | "Selu"
        | "Sigmoid"
        | "Sin"
        | "Sinh"
        | "Softplus"
        | "Softsign"
        | "Sqrt"
        | "Tan"
        | "Tanh"
        | "ReduceMean"
        | "ReduceSum"
        | "ReduceMax"
        | "ReduceMin"
        | "ReduceProd"
        | "ReduceL1"
        | "ReduceL2"
        | "ReduceLogSumExp"
        | "ReduceSumSquare" => true,
        _ => false,
    };
    fits && !elements.contains(&0)
}

/// `Shape` and `Size`: known without the values.
pub(super) fn shape<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let value = importer.value(n, 0)?.clone();
    let shape = match (importer.shape_of(&value), value) {
        (Some(shape), _) => shape,
        (None, Value::Host) => {
            let name = n.input(0).unwrap_or("");
            let id = importer.host_tensor(name)?;
            importer.graph.tensor(id).shape.clone()
        }
        _ => return unsupported("the shape of its input is unknown"),
    };
    importer.mark(n.index, Fate::Folded("a constant".into()));
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
    /// For the float library, which has no 64-bit integers: `None` if some do not fit 32 bits.
    fn to_tensor(&self) -> Option<TensorData> {
        let (element, bytes) = match &self.data {
            Data::F32(_) => (Element::F32, self.bytes()),
            Data::U8(_) => (Element::U8, self.bytes()),
            Data::S8(_) => (Element::S8, self.bytes()),
            Data::S32(_) | Data::S64(_) | Data::Bool(_) => {
                let narrow = self.integers()?.into_iter().map(|v| i32::try_from(v).ok());
                let narrow = narrow.collect::<Option<Vec<i32>>>()?;
                (Element::S32, narrow.into_iter().flat_map(i32::to_le_bytes).collect())
            }
            _ => return None,
        };
        Some(TensorData { element, shape: self.shape.clone(), bytes })
    }

    /// The library's result in the operator's type: the library has only 32-bit integers, and no booleans.
    /// `None` if the two do not fit.
    fn from_tensor(name: &str, t: TensorData, kind: Option<DataType>) -> Option<Constant> {
        let data = match t.element {
            Element::F32 => Data::F32(t.bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()),
            Element::U8 => Data::U8(t.bytes),
            Element::S8 => Data::S8(t.bytes.iter().map(|b| *b as i8).collect()),
            Element::S32 => {
                let values = t.bytes.as_chunks().0.iter().map(|b| i64::from(i32::from_le_bytes(*b)));
                Numbers::Integers(values.collect()).cast(kind?)?
            }
            Element::S64 => {
                let values = t.bytes.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b));
                Numbers::Integers(values.collect()).cast(kind?)?
            }
            Element::Bool => Data::Bool(t.bytes),
            _ => return None,
        };
        let made = Constant { name: name.into(), shape: t.shape, data };
        kind.is_none_or(|kind| element(&made) == kind).then_some(made)
    }
}

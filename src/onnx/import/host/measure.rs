//! Properties of host nodes, measured by running them on zeros: shapes, types, multiply-accumulates.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;

use super::super::Importer;
use super::super::declared::dtype_of;
use super::super::node::OnnxNode;
use super::super::operators::role;
use super::super::value::{Refusal, Value, unsupported};
use super::{Island, named};
use crate::float::FloatRunner;
use crate::graph::{DType, TensorId};
use crate::onnx::proto::ModelProto;
use crate::onnx::role::Role;
use crate::onnx::schema::short;
use crate::tensor_file::{Element, TensorData};

/// Most bytes that a host layer may read while its shapes are measured.
const MOST_BYTES: usize = 1 << 30;

/// The largest extent, and the most elements, that constants of a host node may request.
const MOST_EXTENT: f64 = (1_u64 << 24) as f64;
const MOST_ELEMENTS: f64 = (1_u64 << 28) as f64;

impl<'a> Importer<'a> {
    /// Shape and type of a host value, found by running its nodes on zeros.
    pub(super) fn infer(&mut self, name: &'a str) -> Result<(Vec<usize>, DType), Refusal> {
        let level = |i: &usize| self.host.get(i).map(|guest| guest.level);
        let own = self.producers.get(name).and_then(level);
        let mut members = BTreeSet::new();
        let mut wanted: Vec<&'a str> = vec![name];
        while let Some(value) = wanted.pop() {
            if let Some(&i) = self.producers.get(value)
                && own.is_some()
                && level(&i) == own
                && members.insert(i)
            {
                wanted.extend(self.nodes[i].proto.input.iter().map(String::as_str).filter(|s| !s.is_empty()));
            }
        }
        let found = self.on_zeros(&members, &[name])?;
        let Some(first) = found.into_iter().next() else { return unsupported("it has no result") };
        // The library has neither 64-bit integers nor booleans; the operator's signature does.
        let known = self.element_types.get(name);
        if let Some(other) = known.filter(|t| dtype_of(**t as i32).is_none()) {
            return unsupported(format!("\"{name}\" is {}, which host layers do not give", short(*other)));
        }
        let dtype = known.and_then(|t| dtype_of(*t as i32));
        let dtype = match (dtype, first.element) {
            (Some(wide @ (DType::S64 | DType::Bool)), Element::S32) => Some(wide),
            (_, element) => element.dtype(),
        };
        match dtype {
            Some(dtype) => Ok((first.shape, dtype)),
            None => unsupported(format!("its result has elements of type {}", first.element.name())),
        }
    }

    /// The results of host nodes on zeros.
    fn on_zeros(
        &mut self,
        members: &BTreeSet<usize>,
        wanted: &[&'a str],
    ) -> Result<Vec<TensorData>, Refusal> {
        let part = self.island(members)?;
        let model = self.model_of(&part, wanted.iter().map(|name| named(name)).collect())?;
        self.run_on_zeros(&part, &model, wanted)
    }

    /// Whether the size of a node's results depends on the values of its operands.
    fn extents_depend_on_data(&self, n: &OnnxNode<'a>) -> bool {
        // Operators that take extents as operands, and the first such operand.
        let first = match n.op_type() {
            "Compress" | "NonMaxSuppression" | "NonZero" | "Unique" | "Loop" | "Scan" => return true,
            "ConstantOfShape" | "Range" => 0,
            "Reshape" | "Expand" | "Tile" | "Squeeze" | "Unsqueeze" | "Slice" | "Pad" | "Resize"
            | "Upsample" | "TopK" | "Split" | "CenterCropPad" => 1,
            _ => return false,
        };
        // The fill value of a Pad is not an extent.
        let read =
            n.proto.input.iter().enumerate().skip(first).filter(|(i, _)| n.op_type() != "Pad" || *i != 2);
        let computed = |name: &str| {
            !name.is_empty()
                && !matches!(self.values.get(name), Some(Value::Constant(_) | Value::ConstantReal(_)))
        };
        read.map(|(_, name)| name.as_str()).any(computed)
    }

    /// Refuses nodes whose constants request larger results than a host layer may have: the library would
    /// allocate without checking.
    fn modest(&self, n: &OnnxNode<'a>) -> Result<(), Refusal> {
        let grows = matches!(
            n.op_type(),
            "Expand"
                | "Tile"
                | "OneHot"
                | "ConstantOfShape"
                | "Range"
                | "Pad"
                | "Resize"
                | "Upsample"
                | "EyeLike"
                | "ConvTranspose"
                | "Reshape"
                | "Col2Im"
                | "CenterCropPad"
        );
        if !grows {
            return Ok(());
        }
        let listed =
            n.proto.attribute.iter().flat_map(|a| a.ints.iter().copied().chain(a.i)).map(|i| i as f64);
        let mut all: Vec<f64> = listed.collect();
        for name in
            n.proto.input.iter().skip(usize::from(n.op_type() != "Range" && n.op_type() != "ConstantOfShape"))
        {
            let Some(Value::Constant(c)) = self.values.get(name.as_str()) else { continue };
            match (c.floats(), c.integers()) {
                _ if c.shape.iter().product::<usize>() > 16 => {}
                (Some(floats), _) => all.extend(floats.iter().map(|x| f64::from(*x))),
                (_, Some(integers)) => all.extend(integers.iter().map(|i| *i as f64)),
                _ => {}
            }
        }
        let product: f64 = all.iter().map(|x| x.abs().max(1.0)).product();
        let bounds = |x: &f64| x.abs() <= MOST_EXTENT || *x == i64::MAX as f64 || *x == i64::MIN as f64;
        if product > MOST_ELEMENTS && n.op_type() != "Reshape" || !all.iter().all(bounds) {
            return unsupported(format!("{} of {all:?} is too large for the host", n.op_type()));
        }
        Ok(())
    }

    fn run_on_zeros(
        &self,
        part: &Island<'a>,
        model: &ModelProto,
        wanted: &[&str],
    ) -> Result<Vec<TensorData>, Refusal> {
        part.nodes.iter().try_for_each(|i| self.modest(&self.nodes[*i]))?;
        let mut given: Vec<(&str, TensorData)> = Vec::new();
        let mut room = MOST_BYTES;
        for (name, id) in &part.inputs {
            let t = self.graph.tensor(*id);
            let element = Element::from(t.dtype);
            let elements = t.shape.iter().try_fold(t.dtype.bytes(), |n, d| n.checked_mul(*d));
            let Some(bytes) = elements.filter(|n| *n <= room) else {
                return unsupported(format!("\"{name}\" of shape {:?} is too large for the host", t.shape));
            };
            room -= bytes;
            given.push((name, TensorData { element, shape: t.shape.clone(), bytes: vec![0; bytes] }));
        }
        let result = FloatRunner::by(&self.options.engine).run(&model.encode_to_vec(), &given, wanted);
        result.map_err(|why| Refusal::Unsupported(format!("the host cannot run it: {why}")))
    }

    /// Runs the model of a host layer once, so that an accepted layer can be executed later: the library
    /// supports all its operators, and returns what the graph expects.
    pub(super) fn tried(
        &self,
        part: &Island<'a>,
        model: &ModelProto,
        outputs: &[TensorId],
    ) -> Result<(), Refusal> {
        let names: Vec<&str> = outputs.iter().map(|id| self.graph.tensor(*id).name.as_str()).collect();
        if let Some(node) =
            part.nodes.iter().map(|i| &self.nodes[*i]).find(|n| self.extents_depend_on_data(n))
        {
            return unsupported(format!(
                "the extents of what {} \"{}\" gives depend on data",
                node.op_type(),
                node.name
            ));
        }
        for (id, found) in outputs.iter().zip(self.run_on_zeros(part, model, &names)?) {
            let t = self.graph.tensor(*id);
            let narrow = matches!(t.dtype, DType::S64 | DType::Bool) && found.element == Element::S32;
            if found.shape != t.shape || !(narrow || found.element.name() == t.dtype.name()) {
                return unsupported(format!(
                    "the model says that \"{}\" is {} {:?}, the host computes {} {:?}",
                    t.name,
                    t.dtype.name(),
                    t.shape,
                    found.element.name(),
                    found.shape
                ));
            }
        }
        Ok(())
    }

    /// Multiply-accumulates of an island.
    pub(super) fn host_macs(&mut self, members: &BTreeSet<usize>) -> Result<u64, Refusal> {
        let recurrent = |i: &usize| matches!(self.nodes[*i].op_type(), "LSTM" | "GRU" | "RNN");
        let multiplies = |i: &&usize| recurrent(i) || role(self.nodes[**i].proto) == Some(Role::Product);
        let macs: Vec<usize> = members.iter().filter(multiplies).copied().collect();
        if macs.is_empty() {
            return Ok(0);
        }
        let made: BTreeSet<&str> =
            members.iter().flat_map(|i| &self.nodes[*i].proto.output).map(String::as_str).collect();
        let mut wanted: Vec<&'a str> = Vec::new();
        for i in &macs {
            let n = &self.nodes[*i].proto;
            let values = n.output.iter().take(1).chain(n.input.iter().take(3)).map(String::as_str);
            wanted.extend(values.filter(|v| made.contains(v)));
        }
        wanted.sort_unstable();
        wanted.dedup();
        let found = self.on_zeros(members, &wanted)?;
        let shapes: BTreeMap<&str, Vec<usize>> =
            wanted.iter().copied().zip(found.into_iter().map(|t| t.shape)).collect();
        let shape = |name: Option<&String>| -> Vec<usize> {
            let Some(name) = name.map(String::as_str) else { return Vec::new() };
            match (shapes.get(name), self.values.get(name)) {
                (Some(shape), _) => shape.clone(),
                (_, Some(Value::Constant(c))) => c.shape.clone(),
                (_, Some(Value::ConstantReal(c))) => c.constant.shape.clone(),
                (_, Some(Value::Real(r))) => r.shape.clone(),
                (_, Some(Value::Tensor(id))) => self.graph.tensor(*id).shape.clone(),
                (_, Some(Value::Host)) => self
                    .host_tensors
                    .get(name)
                    .map_or_else(Vec::new, |id| self.graph.tensor(*id).shape.clone()),
                _ => Vec::new(),
            }
        };
        let product = |shape: &[usize]| shape.iter().map(|d| *d as u64).product::<u64>();
        let one = |i: &usize| {
            let n = self.nodes[*i].proto;
            let [a, b, y] = [shape(n.input.first()), shape(n.input.get(1)), shape(n.output.first())];
            match self.nodes[*i].op_type() {
                "Conv" => product(&y) * product(b.get(1..).unwrap_or_default()),
                // Each gate sums the products with the input and with the state of the step before.
                "LSTM" | "GRU" | "RNN" => {
                    let state = shape(n.input.get(2));
                    product(a.get(..2).unwrap_or_default()) * (product(&b) + product(&state))
                }
                "ConvTranspose" => product(&a) * product(b.get(1..).unwrap_or_default()),
                "Gemm" if self.nodes[*i].int("transA", 0) != 0 => {
                    product(&y) * a.first().map_or(0, |k| *k as u64)
                }
                _ => product(&y) * a.last().map_or(0, |k| *k as u64),
            }
        };
        Ok(macs.iter().map(one).sum())
    }
}

//! Small float networks written as Rust, for tests of what is made of single operators.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rcar_iss::internals::compiler::{self, CompileOptions};
use rcar_iss::internals::float::{Collected, Engine, Stream, Threads};
use rcar_iss::internals::inputs::Sample;
use rcar_iss::internals::machine::Machine;
use rcar_iss::internals::onnx::proto::attribute_proto::AttributeType;
use rcar_iss::internals::onnx::proto::tensor_proto::DataType;
use rcar_iss::internals::onnx::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto,
    TypeProto, ValueInfoProto, tensor_shape_proto, type_proto,
};
use rcar_iss::internals::onnx::{self, ImportOptions, LoadedModel, float_network};
use rcar_iss::internals::quantize::{self, Choice, Places, QuantizeError};
use rcar_iss::internals::sim::{EngineKind, Limits, Loaded, Session};
use rcar_iss::internals::tensor_file::{Element, TensorData};

/// A network under construction: input `x`, output `y`, both f32.
pub(crate) struct Small {
    pub(crate) graph: GraphProto,
    opset: i64,
}

fn info(name: &str, shape: &[usize]) -> ValueInfoProto {
    let dim = |d: &usize| tensor_shape_proto::Dimension {
        value: Some(tensor_shape_proto::dimension::Value::DimValue(*d as i64)),
        ..Default::default()
    };
    let tensor = type_proto::Tensor {
        elem_type: Some(DataType::Float as i32),
        shape: Some(TensorShapeProto { dim: shape.iter().map(dim).collect() }),
    };
    let kind = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() };
    ValueInfoProto { name: Some(name.into()), r#type: Some(kind), ..ValueInfoProto::default() }
}

pub(crate) fn whole(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        r#type: Some(AttributeType::Int as i32),
        i: Some(value),
        ..AttributeProto::default()
    }
}

pub(crate) fn real(name: &str, value: f32) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        r#type: Some(AttributeType::Float as i32),
        f: Some(value),
        ..AttributeProto::default()
    }
}

pub(crate) fn list(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        r#type: Some(AttributeType::Ints as i32),
        ints: values.to_vec(),
        ..AttributeProto::default()
    }
}

pub(crate) fn tensor(shape: &[usize], values: &[f32]) -> TensorData {
    let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    TensorData { element: Element::F32, shape: shape.to_vec(), bytes }
}

pub(crate) fn floats(t: &TensorData) -> Vec<f32> {
    t.bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

/// Pseudo-random numbers between −1 and 1.
pub(crate) fn noise(seed: u32, n: usize) -> Vec<f32> {
    let at = |i: usize| {
        ((i as u32).wrapping_add(seed).wrapping_mul(2_654_435_761) >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..n).map(at).collect()
}

impl Small {
    pub(crate) fn new(opset: i64, x: &[usize], y: &[usize]) -> Small {
        let graph = GraphProto {
            name: Some("small".into()),
            input: vec![info("x", x)],
            output: vec![info("y", y)],
            ..GraphProto::default()
        };
        Small { graph, opset }
    }

    pub(crate) fn node(
        mut self,
        op: &str,
        inputs: &[&str],
        outputs: &[&str],
        attribute: Vec<AttributeProto>,
    ) -> Small {
        self.graph.node.push(NodeProto {
            input: inputs.iter().map(|i| (*i).to_string()).collect(),
            output: outputs.iter().map(|i| (*i).to_string()).collect(),
            name: Some(format!("{op}_{}", self.graph.node.len())),
            op_type: Some(op.into()),
            attribute,
            ..NodeProto::default()
        });
        self
    }

    pub(crate) fn typed(mut self, name: &str, kind: DataType, shape: &[usize], bytes: Vec<u8>) -> Small {
        self.graph.initializer.push(TensorProto {
            name: Some(name.into()),
            data_type: Some(kind as i32),
            dims: shape.iter().map(|d| *d as i64).collect(),
            raw_data: Some(bytes.into()),
            ..TensorProto::default()
        });
        self
    }

    pub(crate) fn floats(self, name: &str, shape: &[usize], values: &[f32]) -> Small {
        self.typed(name, DataType::Float, shape, values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    pub(crate) fn integers(self, name: &str, shape: &[usize], values: &[i64]) -> Small {
        self.typed(name, DataType::Int64, shape, values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    pub(crate) fn model(&self) -> ModelProto {
        ModelProto {
            ir_version: Some(8),
            opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(self.opset) }],
            graph: Some(self.graph.clone()),
            ..ModelProto::default()
        }
    }

    /// The value of `y` in the float engine.
    pub(crate) fn computed(&self, x: &TensorData) -> Result<Vec<f32>, String> {
        computed(&self.model(), x)
    }
}

/// The value of `y`.
pub(crate) fn computed(model: &ModelProto, x: &TensorData) -> Result<Vec<f32>, String> {
    let wanted = BTreeSet::from(["y".to_string()]);
    let stream = Stream::load(&Engine::Rten, float_network(model), &wanted)?;
    let seen = stream.run(&Threads::new(1), &[("x", x)], Collected::default())?;
    Ok(seen.tensors[0].values.clone())
}

/// The value of `y` on the accelerator alone.
pub(crate) fn simulated(model: &ModelProto, x: &TensorData) -> Vec<f32> {
    let loaded = LoadedModel { model: model.clone(), data: Vec::new() };
    let options = ImportOptions { host: false, ..ImportOptions::default() };
    let graph = onnx::import(&loaded, &options).unwrap().graph;
    let machine = Machine::named("rcn-m").unwrap();
    let program = compiler::compile(&graph, &machine, &CompileOptions::default()).unwrap().program;
    let loaded = Loaded::new(Arc::new(program), &machine, Limits::default()).unwrap();
    let mut session = Session::new(&loaded, EngineKind::Fast);
    session.run(&[("x", &x.bytes)], &mut (), &mut ()).unwrap();
    let output = loaded.program().meta.tensors.iter().find(|t| t.name == "y").unwrap();
    session.tensor(output).as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

/// A model in QDQ form, and the places that got quantizers.
pub(crate) fn quantized(
    model: &ModelProto,
    x: &TensorData,
    choice: &Choice,
) -> Result<(ModelProto, Places), QuantizeError> {
    let clean = quantize::clean(model)?;
    let graph = clean.model.graph.as_ref().unwrap();
    let places = Places::of(graph, &BTreeSet::new());
    let tensors: BTreeSet<String> = places.own().map(str::to_string).collect();
    let inputs: Vec<Sample> = vec![vec![("x".into(), x.clone())]];
    let seen = quantize::calibrate(&clean.model, &tensors, &inputs, &Engine::Rten, 1, &|| ())?;
    let parameters = quantize::choose(graph, &places, &seen, choice)?;
    Ok((quantize::write(&clean.model, &places, &parameters)?, places))
}

/// Signal to noise in dB.
pub(crate) fn sqnr(reference: &[f32], found: &[f32]) -> f64 {
    assert_eq!(reference.len(), found.len());
    let power = |v: &mut dyn Iterator<Item = f64>| v.map(|x| x * x).sum::<f64>();
    let signal = power(&mut reference.iter().map(|x| f64::from(*x)));
    let noise = power(&mut reference.iter().zip(found).map(|(a, b)| f64::from(a - b)));
    10.0 * (signal / noise.max(1e-30)).log10()
}

/// The quantized network's values of `y` against the float one's, in dB. `reference` replaces the float
/// library's values where those cannot be used.
pub(crate) fn fidelity(small: &Small, x: &TensorData, reference: Option<Vec<f32>>) -> f64 {
    let (model, _) = quantized(&small.model(), x, &Choice::default()).unwrap();
    sqnr(&reference.unwrap_or_else(|| small.computed(x).unwrap()), &computed(&model, x).unwrap())
}

/// Everything in a graph that has a name, and how many things have it.
pub(crate) fn definitions(model: &ModelProto) -> BTreeMap<String, usize> {
    let graph = model.graph.as_ref().unwrap();
    let mut count = BTreeMap::new();
    let values = graph.initializer.iter().map(|t| t.name().to_string());
    let values = values.chain(graph.input.iter().map(|i| i.name().to_string()));
    for name in values.chain(graph.node.iter().flat_map(|n| n.output.iter().cloned())) {
        *count.entry(name).or_insert(0) += 1;
    }
    count
}

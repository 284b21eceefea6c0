//! Float network + parameters → QDQ model, in the form that ONNX Runtime's own quantizer writes.

use std::collections::{BTreeMap, BTreeSet};

use super::exact::is_steering;
use super::network::Network;
use super::parameters::{Activation, ActivationFormat, Parameters};
use super::places::{Places, WeightPlace};
use super::{QuantizeError, masks, versions, weights};
use crate::graph::DType;
use crate::onnx::proto::attribute_proto::AttributeType;
use crate::onnx::proto::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto};
use crate::onnx::{Constant, Data, Names};

/// Writes a [cleaned](super::clean) network in QDQ form.
///
/// Tensors with parameters get `QuantizeLinear → DequantizeLinear`, named after them
/// (`x_QuantizeLinear_Output`, `x_scale`, `x_zero_point`); those of `places` that share another's parameters
/// need no entry of their own. Weights become integers that are symmetric about their zero point, biases
/// 32-bit integers with the accumulator's scale, which is made large enough for them: ONNX Runtime would
/// bring a float bias to that form, whether it fits or not. The opset is raised where the form demands it.
///
/// # Errors
/// The network's opset cannot be raised to what QDQ needs.
pub fn write(
    clean: &ModelProto,
    places: &Places,
    parameters: &Parameters,
) -> Result<ModelProto, QuantizeError> {
    let Some(graph) = clean.graph.as_ref() else {
        return Err(QuantizeError::Model("it has no graph".into()));
    };
    let mut activations = parameters.activations.clone();
    for (tensor, of) in &places.tensors {
        if let (false, Some(a)) = (activations.contains_key(tensor), parameters.activations.get(of)) {
            activations.insert(tensor.clone(), *a);
        }
    }
    let wide =
        activations.values().any(|a| a.dtype.bytes() > 1) || parameters.weights.values().any(|w| w.bits > 8);
    let per_channel = parameters.weights.values().any(|w| w.per_channel);
    let mut model = clean.clone();
    let domain = versions::raise(&mut model, graph, wide, per_channel)?;
    let mut writer = Writer {
        network: Network::of(graph),
        activations,
        domain,
        names: Names::of(graph),
        originals: BTreeMap::new(),
        nodes: Vec::new(),
        initializers: Vec::new(),
        made: BTreeMap::new(),
        replaced: BTreeMap::new(),
        added: BTreeMap::new(),
    };
    writer.graph(places, parameters);
    let (nodes, mut initializers) = (writer.nodes, writer.initializers);
    let mut used: BTreeSet<&str> = nodes.iter().flat_map(|n| &n.input).map(String::as_str).collect();
    used.extend(graph.output.iter().map(|o| o.name()));
    initializers.retain(|t| used.contains(t.name()));
    let kept = graph.initializer.iter().filter(|t| used.contains(t.name()) || captured(graph, t.name()));
    let initializer = kept.cloned().chain(initializers).collect();
    // Shapes and types of intermediate values are inferred again when the model is loaded.
    model.graph = Some(GraphProto { node: nodes, initializer, value_info: Vec::new(), ..graph.clone() });
    model.producer_name = Some("rcar-iss".into());
    Ok(model)
}

/// Whether an inner graph reads this initializer.
fn captured(graph: &GraphProto, name: &str) -> bool {
    graph.node.iter().flat_map(|n| &n.attribute).flat_map(|a| a.g.iter().chain(&a.graphs)).any(|g| {
        g.node.iter().any(|n| n.input.iter().any(|i| i == name))
            || g.output.iter().any(|o| o.name() == name)
            || captured(g, name)
    })
}

struct Writer<'a> {
    network: Network<'a>,
    activations: BTreeMap<String, Activation>,
    /// Domain of the quantizers.
    domain: &'static str,
    names: Names,
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
    /// Names of the dequantized values of constants, by what they were made for.
    made: BTreeMap<String, String>,
    /// The name of a value in front of its quantizer, if it was changed.
    originals: BTreeMap<String, String>,
    /// Replacements of values in their readers.
    replaced: BTreeMap<String, String>,
    /// Biases of products that a node of its own adds, by its name: the constant, and its real values.
    added: BTreeMap<String, (String, String)>,
}

impl<'a> Writer<'a> {
    fn graph(&mut self, places: &Places, parameters: &Parameters) {
        let graph = self.network.graph;
        for input in &graph.input {
            self.quantizer(input.name());
        }
        let weights: BTreeMap<&str, &WeightPlace> =
            places.weights.iter().map(|w| (w.node.as_str(), w)).collect();
        for node in &graph.node {
            let mut written = node.clone();
            let fixed = places.fixed.contains(node.name());
            for (place, input) in written.input.iter_mut().enumerate() {
                let new = if fixed || is_steering(node, place) { &self.originals } else { &self.replaced };
                if let Some(new) = new.get(input) {
                    *input = new.clone();
                }
            }
            if let (Some(place), Some(format)) =
                (weights.get(node.name()), parameters.weights.get(node.name()))
                && let Some(input) = self.activations.get(&place.input).copied()
            {
                self.weights(&mut written, place, *format, input);
            }
            if let Some((bias, real)) = self.added.remove(node.name()) {
                written.input.iter_mut().filter(|i| **i == bias).for_each(|i| i.clone_from(&real));
            }
            for (table, _, result) in places.tables.iter().filter(|t| t.1 == node.name()) {
                if let Some(result) = self.activations.get(result).copied() {
                    self.table(&mut written, table, result);
                }
            }
            for (constant, _, beside) in places.constants.iter().filter(|c| c.1 == node.name()) {
                if let Some(beside) = self.activations.get(beside).copied() {
                    self.operand(&mut written, constant, beside);
                }
            }
            let outputs: Vec<String> =
                node.output.iter().filter(|o| self.activations.contains_key(*o)).cloned().collect();
            for output in outputs.iter().filter(|o| self.network.is_output(o)) {
                // The graph's output keeps its name, and is the quantizer's result.
                let before = self.names.own(&format!("{output}_QuantizeLinear_Input"));
                self.originals.insert(output.clone(), before.clone());
                written.output.iter_mut().filter(|o| *o == output).for_each(|o| *o = before.clone());
            }
            self.nodes.push(written);
            for output in outputs {
                self.quantizer(&output);
            }
        }
    }

    /// `QuantizeLinear → DequantizeLinear` behind a value.
    fn quantizer(&mut self, name: &str) {
        let Some(a) = self.activations.get(name).copied() else { return };
        let is_output = self.network.is_output(name) && self.network.producer(name).is_some();
        let from = self.originals.get(name).cloned().unwrap_or_else(|| name.to_string());
        let to = if is_output { name.to_string() } else { self.own(name, "_DequantizeLinear_Output") };
        let quantized = self.own(name, "_QuantizeLinear_Output");
        let [scale, zero] = self.scale(name, &[a.scale], zero_point(a), &[]);
        let mut node = |op: &str, input: &str, output: &str| NodeProto {
            input: vec![input.into(), scale.clone(), zero.clone()],
            output: vec![output.into()],
            name: Some(self.names.own(&format!("{name}_{op}"))),
            op_type: Some(op.into()),
            domain: Some(self.domain.into()),
            ..NodeProto::default()
        };
        let pair = [node("QuantizeLinear", &from, &quantized), node("DequantizeLinear", &quantized, &to)];
        self.nodes.extend(pair);
        self.replaced.insert(name.into(), to);
    }

    /// A unique name derived from another.
    fn own(&mut self, name: &str, ending: &str) -> String {
        self.names.own(&format!("{name}{ending}"))
    }

    /// Initializers of scale and zero point.
    fn scale(&mut self, name: &str, scale: &[f32], zero: Data, shape: &[usize]) -> [String; 2] {
        let [s, z] = ["_scale", "_zero_point"].map(|ending| self.own(name, ending));
        let constant = |data| Constant { name: String::new(), shape: shape.to_vec(), data };
        self.initializers.push(constant(Data::F32(scale.to_vec())).to_proto(&s));
        self.initializers.push(constant(zero).to_proto(&z));
        [s, z]
    }

    /// Integers with a DequantizeLinear; returns the name of the real values.
    fn dequantized(
        &mut self,
        name: &str,
        constant: &Constant,
        scale: &[f32],
        zero: Data,
        axis: Option<usize>,
    ) -> String {
        if let Some(output) = self.made.get(name) {
            return output.clone();
        }
        let output = self.own(name, "_DequantizeLinear_Output");
        self.made.insert(name.to_string(), output.clone());
        let axis = axis.filter(|_| scale.len() > 1);
        let shape: &[usize] = if axis.is_some() { &[scale.len()] } else { &[] };
        let quantized = self.own(name, "_quantized");
        self.initializers.push(constant.to_proto(&quantized));
        let [scale, zero] = self.scale(name, scale, zero, shape);
        let node = self.own(name, "_DequantizeLinear");
        let attribute = axis.map(|a| AttributeProto {
            name: Some("axis".into()),
            r#type: Some(AttributeType::Int as i32),
            i: Some(a as i64),
            ..AttributeProto::default()
        });
        self.nodes.push(NodeProto {
            input: vec![quantized, scale, zero],
            output: vec![output.clone()],
            name: Some(node),
            op_type: Some("DequantizeLinear".into()),
            domain: Some(self.domain.into()),
            attribute: attribute.into_iter().collect(),
            ..NodeProto::default()
        });
        output
    }

    fn weights(
        &mut self,
        node: &mut NodeProto,
        place: &WeightPlace,
        format: super::WeightFormat,
        input: Activation,
    ) {
        let Some(values) = self.network.floats(&place.weights) else { return };
        let bias = place.bias.as_ref().and_then(|b| self.network.floats(b));
        let fitting = bias.as_ref().map(|b| (b.values.as_slice(), input.scale));
        let q = weights::quantize(&values, format, place.axis, fitting);
        // Weights that several nodes share may have different formats.
        let shared = self.network.readers(&place.weights).len() > 1;
        let name = if shared { format!("{}.{}", place.weights, place.node) } else { place.weights.clone() };
        let (constant, zero) = q.beside(input.dtype);
        node.input[1] = self.dequantized(&name, &constant, &q.scale, zero, place.axis);
        if let (Some(bias), Some(of)) = (bias, &place.bias) {
            let axis = bias.shape.len().saturating_sub(1);
            let q = weights::bias(&bias, input.scale, &q.scale);
            let shared = self.network.readers(of).len() > 1;
            let name = if shared { format!("{of}.{}", place.node) } else { of.clone() };
            let zeros = Data::S32(vec![0; q.scale.len()]);
            let real = self.dequantized(&name, &q.constant, &q.scale, zeros, Some(axis));
            match &place.adder {
                Some(adder) => {
                    self.added.insert(adder.clone(), (of.clone(), real));
                }
                None => node.input[2] = real,
            }
        }
    }

    /// A table of which ids choose rows, with the parameters of its rows.
    fn table(&mut self, node: &mut NodeProto, name: &str, a: Activation) {
        let Some(values) = self.network.floats(name) else { return };
        if values.values.iter().any(|v| !v.is_finite()) {
            return;
        }
        // Nodes that share a table may have different widths.
        let shared = self.network.readers(name).len() > 1;
        let own = if shared { format!("{name}.{}", node.name()) } else { name.to_string() };
        let real = self.dequantized(&own, &weights::operand(&values, a), &[a.scale], zero_point(a), None);
        node.input[0] = real;
    }

    /// A constant operand of an element-wise operator, with the width of the tensor beside it. One that
    /// integers cannot express is not changed.
    fn operand(&mut self, node: &mut NodeProto, name: &str, beside: Activation) {
        let Some(values) = self.network.floats(name) else { return };
        let result = node.output.first().and_then(|o| self.activations.get(o)).copied();
        let limit = result.and_then(|r| masks::saturating(node, name, r.range(), |_| Some(beside.range())));
        let whole = masks::extremes(&values.values);
        let range = limit.map_or(whole, |limit| masks::within(whole, limit));
        if range.iter().any(|r| !r.is_finite()) || values.values.iter().any(|v| v.is_nan()) {
            return;
        }
        let signed = matches!(beside.dtype, DType::S8 | DType::S16);
        let bits = if beside.dtype.bytes() > 1 { 16 } else { 8 };
        let a = Activation::covering(range, ActivationFormat { bits, signed, symmetric: false });
        let cut = if range == whole { "" } else { node.name() };
        let own = format!("{name}.{}{cut}", a.dtype.name());
        let real = self.dequantized(&own, &weights::operand(&values, a), &[a.scale], zero_point(a), None);
        node.input.iter_mut().filter(|i| *i == name).for_each(|i| *i = real.clone());
    }
}

/// A zero point as a constant of the tensor's type.
pub(super) fn zero_point(a: Activation) -> Data {
    match a.dtype {
        DType::S8 => Data::S8(vec![a.zero_point as i8]),
        DType::U16 => Data::U16(vec![a.zero_point as u16]),
        DType::S16 => Data::S16(vec![a.zero_point as i16]),
        _ => Data::U8(vec![a.zero_point as u8]),
    }
}

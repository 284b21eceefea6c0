//! Simplification of the float graph: constant parts are computed, no-ops removed, and per-channel factors
//! and sums folded into the convolution before them. The function of the network stays the same, up to
//! rounding in f32.

use std::collections::{BTreeMap, BTreeSet};

use super::network::{Floats, Network, attribute, float, int};
use super::{QuantizeError, constants, gemm, noops, norms, upgrade};
use crate::onnx::is_quantized;
use crate::onnx::proto::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, ValueInfoProto, type_proto,
};
use crate::onnx::{Constant, Data, Names, defect, omit, reads, trains};

/// A simplified network, and what its nodes became.
#[derive(Debug, Clone)]
pub struct Cleaned {
    /// The network; every node has a name.
    pub model: ModelProto,
    /// Nodes that were removed, each with the reason, in the order of the graph.
    pub removed: Vec<(String, String)>,
}

/// Simplifies a float network: Constant nodes and what depends on constants alone become initializers,
/// Identity, Dropout, sums with zero and products with one are removed, BatchNormalization and sums,
/// differences, products and quotients with one constant for each channel become part of the Conv,
/// ConvTranspose or Gemm before them, and alpha and beta of Gemm become part of its constants.
///
/// # Errors
/// The model is quantized already, or has no graph.
pub fn clean(model: &ModelProto) -> Result<Cleaned, QuantizeError> {
    let mut model = model.clone();
    let Some(mut graph) = model.graph.take() else {
        return Err(QuantizeError::Model("it has no graph".into()));
    };
    if let Some(node) = graph.node.iter().find(|n| is_quantized(n.op_type())) {
        return Err(QuantizeError::Model(format!(
            "node \"{}\" is {}: it is quantized already, the float network is needed",
            node.name(),
            node.op_type()
        )));
    }
    if let Some(why) = defect(&graph, &model.opset_import) {
        return Err(QuantizeError::Model(why));
    }
    if let Some(name) = untyped(&graph) {
        return Err(QuantizeError::Model(format!("its input \"{name}\" has no element type")));
    }
    if let Some(name) = nowhere(&graph) {
        return Err(QuantizeError::Model(format!("nothing computes its output \"{name}\"")));
    }
    name_nodes(&mut graph);
    upgrade::upgrade(&mut model, &mut graph);
    let mut removed = Vec::new();
    constants(&mut graph, &mut removed);
    noops::remove(&mut graph, &mut removed);
    model.graph = Some(GraphProto::default());
    compute_constants(&model, &mut graph, &mut removed);
    noops::remove(&mut graph, &mut removed);
    let mut names = Names::of(&graph);
    exponents(&mut graph, &mut names);
    norms::sums(&mut graph, &mut names);
    gemm::plain(&mut graph, &mut names);
    while let Some(what) = fold_one(&mut graph, &mut names) {
        removed.push(what);
    }
    forget_unused(&mut graph);
    model.graph = Some(graph);
    Ok(Cleaned { model, removed })
}

/// An input that is no initializer and does not say its element type.
fn untyped(graph: &GraphProto) -> Option<&str> {
    let constant = |name: &str| graph.initializer.iter().any(|t| t.name() == name);
    let typed = |i: &ValueInfoProto| {
        i.r#type.as_ref().is_some_and(|t| match &t.value {
            Some(type_proto::Value::TensorType(t)) => t.elem_type() != 0,
            _ => true,
        })
    };
    graph.input.iter().filter(|i| !constant(i.name())).find(|i| !typed(i)).map(|i| i.name())
}

/// An output that no node, input or initializer has: some libraries crash on it.
fn nowhere(graph: &GraphProto) -> Option<&str> {
    let mut known: BTreeSet<&str> = graph.initializer.iter().map(|t| t.name()).collect();
    known.extend(graph.sparse_initializer.iter().filter_map(|t| t.values.as_ref()).map(|t| t.name()));
    known.extend(graph.input.iter().map(|i| i.name()));
    known.extend(graph.node.iter().flat_map(|n| &n.output).map(String::as_str));
    graph.output.iter().map(|o| o.name()).find(|o| !known.contains(o))
}

/// Gives every node a name of its own: type and position, as the importer of quantized models does.
fn name_nodes(graph: &mut GraphProto) {
    let mut known = BTreeSet::new();
    for (at, node) in graph.node.iter_mut().enumerate() {
        let mut name = match node.name() {
            "" => format!("{}_{at}", node.op_type()),
            given => given.to_string(),
        };
        while !known.insert(name.clone()) {
            name = format!("{name}#{at}");
        }
        node.name = Some(name);
    }
}

/// Constant nodes → initializers, which are no longer inputs.
fn constants(graph: &mut GraphProto, removed: &mut Vec<(String, String)>) {
    let mut made = Vec::new();
    graph.node.retain(|node| {
        let Some(tensor) = constant_of(node) else { return true };
        made.push(tensor);
        removed.push((node.name().into(), "a constant".into()));
        false
    });
    graph.initializer.extend(made);
    let known: BTreeSet<&str> = graph.initializer.iter().map(|t| t.name()).collect();
    let inputs: Vec<ValueInfoProto> =
        graph.input.iter().filter(|i| !known.contains(i.name())).cloned().collect();
    graph.input = inputs;
}

fn constant_of(node: &NodeProto) -> Option<TensorProto> {
    if node.op_type() != "Constant" {
        return None;
    }
    let name = node.output.first()?;
    let get = |n: &str| attribute(node, n);
    if let Some(tensor) = get("value").and_then(|a| a.t.clone()) {
        return Some(TensorProto { name: Some(name.clone()), ..tensor });
    }
    let (shape, data) = if let Some(v) = get("value_float").and_then(|a| a.f) {
        (vec![], Data::F32(vec![v]))
    } else if let Some(v) = get("value_int").and_then(|a| a.i) {
        (vec![], Data::S64(vec![v]))
    } else if let Some(a) = get("value_floats") {
        (vec![a.floats.len()], Data::F32(a.floats.clone()))
    } else {
        let a = get("value_ints")?;
        (vec![a.ints.len()], Data::S64(a.ints.clone()))
    };
    Some(Constant { name: name.clone(), shape, data }.to_proto(name))
}

/// Computes nodes whose inputs are all constant. Nodes that the float library cannot run stay.
fn compute_constants(model: &ModelProto, graph: &mut GraphProto, removed: &mut Vec<(String, String)>) {
    let mut known: BTreeMap<String, TensorProto> =
        graph.initializer.iter().map(|t| (t.name().to_string(), t.clone())).collect();
    let outputs: BTreeSet<String> = graph.output.iter().map(|o| o.name().to_string()).collect();
    let mut kept = Vec::new();
    let mut read = BTreeSet::new();
    reads(graph, &mut read);
    let own = |o: &&OperatorSetIdProto| matches!(o.domain(), "" | "ai.onnx");
    let opset = model.opset_import.iter().find(own).map_or(1, OperatorSetIdProto::version);
    for node in std::mem::take(&mut graph.node) {
        let constant = !node.input.is_empty()
            && node.input.iter().all(|i| i.is_empty() || known.contains_key(i))
            && node.attribute.iter().all(|a| a.g.is_none())
            && node.output.iter().all(|o| !outputs.contains(o))
            && !node.op_type().starts_with("Random");
        let plain = || {
            let mut node = node.clone();
            omit(&mut node, opset, &read);
            node
        };
        match constant.then(|| constants::computed(model, &plain(), &known)).flatten() {
            Some(results) => {
                removed.push((node.name().into(), "it depends on constants alone".into()));
                graph.initializer.extend(results.iter().cloned());
                known.extend(results.into_iter().map(|t| (t.name().to_string(), t)));
            }
            None => kept.push(node),
        }
    }
    graph.node = kept;
}

/// Constant integer exponents of floats become floats, so that a Pow is a function like others.
fn exponents(graph: &mut GraphProto, names: &mut Names) {
    let mut made = Vec::new();
    let floats = |name: &String| {
        let tensor = graph.initializer.iter().find(|t| t.name() == name)?;
        let constant = Constant::read(tensor).ok()?;
        let (Data::S32(_) | Data::S64(_)) = constant.data else { return None };
        let values = constant.integers()?.iter().map(|v| *v as f32).collect();
        Some(Floats { shape: constant.shape, values })
    };
    let network = Network::of(graph);
    let mut changed = Vec::new();
    for (at, node) in graph.node.iter().enumerate().filter(|(_, n)| n.op_type() == "Pow") {
        let base = node.input.first().is_some_and(|i| network.is_float(i));
        if let Some(values) = node.input.get(1).filter(|_| base).and_then(floats) {
            let name = names.own(&format!("{}.float", node.input[1]));
            made.push(values.to_proto(&name));
            changed.push((at, name));
        }
    }
    for (at, name) in changed {
        graph.node[at].input[1] = name;
    }
    graph.initializer.extend(made);
}

/// `y = factor · x + shift`, with a factor and a shift for each channel.
struct Affine {
    factor: Vec<f64>,
    shift: Vec<f64>,
}

/// Folds the first possible node into the one before it; returns its name and a description.
fn fold_one(graph: &mut GraphProto, names: &mut Names) -> Option<(String, String)> {
    let network = Network::of(graph);
    let found = graph.node.iter().enumerate().find_map(|(at, node)| {
        let data = node.input.iter().position(|i| !network.is_constant(i))?;
        let before = network.producer(&node.input[data])?;
        let mac = &graph.node[before];
        let alone = network.readers(&node.input[data]).len() == 1 && !network.is_output(&node.input[data]);
        if !alone || !matches!(mac.op_type(), "Conv" | "ConvTranspose" | "Gemm") {
            return None;
        }
        let layout = MacLayout::of(&network, mac)?;
        let affine = affine(&network, node, data, &layout)?;
        let bias = match mac.input.get(2).filter(|b| !b.is_empty()) {
            Some(name) => network.floats(name)?.values,
            None => vec![0.0; layout.channels],
        };
        let bias: Vec<f32> = match bias.len() {
            1 => vec![bias[0]; layout.channels],
            n if n == layout.channels => bias,
            _ => return None,
        };
        let mut weights = network.floats(&mac.input[1])?;
        for (i, w) in weights.values.iter_mut().enumerate() {
            *w = (f64::from(*w) * affine.factor[layout.channel(i)]) as f32;
        }
        let bias = (0..layout.channels)
            .map(|c| (f64::from(bias[c]) * affine.factor[c] + affine.shift[c]) as f32)
            .collect();
        Some((at, before, weights, Floats { shape: vec![layout.channels], values: bias }))
    });
    let (at, before, weights, bias) = found?;
    let folded = graph.node[at].clone();
    let mac_name = graph.node[before].name().to_string();
    let w = names.own(&format!("{mac_name}.folded_weight"));
    let b = names.own(&format!("{mac_name}.folded_bias"));
    graph.initializer.push(weights.to_proto(&w));
    graph.initializer.push(bias.to_proto(&b));
    let mac = &mut graph.node[before];
    mac.input.truncate(1);
    mac.input.extend([w, b]);
    mac.output = vec![folded.output[0].clone()];
    graph.node.remove(at);
    forget_unused(graph);
    Some((folded.name().into(), format!("it is part of \"{mac_name}\"")))
}

/// The output channel of each weight.
struct MacLayout {
    channels: usize,
    rank: usize,
    /// Weight index → channel is `group(i) · part + i / inner % part`.
    inner: usize,
    part: usize,
    group: usize,
}

impl MacLayout {
    fn of(network: &Network, mac: &NodeProto) -> Option<MacLayout> {
        let weights = network.floats(mac.input.get(1)?)?;
        let inner = |axis: usize| weights.shape.iter().skip(axis + 1).product::<usize>().max(1);
        let whole = weights.values.len().max(1);
        Some(match mac.op_type() {
            "Conv" => {
                let part = *weights.shape.first()?;
                MacLayout { channels: part, rank: weights.shape.len(), inner: inner(0), part, group: whole }
            }
            "ConvTranspose" => {
                let groups = usize::try_from(int(mac, "group", 1)).ok().filter(|g| *g > 0)?;
                let part = *weights.shape.get(1)?;
                MacLayout {
                    channels: part * groups,
                    rank: weights.shape.len(),
                    inner: inner(1),
                    part,
                    group: whole / groups,
                }
            }
            _ if weights.shape.len() == 2 && int(mac, "transA", 0) == 0 => {
                let axis = usize::from(int(mac, "transB", 0) == 0);
                let part = weights.shape[axis];
                MacLayout { channels: part, rank: 2, inner: inner(axis), part, group: whole }
            }
            _ => return None,
        })
    }

    /// The output channel of the weight at this index.
    fn channel(&self, at: usize) -> usize {
        at / self.group.max(1) * self.part + at / self.inner % self.part
    }
}

/// The effect of a node on each channel of its input, if it is affine.
fn affine(network: &Network, node: &NodeProto, data: usize, layout: &MacLayout) -> Option<Affine> {
    let c = layout.channels;
    if node.op_type() == "BatchNormalization" {
        // In training mode, its mean and variance are those of its input.
        if trains(node) {
            return None;
        }
        let epsilon = f64::from(float(node, "epsilon", 1e-5));
        let get =
            |i: usize| network.floats(node.input.get(i)?).filter(|f| f.values.len() == c).map(|f| f.values);
        let (gamma, beta, mean, variance) = (get(1)?, get(2)?, get(3)?, get(4)?);
        let factor: Vec<f64> =
            (0..c).map(|i| f64::from(gamma[i]) / (f64::from(variance[i]) + epsilon).sqrt()).collect();
        let shift = (0..c).map(|i| f64::from(beta[i]) - f64::from(mean[i]) * factor[i]).collect();
        return Some(Affine { factor, shift });
    }
    let [_, _] = node.input.as_slice() else { return None };
    let constant = network.floats(&node.input[1 - data])?;
    // Broadcasting may add an axis; the result must keep the shape of the data.
    if constant.shape.len() > layout.rank {
        return None;
    }
    let offset = layout.rank - constant.shape.len();
    let fits = constant.shape.iter().enumerate().all(|(i, d)| *d == 1 || (i + offset == 1 && *d == c));
    if !fits {
        return None;
    }
    let value = |i: usize| {
        f64::from(if constant.values.len() == 1 { constant.values[0] } else { constant.values[i] })
    };
    let all = |f: &dyn Fn(usize) -> f64| (0..c).map(f).collect::<Vec<f64>>();
    Some(match (node.op_type(), data) {
        ("Add", _) => Affine { factor: vec![1.0; c], shift: all(&value) },
        ("Sub", 0) => Affine { factor: vec![1.0; c], shift: all(&|i| -value(i)) },
        ("Mul", _) => Affine { factor: all(&value), shift: vec![0.0; c] },
        ("Div", 0) if (0..c).all(|i| value(i) != 0.0) => {
            Affine { factor: all(&|i| 1.0 / value(i)), shift: vec![0.0; c] }
        }
        _ => return None,
    })
}

/// Removes unused initializers, and nodes whose results are unused.
fn forget_unused(graph: &mut GraphProto) {
    fn read(nodes: &[NodeProto], into: &mut BTreeSet<String>) {
        for node in nodes {
            into.extend(node.input.iter().cloned());
            for branch in node.attribute.iter().filter_map(|a| a.g.as_ref()) {
                read(&branch.node, into);
                into.extend(branch.output.iter().map(|o| o.name().to_string()));
            }
        }
    }
    loop {
        let mut used: BTreeSet<String> = graph.output.iter().map(|o| o.name().to_string()).collect();
        read(&graph.node, &mut used);
        let before = graph.node.len();
        graph.node.retain(|n| n.output.iter().any(|o| used.contains(o)));
        if graph.node.len() == before {
            graph.initializer.retain(|t| used.contains(t.name()));
            return;
        }
    }
}

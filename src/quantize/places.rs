//! Where quantizers are needed: which tensors are integers, which of them share their parameters, which
//! constants are weights.
//!
//! A tensor is quantized if an operator of the accelerator reads or writes it, unless it is used as extents
//! or positions. Three exceptions make the result both more accurate and faster: the result of an operator
//! whose only reader is a Relu or Clip (the range is that of the latter's result); values inside a chain of
//! functions of one tensor (the chain is one table); and tensors beside nodes that stay float.

use std::collections::{BTreeMap, BTreeSet};

use super::exact::{Exact, exact};
use super::network::{Network, int};
use crate::onnx::proto::{GraphProto, NodeProto};
use crate::onnx::{Role, role, trains};

/// A node with constant weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightPlace {
    /// Name of the node.
    pub node: String,
    /// The initializer.
    pub weights: String,
    /// Axis of its output channels; `None` if only one scale for all is possible.
    pub axis: Option<usize>,
    /// The bias, if there is a constant one.
    pub bias: Option<String>,
    /// The Add behind a MatMul that adds its bias, by name.
    pub adder: Option<String>,
    /// The activation that the weights are multiplied with.
    pub input: String,
}

/// Where quantizers are needed in a network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// Quantized tensors in the order of the graph, each with the tensor whose parameters it uses (itself, or
    /// the one that its values come from).
    pub tensors: Vec<(String, String)>,
    /// Nodes with weights, in the order of the graph.
    pub weights: Vec<WeightPlace>,
    /// Constants that operators of two tensors, or those that join tensors, read, each with the node that
    /// reads it and the tensor beside it.
    pub constants: Vec<(String, String, String)>,
    /// Constant tables of which ids choose rows, each with the node that does it and its result, whose
    /// integers are those of the table.
    pub tables: Vec<(String, String, String)>,
    /// Nodes whose results depend on constants and shapes alone: they read values before quantization, even
    /// if other readers get quantized ones.
    pub fixed: BTreeSet<String>,
}

impl Places {
    /// Finds the places in a [cleaned](super::clean) graph. Nodes in `skip` stay float.
    #[must_use]
    pub fn of(graph: &GraphProto, skip: &BTreeSet<String>) -> Places {
        let network = Network::of(graph);
        let exact = exact(&network);
        let mut kinds: Vec<Kind> = graph
            .node
            .iter()
            .zip(&exact)
            .map(|(n, exact)| if *exact == Exact::No { kind(&network, n, skip) } else { Kind::Float })
            .collect();
        for (at, node) in graph.node.iter().enumerate() {
            if let (Kind::Weights(_), Some((add, _))) = (kinds[at], adder(&network, node))
                && kinds[add] == Kind::Operator
            {
                kinds[add] = Kind::Bias;
            }
        }
        let quantized = quantized(&network, &kinds);
        let mut places = Places::default();
        let fixed = graph.node.iter().zip(&exact).filter(|(_, exact)| **exact == Exact::Fixed);
        places.fixed = fixed.map(|(n, _)| n.name().to_string()).collect();
        let mut source: BTreeMap<&str, &str> = BTreeMap::new();
        let values = graph
            .input
            .iter()
            .map(|i| i.name())
            .chain(graph.node.iter().flat_map(|n| &n.output).map(String::as_str));
        for name in values.filter(|v| quantized.contains(v)) {
            let from = network.producer(name).filter(|at| kinds[*at] == Kind::Move);
            let input = from.and_then(|at| graph.node[at].input.first());
            let of = input.and_then(|i| source.get(i.as_str()).copied()).unwrap_or(name);
            source.insert(name, of);
            places.tensors.push((name.into(), of.into()));
        }
        for (node, kind) in graph.node.iter().zip(&kinds) {
            match kind {
                Kind::Weights(axis) => {
                    let adder = adder(&network, node).filter(|(at, _)| kinds[*at] == Kind::Bias);
                    let own = || node.input.get(2).filter(|b| !b.is_empty()).cloned();
                    places.weights.push(WeightPlace {
                        node: node.name().into(),
                        weights: node.input[1].clone(),
                        axis: *axis,
                        bias: adder.as_ref().map_or_else(own, |(_, bias)| Some(bias.clone())),
                        adder: adder.map(|(at, _)| graph.node[at].name().into()),
                        input: node.input[0].clone(),
                    });
                }
                Kind::Move => places.tables.extend(table(&network, node, &quantized)),
                Kind::Operator => {
                    let beside = node.input.iter().find(|i| quantized.contains(i.as_str()));
                    for input in node.input.iter().filter(|i| joins(node) && network.rank(i).is_some()) {
                        if let Some(beside) = beside {
                            places.constants.push((input.clone(), node.name().into(), beside.clone()));
                        }
                    }
                }
                _ => {}
            }
        }
        places
    }

    /// The tensors with parameters of their own.
    pub fn own(&self) -> impl Iterator<Item = &str> {
        self.tensors.iter().filter(|(t, of)| t == of).map(|(t, _)| t.as_str())
    }
}

/// Whether constants beside a tensor are operands like it.
fn joins(node: &NodeProto) -> bool {
    role(node) == Some(Role::Pair) || node.op_type() == "Concat"
}

/// The role of a node for the quantizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Stays float, or computes integers.
    Float,
    /// A function of one float tensor, or of one and a number.
    Function,
    /// An operator of two tensors, which is a function if both are functions of one.
    Pair,
    /// Its results are values of its input.
    Move,
    /// Has constant weights, with channels along this axis.
    Weights(Option<usize>),
    /// Adds the bias of the MatMul before it, and is one operator with it.
    Bias,
    /// Any other operator of the accelerator.
    Operator,
}

fn kind(network: &Network, node: &NodeProto, skip: &BTreeSet<String>) -> Kind {
    let op = node.op_type();
    let float = node.input.first().is_some_and(|i| network.is_float(i));
    // In training mode a BatchNormalization measures its input, and a Dropout drops values.
    let trains = trains(node) || op == "Dropout" && node.input.get(2).is_some_and(|i| !i.is_empty());
    let role = role(node).filter(|_| !skip.contains(node.name()) && float && !trains);
    let constant = |i: usize| node.input.get(i).is_none_or(|n| n.is_empty() || network.is_constant(n));
    let rank = |i: usize| node.input.get(i).and_then(|n| network.rank(n));
    match role {
        Some(Role::Function) if op == "Clip" && !(constant(1) && constant(2)) => Kind::Float,
        Some(Role::Function) => Kind::Function,
        Some(Role::Pair) => {
            let tensors = node.input.iter().filter(|i| !network.is_number(i)).count();
            match (tensors, node.input.len()) {
                (0, _) => Kind::Float,
                (1, _) => Kind::Function,
                (2, 2) if node.input.iter().all(|i| !network.is_constant(i)) => Kind::Pair,
                _ => Kind::Operator,
            }
        }
        Some(Role::Move) if op == "Resize" && mode(node) == "cubic" => Kind::Float,
        Some(Role::Move) => Kind::Move,
        Some(Role::Product) => match op {
            "Conv" if rank(1).is_some() && constant(2) => Kind::Weights(Some(0)),
            "ConvTranspose" if rank(1).is_some() && constant(2) => {
                Kind::Weights((int(node, "group", 1) == 1).then_some(1))
            }
            "Gemm" if rank(1).is_some() && constant(2) && int(node, "transA", 0) == 0 => {
                Kind::Weights(Some(usize::from(int(node, "transB", 0) == 0)))
            }
            "MatMul" if rank(1) == Some(2) => Kind::Weights(Some(1)),
            "MatMul" if rank(1).is_none() => Kind::Operator,
            _ => Kind::Float,
        },
        Some(Role::Whole) => Kind::Operator,
        Some(Role::Plain | Role::Quantized) | None => Kind::Float,
    }
}

/// The constant table of which a node chooses rows by computed ids, the node, and its result.
fn table(
    network: &Network,
    node: &NodeProto,
    quantized: &BTreeSet<&str>,
) -> Option<(String, String, String)> {
    let ([table, ids], [result], "Gather") = (&node.input[..], &node.output[..], node.op_type()) else {
        return None;
    };
    let chosen = network.shape(table).is_some() && !network.is_constant(ids);
    (chosen && quantized.contains(result.as_str()))
        .then(|| (table.clone(), node.name().to_string(), result.clone()))
}

/// The node that adds a bias to a MatMul with constant weights, and that bias: one number for each column.
fn adder(network: &Network, node: &NodeProto) -> Option<(usize, String)> {
    let product = node.output.first().filter(|_| node.op_type() == "MatMul")?;
    let &[at] = network.readers(product) else { return None };
    let add = &network.graph.node[at];
    let ([a, b], "Add", false) = (add.input.as_slice(), add.op_type(), network.is_output(product)) else {
        return None;
    };
    let columns = *network.shape(node.input.get(1)?)?.last()?;
    let bias = if a == product { b } else { a };
    // Not by a shape of more axes than the product has: it would have them too.
    let [leading @ .., last] = network.shape(bias)? else { return None };
    let row = leading.len() < 2 && leading.iter().all(|d| *d == 1) && *last == columns && columns > 1;
    (row && network.is_float(bias)).then(|| (at, bias.clone()))
}

fn mode(node: &NodeProto) -> String {
    let value = super::network::attribute(node, "mode").and_then(|a| a.s.clone()).unwrap_or_default();
    String::from_utf8_lossy(&value).into_owned()
}

/// The tensors that get a quantizer: those that must have one, and those that a function needs.
fn quantized<'a>(network: &Network<'a>, kinds: &[Kind]) -> BTreeSet<&'a str> {
    let graph = network.graph;
    let mut quantized: BTreeSet<&'a str> = BTreeSet::new();
    loop {
        let before = quantized.len();
        // The tensor that each value is a function of.
        let mut root: BTreeMap<&'a str, &'a str> = BTreeMap::new();
        let mut function = vec![false; graph.node.len()];
        for (at, node) in graph.node.iter().enumerate() {
            let roots: Vec<&'a str> = node
                .input
                .iter()
                .filter(|i| !i.is_empty() && !network.is_constant(i))
                .map(|i| root.get(i.as_str()).copied().unwrap_or(i.as_str()))
                .collect();
            let one = roots.first().copied().filter(|r| roots.iter().all(|other| other == r));
            let Some(of) = one.filter(|_| matches!(kinds[at], Kind::Function | Kind::Pair)) else { continue };
            function[at] = true;
            if let Some(output) = node.output.first()
                && !quantized.contains(output.as_str())
                && !after_operator(network, kinds, at)
            {
                root.insert(output, of);
            }
        }
        let values = graph
            .input
            .iter()
            .map(|i| i.name())
            .chain(graph.node.iter().flat_map(|n| &n.output).map(String::as_str));
        for name in values.filter(|v| network.is_float(v) && !network.is_constant(v)) {
            let writer = network.producer(name);
            let readers = network.readers(name);
            let by_us = writer.is_some_and(|at| kinds[at] != Kind::Float);
            let for_us = readers.iter().any(|at| kinds[*at] != Kind::Float);
            if !by_us && !for_us {
                continue;
            }
            let inside = root.contains_key(name);
            let absorbed =
                !readers.is_empty() && !network.is_output(name) && readers.iter().all(|at| function[*at]);
            let bounded = is_bounded(network, kinds, name);
            let biased = matches!(readers, [at] if kinds[*at] == Kind::Bias);
            // The first tensor of a chain is always quantized, unless a bound or a bias follows its operator.
            let needed = if inside { !absorbed } else { !bounded && !biased };
            if needed {
                quantized.insert(name);
            }
        }
        if quantized.len() == before {
            return quantized;
        }
    }
}

/// Whether a value is the result of an operator that only a Relu or Clip reads.
fn is_bounded(network: &Network, kinds: &[Kind], name: &str) -> bool {
    let Some(writer) = network.producer(name) else { return false };
    // Integers must come from an operator with a requantization of its own.
    let node = &network.graph.node[writer];
    let operator = match kinds[writer] {
        Kind::Weights(_) | Kind::Pair | Kind::Bias => true,
        Kind::Operator => matches!(role(node), Some(Role::Pair | Role::Product)),
        _ => false,
    };
    let [reader] = network.readers(name) else { return false };
    operator
        && !network.is_output(name)
        && kinds[*reader] == Kind::Function
        && matches!(network.graph.node[*reader].op_type(), "Relu" | "Clip")
}

/// Whether a node is a Relu or Clip that is absorbed by the operator before it.
fn after_operator(network: &Network, kinds: &[Kind], at: usize) -> bool {
    let node = &network.graph.node[at];
    matches!(node.op_type(), "Relu" | "Clip")
        && node.input.first().is_some_and(|i| is_bounded(network, kinds, i))
}

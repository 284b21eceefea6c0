//! What is known about a graph's values during rewriting.

use std::collections::{BTreeMap, BTreeSet};

use super::attributes::attribute;
use crate::onnx::proto::{GraphProto, NodeProto, TensorProto};
use crate::onnx::{Constant, Data};

/// What is known about values.
#[derive(Clone, Default)]
pub(super) struct Known {
    /// Extents of constants.
    pub(super) constants: BTreeMap<String, Vec<i64>>,
    pub(super) ranks: BTreeMap<String, usize>,
    /// Values of short lists of floats that are constant.
    pub(super) numbers: BTreeMap<String, Vec<f32>>,
    /// The least and the greatest element of constants that are scales: finite floats.
    pub(super) scales: BTreeMap<String, [f32; 2]>,
    /// Sums of products, and sums of those, which are finite if the network's inputs are.
    pub(super) sums: BTreeSet<String>,
}

/// The longest list whose values are kept.
const SHORT: i64 = 8;

impl Known {
    /// Notes a constant.
    pub(super) fn constant(&mut self, name: &str, tensor: &TensorProto) {
        self.constants.insert(name.into(), tensor.dims.clone());
        if matches!(tensor.dims[..], [n] if n <= SHORT)
            && let Ok(Constant { data: Data::F32(values), .. }) = Constant::read(tensor)
        {
            self.numbers.insert(name.into(), values);
        }
    }

    pub(super) fn rank(&self, name: Option<&String>) -> Option<usize> {
        let name = name?;
        self.constants.get(name).map(Vec::len).or_else(|| self.ranks.get(name).copied())
    }

    /// Records the constants that quantizers of a graph use as scales.
    pub(super) fn scales(&mut self, graph: &GraphProto) {
        let mut wanted = BTreeSet::new();
        quantizers(graph, &mut wanted);
        let constants = graph.node.iter().filter(|n| n.op_type() == "Constant");
        let values =
            constants.filter_map(|n| Some((n.output.first()?.as_str(), attribute(n, "value")?.t.as_ref()?)));
        let initializers = graph.initializer.iter().map(|t| (t.name(), t));
        for (name, tensor) in initializers.chain(values).filter(|(name, _)| wanted.contains(name)) {
            let Ok(Constant { data: Data::F32(scales), .. }) = Constant::read(tensor) else { continue };
            let least = scales.iter().copied().fold(f32::INFINITY, f32::min);
            let most = scales.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            if scales.iter().all(|s| s.is_finite()) && !scales.is_empty() {
                self.scales.insert(name.into(), [least, most]);
            }
        }
    }

    pub(super) fn see(&mut self, node: &NodeProto) {
        let Some(output) = node.output.first() else { return };
        if matches!(
            node.op_type(),
            "Conv" | "ConvTranspose" | "Gemm" | "MatMul" | "BatchNormalization" | "Add"
        ) {
            self.sums.insert(output.clone());
        }
        if node.op_type() == "Constant"
            && let Some(tensor) = attribute(node, "value").and_then(|a| a.t.as_ref())
        {
            self.constant(output, tensor);
        } else if let Some(rank) = self.rank_of(node) {
            self.ranks.entry(output.clone()).or_insert(rank);
        }
    }

    /// The rank of a node's result. Not every operator is supported: this is for weights that are computed.
    pub(super) fn rank_of(&self, node: &NodeProto) -> Option<usize> {
        let of = |at: usize| self.rank(node.input.get(at));
        match node.op_type() {
            "QuantizeLinear" | "DequantizeLinear" | "Cast" | "Identity" | "Transpose" | "Relu" | "Clip"
            | "Tanh" | "Sigmoid" | "Sqrt" | "Neg" | "Abs" | "Exp" | "Sign" | "BatchNormalization"
            | "Conv" | "ConvTranspose" | "MaxPool" | "AveragePool" | "Pad" | "Slice" | "Concat"
            | "Softmax" | "Tile" => of(0),
            "Add" | "Sub" | "Mul" | "Div" | "Pow" => Some(of(0)?.max(of(1)?)),
            "Reshape" => match self.constants.get(node.input.get(1)?)?[..] {
                [rank] => usize::try_from(rank).ok(),
                _ => None,
            },
            "Unsqueeze" => {
                let listed = attribute(node, "axes").map(|a| a.ints.len());
                let axes = listed.or_else(|| match self.constants.get(node.input.get(1)?)?[..] {
                    [axes] => usize::try_from(axes).ok(),
                    _ => None,
                });
                Some(of(0)? + axes?)
            }
            _ => None,
        }
    }
}

/// Collects the scales of a graph's quantizers, including those of the graphs inside its nodes.
fn quantizers<'g>(graph: &'g GraphProto, scales: &mut BTreeSet<&'g str>) {
    for node in &graph.node {
        if node.op_type() == "QuantizeLinear" {
            scales.extend(node.input.get(1).map(String::as_str));
        }
        node.attribute.iter().flat_map(|a| a.g.iter().chain(&a.graphs)).for_each(|g| quantizers(g, scales));
    }
}

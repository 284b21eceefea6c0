//! What is known of a graph's values on the way through it.

use std::collections::{BTreeMap, BTreeSet};

use super::attributes::attribute;
use crate::onnx::proto::NodeProto;

/// What is known of values.
#[derive(Clone, Default)]
pub(super) struct Known {
    /// Extents of constants.
    pub(super) constants: BTreeMap<String, Vec<i64>>,
    pub(super) ranks: BTreeMap<String, usize>,
    /// Sums of products, and sums of those: numbers where a network's inputs are.
    pub(super) sums: BTreeSet<String>,
}

impl Known {
    pub(super) fn rank(&self, name: Option<&String>) -> Option<usize> {
        let name = name?;
        self.constants.get(name).map(Vec::len).or_else(|| self.ranks.get(name).copied())
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
            self.constants.insert(output.clone(), tensor.dims.clone());
        } else if let Some(rank) = self.rank_of(node) {
            self.ranks.entry(output.clone()).or_insert(rank);
        }
    }

    /// The rank of what a node computes. It need not be known of every operator: this is for weights that are computed.
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

//! Broadcasting of more than four axes, which is what the machine's descriptors have: neighbouring axes along
//! which every operand does the same become one. Where that leaves more than four, an operand is repeated in
//! memory.

use std::collections::BTreeSet;

use super::ir::{Graph, MoveAxis, MoveBox, Node, Op, Tensor, TensorId};

/// Axes that a descriptor has.
const MOST_AXES: usize = 4;

/// Rewrites element-wise operators whose operands broadcast along more axes than the machine has.
pub fn narrow(graph: &mut Graph) {
    let mut names: BTreeSet<String> = graph.nodes.iter().map(|n| n.name.clone()).collect();
    names.extend(graph.tensors.iter().map(|t| t.name.clone()));
    let mut rewriter = Rewriter { names, nodes: Vec::with_capacity(graph.nodes.len()) };
    for node in std::mem::take(&mut graph.nodes) {
        let elementwise = matches!(node.op, Op::Add { .. } | Op::Mul { .. } | Op::Lane { .. });
        let whole = node.outputs.first().map(|id| graph.tensor(*id).shape.clone()).unwrap_or_default();
        let broadcast = node.inputs.iter().any(|id| graph.tensor(*id).shape != whole);
        if elementwise && broadcast && whole.len() > MOST_AXES {
            rewriter.narrow(graph, node, &whole);
        } else {
            rewriter.nodes.push(node);
        }
    }
    graph.nodes = rewriter.nodes;
}

struct Rewriter {
    /// Those of layers and tensors.
    names: BTreeSet<String>,
    nodes: Vec<Node>,
}

/// Axes of a result that became one: their elements, and which operands have them.
struct Merged {
    extent: usize,
    has: Vec<bool>,
}

/// The axes of `whole`, merged where all operands either have both or repeat along both.
fn merged(whole: &[usize], operands: &[Vec<usize>]) -> Vec<Merged> {
    let mut all: Vec<Merged> = Vec::new();
    for (axis, &extent) in whole.iter().enumerate().filter(|(_, extent)| **extent != 1) {
        let has_it = |shape: &Vec<usize>| {
            (axis + shape.len()).checked_sub(whole.len()).is_some_and(|own| shape[own] == extent)
        };
        let has: Vec<bool> = operands.iter().map(has_it).collect();
        match all.last_mut() {
            Some(last) if last.has == has => last.extent *= extent,
            _ => all.push(Merged { extent, has }),
        }
    }
    all
}

impl Rewriter {
    fn name(&mut self, wish: &str) -> String {
        let mut name = wish.to_string();
        let mut number = 1;
        while !self.names.insert(name.clone()) {
            number += 1;
            name = format!("{wish}#{number}");
        }
        name
    }

    /// Adds a layer that no ONNX node stands for.
    fn layer(
        &mut self,
        graph: &mut Graph,
        of: &Node,
        op: Op,
        input: TensorId,
        shape: Vec<usize>,
    ) -> TensorId {
        let what = op.kind();
        let name = self.name(&format!("{}.{}", graph.tensor(input).name, what));
        let tensor = Tensor { name, shape, ..graph.tensor(input).clone() };
        let output = TensorId(graph.tensors.len() as u32);
        graph.tensors.push(tensor);
        let name = self.name(&format!("{}.{what}", of.name));
        self.nodes.push(Node {
            name,
            op,
            inputs: vec![input],
            outputs: vec![output],
            onnx_nodes: Vec::new(),
        });
        output
    }

    fn narrow(&mut self, graph: &mut Graph, mut node: Node, whole: &[usize]) {
        let mut shapes: Vec<Vec<usize>> =
            node.inputs.iter().map(|id| graph.tensor(*id).shape.clone()).collect();
        let mut repeated = vec![false; shapes.len()];
        let mut axes = merged(whole, &shapes);
        while axes.len() > MOST_AXES {
            // The operand that leaves the fewest axes once it is as large as the result.
            let left = |i: usize| {
                let mut without = shapes.clone();
                without[i] = whole.to_vec();
                merged(whole, &without).len()
            };
            let open = (0..shapes.len()).filter(|i| shapes[*i] != whole);
            let Some(next) = open.min_by_key(|i| left(*i)) else { break };
            shapes[next] = whole.to_vec();
            repeated[next] = true;
            axes = merged(whole, &shapes);
        }
        for i in 0..node.inputs.len() {
            if repeated[i] {
                node.inputs[i] = self.repeat(graph, &node, node.inputs[i], whole);
            }
            let shape = axes.iter().map(|a| if a.has[i] { a.extent } else { 1 }).collect();
            node.inputs[i] = self.layer(graph, &node, Op::Reshape, node.inputs[i], shape);
        }
        let Some(&output) = node.outputs.first() else { return };
        let shape = axes.iter().map(|a| a.extent).collect();
        let name = self.name(&format!("{}.merged", graph.tensor(output).name));
        let tensor = Tensor { name, shape, ..graph.tensor(output).clone() };
        let narrow = TensorId(graph.tensors.len() as u32);
        graph.tensors.push(tensor);
        node.outputs = vec![narrow];
        let name = self.name(&format!("{}.result", node.name));
        self.nodes.push(node);
        self.nodes.push(Node {
            name,
            op: Op::Reshape,
            inputs: vec![narrow],
            outputs: vec![output],
            onnx_nodes: Vec::new(),
        });
    }

    /// An operand as large as the result.
    fn repeat(&mut self, graph: &mut Graph, node: &Node, operand: TensorId, whole: &[usize]) -> TensorId {
        let own = graph.tensor(operand).shape.clone();
        let mut padded = vec![1; whole.len() - own.len()];
        padded.extend(own);
        let steps = |(axis, extent): (usize, &usize)| MoveAxis {
            extent: *extent,
            from: (axis, i64::from(padded[axis] == *extent)),
            to: (axis, 1),
        };
        let axes = whole.iter().enumerate().map(steps).collect();
        let start = vec![0; whole.len()];
        let boxes = vec![MoveBox { from: start.clone(), to: start, axes }];
        let same_rank = self.layer(graph, node, Op::Reshape, operand, padded.clone());
        let op = Op::Move { what: "expand".into(), boxes, fill: None };
        self.layer(graph, node, op, same_rank, whole.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extents(whole: &[usize], operands: &[&[usize]]) -> Vec<usize> {
        let operands: Vec<Vec<usize>> = operands.iter().map(|s| s.to_vec()).collect();
        merged(whole, &operands).iter().map(|a| a.extent).collect()
    }

    #[test]
    fn neighbours_with_the_same_operands_are_one_axis() {
        assert_eq!(extents(&[2, 3, 4, 5, 6], &[&[2, 3, 4, 5, 6], &[4, 1, 1]]), [6, 4, 30]);
        assert_eq!(extents(&[2, 1, 4, 5, 6], &[&[2, 1, 4, 5, 6], &[1]]), [240]);
        assert_eq!(extents(&[2, 3, 2, 3, 2], &[&[2, 1, 2, 1, 2], &[2, 3, 2, 3, 2]]), [2, 3, 2, 3, 2]);
    }
}

//! Rows of constant tables that ids choose.

use rcar_iss::internals::graph::{DType, Graph, Op, Tensor};

use super::build::GraphBuilder;
use crate::random::build::Random;

/// A gather by one id, a list or a matrix of them, and a sum behind it.
pub(super) fn graph(seed: u64) -> Graph {
    let name = format!("rows{seed}");
    let mut b = GraphBuilder { random: Random::new(seed), graph: Graph { name, ..Graph::default() } };
    let [rows, columns] = [b.random.within(1, 300) as usize, b.channels()];
    let table = b.constant(&[rows, columns]);
    let outer: Vec<usize> = (0..b.random.within(0, 3)).map(|_| b.random.within(1, 40) as usize).collect();
    let dtype = b.random.pick(&[DType::S32, DType::S64]);
    let ids = b.add(Tensor { name: String::new(), shape: outer.clone(), dtype, quant: None });
    b.graph.inputs.push(ids);
    let mut shape = outer;
    shape.push(columns);
    let t = b.graph.tensor(table).clone();
    let mut at = b.node(Op::Gather, vec![table, ids], Tensor { shape: shape.clone(), ..t });
    match b.random.within(0, 3) {
        0 => {
            let other = b.constant(&shape);
            let y = b.formatted(&shape);
            let clamp = b.clamp(&y);
            at = b.node(Op::Add { clamp }, vec![at, other], y);
        }
        1 => {
            let flat = Tensor { shape: vec![shape.iter().product()], ..b.graph.tensor(at).clone() };
            at = b.node(Op::Reshape, vec![at], flat);
        }
        _ => {}
    }
    b.graph.outputs.push(at);
    b.graph
}

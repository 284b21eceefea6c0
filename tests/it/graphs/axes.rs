//! Operands that broadcast along more axes than the machine has.

use rcar_iss::internals::graph::{Graph, LaneStep, Op, TensorId};
use rcar_iss::internals::isa::Float2;

use super::build::GraphBuilder;
use crate::random::build::Random;

/// A sum, a product or a float expression of two tensors of five axes or more.
pub(super) fn graph(seed: u64) -> Graph {
    let name = format!("axes{seed}");
    let mut b = GraphBuilder { random: Random::new(seed), graph: Graph { name, ..Graph::default() } };
    let rank = b.random.within(5, 8) as usize;
    let whole: Vec<usize> = (0..rank).map(|_| b.random.within(1, 5) as usize).collect();
    let (mut left, mut right) = (whole.clone(), whole.clone());
    for axis in 0..rank {
        match b.random.within(0, 4) {
            0 => left[axis] = 1,
            1 => right[axis] = 1,
            _ => {}
        }
    }
    // Axes of one in front need not be there.
    let ones = right.iter().take_while(|d| **d == 1).count() as i64;
    right.drain(..b.random.within(0, ones + 1) as usize);
    let a = b.input(&left);
    let other = if b.random.within(0, 2) == 0 { b.input(&right) } else { b.constant(&right) };
    let y = b.formatted(&whole);
    let clamp = b.clamp(&y);
    let op = match b.random.within(0, 3) {
        0 => Op::Add { clamp },
        1 => Op::Mul { clamp },
        _ => {
            Op::Lane { steps: vec![LaneStep::Input(0), LaneStep::Input(1), LaneStep::Two(Float2::Sub, 0, 1)] }
        }
    };
    let inputs: Vec<TensorId> = if b.random.within(0, 2) == 0 { vec![a, other] } else { vec![other, a] };
    let y = b.node(op, inputs, y);
    b.graph.outputs.push(y);
    b.graph
}

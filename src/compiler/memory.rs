//! Where tensors lie in DRAM: a layout for each, and addresses that are used again once a tensor is dead.

use std::collections::BTreeMap;

use super::lower::{flattens, same_elements};
use super::storage::{Storage, TENSOR_BASE, next_multiple};
use crate::graph::{DType, Graph, Op, TensorId};

/// Layout and address of every tensor.
#[derive(Debug, Clone)]
pub struct Plan {
    /// By tensor; addresses count from [`TENSOR_BASE`].
    pub storage: BTreeMap<TensorId, Storage>,
    /// Bytes of DRAM that the tensors take together.
    pub bytes: i64,
}

/// Plans the memory of a graph.
#[must_use]
pub fn plan(graph: &Graph) -> Plan {
    let mut storage: BTreeMap<TensorId, Storage> = BTreeMap::new();
    // A reshape that moves nothing shares its input's memory: alias → owner.
    let mut owner: BTreeMap<TensorId, TensorId> = BTreeMap::new();
    let by_host = |id: TensorId| {
        graph
            .nodes
            .iter()
            .any(|n| matches!(n.op, Op::Host(_)) && (n.inputs.contains(&id) || n.outputs.contains(&id)))
    };
    let plain =
        |id: TensorId| graph.inputs.contains(&id) || graph.tensor(id).dtype == DType::F32 || by_host(id);
    let own = |id: TensorId| {
        let tensor = graph.tensor(id);
        if plain(id) { Storage::row_major(tensor, 0) } else { Storage::blocked(tensor, 0) }
    };
    for id in &graph.inputs {
        storage.insert(*id, own(*id));
    }
    for node in &graph.nodes {
        for id in &node.outputs {
            let wanted = own(*id);
            let source = node.inputs.first().and_then(|i| storage.get(i).map(|s| (*i, s.clone())));
            let alias = match (&node.op, source) {
                (Op::Reshape, Some((from, s))) if same_elements(&s, &wanted) => {
                    // Its own extents over the source's memory.
                    Some((from, wanted.clone()))
                }
                (Op::Reshape, Some((from, s)))
                    if !plain(*id)
                        && flattens(&s, &graph.tensor(*id).shape)
                        && graph.consumers(*id).all(|n| matches!(graph.nodes[n].op, Op::Gemm { .. })) =>
                {
                    Some((from, s))
                }
                _ => None,
            };
            match alias {
                Some((from, s)) => {
                    let root = owner.get(&from).copied().unwrap_or(from);
                    owner.insert(*id, root);
                    storage.insert(*id, s);
                }
                None => {
                    storage.insert(*id, wanted);
                }
            }
        }
    }
    let bytes = place(graph, &mut storage, &owner);
    Plan { storage, bytes }
}

/// First fit in order of birth. A tensor lives from the node that writes it to the last that reads it, through all its
/// aliases; outputs live to the end.
fn place(
    graph: &Graph,
    storage: &mut BTreeMap<TensorId, Storage>,
    owner: &BTreeMap<TensorId, TensorId>,
) -> i64 {
    let end = graph.nodes.len() as i64;
    let mut life: BTreeMap<TensorId, (i64, i64)> = BTreeMap::new();
    for id in storage.keys() {
        let born = graph.producer(*id).map_or(-1, |n| n as i64);
        let mut dies = graph.consumers(*id).map(|n| n as i64).max().unwrap_or(born);
        if graph.outputs.contains(id) {
            dies = end;
        }
        let root = owner.get(id).copied().unwrap_or(*id);
        let span = life.entry(root).or_insert((born, dies));
        *span = (span.0.min(born), span.1.max(dies));
    }
    let mut order: Vec<(TensorId, (i64, i64))> = life.into_iter().collect();
    order.sort_by_key(|(id, span)| (span.0, *id));
    let mut placed: Vec<(i64, i64, (i64, i64))> = Vec::new();
    let mut top = 0;
    for (id, span) in order {
        let Some(s) = storage.get_mut(&id) else { continue };
        let mut taken: Vec<(i64, i64)> = placed
            .iter()
            .filter(|(_, _, other)| span.0 <= other.1 && other.0 <= span.1)
            .map(|(start, bytes, _)| (*start, start + bytes))
            .collect();
        taken.sort_unstable();
        let mut at = 0;
        for (start, stop) in taken {
            if at + s.bytes <= start {
                break;
            }
            at = at.max(next_multiple(stop, 64));
        }
        s.address = TENSOR_BASE + at;
        placed.push((at, s.bytes, span));
        top = top.max(at + s.bytes);
    }
    for (alias, root) in owner {
        let address = storage.get(root).map(|s| s.address);
        if let (Some(s), Some(address)) = (storage.get_mut(alias), address) {
            s.address = address;
        }
    }
    next_multiple(top, 64)
}

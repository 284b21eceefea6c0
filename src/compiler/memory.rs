//! Where tensors lie: a layout for each, the scratchpad for those that fit there from producer to consumer, and DRAM
//! addresses that are used again once a tensor is dead, for the others.

use std::collections::BTreeMap;

use super::lower::{flattens, same_elements};
use super::storage::{Storage, TENSOR_BASE, next_multiple};
use crate::graph::{DType, Graph, Op, TensorId};
use crate::isa::Space;
use crate::machine::Machine;

/// Layout and address of every tensor.
#[derive(Debug, Clone)]
pub struct Plan {
    /// By tensor; addresses count from [`TENSOR_BASE`].
    pub storage: BTreeMap<TensorId, Storage>,
    /// Bytes of DRAM that the tensors take together.
    pub bytes: i64,
    /// Scratchpad bytes below the resident tensors, by node: what each layer may use for its buffers.
    pub room: Vec<i64>,
}

/// Plans the memory of a graph.
#[must_use]
pub fn plan(graph: &Graph, machine: &Machine) -> Plan {
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
    let lives = lives(graph, &storage, &owner);
    let whole = machine.spm.bytes as i64;
    let mut room = vec![whole; graph.nodes.len()];
    let free = |id: &TensorId| !plain(*id) && !graph.outputs.contains(id);
    let members = |root: TensorId| owner.iter().filter(move |(_, r)| **r == root).map(|(alias, _)| alias);
    let candidates: Vec<(TensorId, Life)> = lives
        .iter()
        .filter(|(root, _)| free(root) && members(**root).all(free))
        .map(|(root, life)| (*root, *life))
        .collect();
    let resident = resident(candidates, &storage, machine, &mut room);
    for (root, address) in &resident {
        for id in members(*root).chain([root]) {
            if let Some(s) = storage.get_mut(id) {
                (s.space, s.address) = (Space::Spm, *address);
            }
        }
    }
    let in_dram = lives.into_iter().filter(|(id, _)| !resident.contains_key(id)).collect();
    let bytes = place(in_dram, &mut storage);
    for (alias, root) in &owner {
        let home = storage.get(root).map(|s| (s.space, s.address));
        if let (Some(s), Some(home)) = (storage.get_mut(alias), home) {
            (s.space, s.address) = home;
        }
    }
    Plan { storage, bytes, room }
}

/// The nodes between which a tensor is needed: the one that writes it (-1: an input), and the last that reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Life {
    born: i64,
    dies: i64,
}

impl Life {
    fn meets(&self, other: &Life) -> bool {
        self.born <= other.dies && other.born <= self.dies
    }
}

/// Lives of all tensors that own memory. One lives through all its aliases; outputs live to the end.
fn lives(
    graph: &Graph,
    storage: &BTreeMap<TensorId, Storage>,
    owner: &BTreeMap<TensorId, TensorId>,
) -> BTreeMap<TensorId, Life> {
    let end = graph.nodes.len() as i64;
    let mut lives: BTreeMap<TensorId, Life> = BTreeMap::new();
    for id in storage.keys() {
        let born = graph.producer(*id).map_or(-1, |n| n as i64);
        let mut dies = graph.consumers(*id).map(|n| n as i64).max().unwrap_or(born);
        if graph.outputs.contains(id) {
            dies = end;
        }
        let root = owner.get(id).copied().unwrap_or(*id);
        let life = lives.entry(root).or_insert(Life { born, dies });
        *life = Life { born: life.born.min(born), dies: life.dies.max(dies) };
    }
    lives
}

/// Of the scratchpad, every layer keeps at least this share for its buffers: one in so many bytes.
const KEPT: i64 = 4;

/// Which tensors stay in the scratchpad from producer to consumer, and where: from its end downwards, the shortest lives
/// first, since they save as many bytes of traffic as long ones and are in nobody's way for long. `room` is lowered to
/// what is left below them.
fn resident(
    mut candidates: Vec<(TensorId, Life)>,
    storage: &BTreeMap<TensorId, Storage>,
    machine: &Machine,
    room: &mut [i64],
) -> BTreeMap<TensorId, i64> {
    let whole = machine.spm.bytes as i64;
    let bank = whole / i64::from(machine.spm.banks);
    let bytes = |id: &TensorId| storage.get(id).map_or(0, |s| next_multiple(s.bytes, 64));
    candidates.sort_by_key(|(id, life)| (life.dies - life.born, -bytes(id), *id));
    let mut placed: Vec<(i64, i64, Life)> = Vec::new();
    let mut chosen = BTreeMap::new();
    for (id, life) in candidates {
        let mut beside: Vec<(i64, i64)> =
            placed.iter().filter(|(.., l)| l.meets(&life)).map(|(start, end, _)| (*start, *end)).collect();
        beside.sort_unstable_by_key(|(_, end)| -end);
        let mut end = whole;
        for (start, stop) in beside {
            if stop <= end - bytes(&id) {
                break;
            }
            end = end.min(start);
        }
        let start = end - bytes(&id);
        if start < whole / KEPT {
            continue;
        }
        placed.push((start, start + bytes(&id), life));
        chosen.insert(id, start);
        for k in life.born.max(0)..=life.dies {
            if let Some(left) = room.get_mut(k as usize) {
                // Buffers share no bank with it, if that leaves them enough.
                let banks = start / bank * bank;
                *left = (*left).min(if banks >= whole / KEPT { banks } else { start });
            }
        }
    }
    chosen
}

/// First fit in order of birth; returns the bytes of DRAM that the tensors take.
fn place(lives: BTreeMap<TensorId, Life>, storage: &mut BTreeMap<TensorId, Storage>) -> i64 {
    let mut order: Vec<(TensorId, Life)> = lives.into_iter().collect();
    order.sort_by_key(|(id, life)| (life.born, *id));
    let mut placed: Vec<(i64, i64, Life)> = Vec::new();
    let mut top = 0;
    for (id, life) in order {
        let Some(s) = storage.get_mut(&id) else { continue };
        let mut taken: Vec<(i64, i64)> = placed
            .iter()
            .filter(|(.., other)| life.meets(other))
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
        placed.push((at, s.bytes, life));
        top = top.max(at + s.bytes);
    }
    next_multiple(top, 64)
}

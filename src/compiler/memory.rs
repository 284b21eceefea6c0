//! The memory plan: a layout for each tensor, scratchpad space for tensors that fit there from producer to
//! consumer, and for the others DRAM addresses that are reused once a tensor is dead.

use std::collections::{BTreeMap, BTreeSet};

use super::storage::{Storage, TENSOR_BASE, flattens, next_multiple};
use crate::graph::{DType, Graph, Node, Op, TensorId};
use crate::isa::Space;
use crate::machine::Machine;

/// Layout and address of every tensor.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Storage by tensor; addresses count from [`TENSOR_BASE`].
    pub storage: BTreeMap<TensorId, Storage>,
    /// Bytes of DRAM that the tensors take together.
    pub bytes: i64,
    /// For each node, scratchpad bytes below the resident tensors: the room for its buffers.
    pub room: Vec<i64>,
}

/// Plans the memory of a graph with the first `budget` bytes of the scratchpad. Nodes in `crowded` need all
/// of them for their buffers.
#[must_use]
pub fn plan(graph: &Graph, machine: &Machine, budget: i64, crowded: &BTreeSet<usize>) -> Plan {
    let mut storage: BTreeMap<TensorId, Storage> = BTreeMap::new();
    // A reshape that moves nothing shares its input's memory: alias → owner.
    let mut owner: BTreeMap<TensorId, TensorId> = BTreeMap::new();
    let links = graph.links();
    let hosts = graph.nodes.iter().filter(|n| matches!(n.op, Op::Host(_)));
    // Ids of a gather lie in the order in which the rows that they choose do.
    let ids = graph.nodes.iter().filter(|n| matches!(n.op, Op::Gather)).filter_map(|n| n.inputs.get(1));
    let outside: BTreeSet<TensorId> = hosts
        .flat_map(|n| n.inputs.iter().chain(&n.outputs))
        .chain(&graph.inputs)
        .chain(ids)
        .copied()
        .collect();
    let matrices = matrices(graph, budget);
    let plain = |id: TensorId| {
        graph.tensor(id).dtype == DType::F32 || outside.contains(&id) || matrices.contains(&id)
    };
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
                (Op::Reshape, Some((from, s))) if s.same_memory(&wanted) => {
                    // Its own extents over the source's memory.
                    Some((from, wanted.clone()))
                }
                (Op::Reshape, Some((from, s)))
                    if !plain(*id)
                        && flattens(&s, &graph.tensor(*id).shape)
                        && links
                            .readers(*id)
                            .iter()
                            .all(|n| matches!(graph.nodes[*n].op, Op::Gemm { .. })) =>
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
    let before = lives(graph, &storage, &owner);
    in_place(graph, &storage, before, &plain, &mut owner);
    let lives = lives(graph, &storage, &owner);
    let whole = budget;
    let mut room = vec![whole; graph.nodes.len()];
    let keeps: Vec<i64> = graph
        .nodes
        .iter()
        .enumerate()
        .map(|(k, node)| if crowded.contains(&k) { whole } else { kept(node, whole) })
        .collect();
    let free = |id: &TensorId| !plain(*id) && !graph.outputs.contains(id);
    let members = |root: TensorId| owner.iter().filter(move |(_, r)| **r == root).map(|(alias, _)| alias);
    let candidates: Vec<(TensorId, Life)> = lives
        .iter()
        .filter(|(root, _)| free(root) && members(**root).all(free))
        .map(|(root, life)| (*root, *life))
        .collect();
    let bank = (machine.spm.bytes / u64::from(machine.spm.banks)) as i64;
    let resident = resident(&candidates, &storage, [whole, bank], &keeps, &mut room);
    for (root, address) in &resident {
        for id in members(*root).chain([root]) {
            if let Some(s) = storage.get_mut(id) {
                (s.space, s.address) = (Space::Spm, *address);
            }
        }
    }
    let in_dram = lives.into_iter().filter(|(id, _)| !resident.contains_key(id)).collect();
    let bytes = place(in_dram, &mut storage, machine.dram.grant_bytes.into());
    for (alias, root) in &owner {
        let home = storage.get(root).map(|s| (s.space, s.address));
        if let (Some(s), Some(home)) = (storage.get_mut(alias), home) {
            (s.space, s.address) = home;
        }
    }
    Plan { storage, bytes, room }
}

/// Matrices behind two leading axes that lie in DRAM, since they do not fit the budget, as the scores of
/// attention over many tokens, or are outputs: made and read along their last axis, so that they lie
/// row-major. With their second axis innermost, as for images, each element would pass the channel by itself.
fn matrices(graph: &Graph, budget: i64) -> BTreeSet<TensorId> {
    let links = graph.links();
    let along_last = |op: &Op, rank: usize| match op {
        Op::MatMul { .. } | Op::Add { .. } | Op::Mul { .. } | Op::Table(_) | Op::Lane { .. } => true,
        Op::Softmax { axis } => axis + 1 == rank,
        _ => false,
    };
    let mut found = BTreeSet::new();
    for node in &graph.nodes {
        let Some(id) = node.outputs.first().copied() else { continue };
        let tensor = graph.tensor(id);
        let rank = tensor.shape.len();
        let in_dram = Storage::blocked(tensor, 0).bytes > budget || graph.outputs.contains(&id);
        let begins = matches!(node.op, Op::MatMul { .. });
        let continues = node.inputs.iter().any(|input| found.contains(input));
        if rank == 4
            && in_dram
            && along_last(&node.op, rank)
            && (begins || continues)
            && links.readers(id).iter().all(|at| along_last(&graph.nodes[*at].op, rank))
        {
            found.insert(id);
        }
    }
    found
}

/// The live range of a tensor: the node that writes it (-1 for an input), and the last that reads it.
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

/// Live ranges of all tensors that own memory, aliases included; outputs live to the end.
fn lives(
    graph: &Graph,
    storage: &BTreeMap<TensorId, Storage>,
    owner: &BTreeMap<TensorId, TensorId>,
) -> BTreeMap<TensorId, Life> {
    let end = graph.nodes.len() as i64;
    let links = graph.links();
    let mut lives: BTreeMap<TensorId, Life> = BTreeMap::new();
    for id in storage.keys() {
        let born = links.maker(*id).map_or(-1, |n| n as i64);
        let mut dies = links.readers(*id).last().map_or(born, |n| *n as i64);
        if graph.outputs.contains(id) {
            dies = end;
        }
        let root = owner.get(id).copied().unwrap_or(*id);
        let life = lives.entry(root).or_insert(Life { born, dies });
        *life = Life { born: life.born.min(born), dies: life.dies.max(dies) };
    }
    lives
}

/// Lets results of element-wise operators reuse the memory of an operand that is dead afterwards: the one
/// with the shortest live range, since the memory is then occupied for both ranges.
fn in_place(
    graph: &Graph,
    storage: &BTreeMap<TensorId, Storage>,
    mut lives: BTreeMap<TensorId, Life>,
    plain: &impl Fn(TensorId) -> bool,
    owner: &mut BTreeMap<TensorId, TensorId>,
) {
    let root = |owner: &BTreeMap<TensorId, TensorId>, id: TensorId| {
        let mut at = id;
        while let Some(next) = owner.get(&at).filter(|next| **next != at) {
            at = *next;
        }
        at
    };
    for (index, node) in graph.nodes.iter().enumerate() {
        if !matches!(node.op, Op::Add { .. } | Op::Mul { .. } | Op::Table(_)) {
            continue;
        }
        let Some(dst) = node.outputs.first().copied() else { continue };
        let free = |id: TensorId| !plain(id) && !graph.outputs.contains(&id);
        let same = |id: TensorId| {
            storage.get(&id).zip(storage.get(&dst)).is_some_and(|(a, b)| {
                // The order too: an image and five axes may have the same extents and mean others.
                (a.dims, a.strides, a.lanes, a.bytes, a.onnx_order)
                    == (b.dims, b.strides, b.lanes, b.bytes, b.onnx_order)
            })
        };
        let dying = |id: TensorId| {
            let life = lives.get(&root(owner, id))?;
            (life.dies == index as i64).then_some(life.born)
        };
        // A tensor that is read twice may be read at other addresses than it is written.
        let once = |id: TensorId| node.inputs.iter().filter(|i| **i == id).count() == 1;
        let operands =
            node.inputs.iter().copied().filter(|id| free(*id) && free(dst) && same(*id) && once(*id));
        let chosen = operands.filter_map(|id| dying(id).map(|born| (born, id))).max();
        if let (Some((_, id)), None) = (chosen, owner.get(&dst)) {
            let to = root(owner, id);
            let aliases: Vec<TensorId> =
                owner.iter().filter(|(_, r)| **r == dst).map(|(alias, _)| *alias).collect();
            for alias in aliases.into_iter().chain([dst]) {
                owner.insert(alias, to);
            }
            if let (Some(after), Some(life)) = (lives.get(&dst).copied(), lives.get_mut(&to)) {
                life.dies = life.dies.max(after.dies);
            }
        }
    }
}

/// Scratchpad bytes reserved for a layer's buffers: an eighth, or up to a quarter if it has many weights.
fn kept(node: &Node, whole: i64) -> i64 {
    let weights = match &node.op {
        Op::Conv { weights, .. } | Op::Gemm { weights, .. } | Op::ConvTranspose { weights, .. } => {
            weights.shape.iter().product::<usize>() as i64 * weights.dtype.bytes() as i64
        }
        _ => 0,
    };
    (2 * weights).clamp(whole / 8, whole / 4)
}

/// Chooses the tensors that stay in the scratchpad from producer to consumer, and places them from the end of
/// the budget downwards. Which ones fit depends on the order; of a few orders, the one that keeps most bytes
/// is taken. `room` is lowered to what is left below them.
fn resident(
    candidates: &[(TensorId, Life)],
    storage: &BTreeMap<TensorId, Storage>,
    sizes: [i64; 2],
    keeps: &[i64],
    room: &mut Vec<i64>,
) -> BTreeMap<TensorId, i64> {
    let bytes = |id: &TensorId| storage.get(id).map_or(0, |s| next_multiple(s.bytes, 64));
    let mut best: Option<(i64, BTreeMap<TensorId, i64>, Vec<i64>)> = None;
    for order in 0..3 {
        let mut list = candidates.to_vec();
        list.sort_by_key(|(id, life)| {
            let key = match order {
                // The shortest live ranges first: they block space for the shortest time.
                0 => (life.dies - life.born, -bytes(id)),
                1 => (-bytes(id), life.dies - life.born),
                _ => (life.born, life.dies),
            };
            (key, *id)
        });
        let mut left = room.clone();
        let chosen = stack(&list, &bytes, sizes, keeps, &mut left);
        let kept = chosen.keys().map(bytes).sum();
        if best.as_ref().is_none_or(|(most, ..)| kept > *most) {
            best = Some((kept, chosen, left));
        }
    }
    let (_, chosen, left) = best.unwrap_or_default();
    *room = left;
    chosen
}

/// Places tensors in this order, each at the highest free address.
fn stack(
    candidates: &[(TensorId, Life)],
    bytes: &impl Fn(&TensorId) -> i64,
    [whole, bank]: [i64; 2],
    keeps: &[i64],
    room: &mut [i64],
) -> BTreeMap<TensorId, i64> {
    let mut placed: Vec<(i64, i64, Life)> = Vec::new();
    let mut chosen = BTreeMap::new();
    for &(id, life) in candidates {
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
        let living = life.born.max(0) as usize..=life.dies as usize;
        if living.clone().any(|k| keeps.get(k).is_some_and(|kept| start < *kept)) {
            continue;
        }
        placed.push((start, start + bytes(&id), life));
        chosen.insert(id, start);
        for k in living {
            if let Some((left, kept)) = room.get_mut(k).zip(keeps.get(k)) {
                // Buffers share no bank with it, if that leaves enough room.
                let banks = start / bank * bank;
                *left = (*left).min(if banks >= *kept { banks } else { start });
            }
        }
    }
    chosen
}

/// First fit in order of birth, at multiples of `align`, so that channel segments do not straddle rows;
/// returns the DRAM bytes that the tensors take.
fn place(lives: BTreeMap<TensorId, Life>, storage: &mut BTreeMap<TensorId, Storage>, align: i64) -> i64 {
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
            at = at.max(next_multiple(stop, align));
        }
        s.address = TENSOR_BASE + at;
        placed.push((at, s.bytes, life));
        top = top.max(at + s.bytes);
    }
    next_multiple(top, 64)
}

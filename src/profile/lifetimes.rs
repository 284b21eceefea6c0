//! What lies in the scratchpad, where and when.

use serde::Serialize;

use crate::isa::{Queue, Space};
use crate::sim::access::for_each_region;
use crate::sim::clock::unit;
use crate::sim::{Decoded, Fault};

/// Bytes of the scratchpad that a layer's unit wrote and that are read later: from the first write to the
/// last access before something else is written there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Lifetime {
    /// The layer whose instruction wrote it; empty outside of layers.
    pub layer: String,
    /// The unit that wrote it: DMA-in brings weights and inputs, VEC makes results.
    pub unit: String,
    /// First byte.
    pub start: i64,
    /// One past the last byte.
    pub end: i64,
    /// Cycle of the first write.
    pub from: u64,
    /// Cycle after the last access.
    pub to: u64,
}

/// A block that something lies in.
#[derive(Debug, Clone)]
struct Block {
    layer: Option<u32>,
    queue: Queue,
    start: i64,
    end: i64,
    from: u64,
    to: u64,
}

/// The lifetimes of a program in the order of their first writes. An operand is taken as the interval from
/// its lowest to its highest byte.
///
/// # Errors
/// The program does something illegal.
pub fn lifetimes(program: &Decoded) -> Result<Vec<Lifetime>, Fault> {
    let times = program.timeline()?;
    let mut live: Vec<Block> = Vec::new();
    let mut ended: Vec<Block> = Vec::new();
    let mut at = times.iter();
    program.each(&mut |op| {
        let Some(time) = at.next() else { return };
        let never = for_each_region::<std::convert::Infallible>(&op.kind, &mut |region, writes| {
            let Some((start, end)) = region.span().filter(|_| region.space() == Space::Spm) else {
                return Ok(());
            };
            if writes {
                let block =
                    Block { layer: op.layer, queue: op.queue, start, end, from: time.start, to: time.end };
                write(&mut live, &mut ended, block);
            } else {
                for block in live.iter_mut().filter(|b| b.start < end && start < b.end) {
                    block.to = block.to.max(time.end);
                }
            }
            Ok(())
        });
        let Ok(()) = never;
    })?;
    ended.append(&mut live);
    ended.sort_by_key(|b| (b.from, b.start));
    let names = &program.program().meta.layers;
    let name = |layer: Option<u32>| layer.and_then(|l| names.get(l as usize)).map_or("", |l| l.name.as_str());
    Ok(ended
        .into_iter()
        .map(|b| Lifetime {
            layer: name(b.layer).into(),
            unit: unit(b.queue).into(),
            start: b.start,
            end: b.end,
            from: b.from,
            to: b.to,
        })
        .collect())
}

/// Puts a block where others may lie: what it covers of other layers' or units' blocks has ended; of the same
/// one it becomes a part.
fn write(live: &mut Vec<Block>, ended: &mut Vec<Block>, mut new: Block) {
    let mut kept = Vec::with_capacity(live.len() + 1);
    for old in live.drain(..) {
        let same = (old.layer, old.queue) == (new.layer, new.queue);
        if same && old.start <= new.end && new.start <= old.end {
            new = Block {
                start: old.start.min(new.start),
                end: old.end.max(new.end),
                from: old.from.min(new.from),
                to: old.to.max(new.to),
                ..new
            };
        } else if old.start < new.end && new.start < old.end {
            // An operation may write where it reads.
            let to = old.to.min(new.from).max(old.from);
            ended.push(Block { start: old.start.max(new.start), end: old.end.min(new.end), to, ..old });
            let left = Block { end: new.start, ..old };
            let right = Block { start: new.end, ..old };
            kept.extend([left, right].into_iter().filter(|b| b.start < b.end));
        } else {
            kept.push(old);
        }
    }
    kept.push(new);
    *live = kept;
}

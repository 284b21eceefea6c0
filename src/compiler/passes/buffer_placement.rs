//! Places the buffers of the layers in the scratchpad and in the accumulators, and makes some of them double.
//!
//! Lowering allocates buffers in an address space of its own, as if every layer had the scratchpad for
//! itself. This pass assigns addresses. Its aims, in this order:
//!
//! - A buffer that is filled anew in every trip of a loop becomes double where there is room, so that one
//!   side is filled while the other is used.
//! - What MAC reads, what VEC reads and what leaves for DRAM lie in different banks, since a bank has one
//!   read port; what VEC writes lies apart from what DMA brings, since it has one write port.
//! - Buffers of layers that follow each other lie apart, so that the next layer's constants can come early.
//!
//! Nothing here is needed for correct values: conditions are derived afterwards.

use std::collections::BTreeMap;

use super::super::CompileError;
use super::super::storage::{WORK_BASE, next_multiple};
use super::super::tile::{Buffer, Slot, Stmt, TileLayer, TileOp, Var};
use crate::isa::{Queue, Space};
use crate::machine::Machine;

/// A buffer is identified by its memory and its first byte.
type Id = (Space, i64);

/// What a buffer's bank ports are used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// Read by VEC: multipliers, tables, operands.
    Vector,
    /// Written by VEC, read by DMA-out.
    Output,
    /// Read by MAC, or anything else.
    Array,
}

/// A use of a buffer in the text.
#[derive(Debug, Clone)]
struct Touch {
    /// Numbers of the enclosing loops, from the outside in.
    loops: Vec<usize>,
    /// Whether it is the first use of the buffer in its statement list, and writes all that is read later.
    leads: bool,
}

#[derive(Debug, Clone)]
struct Info {
    bytes: i64,
    class: Class,
    touches: Vec<Touch>,
    /// Whether a trip writes to the other side for the next trip.
    carries: bool,
}

/// Assigns addresses to all buffers. `room` is the scratchpad that each layer may use: `[0, room)`.
///
/// # Errors
/// [`CompileError::Internal`] if a buffer that carries data from trip to trip cannot be double: lowering
/// ensures that it can.
pub(in crate::compiler) fn arrange(
    layers: &mut [TileLayer],
    room: &[i64],
    machine: &Machine,
) -> Result<(), CompileError> {
    let mut at = Cursors::default();
    for (layer, room) in layers.iter_mut().zip(room) {
        let mut survey = Survey::default();
        survey.list(&layer.body, &mut Vec::new());
        let mut next = survey.variables;
        let mut places: BTreeMap<Id, Buffer> = BTreeMap::new();
        let mut slots: BTreeMap<usize, Vec<Slot>> = BTreeMap::new();
        let doubled = doubled(&survey, *room);
        if survey.buffers.iter().any(|(id, info)| info.carries && !doubled.contains_key(id)) {
            return Err(CompileError::Internal { what: "rows are carried over in a single buffer" });
        }
        for (id, start, stride) in place(&survey, &doubled, *room, machine, &mut at) {
            let info = &survey.buffers[&id];
            let mut buffer = Buffer::new(start, info.bytes);
            if let Some(loops) = doubled.get(&id) {
                let slot = Slot { var: Var(next), bytes: stride };
                next += 1;
                (buffer.slot, buffer.ahead) = (Some(slot.var), stride);
                for number in loops {
                    slots.entry(*number).or_default().push(slot);
                }
            }
            places.insert(id, buffer);
        }
        rewrite(&mut layer.body, &places, &slots, &mut 0);
    }
    Ok(())
}

/// Where the buffers of the next layer begin.
#[derive(Default)]
struct Cursors {
    /// Addresses of the classes in the scratchpad.
    spm: [i64; 3],
    /// Half of the accumulators, 0 or 1, that the layer before used last.
    acc: i64,
}

/// Collects the buffers of a layer and their uses.
#[derive(Default)]
struct Survey {
    buffers: BTreeMap<Id, Info>,
    /// How often each loop's body is executed.
    loops: Vec<i64>,
    /// One more than the greatest variable.
    variables: u16,
}

impl Survey {
    fn list(&mut self, body: &[Stmt], around: &mut Vec<usize>) {
        // The buffers used in this list so far, nested loops included.
        let mut seen: Vec<Id> = Vec::new();
        for s in body {
            match s {
                Stmt::Op(op) => self.operation(op, around, &mut seen),
                Stmt::Loop { var, start, end, step, body, .. } => {
                    self.variables = self.variables.max(var.0 + 1);
                    let outside = around.last().map_or(1, |l| self.loops[*l]);
                    around.push(self.loops.len());
                    self.loops.push(outside * ((end - start + step - 1) / step));
                    self.list(body, around);
                    around.pop();
                    for s in body {
                        touched(s, &mut seen);
                    }
                }
                Stmt::Host(_) => {}
            }
        }
    }

    fn operation(&mut self, op: &TileOp, around: &[usize], seen: &mut Vec<Id>) {
        let writes = op.views.first().map(|v| (v.space, v.buffer.start));
        for (i, (space, buffer, _)) in op.touches().enumerate() {
            if !movable(space, &buffer) {
                continue;
            }
            let id = (space, buffer.start);
            let reads = i > 0 || op.accumulate;
            let class = match (op.code.queue(), reads) {
                (Queue::Vec, true) => Class::Vector,
                (Queue::Dmaout, _) => Class::Output,
                _ => Class::Array,
            };
            let info = self.buffers.entry(id).or_insert(Info {
                bytes: 0,
                class: Class::Array,
                touches: Vec::new(),
                carries: false,
            });
            info.bytes = info.bytes.max(buffer.bytes);
            info.carries |= buffer.ahead != 0;
            let mac = op.code.queue() == Queue::Mac;
            info.class = if mac { Class::Array } else { info.class.min(class) };
            let leads = i == 0 && !reads && writes == Some(id) && buffer.ahead == 0 && !seen.contains(&id);
            info.touches.push(Touch { loops: around.to_vec(), leads });
        }
        touched(&Stmt::Op(op.clone()), seen);
    }
}

fn touched(s: &Stmt, seen: &mut Vec<Id>) {
    match s {
        Stmt::Op(op) => {
            for (space, buffer, _) in op.touches().filter(|(s, b, _)| movable(*s, b)) {
                if !seen.contains(&(space, buffer.start)) {
                    seen.push((space, buffer.start));
                }
            }
        }
        Stmt::Loop { body, .. } => body.iter().for_each(|s| touched(s, seen)),
        Stmt::Host(_) => {}
    }
}

/// Whether lowering left the buffer's address open.
fn movable(space: Space, buffer: &Buffer) -> bool {
    match space {
        Space::Dram => false,
        Space::Spm => buffer.start >= WORK_BASE,
        Space::Acc => true,
    }
}

/// The loops in whose trips a buffer may change sides: those whose statement list fills it first. Each use
/// must see the latest contents, so no use may be outside such a loop, except before all of them.
fn turning(info: &Info) -> Vec<usize> {
    let mut loops: Vec<usize> =
        info.touches.iter().filter(|t| t.leads).filter_map(|t| t.loops.last().copied()).collect();
    loops.sort_unstable();
    loops.dedup();
    let inside = |t: &Touch| t.loops.iter().any(|l| loops.contains(l));
    let first = info.touches.iter().position(inside).unwrap_or(info.touches.len());
    if info.touches.iter().skip(first).all(inside) { loops } else { Vec::new() }
}

/// Which buffers become double, and in which loops they change sides: those that carry data from trip to trip
/// first, then the smaller ones, as long as there is room.
fn doubled(survey: &Survey, room: i64) -> BTreeMap<Id, Vec<usize>> {
    let size = |info: &Info| next_multiple(info.bytes, 64);
    let of_spm = |(id, _): &(&Id, &Info)| id.0 == Space::Spm;
    let mut used: i64 = survey.buffers.iter().filter(of_spm).map(|(_, i)| size(i)).sum();
    let mut candidates: Vec<(&Id, &Info)> = survey.buffers.iter().collect();
    candidates.sort_by_key(|(_, info)| (!info.carries, info.bytes));
    let mut list = BTreeMap::new();
    for (id, info) in candidates {
        let loops = turning(info);
        if loops.is_empty() {
            continue;
        }
        if id.0 == Space::Acc {
            list.insert(*id, loops);
        } else if used + size(info) <= room {
            used += size(info);
            list.insert(*id, loops);
        }
    }
    list
}

/// Which of VEC's operands, outputs and the array's operands have banks of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::compiler) enum Apart {
    /// No two share a bank.
    All,
    /// Those of the array; outputs and VEC's operands share banks.
    Array,
    /// Outputs; VEC's operands and those of the array share banks.
    Output,
    /// All may share banks.
    None,
}

impl Apart {
    /// The best separation for buffers with these sizes: VEC's operands, outputs, the rest.
    pub(in crate::compiler) fn of(needs: [i64; 3], room: i64, bank: i64) -> Apart {
        Apart::zones(needs, room, bank).0
    }

    /// As [`of`](Self::of), with the address range of the buffers of each class. One class takes what the
    /// others leave, which need not be whole banks.
    fn zones(needs: [i64; 3], room: i64, bank: i64) -> (Apart, [(i64, i64); 3]) {
        let [vector, output, array] = needs;
        let split = |first: i64, second: i64| {
            // Whole banks for one of the two, the rest for the other.
            [next_multiple(first, bank), (room - second) / bank * bank]
                .into_iter()
                .find(|at| *at >= first && room - at >= second)
        };
        for last in [2, 1, 0] {
            let mut zones = [(0, 0); 3];
            let mut start = 0;
            for i in (0..3).filter(|i| *i != last) {
                zones[i] = (start, start + next_multiple(needs[i], bank));
                start = zones[i].1;
            }
            zones[last] = (start, room);
            if start + needs[last] <= room {
                return (Apart::All, zones);
            }
        }
        if let Some(at) = split(vector + output, array) {
            return (Apart::Array, [(0, vector), (vector, at), (at, room)]);
        }
        if let Some(at) = split(output, vector + array) {
            return (Apart::Output, [(at, at + vector), (0, at), (at + vector, room)]);
        }
        (Apart::None, [(0, vector), (vector, vector + output), (vector + output, room)])
    }
}

/// Address of every buffer, and distance of its sides.
fn place(
    survey: &Survey,
    doubled: &BTreeMap<Id, Vec<usize>>,
    room: i64,
    machine: &Machine,
    cursors: &mut Cursors,
) -> Vec<(Id, i64, i64)> {
    let bank = (machine.spm.bytes / u64::from(machine.spm.banks)) as i64;
    let mut list = Vec::new();
    let half = machine.acc.bytes as i64 / 2;
    // A tile takes at most half of the accumulators. The first tile of a layer is in the half that the layer
    // before did not use last; a double buffer changes sides before its first use.
    let mut last = cursors.acc;
    for (id, _) in survey.buffers.iter().filter(|(id, _)| id.0 == Space::Acc) {
        let turns = doubled.get(id).map(|loops| loops.iter().map(|l| survey.loops[*l]).sum::<i64>());
        let side = if turns.is_some() { cursors.acc } else { 1 - cursors.acc };
        list.push((*id, half * side, if side == 0 { half } else { -half }));
        last = (side + turns.unwrap_or(0)) % 2;
    }
    cursors.acc = last;
    let classes = [Class::Vector, Class::Output, Class::Array];
    let sides =
        |id: &Id, info: &Info| next_multiple(info.bytes, 64) * if doubled.contains_key(id) { 2 } else { 1 };
    let of = |class: Class| {
        survey.buffers.iter().filter(move |(id, info)| id.0 == Space::Spm && info.class == class)
    };
    let needs = classes.map(|class| of(class).map(|(id, info)| sides(id, info)).sum::<i64>());
    if needs.iter().sum::<i64>() > room {
        // Successive parts of a layer may share bytes, as lowering planned.
        let spm = survey.buffers.iter().filter(|(id, _)| id.0 == Space::Spm);
        list.extend(spm.map(|(id, _)| (*id, id.1 - WORK_BASE, 0)));
        return list;
    }
    let (_, zones) = Apart::zones(needs, room, bank);
    for (i, class) in classes.into_iter().enumerate() {
        let (start, end) = zones[i];
        let mut at = cursors.spm[i].max(start);
        if at + needs[i] > end {
            at = start;
        }
        for (id, info) in of(class) {
            list.push((*id, at, next_multiple(info.bytes, 64)));
            at += sides(id, info);
        }
        cursors.spm[i] = at;
    }
    list
}

/// Moves all buffers to their addresses.
fn rewrite(
    body: &mut [Stmt],
    places: &BTreeMap<Id, Buffer>,
    slots: &BTreeMap<usize, Vec<Slot>>,
    number: &mut usize,
) {
    for s in body {
        match s {
            Stmt::Op(op) => {
                for (space, base, buffer) in op.touches_mut() {
                    if let Some(to) = places.get(&(space, buffer.start)).filter(|_| movable(space, buffer)) {
                        *base = base.clone() + (to.start - buffer.start);
                        let ahead = if buffer.ahead == 0 { 0 } else { to.ahead };
                        *buffer = Buffer { bytes: buffer.bytes, ahead, ..*to };
                    }
                }
            }
            Stmt::Loop { slots: turning, body, .. } => {
                turning.extend(slots.get(number).into_iter().flatten());
                *number += 1;
                rewrite(body, places, slots, number);
            }
            Stmt::Host(_) => {}
        }
    }
}

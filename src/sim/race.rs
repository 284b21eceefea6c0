//! The race checker: whether every two conflicting accesses are ordered.
//!
//! Instruction `J` precedes `I` if both are of one queue and `J` was issued earlier, or if a ticket of `I` or
//! a fence says so, transitively. This is a vector clock of four counters: for each queue, how many of its
//! first instructions precede `I`. If two unordered operations touch a common byte, one of them writing,
//! values would depend on time, and the program is refused (manual, *Time*: Races).

use std::collections::VecDeque;

use super::access::{Row, Spans, for_each_region};
use super::fault::{FaultKind, Racing};
use super::op::{OpKind, QueueOp};
use crate::isa::{Queue, Space};

/// For each queue, how many of its first instructions precede.
type Clock = [u64; 4];

/// Tickets look back at most this far: 8 bits, the instruction itself not counted.
const HISTORY: usize = 256;

/// An operation that is not yet ordered before everything issued later.
#[derive(Debug, Clone)]
struct Entry {
    /// Number in its queue, from 1.
    number: u64,
    pc: u32,
    kind: OpKind,
    spans: Spans,
}

#[derive(Debug, Clone, Default)]
struct QueueHistory {
    issued: u64,
    /// Vector clocks of the last instructions, oldest first.
    clocks: VecDeque<Clock>,
    /// Instructions that are not yet ordered before every later one, oldest first.
    entries: VecDeque<Entry>,
}

impl QueueHistory {
    /// The vector clock of instruction `count` of a queue, itself included.
    fn clock(&self, queue: usize, count: u64) -> Clock {
        let back = (self.issued - count) as usize;
        let mut clock = self
            .clocks
            .len()
            .checked_sub(1 + back)
            .and_then(|i| self.clocks.get(i))
            .copied()
            .unwrap_or_default();
        clock[queue] = clock[queue].max(count);
        clock
    }
}

/// Follows a program's queue instructions in program order.
#[derive(Debug, Clone, Default)]
pub struct RaceChecker {
    lanes: [QueueHistory; 4],
    /// What precedes everything issued from now on.
    floor: Clock,
    /// First DRAM byte that can be written: below it nothing can race.
    writable: i64,
    /// Pairs of operations that were compared.
    compared: u64,
}

impl RaceChecker {
    /// A checker for a program whose DRAM is writable from byte `writable` on.
    #[must_use]
    pub fn new(writable: u64) -> RaceChecker {
        RaceChecker { writable: writable as i64, ..RaceChecker::default() }
    }

    /// Pairs of operations that were compared so far: the work of the checker.
    #[must_use]
    pub fn compared(&self) -> u64 {
        self.compared
    }

    /// Operations that are kept, because one issued later may be unordered with them.
    #[must_use]
    pub fn unordered(&self) -> u64 {
        self.lanes.iter().map(|l| l.entries.len() as u64).sum()
    }

    /// A fence: all that was issued precedes all that follows.
    pub fn fence(&mut self) {
        self.floor = self.lanes.each_ref().map(|l| l.issued);
        self.lanes.iter_mut().for_each(|l| l.entries.clear());
    }

    /// The next operation, and the spans of its operands.
    ///
    /// # Errors
    /// [`FaultKind::Race`] if it conflicts with an operation that it is not ordered with; the caller fills in
    /// that operation's text.
    pub fn issue(&mut self, op: &QueueOp, spans: &Spans) -> Result<(), FaultKind> {
        let queue = op.queue.index();
        let mut clock = join(self.floor, self.lanes[queue].clocks.back().copied().unwrap_or_default());
        clock[queue] = self.lanes[queue].issued;
        for ticket in op.tickets.iter().flatten().filter(|t| t.count > 0) {
            let other = ticket.queue.index();
            clock = join(clock, self.lanes[other].clock(other, ticket.count));
        }
        // Constants never change.
        let spans = spans.filtered(|s| s.space != Space::Dram || s.hi > self.writable);
        for other in (0..4).filter(|o| *o != queue) {
            let entries = &self.lanes[other].entries;
            let first = entries.partition_point(|e| e.number <= clock[other]);
            self.compared += (entries.len() - first) as u64;
            for entry in entries.range(first..) {
                let meet = spans.iter().any(|a| entry.spans.iter().any(|b| a.meets(b)));
                if meet && let Some((row, writes)) = common(&op.kind, &entry.kind) {
                    let [mine, theirs] = writes;
                    let insn = String::new();
                    let other =
                        Box::new(Racing { pc: entry.pc, insn, queue: Queue::ALL[other], writes: theirs });
                    return Err(FaultKind::Race {
                        space: row.space,
                        start: row.start,
                        end: row.start + row.len,
                        writes: mine,
                        other,
                    });
                }
            }
        }
        let lane = &mut self.lanes[queue];
        lane.issued += 1;
        lane.clocks.push_back(clock);
        if lane.clocks.len() > HISTORY {
            lane.clocks.pop_front();
        }
        if spans.iter().next().is_some() {
            lane.entries.push_back(Entry { number: lane.issued, pc: op.pc, kind: op.kind, spans });
        }
        self.forget(queue);
        Ok(())
    }

    /// Drops operations that precede everything that any queue can still issue, after one queue's clock has
    /// advanced.
    fn forget(&mut self, queue: usize) {
        let last = self.lanes.each_ref().map(|l| l.clocks.back().copied().unwrap_or_default());
        for other in (0..4).filter(|o| *o != queue) {
            let covered = (0..4)
                .filter(|q| *q != other)
                .map(|q| last[q][other].max(self.floor[other]))
                .min()
                .unwrap_or_default();
            let entries = &mut self.lanes[other].entries;
            while entries.front().is_some_and(|e| e.number <= covered) {
                entries.pop_front();
            }
        }
    }
}

fn join(a: Clock, b: Clock) -> Clock {
    std::array::from_fn(|i| a[i].max(b[i]))
}

/// The first run of bytes that two operations both touch, one of them writing, and which of them write it.
fn common(a: &OpKind, b: &OpKind) -> Option<(Row, [bool; 2])> {
    let rows = |kind: &OpKind| {
        let mut rows = Vec::new();
        let _: Result<(), ()> = for_each_region(kind, &mut |region, writes| {
            region.rows(&mut |row| {
                rows.push((row, writes));
                Ok(())
            })
        });
        rows.sort_unstable_by_key(|(r, _)| (r.space, r.start));
        rows
    };
    let (first, second) = (rows(a), rows(b));
    // Rows of one operand are disjoint, but operands may overlap: look back by the longest row.
    let longest = second.iter().map(|(r, _)| r.len).max()?;
    for (mine, writes) in first {
        let from = second.partition_point(|(r, _)| (r.space, r.start) < (mine.space, mine.start - longest));
        for (theirs, other) in &second[from..] {
            if (theirs.space, theirs.start) >= (mine.space, mine.start + mine.len) {
                break;
            }
            let start = mine.start.max(theirs.start);
            let end = (mine.start + mine.len).min(theirs.start + theirs.len);
            if start < end && theirs.space == mine.space && (writes || *other) {
                return Some((Row { space: mine.space, start, len: end - start }, [writes, *other]));
            }
        }
    }
    None
}

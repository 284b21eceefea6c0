//! The event-driven clock.

use std::collections::VecDeque;

use super::OpTiming;
use super::cause::{Cause, Causes};
use super::channel::Channel;
use super::cost::{Cost, Timed, Work};
use super::dma::{DmaUnit, Flight, Stage};
use super::layers::{Layers, PassageId};
use super::ports::Ports;
use super::report::{ClockReport, LayerCycles};
use super::waiting::{Started, Waiting};
use crate::isa::Queue;
use crate::machine::Machine;
use crate::sim::executed::Executed;
use crate::sim::op::QueueOp;

/// An instruction that the MAC array or the vector unit executes.
#[derive(Debug, Clone)]
struct Running {
    op: Started,
    ports: Ports,
    start: u64,
    end: u64,
    causes: Causes,
}

/// A queue.
#[derive(Debug, Clone, Default)]
struct QueueState {
    waiting: VecDeque<Waiting>,
    depth: usize,
    /// Idle cycles that are charged to the next instruction to start.
    idle: Causes,
}

/// The instruction that a unit's cycle is charged to.
#[derive(Debug, Clone, Copy)]
enum Charged {
    /// The one that the unit executes (MAC and VEC), or has in flight (DMA, by index).
    InUnit(usize),
    /// The next one of the queue.
    Head,
}

const DMA: [Queue; 2] = [Queue::Dmain, Queue::Dmaout];

/// Advances from event to event: its work grows with the number of instructions, and of segments for which
/// both DMA units compete, not with cycles.
///
/// The control core drives it: [`EventClock::control`], [`EventClock::issue`] and the others are called in
/// program order. Between the calls the units proceed by themselves, in the order that the manual defines
/// (*Time*: Inside a cycle).
#[derive(Debug, Clone)]
pub struct EventClock<'m> {
    machine: &'m Machine,
    /// The cycle in which the control core executes its next instruction.
    now: u64,
    /// The last cycle whose events have been processed; causes are counted up to it.
    at: u64,
    lanes: [QueueState; 4],
    /// Instructions of each queue that have ended.
    ended: [u64; 4],
    /// MAC array and vector unit.
    running: [Option<Running>; 2],
    dma: [DmaUnit; 2],
    channel: Channel,
    held: Ports,
    /// Causes of cycle `at`, which hold until the next event.
    judged: [(Cause, Charged); 4],
    /// The next event of each unit by itself; `u64::MAX` for none.
    due: [u64; 4],
    /// The cycle in which a new head of a queue becomes visible, or a DMA queue may start another
    /// instruction; `u64::MAX` for none.
    wake: u64,
    layers: Layers,
    report: ClockReport,
    timings: Option<Vec<OpTiming>>,
}

impl<'m> EventClock<'m> {
    /// A clock at cycle 0 for a program with `layers` layers.
    #[must_use]
    pub fn new(machine: &'m Machine, layers: usize) -> Self {
        let depths = [
            machine.dma.in_queue_depth,
            machine.dma.out_queue_depth,
            machine.mac.queue_depth,
            machine.vec.queue_depth,
        ];
        EventClock {
            machine,
            now: 0,
            at: 0,
            lanes: depths.map(|d| QueueState { depth: d as usize, ..QueueState::default() }),
            ended: [0; 4],
            running: [None, None],
            dma: Default::default(),
            channel: Channel::new(&machine.dram),
            held: Ports::default(),
            judged: [(Cause::NothingIssued, Charged::Head); 4],
            due: [u64::MAX; 4],
            wake: u64::MAX,
            layers: Layers::default(),
            report: ClockReport { layers: vec![LayerCycles::default(); layers], ..ClockReport::default() },
            timings: None,
        }
    }

    /// Keeps the timing of every queue instruction, for [`EventClock::ended`].
    #[must_use]
    pub fn recording(mut self) -> Self {
        self.timings = Some(Vec::new());
        self
    }

    /// The instructions that have ended since the last call, in the order of their ends.
    pub fn ended(&mut self) -> Vec<OpTiming> {
        self.timings.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The machine.
    #[must_use]
    pub fn machine(&self) -> &'m Machine {
        self.machine
    }

    /// The cycle in which the control core executes its next instruction.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.now
    }

    /// Consecutive control instructions, and the mask of the queue instruction that comes next.
    pub fn control(&mut self, executed: Executed) {
        let Executed { plain, loads, mask_loads, misses } = executed;
        let control = &self.machine.control;
        let loading = (loads + mask_loads) * u64::from(control.const_load_cycles)
            + misses * u64::from(control.const_miss_cycles);
        self.report.instructions += plain + loads;
        self.report.control.busy += plain;
        self.report.control.constant_load += loading;
        self.now += plain + loading;
    }

    /// Issues a queue instruction with its cost; returns the cycle of its issue.
    pub fn issue(&mut self, op: &QueueOp, cost: &Cost) -> u64 {
        self.issue_timed(&Timed::new(op, cost.clone()))
    }

    /// As [`issue`](Self::issue), from what a record keeps for the clock.
    pub fn issue_timed(&mut self, op: &Timed) -> u64 {
        let slot = op.queue.index();
        self.advance(self.now);
        while self.lanes[slot].waiting.len() >= self.lanes[slot].depth {
            // There always is a next event: tickets name earlier instructions only, so the oldest one can
            // proceed.
            if !self.step(u64::MAX) {
                break;
            }
            self.report.control.queue_full += self.at - self.now;
            self.now = self.at;
        }
        let issue = self.now;
        let passage = self.layers.of(op.layer);
        self.count(op.queue, &op.cost, passage);
        let waiting = &mut self.lanes[slot].waiting;
        // Behind another instruction, or at a busy unit, it changes nothing yet.
        if waiting.is_empty() && (slot < 2 || self.running[slot - 2].is_none()) {
            self.wake = self.wake.min(issue + 1);
        }
        waiting.push_back(Waiting {
            seq: op.seq,
            issue,
            passage,
            tickets: op.tickets,
            ports: op.cost.ports,
            work: op.cost.work.clone(),
            latency: op.cost.latency,
            writes: op.queue == Queue::Dmaout,
        });
        self.retire();
        issue
    }

    /// `layer.begin`.
    pub fn layer_begin(&mut self, layer: u32) {
        self.layers.begin(layer, self.now);
        self.retire();
    }

    /// `layer.end`.
    pub fn layer_end(&mut self) {
        self.retire();
        self.layers.end(self.now);
    }

    /// `fence`, or the fence in `host`.
    pub fn fence(&mut self) {
        self.report.control.fence += self.drain();
        self.retire();
    }

    /// `halt`.
    pub fn halt(&mut self) {
        self.report.control.halted += self.drain();
        self.retire();
        self.count_causes(self.now);
        self.report.total = self.now;
        self.layers.distribute(&mut self.report);
    }

    /// The report, after `halt`.
    #[must_use]
    pub fn report(self) -> ClockReport {
        self.report
    }

    fn retire(&mut self) {
        self.report.instructions += 1;
        self.report.control.busy += 1;
        self.now += 1;
    }

    fn count(&mut self, queue: Queue, cost: &Cost, passage: Option<PassageId>) {
        self.report.units[queue].instructions += 1;
        let Some(row) = self.layers.row(&mut self.report, passage) else { return };
        row.instructions += 1;
        row.macs += cost.macs;
        match queue {
            Queue::Dmain => row.bytes_in += cost.dram_bytes,
            Queue::Dmaout => row.bytes_out += cost.dram_bytes,
            Queue::Mac | Queue::Vec => {}
        }
    }

    /// Advances the control core to the first cycle in which everything issued has ended; returns the cycles
    /// waited.
    fn drain(&mut self) -> u64 {
        let from = self.now;
        self.advance(from);
        while self.is_active() && self.step(u64::MAX) {
            self.now = self.at;
        }
        self.now - from
    }

    fn is_active(&self) -> bool {
        self.lanes.iter().any(|l| !l.waiting.is_empty())
            || self.running.iter().any(Option::is_some)
            || self.dma.iter().any(|d| !d.flights.is_empty())
    }

    /// Processes all events up to and including cycle `until`, as far as they come before the control core's
    /// turn.
    fn advance(&mut self, until: u64) {
        while self.step(until) {}
    }

    /// Advances to the next cycle with an event, if that is not after `until`; false if it is.
    fn step(&mut self, until: u64) -> bool {
        let next = self.due.into_iter().fold(self.wake, u64::min);
        if next > until || next == u64::MAX {
            return false;
        }
        self.count_causes(next);
        self.cycle(next);
        true
    }

    /// Counts the causes of the cycles from `at` up to `to`, in which nothing changes.
    fn count_causes(&mut self, to: u64) {
        let cycles = to - self.at;
        for (slot, (cause, answers)) in self.judged.into_iter().enumerate() {
            self.report.units.0[slot].causes[cause] += cycles;
            if cause.is_condition() {
                self.count_wait(slot, cause, cycles);
            }
            let causes = match (answers, slot) {
                (Charged::InUnit(i), 0 | 1) => self.dma[slot].flights.get_mut(i).map(|f| &mut f.causes),
                (Charged::InUnit(_), _) => self.running[slot - 2].as_mut().map(|r| &mut r.causes),
                (Charged::Head, _) => Some(&mut self.lanes[slot].idle),
            };
            if let Some(causes) = causes {
                causes[cause] += cycles;
            }
        }
        self.at = to;
    }

    /// Counts `cycles` of waiting by the queue that the next instruction of queue `slot` waits for.
    fn count_wait(&mut self, slot: usize, cause: Cause, cycles: u64) {
        let Some(head) = self.lanes[slot].waiting.front() else { return };
        let (queue, _) = head.tickets[usize::from(cause == Cause::Condition2)];
        let passage = head.passage;
        self.report.waits.0[slot][queue] += cycles;
        if let Some(row) = self.layers.row(&mut self.report, passage) {
            row.waits.0[slot][queue] += cycles;
        }
    }

    /// Cycle `t` up to the control core's turn: (a) to (c) of the manual, *Time*: Inside a cycle.
    fn cycle(&mut self, t: u64) {
        self.wake = u64::MAX;
        self.ends(t);
        let mut blocked = Queue::ALL.map(|queue| self.blocked(queue, t));
        self.starts(t, &mut blocked);
        self.grants(t, &blocked);
        self.serve(t);
        for unit in 0..2 {
            self.judged[unit] = self.judge_dma(unit, t, blocked[unit]);
            self.due[unit] = self.dma[unit].next(t);
            self.judged[unit + 2] = match (&self.running[unit], blocked[unit + 2]) {
                (Some(_), _) => (Cause::Busy, Charged::InUnit(0)),
                (None, cause) => (cause.unwrap_or(Cause::Bank), Charged::Head),
            };
            self.due[unit + 2] = self.running[unit].as_ref().map_or(u64::MAX, |r| r.end);
        }
    }

    /// (a) Ends at `t` take effect.
    fn ends(&mut self, t: u64) {
        for unit in 0..2 {
            if let Some(Running { op, ports, start, end, causes }) = &self.running[unit]
                && *end == t
            {
                let (op, start, causes) = (*op, *start, *causes);
                self.held.remove(ports);
                self.running[unit] = None;
                self.end(Queue::ALL[unit + 2], op, start, t, causes);
            }
        }
        for (unit, queue) in DMA.into_iter().enumerate() {
            if self.due[unit] != t {
                continue;
            }
            if let Some(ports) = self.dma[unit].arrive(t) {
                self.held.remove(&ports);
            }
            while let Some(done) = self.dma[unit].finish(t) {
                self.end(queue, done.op.started(), done.start, t, done.causes);
            }
        }
    }

    fn end(&mut self, queue: Queue, op: Started, start: u64, end: u64, causes: Causes) {
        self.ended[queue.index()] += 1;
        if let Some(passage) = op.passage {
            self.layers.finish(passage, end);
        }
        if let Some(row) = self.layers.row(&mut self.report, op.passage) {
            row.units[queue] += causes;
        }
        if let Some(timings) = &mut self.timings {
            timings.push(OpTiming { seq: op.seq, queue, issue: op.issue, start, end, causes });
        }
    }

    /// The first condition that keeps the head of a queue from starting; a head is visible from the cycle
    /// after its issue on.
    fn blocked(&self, queue: Queue, t: u64) -> Option<Cause> {
        let Some(head) = self.lanes[queue.index()].waiting.front().filter(|w| w.issue < t) else {
            return Some(Cause::NothingIssued);
        };
        let met = |(queue, count): (Queue, u64)| self.ended[queue.index()] >= count;
        match head.tickets.map(met) {
            [false, _] => Some(Cause::Condition1),
            [true, false] => Some(Cause::Condition2),
            [true, true] => None,
        }
    }

    /// (b) DMA instructions leave their queues, at most one each.
    fn starts(&mut self, t: u64, blocked: &mut [Option<Cause>; 4]) {
        for (unit, queue) in DMA.into_iter().enumerate() {
            let full = self.dma[unit].flights.len() >= self.machine.dram.outstanding as usize;
            if full || blocked[unit].is_some() {
                continue;
            }
            let lane = &mut self.lanes[unit];
            let Some(op) = lane.waiting.pop_front() else { continue };
            let causes = std::mem::take(&mut lane.idle);
            if !lane.waiting.is_empty() {
                self.wake = t + 1;
            }
            self.dma[unit].flights.push_back(Flight::new(op, t, causes));
            blocked[unit] = self.blocked(queue, t);
        }
    }

    /// (b) Instructions that lack nothing but ports take them, oldest first.
    fn grants(&mut self, t: u64, blocked: &[Option<Cause>; 4]) {
        // At most one for each queue, oldest first.
        let mut candidates = [(u64::MAX, Queue::Dmain); 4];
        let mut count = 0;
        let mut add = |seq: u64, queue: Queue| {
            candidates[count] = (seq, queue);
            count += 1;
        };
        for (unit, queue) in DMA.into_iter().enumerate() {
            if let Some((seq, _)) = self.dma[unit].candidate(t) {
                add(seq, queue);
            }
        }
        for (unit, queue) in [Queue::Mac, Queue::Vec].into_iter().enumerate() {
            if self.running[unit].is_none()
                && blocked[unit + 2].is_none()
                && let Some(head) = self.lanes[unit + 2].waiting.front()
            {
                add(head.seq, queue);
            }
        }
        let candidates = &mut candidates[..count];
        if count > 1 {
            candidates.sort_unstable_by_key(|(seq, _)| *seq);
        }
        let mut reserved = Ports::default();
        for (_, queue) in candidates {
            let slot = queue.index();
            let ports = match slot {
                0 | 1 => self.dma[slot].candidate(t).map(|(_, ports)| ports),
                _ => self.lanes[slot].waiting.front().map(|head| head.ports),
            };
            let Some(ports) = ports else { continue };
            if ports.meets(&self.held) || ports.meets(&reserved) {
                reserved.insert(&ports);
                continue;
            }
            self.held.insert(&ports);
            if slot < 2 {
                self.dma[slot].take_ports(t);
                continue;
            }
            let lane = &mut self.lanes[slot];
            let Some(head) = lane.waiting.front() else { continue };
            let Work::Cycles(cycles) = head.work else { continue };
            let op = head.started();
            lane.waiting.pop_front();
            let causes = std::mem::take(&mut lane.idle);
            self.running[slot - 2] = Some(Running { op, ports, start: t, end: t + cycles, causes });
        }
    }

    /// (c) The channel serves the next segment; if both units request it, those of the unit whose
    /// [turn](Channel::turn) it is. A unit that requests it
    /// alone is granted it for all its segments at once, and loses it at the end of a segment when the other
    /// unit requests it.
    fn serve(&mut self, t: u64) {
        let wants = [0, 1].map(|unit| self.dma[unit].wants_channel());
        let moves = [0, 1].map(|unit| self.dma[unit].moving() == Some(true));
        if wants == [false; 2] && moves != [true; 2] {
            return;
        }
        for unit in 0..2 {
            if moves[unit] && (wants[1 - unit] || moves[1 - unit]) {
                self.dma[unit].share(t, &mut self.channel);
            }
        }
        if self.dma.iter().any(|d| d.moving() == Some(true)) {
            return;
        }
        let (unit, turn) = match [0, 1].map(|unit| self.dma[unit].wants_channel()) {
            [true, true] => {
                let (writes, turn) = self.channel.turn();
                (usize::from(writes), Some(turn))
            }
            [true, false] => (0, None),
            [false, true] => (1, None),
            [false, false] => return,
        };
        self.dma[unit].grant(t, turn, &mut self.channel);
    }

    /// What a DMA unit does in cycle `t`, and the instruction it is charged to (manual, *Time*: Causes).
    fn judge_dma(&self, unit: usize, t: u64, blocked: Option<Cause>) -> (Cause, Charged) {
        let unit = &self.dma[unit];
        if unit.moving().is_some() {
            return (Cause::Busy, Charged::InUnit(unit.mover_index()));
        }
        let Some(oldest) = unit.flights.front() else {
            // A head whose conditions are met has started.
            return (blocked.unwrap_or(Cause::NothingIssued), Charged::Head);
        };
        let full = unit.flights.len() >= self.machine.dram.outstanding as usize;
        let cause = match oldest.stage {
            Stage::WantsChannel => Cause::DramBusy,
            Stage::Waits(ready) if ready <= t => Cause::Bank,
            _ if full && blocked.is_none() => Cause::Outstanding,
            _ => Cause::DramLatency,
        };
        (cause, Charged::InUnit(0))
    }
}

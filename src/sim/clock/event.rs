//! The event clock.

use std::collections::VecDeque;

use super::OpTiming;
use super::cause::{Cause, Causes};
use super::cost::{Work, macs, work};
use super::dma::{DmaUnit, Flight, Stage};
use super::layers::{Layers, PassageId};
use super::ports::Ports;
use super::report::{ClockReport, LayerCycles};
use crate::isa::Queue;
use crate::machine::Machine;
use crate::sim::access::dram_bytes;
use crate::sim::op::{OpKind, QueueOp, Ticket};

/// An instruction that was issued and has not ended.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) seq: u64,
    issue: u64,
    passage: Option<PassageId>,
    tickets: [Option<Ticket>; 2],
    pub(super) ports: Ports,
    pub(super) work: Work,
    /// Cycles before and after the data of a DMA transfer.
    pub(super) latency: [u64; 2],
}

/// An instruction that the MAC array or the vector unit executes.
#[derive(Debug, Clone)]
struct Running {
    op: Waiting,
    start: u64,
    end: u64,
    causes: Causes,
}

/// A queue.
#[derive(Debug, Clone, Default)]
struct Lane {
    waiting: VecDeque<Waiting>,
    depth: usize,
    /// Instructions that have ended.
    ended: u64,
    /// Idle cycles that the next instruction to start will answer for.
    idle: Causes,
}

/// Which instruction answers for a unit's cycle.
#[derive(Debug, Clone, Copy)]
enum Answers {
    /// The one that the unit executes (MAC and VEC), or has in flight (DMA, by index).
    InUnit(usize),
    /// The next one of the queue.
    Head,
}

const DMA: [Queue; 2] = [Queue::Dmain, Queue::Dmaout];

/// Goes from event to event: cost grows with instructions and with segments for which both DMA units compete, not with
/// cycles.
///
/// The control core drives it: [`EventClock::control`], [`EventClock::issue`] and the others follow each other in
/// program order. Between them the units go on by themselves. Inside a cycle the order of rule C1 holds.
#[derive(Debug, Clone)]
pub struct EventClock<'m> {
    machine: &'m Machine,
    /// The cycle in which the control core executes its next instruction.
    now: u64,
    /// The last cycle whose events have happened; causes are counted up to it.
    at: u64,
    lanes: [Lane; 4],
    /// MAC array and vector unit.
    running: [Option<Running>; 2],
    dma: [DmaUnit; 2],
    /// Index of the DMA unit that the channel served last.
    served: usize,
    held: Ports,
    /// Causes of the cycle `at` and those up to the next event.
    judged: [(Cause, Answers); 4],
    /// A DMA queue may start another instruction in the next cycle.
    again: bool,
    layers: Layers,
    report: ClockReport,
    timings: Option<Vec<OpTiming>>,
}

impl<'m> EventClock<'m> {
    /// A clock for a program with `layers` layers.
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
            lanes: depths.map(|d| Lane { depth: d as usize, ..Lane::default() }),
            running: [None, None],
            dma: Default::default(),
            // In the first tie the channel goes to DMA-in.
            served: 1,
            held: Ports::default(),
            judged: [(Cause::NothingIssued, Answers::Head); 4],
            again: false,
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

    /// The instructions that have ended since the last call, in the order in which they ended.
    pub fn ended(&mut self) -> Vec<OpTiming> {
        self.timings.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The cycle in which the control core executes its next instruction.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.now
    }

    /// A control instruction (`load`: it fetches from the constants).
    pub fn control(&mut self, load: bool) {
        self.report.instructions += 1;
        if load {
            let cycles = u64::from(self.machine.control.const_load_cycles);
            self.report.control.constant_load += cycles;
            self.now += cycles;
        } else {
            self.report.control.busy += 1;
            self.now += 1;
        }
    }

    /// A queue instruction; returns the cycle of its issue.
    pub fn issue(&mut self, op: &QueueOp) -> u64 {
        let slot = op.queue.index();
        self.advance(self.now);
        while self.lanes[slot].waiting.len() >= self.lanes[slot].depth {
            // Something always happens next: tickets name earlier instructions only, so the oldest can go on.
            if !self.step(u64::MAX) {
                break;
            }
            self.report.control.queue_full += self.at - self.now;
            self.now = self.at;
        }
        let issue = self.now;
        let passage = self.layers.of(op.layer);
        self.count(op, passage);
        let (read, write) = (self.machine.dram.read_latency_cycles, self.machine.dram.write_latency_cycles);
        let latency = match op.kind {
            OpKind::DmaIn { .. } | OpKind::DmaPad { .. } => [read, 0],
            OpKind::DmaOut { .. } => [0, write],
            _ => [0, 0],
        };
        self.lanes[slot].waiting.push_back(Waiting {
            seq: op.seq,
            issue,
            passage,
            tickets: op.tickets,
            ports: Ports::of(&op.kind, self.machine),
            work: work(&op.kind, self.machine),
            latency: latency.map(u64::from),
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

    fn count(&mut self, op: &QueueOp, passage: Option<PassageId>) {
        self.report.units[op.queue.index()].instructions += 1;
        let Some(row) = self.layers.row(&mut self.report, passage) else { return };
        row.instructions += 1;
        row.macs += macs(&op.kind);
        match op.queue {
            Queue::Dmain => row.bytes_in += dram_bytes(&op.kind),
            Queue::Dmaout => row.bytes_out += dram_bytes(&op.kind),
            Queue::Mac | Queue::Vec => {}
        }
    }

    /// Moves the control core to the first cycle in which everything issued has ended; returns the cycles waited.
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

    /// Lets everything happen up to and including cycle `until`, as far as it comes before the control core's turn.
    fn advance(&mut self, until: u64) {
        while self.step(until) {}
    }

    /// Goes to the next cycle in which something happens, if that is not after `until`.
    fn step(&mut self, until: u64) -> bool {
        // Segments of a unit that has the channel for itself follow each other without a look at anything else.
        for unit in 0..2 {
            if self.dma[unit].streams() && !self.dma[1 - unit].wants_channel() {
                let others = self.next_besides(Some(unit)).into_iter().chain(self.dma[unit].next_end());
                let others = others.fold(until.saturating_add(1), u64::min);
                self.dma[unit].stream(others);
            }
        }
        let Some(next) = self.next_besides(None).filter(|n| *n <= until) else { return false };
        self.count_causes(next);
        self.cycle(next);
        true
    }

    /// The next cycle in which something happens, one DMA unit left out.
    fn next_besides(&self, unit: Option<usize>) -> Option<u64> {
        let heads = self.lanes.iter().filter_map(|l| l.waiting.front()).map(|w| w.issue + 1);
        let ends = self.running.iter().flatten().map(|r| r.end);
        let dma = self.dma.iter().enumerate().filter(|(i, _)| Some(*i) != unit);
        let moves = dma.filter_map(|(_, d)| d.next(self.at));
        let again = self.again.then_some(self.at + 1);
        heads.chain(ends).chain(moves).chain(again).filter(|t| *t > self.at).min()
    }

    /// Counts the causes of the cycles from `at` up to `to`, in which nothing changes.
    fn count_causes(&mut self, to: u64) {
        let cycles = to - self.at;
        for (slot, (cause, answers)) in self.judged.into_iter().enumerate() {
            self.report.units[slot].causes[cause] += cycles;
            match (answers, slot) {
                (Answers::Head, _) => self.lanes[slot].idle[cause] += cycles,
                (Answers::InUnit(i), 0 | 1) => {
                    if let Some(flight) = self.dma[slot].flights.get_mut(i) {
                        flight.causes[cause] += cycles;
                    }
                }
                (Answers::InUnit(_), _) => {
                    if let Some(running) = &mut self.running[slot - 2] {
                        running.causes[cause] += cycles;
                    }
                }
            }
        }
        self.at = to;
    }

    /// Cycle `t` up to the control core's turn, in the order of rule C1.
    fn cycle(&mut self, t: u64) {
        self.ends(t);
        self.starts(t);
        self.grants(t);
        self.channel(t);
        for (slot, queue) in Queue::ALL.into_iter().enumerate() {
            self.judged[slot] = self.judge(queue, t);
        }
    }

    /// (a) What ends at `t` takes effect.
    fn ends(&mut self, t: u64) {
        for unit in 0..2 {
            if let Some(done) = self.running[unit].take_if(|r| r.end == t) {
                self.held.remove(&done.op.ports);
                self.end(Queue::ALL[unit + 2], &done.op, done.start, t, done.causes);
            }
        }
        for (unit, queue) in DMA.into_iter().enumerate() {
            if let Some(ports) = self.dma[unit].arrive(t) {
                self.held.remove(&ports);
            }
            while let Some(done) = self.dma[unit].finish(t) {
                self.end(queue, &done.op, done.start, t, done.causes);
            }
        }
    }

    fn end(&mut self, queue: Queue, op: &Waiting, start: u64, end: u64, causes: Causes) {
        self.lanes[queue.index()].ended += 1;
        if let Some(passage) = op.passage {
            self.layers.finish(passage, end);
        }
        if let Some(row) = self.layers.row(&mut self.report, op.passage) {
            row.units[queue.index()] += causes;
        }
        if let Some(timings) = &mut self.timings {
            timings.push(OpTiming { seq: op.seq, queue, issue: op.issue, start, end, causes });
        }
    }

    /// The first condition that keeps the head of a queue from starting; none if there is no head to be seen in `t`.
    fn head(&self, queue: Queue, t: u64) -> Result<&Waiting, Cause> {
        let waiting = &self.lanes[queue.index()].waiting;
        let head = waiting.front().filter(|w| w.issue < t).ok_or(Cause::NothingIssued)?;
        let met = |t: Option<Ticket>| t.is_none_or(|t| self.lanes[t.queue.index()].ended >= t.count);
        if !met(head.tickets[0]) {
            return Err(Cause::Condition1);
        }
        if met(head.tickets[1]) { Ok(head) } else { Err(Cause::Condition2) }
    }

    /// (b) DMA instructions leave their queues, at most one each.
    fn starts(&mut self, t: u64) {
        self.again = false;
        for (unit, queue) in DMA.into_iter().enumerate() {
            let flights = self.dma[unit].flights.len();
            if flights >= self.machine.dram.outstanding as usize || self.head(queue, t).is_err() {
                continue;
            }
            let lane = &mut self.lanes[queue.index()];
            let Some(op) = lane.waiting.pop_front() else { continue };
            let causes = std::mem::take(&mut lane.idle);
            self.again |= !lane.waiting.is_empty();
            let stage = Stage::Waits(t + op.latency[0]);
            self.dma[unit].flights.push_back(Flight { op, start: t, stage, causes });
        }
    }

    /// (b) Who has everything but ports takes them, oldest first.
    fn grants(&mut self, t: u64) {
        // At most one of each queue, oldest first.
        let mut candidates: [Option<(u64, Queue, Ports)>; 4] = [None; 4];
        for (unit, queue) in [Queue::Mac, Queue::Vec].into_iter().enumerate() {
            if self.running[unit].is_none()
                && let Ok(head) = self.head(queue, t)
            {
                candidates[unit + 2] = Some((head.seq, queue, head.ports));
            }
        }
        for (unit, queue) in DMA.into_iter().enumerate() {
            candidates[unit] = self.dma[unit].candidate(t).map(|(seq, ports)| (seq, queue, ports));
        }
        if candidates.iter().all(Option::is_none) {
            return;
        }
        candidates.sort_unstable_by_key(|c| c.map_or(u64::MAX, |(seq, ..)| seq));
        let mut reserved = Ports::default();
        for (_, queue, ports) in candidates.into_iter().flatten() {
            if ports.meets(&self.held) || ports.meets(&reserved) {
                reserved.insert(&ports);
                continue;
            }
            self.held.insert(&ports);
            match queue {
                Queue::Dmain => self.dma[0].take_ports(t),
                Queue::Dmaout => self.dma[1].take_ports(t),
                Queue::Mac | Queue::Vec => {
                    let lane = &mut self.lanes[queue.index()];
                    let Some(op) = lane.waiting.pop_front() else { continue };
                    let causes = std::mem::take(&mut lane.idle);
                    let Work::Cycles(cycles) = op.work else { continue };
                    let unit = usize::from(queue == Queue::Vec);
                    self.running[unit] = Some(Running { op, start: t, end: t + cycles, causes });
                }
            }
        }
    }

    /// (c) The channel serves the next segment; if both units want it, that of the one not served last.
    fn channel(&mut self, t: u64) {
        if self.dma.iter().any(|d| d.moving().is_some_and(|(_, channel)| channel)) {
            return;
        }
        let unit = match [self.dma[0].wants_channel(), self.dma[1].wants_channel()] {
            [true, true] => 1 - self.served,
            [true, false] => 0,
            [false, true] => 1,
            [false, false] => return,
        };
        self.served = unit;
        self.dma[unit].grant(t);
    }

    /// What a unit does in cycle `t`, and which instruction answers for it (rule C6).
    fn judge(&self, queue: Queue, t: u64) -> (Cause, Answers) {
        let unit = match queue {
            Queue::Dmain => &self.dma[0],
            Queue::Dmaout => &self.dma[1],
            Queue::Mac | Queue::Vec => {
                let running = &self.running[usize::from(queue == Queue::Vec)];
                return match (running, self.head(queue, t)) {
                    (Some(_), _) => (Cause::Busy, Answers::InUnit(0)),
                    (None, Err(cause)) => (cause, Answers::Head),
                    (None, Ok(_)) => (Cause::Bank, Answers::Head),
                };
            }
        };
        if let Some(moves) = unit.mover().filter(|_| unit.moving().is_some()) {
            return (Cause::Busy, Answers::InUnit(moves));
        }
        let Some(oldest) = unit.flights.front() else {
            // A head that meets its conditions has started.
            return (self.head(queue, t).err().unwrap_or(Cause::NothingIssued), Answers::Head);
        };
        let full = unit.flights.len() >= self.machine.dram.outstanding as usize;
        let cause = match oldest.stage {
            Stage::WantsChannel => Cause::DramBusy,
            Stage::Waits(ready) if ready <= t => Cause::Bank,
            _ if full && self.head(queue, t).is_ok() => Cause::Outstanding,
            _ => Cause::DramLatency,
        };
        (cause, Answers::InUnit(0))
    }
}

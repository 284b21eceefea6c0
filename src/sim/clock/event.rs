//! The event clock.

use super::duration::{duration, macs};
use super::report::{ClockReport, LayerCycles};
use super::{Clock, OpTiming};
use crate::isa::Queue;
use crate::machine::Machine;
use crate::sim::access::dram_bytes;
use crate::sim::op::QueueOp;

/// How far back a condition can look: 8 bits, itself not counted.
const HISTORY: usize = 257;

/// One queue and its unit.
#[derive(Debug, Clone)]
struct Lane {
    depth: u64,
    /// Instructions issued.
    issued: u64,
    /// Starts and ends of the last instructions, by number modulo the length.
    starts: Vec<u64>,
    ends: Vec<u64>,
    /// End of the last instruction.
    free: u64,
}

impl Lane {
    fn new(depth: u32) -> Lane {
        let starts = vec![0; depth as usize];
        Lane { depth: depth.into(), issued: 0, starts, ends: vec![0; HISTORY], free: 0 }
    }

    /// When `count` instructions of the queue had ended. Ends ascend, so an instruction that is no longer remembered
    /// has ended no later than the oldest that is.
    fn ended(&self, count: u64) -> u64 {
        if count == 0 {
            return 0;
        }
        let oldest = self.issued.saturating_sub(HISTORY as u64 - 1).max(1);
        self.ends[(count.max(oldest) % HISTORY as u64) as usize]
    }

    /// First cycle in which the queue has room for one more entry.
    fn room(&self) -> u64 {
        if self.issued < self.depth { 0 } else { self.starts[(self.issued % self.depth) as usize] }
    }
}

/// Goes from event to event: cost grows with instructions, not with cycles.
#[derive(Debug, Clone)]
pub struct EventClock<'m> {
    machine: &'m Machine,
    /// The cycle in which the control core executes its next instruction.
    now: u64,
    lanes: [Lane; 4],
    report: ClockReport,
    layer: Option<usize>,
    /// `T_k` of the last ended layer; none before the first begins.
    boundary: Option<u64>,
    /// Latest end inside the layers so far.
    latest: u64,
}

impl<'m> EventClock<'m> {
    /// A clock for a program with `layers` layers.
    #[must_use]
    pub fn new(machine: &'m Machine, layers: usize) -> Self {
        let lanes = [
            machine.dma.in_queue_depth,
            machine.dma.out_queue_depth,
            machine.mac.queue_depth,
            machine.vec.queue_depth,
        ];
        EventClock {
            machine,
            now: 0,
            lanes: lanes.map(Lane::new),
            report: ClockReport { layers: vec![LayerCycles::default(); layers], ..ClockReport::default() },
            layer: None,
            boundary: None,
            latest: 0,
        }
    }

    fn retire(&mut self) {
        self.report.instructions += 1;
        self.report.control.busy += 1;
        self.now += 1;
    }

    /// Moves the control core to the first cycle in which everything issued has ended.
    fn drain(&mut self) {
        let all = self.lanes.iter().map(|l| l.free).max().unwrap_or(0);
        self.report.control.fence += all.saturating_sub(self.now);
        self.now = self.now.max(all);
    }
}

impl Clock for EventClock<'_> {
    fn control(&mut self, load: bool) {
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

    fn issue(&mut self, op: &QueueOp) -> OpTiming {
        let slot = op.queue.index();
        let room = self.lanes[slot].room();
        self.report.control.queue_full += room.saturating_sub(self.now);
        let issue = self.now.max(room);
        self.now = issue;
        self.retire();

        let ready = op.tickets.map(|t| t.map_or(0, |t| self.lanes[t.queue.index()].ended(t.count)));
        let lane = &mut self.lanes[slot];
        let idle = lane.free;
        let visible = issue + 1;
        let start = visible.max(idle).max(ready[0]).max(ready[1]);
        let end = start + duration(&op.kind, self.machine);
        // Idle cycles [idle, start): first those before the instruction could start, then its conditions in order.
        let from = visible.max(idle);
        let nothing_issued = from - idle;
        let condition1 = ready[0].saturating_sub(from);
        let condition2 = start - from - condition1;
        lane.issued += 1;
        let (n, depth) = (lane.issued, lane.depth);
        lane.starts[((n - 1) % depth) as usize] = start;
        lane.ends[(n % HISTORY as u64) as usize] = end;
        lane.free = end;

        let unit = &mut self.report.units[slot];
        unit.instructions += 1;
        unit.busy += end - start;
        unit.nothing_issued += nothing_issued;
        unit.condition1 += condition1;
        unit.condition2 += condition2;
        if let Some(row) = self.layer.and_then(|l| self.report.layers.get_mut(l)) {
            row.instructions += 1;
            row.macs += macs(&op.kind);
            match op.queue {
                Queue::Dmain => row.bytes_in += dram_bytes(&op.kind),
                Queue::Dmaout => row.bytes_out += dram_bytes(&op.kind),
                Queue::Mac => row.mac_busy += end - start,
                Queue::Vec => row.vec_busy += end - start,
            }
            self.latest = self.latest.max(end);
        }
        OpTiming { issue, start, end, nothing_issued, condition1, condition2 }
    }

    fn layer_begin(&mut self, layer: u32) {
        if self.boundary.is_none() {
            self.report.prologue = self.now;
            self.boundary = Some(self.now);
            self.latest = self.now;
        }
        self.layer = Some(layer as usize);
        self.retire();
    }

    fn layer_end(&mut self, layer: u32) {
        self.retire();
        self.latest = self.latest.max(self.now);
        let before = self.boundary.replace(self.latest).unwrap_or(0);
        if let Some(row) = self.report.layers.get_mut(layer as usize) {
            row.cycles += self.latest - before;
        }
        self.layer = None;
    }

    fn fence(&mut self) {
        self.drain();
        self.retire();
    }

    fn halt(&mut self) {
        self.drain();
        self.retire();
        self.report.total = self.now;
        self.report.epilogue = self.now - self.boundary.unwrap_or(self.report.prologue);
        for (lane, unit) in self.lanes.iter().zip(&mut self.report.units) {
            unit.nothing_issued += self.now - lane.free;
        }
    }

    fn report(self) -> ClockReport {
        self.report
    }
}

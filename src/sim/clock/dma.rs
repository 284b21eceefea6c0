//! A DMA unit: instructions in flight, in order (manual, *Time*: DMA).

use std::collections::VecDeque;

use super::cause::Causes;
use super::channel::Channel;
use super::cost::Work;
use super::ports::Ports;
use super::waiting::Waiting;

/// How far an instruction in flight has come.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stage {
    /// It has no ports yet; it may request them from this cycle on.
    Waits(u64),
    /// It holds its ports and requests the channel.
    WantsChannel,
    /// Its data move until this cycle.
    Moves(u64),
    /// Its data have moved; it ends in this cycle.
    Ends(u64),
}

/// An instruction that has left its queue and not ended.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    pub(super) op: Waiting,
    pub(super) start: u64,
    pub(super) stage: Stage,
    pub(super) causes: Causes,
    /// Segments whose data have passed, or pass if nothing happens; the first of those that were granted
    /// last, in which cycle, and the channel before them.
    sent: usize,
    granted: Option<Box<Grant>>,
}

/// Segments that were granted the channel at once, which another instruction may take away again.
#[derive(Debug, Clone)]
struct Grant {
    first: usize,
    cycle: u64,
    before: Channel,
}

impl Flight {
    pub(super) fn new(op: Waiting, start: u64, causes: Causes) -> Flight {
        let stage = Stage::Waits(start + u64::from(op.latency[0]));
        Flight { op, start, stage, causes, sent: 0, granted: None }
    }

    /// Segments in all; none for transfers inside the scratchpad.
    fn segments(&self) -> usize {
        match &self.op.work {
            Work::Transfer(transfer) => transfer.len(),
            Work::Cycles(_) => 0,
        }
    }

    /// The channel serves the segments `sent..until`, from cycle `t` on; returns the cycle in which it is
    /// free again.
    fn serve(&mut self, t: u64, until: usize, channel: &mut Channel) -> u64 {
        let Work::Transfer(transfer) = &self.op.work else { return t };
        let writes = self.op.writes;
        let end = (self.sent..until).fold(t, |t, i| channel.serve(t, transfer.segment(i), writes));
        self.sent = until;
        end
    }
}

/// One of the two DMA units.
#[derive(Debug, Clone, Default)]
pub(super) struct DmaUnit {
    pub(super) flights: VecDeque<Flight>,
    /// How many of the first flights have moved all their data.
    moved: usize,
}

impl DmaUnit {
    /// The oldest instruction whose data have not all moved: the only one that may hold ports.
    pub(super) fn mover(&self) -> Option<&Flight> {
        self.flights.get(self.moved)
    }

    /// Index of the [mover](Self::mover).
    pub(super) fn mover_index(&self) -> usize {
        self.moved
    }

    /// The mover, if it may request its ports in cycle `t`.
    pub(super) fn candidate(&self, t: u64) -> Option<(u64, Ports)> {
        let flight = self.mover()?;
        match flight.stage {
            Stage::Waits(ready) if ready <= t => Some((flight.op.seq, flight.op.ports)),
            _ => None,
        }
    }

    /// The mover takes its ports in cycle `t`.
    pub(super) fn take_ports(&mut self, t: u64) {
        let Some(flight) = self.flights.get_mut(self.moved) else { return };
        flight.stage = match &flight.op.work {
            Work::Cycles(cycles) => Stage::Moves(t + cycles),
            // Nothing but padding.
            Work::Transfer(transfer) if transfer.is_empty() => Stage::Moves(t + 1),
            Work::Transfer(_) => Stage::WantsChannel,
        };
    }

    /// Whether the mover requests the channel.
    pub(super) fn wants_channel(&self) -> bool {
        self.mover().is_some_and(|f| matches!(f.stage, Stage::WantsChannel))
    }

    /// The channel serves the mover from cycle `t` on: all its segments, or as many as it may while the other
    /// unit waits.
    pub(super) fn grant(&mut self, t: u64, turn: Option<u32>, channel: &mut Channel) {
        let Some(flight) = self.flights.get_mut(self.moved) else { return };
        let (first, last) = (flight.sent, flight.segments());
        let until = turn.map_or(last, |turn| last.min(first + turn as usize));
        flight.granted = (turn.is_none() && last - first > 1)
            .then(|| Box::new(Grant { first, cycle: t, before: channel.clone() }));
        flight.stage = Stage::Moves(flight.serve(t, until, channel));
    }

    /// The other unit requests the channel in cycle `t`: the mover keeps it for the segment under way only.
    pub(super) fn share(&mut self, t: u64, channel: &mut Channel) {
        let Some(flight) = self.flights.get_mut(self.moved) else { return };
        let Stage::Moves(_) = flight.stage else { return };
        let Some(grant) = flight.granted.take() else { return };
        let last = flight.segments();
        *channel = grant.before;
        flight.sent = grant.first;
        let mut end = grant.cycle;
        while end < t && flight.sent < last {
            end = flight.serve(end, flight.sent + 1, channel);
        }
        flight.stage = if end == t && flight.sent < last { Stage::WantsChannel } else { Stage::Moves(end) };
    }

    /// Whether data move, and if so whether over the channel.
    pub(super) fn moving(&self) -> Option<bool> {
        let flight = self.mover()?;
        matches!(flight.stage, Stage::Moves(_)).then_some(matches!(flight.op.work, Work::Transfer(_)))
    }

    /// Ends data movement that is complete at `t`; returns the ports that this frees.
    pub(super) fn arrive(&mut self, t: u64) -> Option<Ports> {
        let before = match self.flights.get(self.moved.wrapping_sub(1)).map(|f| f.stage) {
            Some(Stage::Ends(end)) => end,
            _ => 0,
        };
        let flight = self.flights.get_mut(self.moved)?;
        if !matches!(flight.stage, Stage::Moves(until) if until == t) {
            return None;
        }
        if flight.sent < flight.segments() {
            flight.stage = Stage::WantsChannel;
            return None;
        }
        // Ends are in order.
        flight.stage = Stage::Ends((t + u64::from(flight.op.latency[1])).max(before));
        self.moved += 1;
        Some(flight.op.ports)
    }

    /// Removes and returns the oldest instruction, if it ends by `t`.
    pub(super) fn finish(&mut self, t: u64) -> Option<Flight> {
        match self.flights.front()?.stage {
            Stage::Ends(end) if end <= t => {
                self.moved -= 1;
                self.flights.pop_front()
            }
            _ => None,
        }
    }

    /// The next cycle after `t` in which this unit has an event of its own; `u64::MAX` for none.
    pub(super) fn next(&self, t: u64) -> u64 {
        let after = |cycle: u64| if cycle > t { cycle } else { u64::MAX };
        let mover = match self.mover().map(|f| f.stage) {
            Some(Stage::Waits(ready)) => after(ready),
            Some(Stage::Moves(until)) => after(until),
            _ => u64::MAX,
        };
        match self.flights.front().map(|f| f.stage) {
            Some(Stage::Ends(end)) => mover.min(after(end)),
            _ => mover,
        }
    }
}

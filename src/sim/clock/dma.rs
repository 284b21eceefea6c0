//! A DMA unit: instructions in flight, in order (rule C5).

use std::collections::VecDeque;

use super::cause::Causes;
use super::cost::Work;
use super::event::Waiting;
use super::ports::Ports;
use super::segments::Segments;

/// Where an instruction is on its way.
#[derive(Debug, Clone)]
pub(super) enum Stage {
    /// It has no ports; it may ask for them from this cycle on.
    Waits(u64),
    /// It holds its ports and wants the channel.
    WantsChannel,
    /// Data move until this cycle.
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
}

impl Flight {
    /// What is left to move over the channel; none for what stays inside the scratchpad.
    fn segments(&self) -> Option<&Segments> {
        match &self.op.work {
            Work::Transfer(segments) => Some(segments),
            Work::Cycles(_) => None,
        }
    }

    fn has_segments(&self) -> bool {
        self.segments().is_some_and(|s| !s.is_empty())
    }

    fn next_segment(&mut self) -> Option<u64> {
        match &mut self.op.work {
            Work::Transfer(segments) => segments.next(),
            Work::Cycles(_) => None,
        }
    }
}

/// One of the two units.
#[derive(Debug, Clone, Default)]
pub(super) struct DmaUnit {
    pub(super) flights: VecDeque<Flight>,
}

impl DmaUnit {
    /// The oldest instruction whose data have not all moved: the only one that may hold ports.
    pub(super) fn mover(&self) -> Option<usize> {
        (0..self.flights.len()).find(|i| !matches!(self.flights[*i].stage, Stage::Ends(_)))
    }

    /// The mover, if it may ask for its ports in cycle `t`.
    pub(super) fn candidate(&self, t: u64) -> Option<(u64, Ports)> {
        let flight = &self.flights[self.mover()?];
        match flight.stage {
            Stage::Waits(ready) if ready <= t => Some((flight.op.seq, flight.op.ports)),
            _ => None,
        }
    }

    /// The mover takes its ports in cycle `t`.
    pub(super) fn take_ports(&mut self, t: u64) {
        let Some(flight) = self.mover().map(|i| &mut self.flights[i]) else { return };
        flight.stage = match flight.op.work {
            Work::Cycles(cycles) => Stage::Moves(t + cycles),
            Work::Transfer(_) if flight.has_segments() => Stage::WantsChannel,
            // Nothing but padding.
            Work::Transfer(_) => Stage::Moves(t + 1),
        };
    }

    /// Whether the mover wants the channel.
    pub(super) fn wants_channel(&self) -> bool {
        self.mover().is_some_and(|i| matches!(self.flights[i].stage, Stage::WantsChannel))
    }

    /// The channel serves the mover's next segment from cycle `t` on.
    pub(super) fn grant(&mut self, t: u64) {
        let Some(flight) = self.mover().map(|i| &mut self.flights[i]) else { return };
        if let Some(cycles) = flight.next_segment() {
            flight.stage = Stage::Moves(t + cycles);
        }
    }

    /// Whether a segment moves and another one follows it.
    pub(super) fn streams(&self) -> bool {
        self.mover().is_some_and(|i| {
            matches!(self.flights[i].stage, Stage::Moves(_)) && self.flights[i].has_segments()
        })
    }

    /// Lets segments follow each other as long as one ends before `before`.
    pub(super) fn stream(&mut self, before: u64) {
        let Some(flight) = self.mover().map(|i| &mut self.flights[i]) else { return };
        while let Stage::Moves(until) = flight.stage
            && until < before
            && let Some(cycles) = flight.next_segment()
        {
            flight.stage = Stage::Moves(until + cycles);
        }
    }

    /// When the data that move now have moved, and whether over the channel.
    pub(super) fn moving(&self) -> Option<(u64, bool)> {
        let flight = &self.flights[self.mover()?];
        match flight.stage {
            Stage::Moves(until) => Some((until, flight.segments().is_some())),
            _ => None,
        }
    }

    /// Data that moved until `t` have arrived; gives the ports that become free.
    pub(super) fn arrive(&mut self, t: u64) -> Option<Ports> {
        let at = self.mover()?;
        let before = at.checked_sub(1).map_or(0, |i| match self.flights[i].stage {
            Stage::Ends(end) => end,
            _ => 0,
        });
        let flight = &mut self.flights[at];
        if !matches!(flight.stage, Stage::Moves(until) if until == t) {
            return None;
        }
        if flight.has_segments() {
            flight.stage = Stage::WantsChannel;
            return None;
        }
        // Ends are in order.
        flight.stage = Stage::Ends((t + flight.op.latency[1]).max(before));
        Some(flight.op.ports)
    }

    /// The oldest instruction, if it ends by `t`.
    pub(super) fn finish(&mut self, t: u64) -> Option<Flight> {
        match self.flights.front()?.stage {
            Stage::Ends(end) if end <= t => self.flights.pop_front(),
            _ => None,
        }
    }

    /// When the oldest instruction ends, if its data have moved.
    pub(super) fn next_end(&self) -> Option<u64> {
        match self.flights.front()?.stage {
            Stage::Ends(end) => Some(end),
            _ => None,
        }
    }

    /// The next cycle after `t` in which something happens here by itself.
    pub(super) fn next(&self, t: u64) -> Option<u64> {
        let mover = self.mover().and_then(|i| match self.flights[i].stage {
            Stage::Waits(ready) => Some(ready),
            Stage::Moves(until) => Some(until),
            _ => None,
        });
        mover.into_iter().chain(self.next_end()).filter(|e| *e > t).min()
    }
}

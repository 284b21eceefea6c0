//! A second clock, written from the manual's rules and nothing else: it shares the decoder and the machine
//! file with the simulator, and ticks every unit once a cycle.

mod constants;
mod core;
mod dram;
mod work;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rcar_iss::internals::machine::Machine;
use rcar_iss::internals::program::Program;

use self::constants::Cache;
use self::core::{Action, Op, actions};
use self::dram::{Channel, Segment};
use work::{Port, Time};

/// Causes of a unit's cycle, by their names in the manual.
pub(crate) type Cycles = BTreeMap<&'static str, u64>;

/// What a queue instruction did, and when.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Record {
    pub(crate) queue: usize,
    pub(crate) issue: u64,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) causes: Cycles,
}

/// A whole run.
#[derive(Debug, PartialEq, Default)]
pub(crate) struct Stepped {
    pub(crate) total: u64,
    /// Of every queue instruction, in program order.
    pub(crate) records: Vec<Record>,
    pub(crate) control: Cycles,
    pub(crate) units: [Cycles; 4],
    /// Prologue, every layer of the table, epilogue.
    pub(crate) rows: Vec<u64>,
}

/// What an instruction in flight still has to do.
#[derive(Debug)]
enum Step {
    /// Cycles of DRAM latency before its data.
    Latency(u64),
    Ports,
    /// It has its ports; segments to come, and cycles left of the present one (0: it waits for the channel).
    Channel(VecDeque<Segment>, u64),
    /// Cycles left of data that need no channel.
    Local(u64),
    /// Cycles of DRAM latency behind its data.
    After(u64),
}

struct Flight {
    seq: usize,
    time: Time,
    ports: BTreeSet<Port>,
    step: Step,
}

struct Unit {
    depth: usize,
    waiting: VecDeque<(usize, Op)>,
    flights: VecDeque<Flight>,
    ended: u64,
}

struct Clock<'m> {
    machine: &'m Machine,
    units: [Unit; 4],
    held: BTreeSet<Port>,
    served: usize,
    /// Segments that the channel served one after the other for that unit.
    in_row: u32,
    channel: Channel,
    out: Stepped,
}

impl Clock<'_> {
    fn met(&self, unit: usize, which: usize) -> bool {
        let (_, op) = &self.units[unit].waiting[0];
        op.tickets[which].is_none_or(|(queue, count)| self.units[queue].ended >= count)
    }

    /// Whether the head of a queue is there in cycle `t` and may start, as far as it depends on others.
    fn head(&self, unit: usize, t: u64) -> Result<(), &'static str> {
        let Some((seq, _)) = self.units[unit].waiting.front() else { return Err("nothing_issued") };
        if self.out.records[*seq].issue == t {
            return Err("nothing_issued");
        }
        if !self.met(unit, 0) {
            return Err("condition1");
        }
        if self.met(unit, 1) { Ok(()) } else { Err("condition2") }
    }

    /// The flight of a DMA unit that is next to move data, or moves them.
    fn mover(&mut self, unit: usize) -> Option<&mut Flight> {
        self.units[unit].flights.iter_mut().find(|f| !matches!(f.step, Step::After(_)))
    }

    /// (a)
    fn ends(&mut self, t: u64) {
        let write_latency = self.machine.dram.write_latency_cycles.into();
        for unit in 0..4 {
            let mut free = BTreeSet::new();
            for flight in &mut self.units[unit].flights {
                let done = match &mut flight.step {
                    Step::Latency(n) | Step::After(n) => {
                        *n = n.saturating_sub(1);
                        false
                    }
                    Step::Local(n) => {
                        *n -= 1;
                        *n == 0
                    }
                    Step::Channel(rest, n) if *n > 0 => {
                        *n -= 1;
                        *n == 0 && rest.is_empty()
                    }
                    Step::Ports | Step::Channel(..) => false,
                };
                if done {
                    free.append(&mut flight.ports.clone());
                    let after = if matches!(flight.time, Time::Out(_)) { write_latency } else { 0 };
                    flight.step = Step::After(after);
                }
            }
            self.held.retain(|p| !free.contains(p));
            let unit = &mut self.units[unit];
            while unit.flights.front().is_some_and(|f| matches!(f.step, Step::After(0))) {
                let flight = unit.flights.pop_front().unwrap();
                self.out.records[flight.seq].end = t;
                unit.ended += 1;
            }
        }
    }

    /// (b)
    fn starts(&mut self, t: u64) {
        for unit in 0..2 {
            let room = self.units[unit].flights.len() < self.machine.dram.outstanding as usize;
            if room && self.head(unit, t).is_ok() {
                let (seq, op) = self.units[unit].waiting.pop_front().unwrap();
                self.out.records[seq].start = t;
                let latency = match op.work.time {
                    Time::In(_) => self.machine.dram.read_latency_cycles.into(),
                    _ => 0,
                };
                let step = Step::Latency(latency);
                self.units[unit].flights.push_back(Flight {
                    seq,
                    time: op.work.time,
                    ports: op.work.ports,
                    step,
                });
            }
            if let Some(flight) = self.mover(unit).filter(|f| matches!(f.step, Step::Latency(0))) {
                flight.step = Step::Ports;
            }
        }
        let mut candidates = BTreeMap::new();
        for unit in 0..2 {
            if let Some(flight) = self.mover(unit).filter(|f| matches!(f.step, Step::Ports)) {
                candidates.insert(flight.seq, (unit, flight.ports.clone()));
            }
        }
        for unit in 2..4 {
            if self.units[unit].flights.is_empty() && self.head(unit, t).is_ok() {
                let (seq, op) = &self.units[unit].waiting[0];
                candidates.insert(*seq, (unit, op.work.ports.clone()));
            }
        }
        let mut reserved = BTreeSet::new();
        for (seq, (unit, ports)) in candidates {
            if !ports.is_disjoint(&self.held) || !ports.is_disjoint(&reserved) {
                reserved.extend(ports);
                continue;
            }
            self.held.extend(ports.clone());
            if unit < 2 {
                let flight = self.mover(unit).unwrap();
                flight.step = match &flight.time {
                    Time::Cycles(n) => Step::Local(*n),
                    Time::In(s) | Time::Out(s) if s.is_empty() => Step::Local(1),
                    Time::In(s) | Time::Out(s) => Step::Channel(s.clone(), 0),
                };
            } else {
                let (_, op) = self.units[unit].waiting.pop_front().unwrap();
                let Time::Cycles(n) = op.work.time else { panic!("a transfer outside the DMA queues") };
                self.out.records[seq].start = t;
                let step = Step::Local(n);
                self.units[unit].flights.push_back(Flight { seq, time: op.work.time, ports, step });
            }
        }
    }

    /// (c)
    fn channel(&mut self, t: u64) {
        let mut wants = Vec::new();
        for unit in 0..2 {
            match self.mover(unit).map(|f| &f.step) {
                Some(Step::Channel(_, 0)) => wants.push(unit),
                Some(Step::Channel(..)) => return,
                _ => {}
            }
        }
        let unit = match wants[..] {
            [] => return,
            [unit] => unit,
            _ if self.in_row < self.machine.dram.batch_segments => self.served,
            _ => 1 - self.served,
        };
        self.in_row = if unit == self.served { self.in_row + 1 } else { 1 };
        self.served = unit;
        let Some(Step::Channel(rest, _)) = self.mover(unit).map(|f| &mut f.step) else { return };
        let segment = rest.pop_front().unwrap();
        let cycles = self.channel.pass(t, &segment, unit == 1, self.machine);
        if let Some(Step::Channel(_, n)) = self.mover(unit).map(|f| &mut f.step) {
            *n = cycles;
        }
    }

    /// What a unit does in this cycle, and the instruction it is charged to; `None` if nothing was issued.
    fn cause(&self, unit: usize, t: u64) -> (&'static str, Option<usize>) {
        let flights = &self.units[unit].flights;
        let head = self.head(unit, t);
        let waiting = self.units[unit].waiting.front().map(|(seq, _)| *seq);
        let moving = flights.iter().find(|f| match &f.step {
            Step::Local(_) => true,
            Step::Channel(_, n) => *n > 0,
            _ => false,
        });
        if let Some(flight) = moving {
            return ("busy", Some(flight.seq));
        }
        let Some(oldest) = flights.front() else { return (head.err().unwrap_or("bank"), waiting) };
        let full = flights.len() == self.machine.dram.outstanding as usize;
        let cause = match oldest.step {
            Step::Latency(n) | Step::After(n) if n > 0 => {
                if full && head.is_ok() {
                    "outstanding"
                } else {
                    "dram_latency"
                }
            }
            Step::Channel(..) => "dram_busy",
            _ => "bank",
        };
        (cause, Some(oldest.seq))
    }
}

/// Steps through a program that the simulator accepts.
pub(crate) fn run(program: &Program, machine: &Machine) -> Stepped {
    let list = actions(program, machine, 1_000_000);
    let depths = [
        machine.dma.in_queue_depth,
        machine.dma.out_queue_depth,
        machine.mac.queue_depth,
        machine.vec.queue_depth,
    ];
    let mut clock = Clock {
        machine,
        units: depths.map(|d| Unit {
            depth: d as usize,
            waiting: VecDeque::new(),
            flights: VecDeque::new(),
            ended: 0,
        }),
        held: BTreeSet::new(),
        served: 0,
        in_row: 0,
        channel: Channel::default(),
        out: Stepped::default(),
    };
    // Begin, end and layer of every passage through a layer, by index in the list; and the indices of
    // instructions.
    let (mut passages, mut positions) = (Vec::<(usize, usize, u32)>::new(), Vec::new());
    for (at, action) in list.iter().enumerate() {
        match action {
            Action::Begin(layer) => passages.push((at, usize::MAX, *layer)),
            Action::End => passages.last_mut().unwrap().1 = at,
            Action::Issue(op) => positions.push((at, op.layer)),
            _ => {}
        }
    }
    let mut executed = Vec::new();
    // Idle cycles of a unit for which nothing has been issued yet.
    let mut idle = [0_u64; 4];
    let mut busy_until = 0;
    let mut cache = Cache::default();
    let mut list = list.into_iter().peekable();
    let mut t = 0;
    while list.peek().is_some() {
        clock.ends(t);
        clock.starts(t);
        clock.channel(t);
        for (unit, idle) in idle.iter_mut().enumerate() {
            let (cause, answers) = clock.cause(unit, t);
            *clock.out.units[unit].entry(cause).or_default() += 1;
            match answers {
                Some(seq) => {
                    let record = &mut clock.out.records[seq];
                    *record.causes.entry(cause).or_default() += 1;
                    if *idle > 0 {
                        *record.causes.entry("nothing_issued").or_default() += std::mem::take(idle);
                    }
                }
                None => *idle += 1,
            }
        }
        // (d)
        let drained = clock.units.iter().all(|u| u.waiting.is_empty() && u.flights.is_empty());
        let cause = if t < busy_until {
            "constant_load"
        } else {
            match list.peek().unwrap() {
                Action::Issue(op) if clock.units[op.queue].waiting.len() == clock.units[op.queue].depth => {
                    "queue_full"
                }
                Action::Fence if !drained => "fence",
                Action::Halt if !drained => "halted",
                _ => {
                    executed.push(t);
                    match list.next() {
                        Some(Action::ConstantLoad(address, bytes)) => {
                            busy_until = t + cache.load(address, bytes, machine);
                            "constant_load"
                        }
                        Some(Action::Issue(op)) => {
                            let queue = op.queue;
                            let record = Record { queue, issue: t, ..Record::default() };
                            clock.out.records.push(record);
                            clock.units[queue].waiting.push_back((clock.out.records.len() - 1, op));
                            "busy"
                        }
                        _ => "busy",
                    }
                }
            }
        };
        *clock.out.control.entry(cause).or_default() += 1;
        t += 1;
    }
    let mut out = clock.out;
    out.total = t;
    out.rows = rows(program.meta.layers.len(), &passages, &positions, &executed, &out);
    out
}

/// `T_k − T_(k−1)`.
fn rows(
    layers: usize,
    passages: &[(usize, usize, u32)],
    positions: &[(usize, Option<u32>)],
    executed: &[u64],
    out: &Stepped,
) -> Vec<u64> {
    let mut rows = vec![0; layers + 2];
    let Some((first, ..)) = passages.first() else {
        rows[0] = out.total;
        return rows;
    };
    let mut boundary = executed[*first];
    rows[0] = boundary;
    for (index, (_, end, layer)) in passages.iter().enumerate() {
        let mut latest = executed[*end] + 1;
        for ((at, of), record) in positions.iter().zip(&out.records) {
            // Its own, and loads of constants that were issued before it began but after its last passage.
            let before = passages[..index].iter().rfind(|p| p.2 == *layer).map_or(0, |p| p.1);
            if *of == Some(*layer) && (before..*end).contains(at) {
                latest = latest.max(record.end);
            }
        }
        let next = boundary.max(latest);
        rows[*layer as usize + 1] += next - boundary;
        boundary = next;
    }
    rows[layers + 1] = out.total - boundary;
    rows
}

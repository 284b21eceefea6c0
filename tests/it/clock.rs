//! The event clock against a second one that steps through every cycle. They share durations and the control core,
//! nothing else.

use std::collections::VecDeque;
use std::sync::Arc;

use rcar_iss::machine::Machine;
use rcar_iss::program::Program;
use rcar_iss::sim::clock::duration::duration;
use rcar_iss::sim::clock::{ControlCycles, UnitCycles};
use rcar_iss::sim::control::{ControlCore, Sink};
use rcar_iss::sim::{FaultKind, Limits, Loaded, QueueOp};

/// What the control core does, one entry an instruction.
enum Event {
    Control { load: bool },
    Issue(Box<QueueOp>),
    LayerBegin,
    LayerEnd(usize),
    Drain { halt: bool },
}

#[derive(Default)]
struct Events(Vec<Event>);

impl Sink for Events {
    fn control(&mut self, load: bool) {
        self.0.push(Event::Control { load });
    }
    fn issue(&mut self, op: &QueueOp) -> Result<(), FaultKind> {
        self.0.push(Event::Issue(Box::new(op.clone())));
        Ok(())
    }
    fn layer_begin(&mut self, _: u32) {
        self.0.push(Event::LayerBegin);
    }
    fn layer_end(&mut self, layer: u32) -> Result<(), FaultKind> {
        self.0.push(Event::LayerEnd(layer as usize));
        Ok(())
    }
    fn fence(&mut self) {
        self.0.push(Event::Drain { halt: false });
    }
    fn host(&mut self, _: u32) -> Result<(), FaultKind> {
        self.0.push(Event::Drain { halt: false });
        Ok(())
    }
    fn halt(&mut self) {
        self.0.push(Event::Drain { halt: true });
    }
}

/// A queue and its unit.
#[derive(Default)]
struct Lane {
    depth: usize,
    /// Issued, not started: the cycle of the issue.
    waiting: VecDeque<(u64, Box<QueueOp>)>,
    /// End of the running instruction.
    running: Option<u64>,
    ended: u64,
    cycles: UnitCycles,
}

#[derive(Debug, PartialEq, Default)]
struct Stepped {
    total: u64,
    control: ControlCycles,
    units: Vec<UnitCycles>,
    prologue: u64,
    layers: Vec<u64>,
    epilogue: u64,
}

/// Steps through the cycles, each in the order of rule C1.
fn step(events: &[Event], machine: &Machine, layers: usize) -> Stepped {
    let depths = [
        machine.dma.in_queue_depth,
        machine.dma.out_queue_depth,
        machine.mac.queue_depth,
        machine.vec.queue_depth,
    ];
    let mut lanes = depths.map(|d| Lane { depth: d as usize, ..Lane::default() });
    let mut out = Stepped { layers: vec![0; layers], ..Stepped::default() };
    let mut next = 0;
    // The control core executes something until this cycle.
    let mut free = 0;
    let mut boundary = None;
    let mut latest = 0;
    let mut t = 0;
    loop {
        // (a) ends take effect.
        for lane in &mut lanes {
            if lane.running == Some(t) {
                lane.running = None;
                lane.ended += 1;
            }
        }
        // (b) starts; then every unit's cause for this cycle.
        let ended = lanes.each_ref().map(|l| l.ended);
        for lane in &mut lanes {
            let visible = lane.waiting.front().filter(|(issued, _)| *issued < t);
            let met = |i: usize| {
                visible.is_none_or(|(_, op)| op.tickets[i].is_none_or(|k| ended[k.queue.index()] >= k.count))
            };
            let (seen, first, second) = (visible.is_some(), met(0), met(1));
            if lane.running.is_none() && seen && first && second {
                let (_, op) = lane.waiting.pop_front().unwrap();
                let end = t + duration(&op.kind, machine);
                lane.running = Some(end);
                lane.cycles.instructions += 1;
                if op.layer.is_some() {
                    latest = latest.max(end);
                }
            }
            let cause = match (lane.running.is_some(), seen, first) {
                (true, ..) => &mut lane.cycles.busy,
                (_, false, _) => &mut lane.cycles.nothing_issued,
                (_, _, false) => &mut lane.cycles.condition1,
                _ => &mut lane.cycles.condition2,
            };
            *cause += 1;
        }
        // (d) the control core.
        if free <= t {
            let drained = lanes.iter().all(|l| l.running.is_none() && l.waiting.is_empty());
            match &events[next] {
                Event::Control { load: true } => {
                    let n = u64::from(machine.control.const_load_cycles);
                    out.control.constant_load += n;
                    free = t + n;
                    next += 1;
                }
                Event::Issue(op) => {
                    let lane = &mut lanes[op.queue.index()];
                    if lane.waiting.len() < lane.depth {
                        lane.waiting.push_back((t, op.clone()));
                        out.control.busy += 1;
                        next += 1;
                    } else {
                        out.control.queue_full += 1;
                    }
                }
                Event::Drain { .. } if !drained => out.control.fence += 1,
                event => {
                    out.control.busy += 1;
                    next += 1;
                    match event {
                        Event::LayerBegin if boundary.is_none() => {
                            out.prologue = t;
                            boundary = Some(t);
                            latest = t;
                        }
                        Event::LayerEnd(layer) => {
                            latest = latest.max(t + 1);
                            out.layers[*layer] += latest - boundary.unwrap();
                            boundary = Some(latest);
                        }
                        Event::Drain { halt: true } => {
                            out.total = t + 1;
                            out.epilogue = out.total - boundary.unwrap_or(0);
                            out.units = lanes.iter().map(|l| l.cycles).collect();
                            return out;
                        }
                        _ => {}
                    }
                }
            }
        }
        t += 1;
    }
}

/// Both clocks on a program; `None` if it faults.
fn compare(program: Program, machine: &Machine) -> Option<u64> {
    let limits = Limits { instructions: 200_000, ..Limits::default() };
    let layers = program.meta.layers.len();
    let loaded = Loaded::new(Arc::new(program), machine, limits).ok()?;
    let mut events = Events::default();
    ControlCore::new(loaded.program(), loaded.code(), machine, limits.instructions).run(&mut events).ok()?;
    let stepped = step(&events.0, machine, layers);
    let clock = loaded.clock();
    let event = Stepped {
        total: clock.total,
        control: clock.control,
        units: clock.units.to_vec(),
        prologue: clock.prologue,
        layers: clock.layers.iter().map(|l| l.cycles).collect(),
        epilogue: clock.epilogue,
    };
    assert_eq!(event, stepped, "left: event clock, right: stepped clock");
    Some(clock.total)
}

#[test]
fn the_event_clock_agrees_with_stepping_through_every_cycle() {
    let mut compared = 0;
    for seed in 1000..1200 {
        let (program, machine) = crate::random::build::program(seed, 12, false);
        compared += u32::from(compare(program, &machine).is_some());
    }
    assert!(compared > 150, "only {compared} programs ran");
}

#[test]
fn so_do_compiled_networks() {
    for name in Machine::names() {
        let machine = Machine::named(name).unwrap();
        let program = crate::removal::compile("digit_cnn/model.onnx", &machine);
        assert!(compare(program, &machine).unwrap() > 1000);
    }
    let machine = crate::graphs::tiny();
    for seed in 0..20 {
        let graph = crate::graphs::graph(seed);
        let options = rcar_iss::compiler::CompileOptions::default();
        if let Ok(compiled) = rcar_iss::compiler::compile(&graph, &machine, &options) {
            compare(compiled.program, &machine).unwrap();
        }
    }
}

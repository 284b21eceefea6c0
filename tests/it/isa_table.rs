//! What `isa/rcn.toml` says an instruction reads, writes and costs, compared with the simulator for every
//! operation of random programs.

use std::collections::BTreeSet;

use rcar_iss::internals::isa::{EType, Insn, Opcode, QuantMode, Space, TensorDesc, kinds::Timing, limits};
use rcar_iss::internals::machine::Machine;
use rcar_iss::internals::program::Program;
use rcar_iss::internals::sim::access::{Region, for_each_region, padded_dims, span};
use rcar_iss::internals::sim::clock::EventClock;
use rcar_iss::internals::sim::clock::cost::{Cost, Work};
use rcar_iss::internals::sim::control::{ControlCore, Sink};
use rcar_iss::internals::sim::op::{OpKind, QueueOp};
use rcar_iss::internals::sim::validate::{self, Memories};
use rcar_iss::internals::sim::{Executed, FaultKind, Written};

use crate::random::build;

/// Compares while the control core runs.
struct Compare<'a> {
    machine: &'a Machine,
    memories: Memories,
    code: &'a [Insn],
    /// Control instructions, and waits for everything issued, since the last instruction.
    executed: Executed,
    syncs: u64,
    seen: &'a mut BTreeSet<Opcode>,
}

impl Sink for Compare<'_> {
    fn retires(&self) -> bool {
        true
    }

    fn retire(&mut self, pc: u32, _: Option<Written>) {
        let opcode = self.code[pc as usize].opcode();
        let (timing, mnemonic) = (opcode.info().timing, opcode.info().mnemonic);
        assert_eq!(self.executed.loads == 1, timing == Timing::ConstLoad, "{mnemonic}: loads a constant");
        if matches!(timing, Timing::ConstLoad | Timing::Control) && self.executed != Executed::default() {
            let mut clock = EventClock::new(self.machine, 0);
            clock.control(self.executed);
            let mut names = |name: &str| match name {
                "MISSES" => Some(self.executed.misses),
                name => constant(name, self.machine),
            };
            let wanted = Formula { text: timing.formula(), names: &mut names }.sum();
            assert_eq!(clock.now(), wanted, "{mnemonic} costs `{}`", timing.formula());
        }
        assert_eq!(self.syncs == 1, timing == Timing::Sync, "{mnemonic}: waits for everything issued");
        (self.executed, self.syncs) = (Executed::default(), 0);
        self.seen.insert(opcode);
    }

    fn control(&mut self, executed: Executed) {
        self.executed += executed;
    }

    fn issue(&mut self, op: &QueueOp) -> Result<(), FaultKind> {
        validate::check(op, self.machine, &self.memories)?;
        let opcode = self.code[op.pc as usize].opcode();
        regions(opcode, &op.kind);
        cost(opcode, &op.kind, self.machine);
        Ok(())
    }

    fn layer_begin(&mut self, _: u32) {}

    fn layer_end(&mut self, _: u32) -> Result<(), FaultKind> {
        Ok(())
    }

    fn fence(&mut self) {
        self.syncs += 1;
    }

    fn host(&mut self, _: u32, _: u32) -> Result<(), FaultKind> {
        self.syncs += 1;
        Ok(())
    }

    fn halt(&mut self) {
        self.syncs += 1;
    }
}

/// The bytes touched belong to the operands that the table names, and to no others.
fn regions(opcode: Opcode, kind: &OpKind) {
    let info = opcode.info();
    let what = info.mnemonic;
    let (mut read, mut written) = (Vec::new(), Vec::new());
    let _: Result<(), ()> = for_each_region(kind, &mut |region, writes| {
        let list = if writes { &mut written } else { &mut read };
        list.push((region.space(), region.span(), matches!(region, Region::Box(..))));
        Ok(())
    });
    let dst = kind.dst();
    let targets: Vec<_> = dst.iter().map(|d| (d.space, Some(span(d, padded_dims(d))), true)).collect();
    assert_eq!((written, info.writes.len()), (targets.clone(), targets.len()), "{what} writes");

    let operands: Vec<&TensorDesc> = kind.reads().collect();
    let optional = usize::from(info.reads.contains(&"bias"));
    assert!((info.reads.len() - optional..=info.reads.len()).contains(&operands.len()), "{what} reads");
    let mut read = read.into_iter();
    for d in operands {
        let packed = d.strides == [0; 4] && d.dims.iter().any(|n| *n > 1);
        if packed && pruned(kind).is_some_and(|blocks| blocks == 0) {
            continue;
        }
        let (space, bytes, whole) = read.next().unwrap_or_else(|| panic!("{what} reads too little of {d:?}"));
        assert_eq!(space, d.space, "{what} reads {d:?}");
        let Some((lo, hi)) = bytes else { continue };
        let (first, last) = span(d, d.dims);
        match (whole, packed) {
            (true, _) => assert_eq!((lo, hi), (first, last), "{what} reads all of {d:?}"),
            (false, true) => assert_eq!(lo, first, "{what} reads {d:?}"),
            (false, false) => assert!(first <= lo && hi <= last, "{what} reads more than {d:?}"),
        }
    }
    // Operands without a name: multipliers, and accumulators that are added to.
    let mut more: Vec<_> = read.map(|(space, bytes, _)| (space, bytes.map(|b| b.0))).collect();
    let by_channel = kind.quant().filter(|q| q.mode == QuantMode::Channel);
    let wanted = by_channel.map(|q| (Space::Spm, Some(q.table)));
    let sums = dst.filter(|_| kind.accumulates()).map(|d| (d.space, Some(span(d, d.dims).0)));
    let mut wanted: Vec<_> = wanted.into_iter().chain(sums).collect();
    more.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(more, wanted, "{what} reads something that is no operand");
}

/// Blocks of pruned weights.
fn pruned(kind: &OpKind) -> Option<u64> {
    if let OpKind::Conv(c) = kind { c.pruned.map(|p| p.blocks) } else { None }
}

/// The duration is what the formula of the timing class says.
fn cost(opcode: Opcode, kind: &OpKind, m: &Machine) {
    let info = opcode.info();
    let cost = Cost::of(kind, m);
    let formula = info.timing.formula();
    let (cycles, channel) = match &cost.work {
        Work::Cycles(n) => (*n, None),
        // When its segments pass depends on what passed before.
        Work::Transfer(_) => (0, Some(0)),
    };
    assert_eq!(channel.is_some(), formula.contains("CHANNEL"), "{}: uses the channel", info.mnemonic);
    let found = cycles + cost.latency.iter().map(|n| u64::from(*n)).sum::<u64>();
    let mut names = |name: &str| match name {
        "CHANNEL" => channel,
        "STREAMS" => Some(streams(kind, m)),
        name => constant(name, m).or_else(|| variable(name, kind)),
    };
    let wanted = Formula { text: formula, names: &mut names }.sum().max(1);
    assert_eq!(found, wanted, "{} costs `{formula}`: {kind:?}", info.mnemonic);
}

/// STREAMS of the manual: each operand of VEC by the width of its port.
fn streams(kind: &OpKind, m: &Machine) -> u64 {
    let dst = kind.dst().unwrap();
    let size = |dims: &[u32]| dims.iter().map(|n| u64::from(*n)).product::<u64>();
    let two = matches!(kind, OpKind::Add { .. } | OpKind::Mul { .. } | OpKind::F2 { .. });
    let sources: Vec<&TensorDesc> = kind.reads().take(if two { 2 } else { 1 }).collect();
    let elements = match kind {
        OpKind::MaxPool { window, .. } | OpKind::AvgPool { window, .. } => {
            size(&dst.dims) * size(&window.kernel.map(u32::from))
        }
        OpKind::Softmax { .. } => 3 * size(&dst.dims),
        OpKind::Resize { .. } => 4 * size(&dst.dims),
        OpKind::Fold { .. } => size(&dst.dims[..3]) * u64::from(sources[0].dims[3]),
        OpKind::Rsum { .. } => size(&sources[0].dims),
        _ => size(&dst.dims),
    };
    let of = |d: &TensorDesc, elements: u64, port: u32| {
        let port = if d.space == Space::Acc { m.vec.sum_bytes_per_cycle } else { port };
        (elements * d.etype.bytes() as u64).div_ceil(port.into())
    };
    let read = sources.iter().map(|d| of(d, elements, m.vec.source_bytes_per_cycle)).max().unwrap();
    read.max(of(dst, size(&dst.dims), m.vec.result_bytes_per_cycle))
}

/// A number of the machine file.
fn constant(name: &str, m: &Machine) -> Option<u64> {
    Some(match name {
        "dram.read_latency_cycles" => m.dram.read_latency_cycles.into(),
        "dram.write_latency_cycles" => m.dram.write_latency_cycles.into(),
        "control.const_load_cycles" => m.control.const_load_cycles.into(),
        "control.const_miss_cycles" => m.control.const_miss_cycles.into(),
        "spm.bytes_per_cycle" => m.spm.bytes_per_cycle.into(),
        "mac.fill_cycles" => m.mac.fill_cycles.into(),
        "mac.drain_cycles" => m.mac.drain_cycles.into(),
        "mac.activation_bytes_per_cycle" => m.mac.activation_bytes_per_cycle.into(),
        "mac.weight_bytes_per_cycle" => m.mac.weight_bytes_per_cycle.into(),
        "mac.sum_bytes_per_cycle" => m.mac.sum_bytes_per_cycle.into(),
        "mac.oc_lanes" => m.mac.oc_lanes.into(),
        "mac.ic_lanes" => m.mac.ic_lanes.into(),
        "mac.depthwise_taps" => m.mac.depthwise_taps.into(),
        "mac.pixel_lanes" => m.mac.pixel_lanes.into(),
        "vec.latency_cycles" => m.vec.latency_cycles.into(),
        "vec.lanes" => m.vec.lanes.into(),
        _ => return None,
    })
}

/// ROWS or COLUMNS of a depthwise convolution.
fn under(kind: &OpKind, axis: usize) -> Option<u32> {
    let OpKind::Depthwise(c) = kind else { return None };
    let [outputs, kernel] = [c.dst.dims[axis + 1], c.weights.dims[axis + 1]];
    let [stride, dilation] = [c.window.stride[axis], c.window.dilation[axis]].map(u32::from);
    Some((outputs * kernel).min((outputs - 1) * stride + (kernel - 1) * dilation + 1))
}

/// A name of the formulas, as the text beside them explains it.
fn variable(name: &str, kind: &OpKind) -> Option<u64> {
    let dst = kind.dst()?;
    let mut reads = kind.reads();
    let (first, second) = (reads.next(), reads.next());
    let of_first = |axis: usize| first.map(|d| d.dims[axis]);
    let (kernel, pruned) = match kind {
        OpKind::Conv(c) | OpKind::Depthwise(c) => (Some([c.weights.dims[1], c.weights.dims[2]]), c.pruned),
        OpKind::MaxPool { window, .. } | OpKind::AvgPool { window, .. } => {
            (Some(window.kernel.map(u32::from)), None)
        }
        _ => (None, None),
    };
    let reduces = matches!(kind, OpKind::Rsum { .. });
    let matmul = matches!(kind, OpKind::Matmul { .. });
    let found = match name {
        "D0" => Some(dst.dims[0]),
        "D1" => Some(dst.dims[1]),
        "D2" => Some(dst.dims[2]),
        "D3" | "OC" => Some(dst.dims[3]),
        "C" => Some(dst.dims[3]),
        "PIXELS" => Some(dst.dims[1] * dst.dims[2]),
        "KH" => kernel.map(|k| k[0]),
        "KW" => kernel.map(|k| k[1]),
        "IC" => second.map(|w| w.dims[3]),
        "S3" => of_first(3),
        "H" if reduces => of_first(1),
        "W" if reduces => of_first(2),
        "M" if matmul => Some(dst.dims[2]),
        "N" if matmul => Some(dst.dims[3]),
        "K" if matmul => of_first(3),
        "WIDTH" => {
            let wide = |d: Option<&TensorDesc>| {
                d.map(|d| if matches!(d.etype, EType::U16 | EType::S16) { 2 } else { 1 })
            };
            Some(wide(first)? * wide(second)?)
        }
        "STEPS" => return pruned.map(|p| p.steps),
        "BLOCKS" => return pruned.map(|p| p.blocks),
        "AB" => first.map(|d| d.etype.bytes() as u32),
        "WB" => second.map(|d| d.etype.bytes() as u32),
        "SB" => Some(dst.etype.bytes() as u32),
        "ROWS" => under(kind, 0),
        "COLUMNS" => under(kind, 1),
        "bytes" => {
            let size = padded_dims(dst).iter().map(|n| u64::from(*n)).product::<u64>();
            return Some(size * dst.etype.bytes() as u64);
        }
        _ => None,
    };
    found.map(u64::from)
}

/// Reads a formula from left to right.
struct Formula<'t, 'n> {
    text: &'t str,
    names: &'n mut dyn FnMut(&str) -> Option<u64>,
}

impl Formula<'_, '_> {
    fn takes(&mut self, sign: &str) -> bool {
        self.text = self.text.trim_start();
        self.text.strip_prefix(sign).map(|rest| self.text = rest).is_some()
    }

    /// `a + b`, to the end or a sign of the enclosing expression.
    fn sum(&mut self) -> u64 {
        let mut sum = self.product();
        while self.takes("+") {
            sum += self.product();
        }
        assert!(
            self.text.is_empty() || self.text.starts_with(['/', ')', ',']),
            "cannot read `{}`",
            self.text
        );
        sum
    }

    fn product(&mut self) -> u64 {
        let mut product = self.factor();
        while self.takes("·") {
            product *= self.factor();
        }
        product
    }

    fn factor(&mut self) -> u64 {
        for (sign, choose) in [("max(", u64::max as fn(u64, u64) -> u64), ("min(", u64::min)] {
            if self.takes(sign) {
                let mut chosen = self.sum();
                while self.takes(",") {
                    chosen = choose(chosen, self.sum());
                }
                assert!(self.takes(")"), "not closed at `{}`", self.text);
                return chosen;
            }
        }
        if self.takes("ceil(") {
            let upper = self.sum();
            assert!(self.takes("/"), "no division at `{}`", self.text);
            let lower = self.sum();
            assert!(self.takes(")"), "not closed at `{}`", self.text);
            return upper.div_ceil(lower);
        }
        self.text = self.text.trim_start();
        let end = self.text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '.');
        let (word, rest) = self.text.split_at(end.unwrap_or(self.text.len()));
        self.text = rest;
        word.parse().ok().or_else(|| (self.names)(word)).unwrap_or_else(|| panic!("`{word}` is not known"))
    }
}

fn compare(program: &Program, machine: &Machine, seen: &mut BTreeSet<Opcode>) -> bool {
    let code: Vec<Insn> = program.code.iter().map(|w| Insn::decode(*w).unwrap()).collect();
    let memories = Memories {
        dram: program.meta.dram_bytes,
        writable: program.writable_base(),
        spm: machine.spm.bytes,
        acc: machine.acc.bytes,
    };
    let mut sink = Compare { machine, memories, code: &code, executed: Executed::default(), syncs: 0, seen };
    ControlCore::new(program, &code, machine, 100_000).run(&mut sink).is_ok()
}

#[test]
fn the_manual_names_the_limits() {
    let does = include_str!("../../isa/rcn.toml");
    let line = does.lines().find(|l| l.contains("KH·KW·IC ≤")).unwrap();
    let power = limits::MAX_WIDE_REDUCTION.ilog2();
    assert_eq!(limits::MAX_WIDE_REDUCTION, 1 << power);
    let limit = format!("KH·KW·IC ≤ {} for s32, 2^{power} for s64", limits::MAX_REDUCTION);
    assert!(line.contains(&limit), "{limit}");
}

#[test]
fn operands_and_costs_are_those_of_the_table() {
    let mut seen = BTreeSet::new();
    let mut completed = 0;
    for seed in 0..200 {
        let (program, machine) = build::program(seed, 12, false);
        completed += usize::from(compare(&program, &machine, &mut seen));
    }
    assert!(completed > 150, "only {completed} programs ran to their end");
    let missing: Vec<&str> =
        Opcode::ALL.into_iter().filter(|o| !seen.contains(o)).map(|o| o.info().mnemonic).collect();
    assert!(missing.is_empty(), "never executed: {missing:?}");
}

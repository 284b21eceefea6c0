//! The duration of an instruction and the ports that it holds, counted one by one: every pass of the array,
//! every vector, every run and burst. Written from the manual's text.

use std::collections::{BTreeSet, VecDeque};

use rcar_iss::internals::isa::{
    Insn, MacFlags, Profile, QuantDesc, QuantMode, RedFlags, Space, TensorDesc, WindowDesc,
};
use rcar_iss::internals::machine::Machine;

use super::core::Registers;

/// A port: memory, bank, whether it writes.
pub(super) type Port = (Space, u64, bool);

/// How long a unit is occupied.
#[derive(Debug, Clone)]
pub(super) enum Time {
    /// This many cycles.
    Cycles(u64),
    /// DRAM → SPM: cycles of each segment.
    In(VecDeque<u64>),
    /// SPM → DRAM.
    Out(VecDeque<u64>),
}

#[derive(Debug, Clone)]
pub(super) struct Work {
    pub(super) time: Time,
    pub(super) ports: BTreeSet<Port>,
}

/// Collects ports.
struct Banks<'m> {
    machine: &'m Machine,
    ports: BTreeSet<Port>,
}

impl Banks<'_> {
    /// All banks between the lowest and the highest of some bytes.
    fn bytes(&mut self, space: Space, bytes: impl Iterator<Item = i64> + Clone, writes: bool) {
        let size = match space {
            Space::Dram => return,
            Space::Spm => self.machine.spm.bytes / u64::from(self.machine.spm.banks),
            Space::Acc => self.machine.acc.bytes / u64::from(self.machine.acc.banks),
        };
        let (Some(lo), Some(hi)) = (bytes.clone().min(), bytes.max()) else { return };
        self.ports.extend((lo as u64 / size..=hi as u64 / size).map(|bank| (space, bank, writes)));
    }

    fn tensor(&mut self, d: &TensorDesc, dims: [u32; 4], writes: bool) {
        let ends = |axis: usize| [0, i64::from(dims[axis]) - 1].map(|n| n * d.strides[axis]);
        let size = d.etype.bytes() as i64;
        let corners: Vec<i64> = ends(0)
            .into_iter()
            .flat_map(|a| ends(1).map(|b| a + b))
            .flat_map(|o| ends(2).map(|c| o + c))
            .flat_map(|o| ends(3).map(|e| o + e))
            .flat_map(|o| [d.base + o, d.base + o + size - 1])
            .collect();
        self.bytes(d.space, corners.into_iter(), writes);
    }

    fn reads(&mut self, d: &TensorDesc) {
        self.tensor(d, d.dims, false);
    }

    fn writes(&mut self, d: &TensorDesc) {
        self.tensor(d, whole_lanes(d), true);
    }

    /// The taps of a tile that lie in the image.
    fn taps(&mut self, src: &TensorDesc, w: &WindowDesc, [oy, ox]: [i64; 2], dst: &TensorDesc) {
        let positions = |axis: usize, origin: i64| -> Vec<i64> {
            let mut all = Vec::new();
            for o in 0..i64::from(dst.dims[axis + 1]) {
                for k in 0..i64::from(w.kernel[axis]) {
                    let at = (origin + o) * i64::from(w.stride[axis]) - i64::from(w.pads[axis])
                        + k * i64::from(w.dilation[axis]);
                    if (0..i64::from(src.dims[axis + 1])).contains(&at) {
                        all.push(at);
                    }
                }
            }
            all
        };
        let (ys, xs) = (positions(0, oy), positions(1, ox));
        let (Some(top), Some(bottom)) = (ys.iter().min(), ys.iter().max()) else { return };
        let (Some(left), Some(right)) = (xs.iter().min(), xs.iter().max()) else { return };
        let d = TensorDesc { base: src.base + top * src.strides[1] + left * src.strides[2], ..*src };
        self.tensor(&d, [1, (bottom - top + 1) as u32, (right - left + 1) as u32, src.dims[3]], false);
    }

    /// Multipliers of every channel.
    fn multipliers(&mut self, q: &QuantDesc, dst: &TensorDesc) {
        if q.mode == QuantMode::Channel {
            let each = if q.profile == Profile::Onnx { 4 } else { 8 };
            self.bytes(Space::Spm, q.table..q.table + each * i64::from(dst.dims[3]), false);
        }
    }
}

fn whole_lanes(d: &TensorDesc) -> [u32; 4] {
    let mut dims = d.dims;
    while !dims[3].is_multiple_of(u32::from(d.lanes).max(1)) {
        dims[3] += 1;
    }
    dims
}

fn count(n: u32, at_once: u32) -> u64 {
    (0..n).step_by(at_once as usize).count() as u64
}

fn product(dims: &[u32]) -> u64 {
    dims.iter().map(|n| u64::from(*n)).product()
}

/// Segments of a box in DRAM: runs, cut greedily to grants, each piece in whole bursts.
fn segments(d: &TensorDesc, dims: [u32; 4], m: &Machine) -> VecDeque<u64> {
    let mut runs = vec![(d.base, d.etype.bytes() as i64)];
    let mut merged = true;
    let mut all = Vec::new();
    for axis in (0..4).rev() {
        let n = i64::from(dims[axis]);
        if n == 0 {
            return VecDeque::new();
        }
        let (start, len) = runs[0];
        if merged && (n == 1 || d.strides[axis] == len) {
            runs = vec![(start, len * n)];
            continue;
        }
        merged = false;
        all.clear();
        for i in 0..n {
            all.extend(runs.iter().map(|(start, len)| (start + i * d.strides[axis], *len)));
        }
        runs.clone_from(&all);
    }
    let dram = &m.dram;
    let mut pieces = vec![Vec::new()];
    let mut room = i64::from(dram.grant_bytes);
    for (mut start, mut len) in runs {
        while len > 0 {
            if room == 0 {
                pieces.push(Vec::new());
                room = dram.grant_bytes.into();
            }
            let piece = len.min(room);
            pieces.last_mut().unwrap().push((start, piece));
            start += piece;
            len -= piece;
            room -= piece;
        }
    }
    pieces.iter().map(|segment| cost(segment, m)).collect()
}

/// What a segment of these pieces costs: start and length of each.
fn cost(segment: &[(i64, i64)], m: &Machine) -> u64 {
    let dram = &m.dram;
    let (burst, row) = (i64::from(dram.burst_bytes), i64::from(dram.row_bytes));
    let bursts: Vec<i64> = segment
        .iter()
        .flat_map(|(start, len)| start.div_euclid(burst)..=(start + len - 1).div_euclid(burst))
        .collect();
    let changes = bursts.windows(2).filter(|w| w[0] * burst / row != w[1] * burst / row).count();
    let bytes = bursts.len() as u64 * u64::from(dram.burst_bytes);
    bytes.div_ceil(dram.bytes_per_cycle.into()) + changes as u64 * u64::from(dram.row_miss_cycles)
}

/// Segments of rows that ids choose: each as if it began at the last byte of a row of the memory.
fn chosen(d: &TensorDesc, m: &Machine) -> VecDeque<u64> {
    let mut all = VecDeque::new();
    for _ in 0..d.dims[2] {
        let mut left = i64::from(d.dims[3]) * d.etype.bytes() as i64;
        while left > 0 {
            let piece = left.min(m.dram.grant_bytes.into());
            all.push_back(cost(&[(i64::from(m.dram.row_bytes) - 1, piece)], m));
            left -= piece;
        }
    }
    all
}

/// Passes of the array for a tile: channels, pixels, and twice for each operand of 16 bits.
fn passes(dst: &TensorDesc, a: &TensorDesc, b: &TensorDesc, m: &Machine) -> u64 {
    let width = |d: &TensorDesc| if d.etype.bytes() == 2 { 2 } else { 1 };
    count(dst.dims[3], m.mac.oc_lanes)
        * count(dst.dims[1] * dst.dims[2], m.mac.pixel_lanes)
        * width(a)
        * width(b)
}

/// Steps of pruned weights: of all steps of the array those that meet a block whose bit is set.
fn steps(weights: &TensorDesc, mask: &[u8], m: &Machine) -> u64 {
    let [oc, kh, kw, ic] = weights.dims;
    let inner = ic.div_ceil(16);
    let set = |o: u32, tap: u32, i: u32| {
        let bit = ((o / 16 * kh * kw + tap) * inner + i / 16) as usize;
        mask[bit / 8] >> (bit % 8) & 1 == 1
    };
    let mut steps = 0;
    for first in (0..oc).step_by(m.mac.oc_lanes as usize) {
        for tap in 0..kh * kw {
            for start in (0..ic).step_by(m.mac.ic_lanes as usize) {
                let outputs = first..oc.min(first + m.mac.oc_lanes);
                let inputs = start..ic.min(start + m.mac.ic_lanes);
                steps += u64::from(outputs.into_iter().any(|o| inputs.clone().any(|i| set(o, tap, i))));
            }
        }
    }
    steps
}

/// Bytes of packed weights: output channels in sixteens, input channels in fours.
fn packed(weights: &TensorDesc) -> i64 {
    let [oc, kh, kw, ic] = weights.dims.map(i64::from);
    oc.div_euclid(16) * 16 * kh * kw * ic.next_multiple(4) * weights.etype.bytes() as i64
        + if oc % 16 > 0 { 16 * kh * kw * ic.next_multiple(4) * weights.etype.bytes() as i64 } else { 0 }
}

trait NextMultiple {
    fn next_multiple(self, step: Self) -> Self;
}

impl NextMultiple for i64 {
    fn next_multiple(self, step: i64) -> i64 {
        (self + step - 1) / step * step
    }
}

/// The work of a queue instruction.
pub(super) fn work(insn: &Insn, r: &Registers<'_>, m: &Machine) -> Work {
    let mut banks = Banks { machine: m, ports: BTreeSet::new() };
    let array = |steps: u64| u64::from(m.mac.fill_cycles) + steps + u64::from(m.mac.drain_cycles);
    let vectors = |d: &TensorDesc| product(&d.dims[..3]) * count(d.dims[3], m.vec.lanes);
    let vector = |cycles: u64| Time::Cycles((u64::from(m.vec.latency_cycles) + cycles).max(1));
    let local = |d: &TensorDesc| {
        let bytes = product(&whole_lanes(d)) * d.etype.bytes() as u64;
        Time::Cycles(bytes.div_ceil(m.spm.bytes_per_cycle.into()).max(1))
    };
    let time = match *insn {
        Insn::Qnop { .. } => Time::Cycles(1),
        Insn::DmaIn { dst, src, .. } => {
            banks.writes(&r.t(dst));
            Time::In(segments(&r.t(src), r.t(src).dims, m))
        }
        Insn::DmaPad { dst, src, window, .. } => {
            let (d, s, w) = (r.t(dst), r.t(src), r.w(window));
            banks.writes(&d);
            // Rows and columns of the source that fit behind the padding.
            let inside = |axis: usize| {
                let from = i64::from(w.pads[axis]);
                (0..i64::from(s.dims[axis + 1])).filter(|i| i + from < d.dims[axis + 1].into()).count() as u32
            };
            Time::In(segments(&s, [s.dims[0], inside(0), inside(1), s.dims[3]], m))
        }
        Insn::DmaGather { dst, ids, .. } => {
            banks.reads(&r.t(ids));
            banks.writes(&r.t(dst));
            Time::In(chosen(&r.t(dst), m))
        }
        Insn::DmaFill { dst, .. } => {
            banks.writes(&r.t(dst));
            local(&r.t(dst))
        }
        Insn::DmaCopy { dst, src, .. } => {
            banks.reads(&r.t(src));
            banks.writes(&r.t(dst));
            local(&r.t(dst))
        }
        Insn::DmaOut { dst, src, .. } => {
            banks.reads(&r.t(src));
            Time::Out(segments(&r.t(dst), whole_lanes(&r.t(dst)), m))
        }
        Insn::MacConv { dst, src, weights, bias, window, oy, ox, flags, .. }
        | Insn::MacPruned { dst, src, weights, bias, window, oy, ox, flags, .. }
        | Insn::MacDw { dst, src, weights, bias, window, oy, ox, flags, .. } => {
            let (d, s, w) = (r.t(dst), r.t(src), r.t(weights));
            banks.taps(&s, &r.w(window), [r.x(oy), r.x(ox)], &d);
            if flags.contains(MacFlags::BIAS) {
                banks.reads(&r.t(bias));
            }
            if flags.contains(MacFlags::ACC) {
                banks.reads(&d);
            }
            banks.writes(&d);
            let [_, kh, kw, ic] = w.dims;
            Time::Cycles(array(match *insn {
                Insn::MacConv { .. } => {
                    banks.bytes(w.space, [w.base, w.base + packed(&w) - 1].into_iter(), false);
                    passes(&d, &s, &w, m) * u64::from(kh * kw) * count(ic, m.mac.ic_lanes)
                }
                Insn::MacPruned { mask, .. } => {
                    let mask = &r.constants[r.x(mask) as usize..];
                    let bits = w.dims[0].div_ceil(16) * kh * kw * ic.div_ceil(16);
                    let blocks =
                        (0..bits).filter(|b| mask[*b as usize / 8] >> (b % 8) & 1 == 1).count() as i64;
                    if blocks > 0 {
                        let last = w.base + blocks * 256 * w.etype.bytes() as i64 - 1;
                        banks.bytes(w.space, [w.base, last].into_iter(), false);
                    }
                    let columns = count(d.dims[3], m.mac.oc_lanes);
                    passes(&d, &s, &w, m) / columns * steps(&w, mask, m)
                }
                _ => {
                    banks.reads(&w);
                    passes(&d, &s, &w, m) * count(kh * kw, m.mac.ic_lanes)
                }
            }))
        }
        Insn::MacMatmul { dst, a, b, bias, flags, .. } => {
            let (d, a, b) = (r.t(dst), r.t(a), r.t(b));
            banks.reads(&a);
            banks.reads(&b);
            if flags.contains(MacFlags::BIAS) {
                banks.reads(&r.t(bias));
            }
            if flags.contains(MacFlags::ACC) {
                banks.reads(&d);
            }
            banks.writes(&d);
            Time::Cycles(array(passes(&d, &a, &b, m) * count(a.dims[3], m.mac.ic_lanes)))
        }
        Insn::VecRequant { dst, src, quant, .. } | Insn::VecDequant { dst, src, quant, .. } => {
            banks.reads(&r.t(src));
            banks.multipliers(&r.q(quant), &r.t(dst));
            banks.writes(&r.t(dst));
            vector(vectors(&r.t(dst)))
        }
        Insn::VecStore { dst, src, .. } | Insn::VecF1 { dst, src, .. } | Insn::VecQuant { dst, src, .. } => {
            banks.reads(&r.t(src));
            banks.writes(&r.t(dst));
            vector(vectors(&r.t(dst)))
        }
        Insn::VecAdd { dst, a, b, .. } | Insn::VecMul { dst, a, b, .. } | Insn::VecF2 { dst, a, b, .. } => {
            banks.reads(&r.t(a));
            banks.reads(&r.t(b));
            banks.writes(&r.t(dst));
            vector(vectors(&r.t(dst)))
        }
        Insn::VecLut { dst, src, table, .. } => {
            banks.reads(&r.t(src));
            banks.reads(&r.t(table));
            banks.writes(&r.t(dst));
            vector(vectors(&r.t(dst)))
        }
        Insn::VecSoftmax { dst, src, table, .. } => {
            banks.reads(&r.t(src));
            banks.reads(&r.t(table));
            banks.writes(&r.t(dst));
            vector((0..3).map(|_| vectors(&r.t(dst))).sum())
        }
        Insn::VecMaxpool { dst, src, window, oy, ox, .. }
        | Insn::VecAvgpool { dst, src, window, oy, ox, .. } => {
            let w = r.w(window);
            banks.taps(&r.t(src), &w, [r.x(oy), r.x(ox)], &r.t(dst));
            banks.writes(&r.t(dst));
            let taps = u64::from(w.kernel[0]) * u64::from(w.kernel[1]);
            vector(vectors(&r.t(dst)) * taps)
        }
        Insn::VecRsum { dst, src, flags, .. } => {
            banks.reads(&r.t(src));
            if flags.contains(RedFlags::ACC) {
                banks.reads(&r.t(dst));
            }
            banks.writes(&r.t(dst));
            vector(vectors(&r.t(src)))
        }
        Insn::VecFold { dst, src, .. } => {
            banks.reads(&r.t(src));
            banks.writes(&r.t(dst));
            vector(product(&r.t(dst).dims[..3]) * count(r.t(src).dims[3], m.vec.lanes))
        }
        Insn::VecResize { dst, src, rows, cols, .. } => {
            banks.reads(&r.t(src));
            banks.reads(&r.t(rows));
            banks.reads(&r.t(cols));
            banks.writes(&r.t(dst));
            vector((0..4).map(|_| vectors(&r.t(dst))).sum())
        }
        ref other => panic!("{other:?} is no queue instruction"),
    };
    Work { time, ports: banks.ports }
}

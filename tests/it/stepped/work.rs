//! The duration of an instruction and the ports that it holds, counted one by one: every pass of the array,
//! every vector, every run and burst. Written from the manual's text.

use std::collections::{BTreeSet, VecDeque};

use rcar_iss::internals::isa::{
    Insn, MacFlags, Profile, QuantDesc, QuantMode, RedFlags, Space, TensorDesc, WindowDesc,
};
use rcar_iss::internals::machine::Machine;

use super::core::Registers;
use super::dram::Segment;

/// A port: memory, bank, whether it writes.
pub(super) type Port = (Space, u64, bool);

/// How long a unit is occupied.
#[derive(Debug, Clone)]
pub(super) enum Time {
    /// This many cycles.
    Cycles(u64),
    /// DRAM → SPM: its segments.
    In(VecDeque<Segment>),
    /// SPM → DRAM.
    Out(VecDeque<Segment>),
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

/// Segments of a box in DRAM: runs, cut greedily to grants, each piece in whole bursts, put together by row.
fn segments(d: &TensorDesc, dims: [u32; 4], m: &Machine) -> VecDeque<Segment> {
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
    let (burst, row) = (i64::from(dram.burst_bytes), i64::from(dram.row_bytes));
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
    let by_row = |segment: &Vec<(i64, i64)>| {
        let bursts = segment
            .iter()
            .flat_map(|(start, len)| start.div_euclid(burst)..=(start + len - 1).div_euclid(burst));
        let mut rows: Segment = Vec::new();
        for at in bursts {
            let of = (at * burst / row) as u64;
            match rows.last_mut() {
                Some((row, bytes)) if *row == of => *bytes += u64::from(dram.burst_bytes),
                _ => rows.push((of, dram.burst_bytes.into())),
            }
        }
        rows
    };
    pieces.iter().map(by_row).collect()
}

/// Segments of rows that ids choose: each as if it began at the last byte of a row of the memory, its pieces
/// in other rows of bank 0 each.
fn chosen(d: &TensorDesc, m: &Machine) -> VecDeque<Segment> {
    let [burst, row] = [m.dram.burst_bytes, m.dram.row_bytes].map(u64::from);
    let mut all = VecDeque::new();
    let mut number = 0;
    for _ in 0..d.dims[2] {
        let mut left = u64::from(d.dims[3]) * d.etype.bytes() as u64;
        while left > 0 {
            let piece = left.min(m.dram.grant_bytes.into());
            let mut segment: Segment = Vec::new();
            // Bursts of bytes `row - 1` to `row + piece - 2`.
            let (first, last) = ((row - 1) / burst, (row + piece - 2) / burst);
            let mut of = None;
            for at in first..=last {
                if of != Some(at * burst / row) {
                    of = Some(at * burst / row);
                    segment.push((((1 << 40) + number) * u64::from(m.dram.banks), 0));
                    number += 1;
                }
                segment.last_mut().unwrap().1 += burst;
            }
            all.push_back(segment);
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

/// Bytes of activations, weights and sums that pass the ports of the array.
struct Streams([u64; 3]);

impl Streams {
    fn of(elements: [u64; 3], [a, w, d]: [&TensorDesc; 3]) -> Streams {
        let [x, y, z] = elements;
        Streams([x * a.etype.bytes() as u64, y * w.etype.bytes() as u64, z * d.etype.bytes() as u64])
    }

    fn longest(&self, m: &Machine) -> u64 {
        let ports =
            [m.mac.activation_bytes_per_cycle, m.mac.weight_bytes_per_cycle, m.mac.sum_bytes_per_cycle];
        self.0.iter().zip(ports).map(|(bytes, port)| bytes.div_ceil(port.into())).max().unwrap()
    }
}

/// Pixels under the windows of a tile, counted in each axis; padding is one of them.
fn under(w: &WindowDesc, dst: &TensorDesc, kernel: [u32; 2]) -> u64 {
    let axis = |i: usize| {
        let span =
            (dst.dims[i + 1] - 1) * u32::from(w.stride[i]) + (kernel[i] - 1) * u32::from(w.dilation[i]) + 1;
        u64::from(span.min(dst.dims[i + 1] * kernel[i]))
    };
    axis(0) * axis(1)
}

/// The work of a queue instruction.
pub(super) fn work(insn: &Insn, r: &Registers<'_>, m: &Machine) -> Work {
    let mut banks = Banks { machine: m, ports: BTreeSet::new() };
    let array = |steps: u64, streams: Streams| {
        let longest = steps.max(streams.longest(m));
        (u64::from(m.mac.fill_cycles) + longest + u64::from(m.mac.drain_cycles)).max(1)
    };
    let vectors = |d: &TensorDesc| product(&d.dims[..3]) * count(d.dims[3], m.vec.lanes);
    // Steps, the elements that each source gives, the sources, the destination.
    let vector = |steps: u64, elements: u64, sources: &[&TensorDesc], dst: &TensorDesc| {
        let mut longest = steps;
        for (d, elements, port) in sources
            .iter()
            .map(|d| (*d, elements, m.vec.source_bytes_per_cycle))
            .chain([(dst, product(&dst.dims), m.vec.result_bytes_per_cycle)])
        {
            let width = if d.space == Space::Acc { m.vec.sum_bytes_per_cycle } else { port };
            longest = longest.max((elements * d.etype.bytes() as u64).div_ceil(width.into()));
        }
        Time::Cycles((u64::from(m.vec.latency_cycles) + longest).max(1))
    };
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
            let [pixels, channels] = [u64::from(d.dims[1] * d.dims[2]), u64::from(d.dims[3])];
            let taps = u64::from(kh * kw);
            let columns = count(d.dims[3], m.mac.oc_lanes);
            let (steps, streams) = match *insn {
                Insn::MacConv { .. } => {
                    banks.bytes(w.space, [w.base, w.base + packed(&w) - 1].into_iter(), false);
                    let blocks = taps * count(ic, m.mac.ic_lanes);
                    let inner = taps * u64::from(ic);
                    let streams = [columns * inner * pixels, inner * channels, blocks * pixels * channels];
                    (passes(&d, &s, &w, m) * blocks, streams)
                }
                Insn::MacPruned { mask, .. } => {
                    let mask = &r.constants[r.x(mask) as usize..];
                    let bits = w.dims[0].div_ceil(16) * kh * kw * ic.div_ceil(16);
                    let blocks =
                        (0..bits).filter(|b| mask[*b as usize / 8] >> (b % 8) & 1 == 1).count() as u64;
                    if blocks > 0 {
                        let last = w.base + blocks as i64 * 256 * w.etype.bytes() as i64 - 1;
                        banks.bytes(w.space, [w.base, last].into_iter(), false);
                    }
                    let steps = steps(&w, mask, m);
                    let wide = channels.min(m.mac.oc_lanes.into());
                    let streams =
                        [steps * u64::from(m.mac.ic_lanes) * pixels, 256 * blocks, steps * pixels * wide];
                    (passes(&d, &s, &w, m) / columns * steps, streams)
                }
                _ => {
                    banks.reads(&w);
                    let seen = under(&r.w(window), &d, [kh, kw]);
                    let streams = [seen * channels, taps * channels, pixels * channels];
                    (
                        passes(&d, &s, &w, m) * count(kh * kw, m.mac.depthwise_taps.min(m.mac.ic_lanes)),
                        streams,
                    )
                }
            };
            Time::Cycles(array(steps, Streams::of(streams, [&s, &w, &d])))
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
            let [rows, columns, inner] = [d.dims[2], d.dims[3], a.dims[3]].map(u64::from);
            let blocks = count(a.dims[3], m.mac.ic_lanes);
            let again = count(d.dims[3], m.mac.oc_lanes);
            let streams = [again * inner * rows, inner * columns, blocks * rows * columns];
            Time::Cycles(array(passes(&d, &a, &b, m) * blocks, Streams::of(streams, [&a, &b, &d])))
        }
        Insn::VecRequant { dst, src, quant, .. } | Insn::VecDequant { dst, src, quant, .. } => {
            banks.reads(&r.t(src));
            banks.multipliers(&r.q(quant), &r.t(dst));
            banks.writes(&r.t(dst));
            vector(vectors(&r.t(dst)), product(&r.t(dst).dims), &[&r.t(src)], &r.t(dst))
        }
        Insn::VecStore { dst, src, .. } | Insn::VecF1 { dst, src, .. } | Insn::VecQuant { dst, src, .. } => {
            banks.reads(&r.t(src));
            banks.writes(&r.t(dst));
            vector(vectors(&r.t(dst)), product(&r.t(dst).dims), &[&r.t(src)], &r.t(dst))
        }
        Insn::VecAdd { dst, a, b, .. } | Insn::VecMul { dst, a, b, .. } | Insn::VecF2 { dst, a, b, .. } => {
            banks.reads(&r.t(a));
            banks.reads(&r.t(b));
            banks.writes(&r.t(dst));
            vector(vectors(&r.t(dst)), product(&r.t(dst).dims), &[&r.t(a), &r.t(b)], &r.t(dst))
        }
        Insn::VecLut { dst, src, table, .. } => {
            banks.reads(&r.t(src));
            banks.reads(&r.t(table));
            banks.writes(&r.t(dst));
            vector(vectors(&r.t(dst)), product(&r.t(dst).dims), &[&r.t(src)], &r.t(dst))
        }
        Insn::VecSoftmax { dst, src, table, .. } => {
            banks.reads(&r.t(src));
            banks.reads(&r.t(table));
            banks.writes(&r.t(dst));
            let three = |n: u64| (0..3).map(|_| n).sum();
            vector(three(vectors(&r.t(dst))), three(product(&r.t(dst).dims)), &[&r.t(src)], &r.t(dst))
        }
        Insn::VecMaxpool { dst, src, window, oy, ox, .. }
        | Insn::VecAvgpool { dst, src, window, oy, ox, .. } => {
            let w = r.w(window);
            banks.taps(&r.t(src), &w, [r.x(oy), r.x(ox)], &r.t(dst));
            banks.writes(&r.t(dst));
            let taps = u64::from(w.kernel[0]) * u64::from(w.kernel[1]);
            vector(vectors(&r.t(dst)) * taps, product(&r.t(dst).dims) * taps, &[&r.t(src)], &r.t(dst))
        }
        Insn::VecRsum { dst, src, flags, .. } => {
            banks.reads(&r.t(src));
            if flags.contains(RedFlags::ACC) {
                banks.reads(&r.t(dst));
            }
            banks.writes(&r.t(dst));
            vector(vectors(&r.t(src)), product(&r.t(src).dims), &[&r.t(src)], &r.t(dst))
        }
        Insn::VecFold { dst, src, .. } => {
            banks.reads(&r.t(src));
            banks.writes(&r.t(dst));
            let rows = product(&r.t(dst).dims[..3]);
            let inner = r.t(src).dims[3];
            vector(rows * count(inner, m.vec.lanes), rows * u64::from(inner), &[&r.t(src)], &r.t(dst))
        }
        Insn::VecResize { dst, src, rows, cols, .. } => {
            banks.reads(&r.t(src));
            banks.reads(&r.t(rows));
            banks.reads(&r.t(cols));
            banks.writes(&r.t(dst));
            let four = |n: u64| (0..4).map(|_| n).sum();
            vector(four(vectors(&r.t(dst))), four(product(&r.t(dst).dims)), &[&r.t(src)], &r.t(dst))
        }
        ref other => panic!("{other:?} is no queue instruction"),
    };
    Work { time, ports: banks.ports }
}

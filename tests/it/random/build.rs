//! Random programs, most of them legal: every operand is written before it is read, extents and types agree.
//! A *disturbed* program has one descriptor field changed, and may fault.

use std::sync::Arc;

use rcar_iss::internals::dtype::DType;
use rcar_iss::internals::isa::{
    AvgFlags, BlockGrid, Cond, EType, Float1, Float2, Fold, Insn, MacFlags, Opcode, Profile, QField, QReg,
    QuantDesc, QuantMode, Queue, RedFlags, Space, TField, TReg, TensorDesc, Unit, WField, WReg, Wait,
    WindowDesc, XReg,
};
use rcar_iss::internals::machine::Machine;
use rcar_iss::internals::program::{
    CodeRange, HostEntry, HostTensor, Layer, MachineId, Meta, Program, Role, TensorEntry,
};

/// Deterministic numbers from a seed (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// `lo ≤ n < hi`.
    pub(crate) fn within(&mut self, lo: i64, hi: i64) -> i64 {
        lo + (self.next() % (hi - lo) as u64) as i64
    }

    fn one_in(&mut self, n: i64) -> bool {
        self.within(0, n) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.within(0, list.len() as i64) as usize]
    }
}

/// Random bytes that sources are loaded from.
const NOISE: i64 = 16384;
/// Positive floats: multipliers and scales.
const FLOATS: i64 = 1024;
const WRITABLE: i64 = 1 << 20;
const DRAM: i64 = WRITABLE + (1 << 18);

pub(super) struct Builder {
    random: Random,
    code: Vec<Insn>,
    constants: Vec<u8>,
    /// Next free scratchpad byte; wraps around.
    spm: i64,
    spm_bytes: i64,
    acc_bytes: i64,
    /// Next tensor descriptor register.
    t: u8,
    /// Records of tensor descriptors in the constants: a disturbance changes one.
    records: Vec<usize>,
}

fn x(n: u8) -> XReg {
    XReg::new(n).unwrap()
}

/// Builds a program of `length` random operations; returns it with its machine.
pub(crate) fn program(seed: u64, length: usize, disturbed: bool) -> (Program, Machine) {
    let machine = Machine::named("rcn-s").unwrap();
    let mut b = Builder::new(seed, &machine);
    for _ in 0..length {
        let opcode = b.random.pick(&Opcode::ALL);
        b.operation(opcode);
        // Some instructions are repeated, to fill the queues.
        let last = b.code.last().copied();
        if let Some(last) = last.filter(|i| i.queue().is_some() && b.random.one_in(8)) {
            for _ in 0..b.random.within(1, 14) {
                b.push(last);
            }
        }
    }
    b.push(Insn::Halt);
    if disturbed {
        b.disturb();
    }
    let mut random = Random::new(seed ^ 0x5eed);
    let program = super::repair::ordered(b.finish(&machine), &machine, &mut random);
    (program, machine)
}

impl Builder {
    fn new(seed: u64, machine: &Machine) -> Builder {
        let mut random = Random::new(seed);
        let mut constants: Vec<u8> = (0..NOISE).map(|_| random.next() as u8).collect();
        for _ in 0..FLOATS {
            let exponent = random.within(-12, 3) as i32;
            let value = (1.0 + random.within(0, 1 << 20) as f32 / (1 << 20) as f32) * 2_f32.powi(exponent);
            constants.extend(value.to_le_bytes());
        }
        Builder {
            random,
            code: Vec::new(),
            constants,
            spm: 0,
            spm_bytes: machine.spm.bytes as i64,
            acc_bytes: machine.acc.bytes as i64 / 2,
            t: 0,
            records: Vec::new(),
        }
    }

    fn push(&mut self, insn: Insn) {
        self.code.push(insn);
    }

    fn wait(&mut self) -> Wait {
        let mut cond =
            || Some(Cond { queue: self.random.pick(&Queue::ALL), back: self.random.within(0, 4) as u8 });
        let conds = [cond(), cond()];
        match self.random.within(0, 3) {
            0 => Wait::NONE,
            1 => Wait([conds[0], None]),
            _ => Wait(conds),
        }
    }

    fn record(&mut self, bytes: &[u8]) -> i32 {
        self.constants.resize(self.constants.len().next_multiple_of(8), 0);
        self.constants.extend(bytes);
        (self.constants.len() - bytes.len()) as i32
    }

    /// A register that holds the descriptor.
    fn tensor(&mut self, d: &TensorDesc) -> TReg {
        let td = TReg::new(self.t).unwrap();
        self.t = (self.t + 1) % 31;
        let imm = self.record(&d.to_bytes());
        self.records.push(imm as usize);
        self.push(Insn::TdescLoad { td, imm, rs1: x(0) });
        td
    }

    fn quant(&mut self, d: &QuantDesc) -> QReg {
        let qd = QReg::new(self.random.within(0, 15) as u8).unwrap();
        let imm = self.record(&d.to_bytes());
        self.push(Insn::QdescLoad { qd, imm, rs1: x(0) });
        qd
    }

    fn window(&mut self, d: &WindowDesc) -> WReg {
        let wd = WReg::new(self.random.within(0, 7) as u8).unwrap();
        let imm = self.record(&d.to_bytes());
        self.push(Insn::WdescLoad { wd, imm, rs1: x(0) });
        wd
    }

    /// A scratchpad address behind everything recent.
    fn place(&mut self, bytes: i64) -> i64 {
        if self.spm + bytes > self.spm_bytes {
            self.spm = 0;
        }
        let at = self.spm;
        self.spm = (at + bytes + self.random.within(0, 40)) / 8 * 8 + 8;
        at
    }

    fn zero_point(&mut self, etype: EType) -> i32 {
        match etype.int_range() {
            Some([lo, hi]) => match self.random.within(0, 4) {
                0 => lo,
                1 => hi,
                _ => self.random.within(lo.into(), i64::from(hi) + 1) as i32,
            },
            None => 0,
        }
    }

    /// Strides and size of a random layout: some order of the axes, gaps, padding lanes.
    fn layout(&mut self, dims: [u32; 4], etype: EType) -> ([i64; 4], u8, i64) {
        let size = etype.bytes() as i64;
        let lanes = if self.random.one_in(2) { 1 } else { self.random.pick(&[1, 4, 16]) };
        let mut order = [3, 2, 1, 0];
        if self.random.one_in(4) {
            let (a, b) = (self.random.within(0, 4) as usize, self.random.within(0, 4) as usize);
            order.swap(a, b);
        }
        let mut strides = [0; 4];
        let mut step = size;
        for axis in order {
            strides[axis] = step;
            let extent = if axis == 3 { dims[3].next_multiple_of(lanes) } else { dims[axis] };
            step *= i64::from(extent);
            if self.random.one_in(6) {
                step += size * self.random.within(0, 5);
            }
        }
        (strides, lanes as u8, step)
    }

    /// A place for a result in the scratchpad.
    fn result(&mut self, dims: [u32; 4], etype: EType) -> TensorDesc {
        let (strides, lanes, bytes) = self.layout(dims, etype);
        let zero_point = self.zero_point(etype);
        TensorDesc { base: self.place(bytes), dims, strides, zero_point, space: Space::Spm, etype, lanes }
    }

    /// A tensor of noise in the scratchpad.
    fn source(&mut self, dims: [u32; 4], etype: EType) -> TensorDesc {
        let d = self.result(dims, etype);
        let elements: i64 = dims.iter().map(|n| i64::from(*n)).product();
        let size = etype.bytes() as i64;
        if elements * size > NOISE || self.random.one_in(8) {
            let dst = self.tensor(&d);
            let wait = self.wait();
            self.push(Insn::DmaFill { dst, wait });
        } else {
            let base = self.random.within(0, (NOISE - elements * size) / size + 1) * size;
            let noise = TensorDesc::dense(Space::Dram, etype, base, dims);
            self.load(&d, &noise);
        }
        // Reading may use another zero point than writing, and ignores the lanes.
        TensorDesc { zero_point: self.zero_point(etype), ..d }
    }

    fn load(&mut self, to: &TensorDesc, from: &TensorDesc) {
        let (dst, src) = (self.tensor(to), self.tensor(from));
        let wait = self.wait();
        self.push(Insn::DmaIn { dst, src, wait });
    }

    /// Noise that is loaded unchanged, in whole cache lines; sometimes none.
    fn copied(&mut self, dims: [u32; 4], etype: EType) -> Option<TensorDesc> {
        let size = etype.bytes() as i64;
        let bytes = (dims.iter().map(|n| i64::from(*n)).product::<i64>() * size + 63) / 64 * 64;
        if bytes > NOISE || self.random.one_in(2) {
            return None;
        }
        let base = (self.place(bytes + 64) + 63) / 64 * 64;
        let from = self.random.within(0, (NOISE - bytes) / 64 + 1) * 64;
        let line = |base, space| TensorDesc::dense(space, EType::U8, base, [1, 1, 1, bytes as u32]);
        self.load(&line(base, Space::Spm), &line(from, Space::Dram));
        Some(TensorDesc {
            zero_point: self.zero_point(etype),
            ..TensorDesc::dense(Space::Spm, etype, base, dims)
        })
    }

    /// Positive floats in the scratchpad.
    fn floats(&mut self, n: u32) -> TensorDesc {
        let d = TensorDesc::dense(Space::Spm, EType::F32, 0, [1, 1, 1, n]);
        let d = TensorDesc { base: self.place(i64::from(n) * 4), ..d };
        let from = NOISE + self.random.within(0, FLOATS - i64::from(n) + 1) * 4;
        self.load(&d, &TensorDesc { base: from, space: Space::Dram, ..d });
        d
    }

    /// Mostly 8 bits, sometimes 16.
    fn small_type(&mut self) -> EType {
        if self.random.one_in(3) { self.random.pick(&[EType::U16, EType::S16]) } else { self.byte_type() }
    }

    /// The accumulators of products of these.
    fn sum_type(operands: &[EType]) -> EType {
        if operands.iter().all(|t| t.bytes() == 1) { EType::S32 } else { EType::S64 }
    }

    fn byte_type(&mut self) -> EType {
        self.random.pick(&[EType::U8, EType::S8])
    }

    fn dims(&mut self, most: [i64; 4]) -> [u32; 4] {
        most.map(|m| if self.random.one_in(3) { 1 } else { self.random.within(1, m + 1) as u32 })
    }

    fn factor(&mut self) -> f32 {
        let exponent = self.random.within(-14, 2) as i32;
        (1.0 + self.random.within(0, 1000) as f32 / 1000.0) * 2_f32.powi(exponent)
    }

    fn quantization(&mut self, etype: EType) -> QuantDesc {
        let [least, most] = etype.int_range().unwrap();
        let mut clamp = [least, most];
        if self.random.one_in(3) {
            clamp = [self.zero_point(etype), self.zero_point(etype)];
            clamp.sort_unstable();
        }
        QuantDesc {
            profile: self.random.pick(&Profile::ALL),
            mode: QuantMode::Tensor,
            zero_point: self.zero_point(etype),
            lo: clamp[0],
            hi: clamp[1],
            m0: self.factor(),
            m1: self.factor(),
            c: self.random.within(-400, 400) as f32 / 4.0,
            s0: self.random.within(0, 63) as u8,
            s1: self.random.within(0, 63) as u8,
            s2: self.random.within(0, 63) as u8,
            k0: self.random.next() as i32,
            k1: self.random.next() as i32,
            k2: self.random.next() as i32,
            table: 0,
        }
    }

    /// For instructions that know no other profile.
    fn plain_quantization(&mut self, etype: EType) -> QuantDesc {
        QuantDesc { profile: Profile::Onnx, ..self.quantization(etype) }
    }

    fn accumulators(&mut self, dims: [u32; 4], etype: EType) -> TensorDesc {
        let mut d;
        loop {
            let (strides, lanes, bytes) = self.layout(dims, etype);
            let base = self.random.within(0, self.acc_bytes / 8) * 8;
            let zero_point = self.random.next() as i32;
            d = TensorDesc { base, dims, strides, zero_point, space: Space::Acc, etype, lanes };
            if bytes <= self.acc_bytes {
                return d;
            }
        }
    }

    /// Accumulators in whole lines of memory, as compilers place them.
    fn aligned(&mut self, dims: [u32; 4], etype: EType) -> TensorDesc {
        let [_, rows, columns, n] = dims;
        let [rows, columns, size] = [rows.into(), columns.into(), etype.bytes() as i64];
        let pixel = i64::from(n.next_multiple_of(16)) * size;
        let strides = [rows * columns * pixel, columns * pixel, pixel, size];
        let base = self.random.within(0, self.acc_bytes / 64) * 64;
        TensorDesc { base, dims, strides, zero_point: 0, space: Space::Acc, etype, lanes: 16 }
    }

    /// A window, an image for it and the extents of the result.
    fn placed(&mut self) -> (WindowDesc, [u32; 2], [u32; 2], [i64; 2]) {
        let pair = |b: &mut Builder, most| [b.random.within(1, most) as u16, b.random.within(1, most) as u16];
        let kernel = pair(self, 4);
        let stride = pair(self, 5);
        let dilation = pair(self, 3);
        let pads = [0; 4].map(|_: i16| self.random.within(0, 4) as i16);
        let image = [self.random.within(1, 9) as u32, self.random.within(1, 9) as u32];
        let out = [self.random.within(1, 5) as u32, self.random.within(1, 5) as u32];
        let origin = [self.random.within(0, 3), self.random.within(0, 3)];
        (WindowDesc { kernel, stride, dilation, pads }, image, out, origin)
    }

    fn origin(&mut self, origin: [i64; 2]) -> [XReg; 2] {
        let regs = [x(20), x(21)];
        for (rd, imm) in regs.into_iter().zip(origin) {
            self.push(Insn::Li { rd, imm });
        }
        regs
    }

    /// Writes accumulators of these extents.
    fn sums(&mut self, rows: u32, cols: u32) -> TensorDesc {
        let k = self.random.within(1, 12) as u32;
        let (a, b) = (self.small_type(), self.small_type());
        let sums = Builder::sum_type(&[a, b]);
        let a = self.source([1, 1, rows, k], a);
        let b = self.source([1, 1, k, cols], b);
        let dst = self.accumulators([1, 1, rows, cols], sums);
        let biased = self.random.one_in(2);
        let bias = self.source([1, 1, 1, cols], sums);
        let again = self.random.one_in(2);
        let [d, a, b, bias] = [dst, a, b, bias].map(|d| self.tensor(&d));
        let flags = if biased { MacFlags::BIAS } else { MacFlags::empty() };
        let wait = self.wait();
        self.push(Insn::MacMatmul { dst: d, a, b, bias, flags, wait });
        if again {
            self.push(Insn::MacMatmul { dst: d, a, b, bias, flags: MacFlags::ACC, wait });
        }
        dst
    }

    fn conv(&mut self, opcode: Opcode) {
        let depthwise = opcode == Opcode::MacDw;
        let (window, image, out, origin) = self.placed();
        let [ic, oc] = [self.random.within(1, 20) as u32, self.random.within(1, 80) as u32];
        let oc = if depthwise { ic } else { oc };
        // Some are requantized at once, and some of those again: then nothing else reads the first sums.
        let times = self.random.pick(&[0, 0, 1, 2, 2, 3]);
        let (src_type, w_type) = if times > 1 && self.random.one_in(2) {
            (self.random.pick(&[EType::U16, EType::S16]), self.byte_type())
        } else {
            (self.small_type(), self.small_type())
        };
        let sums = Builder::sum_type(&[src_type, w_type]);
        let src = self.source([1, image[0], image[1], ic], src_type);
        let [kh, kw] = window.kernel.map(u32::from);
        let weights = if depthwise {
            self.copied([1, kh, kw, ic], w_type).unwrap_or_else(|| self.source([1, kh, kw, ic], w_type))
        } else {
            // A stream without zero blocks is shorter than this, or as long.
            let depth = ic.next_multiple_of(if opcode == Opcode::MacPruned { 16 } else { 4 });
            let packed = [1, 1, 1, oc.div_ceil(16) * 16 * kh * kw * depth];
            let flat = self.copied(packed, w_type).unwrap_or_else(|| self.source(packed, w_type));
            let packed = packed[3];
            // Packed weights lie without gaps.
            let flat = if flat.strides[3] == w_type.bytes() as i64 {
                flat
            } else {
                let d = TensorDesc::dense(
                    Space::Spm,
                    w_type,
                    self.place(i64::from(packed) * 2),
                    [1, 1, 1, packed],
                );
                let dst = self.tensor(&d);
                self.push(Insn::DmaFill { dst, wait: Wait::NONE });
                d
            };
            TensorDesc {
                dims: [oc, kh, kw, ic],
                strides: [0; 4],
                lanes: 1,
                zero_point: self.zero_point(w_type),
                ..flat
            }
        };
        let bias = self.source([1, 1, 1, oc], sums);
        let dims = [1, out[0], out[1], oc];
        let dst = if times > 1 { self.aligned(dims, sums) } else { self.accumulators(dims, sums) };
        let [oy, ox] = self.origin(origin);
        let window = self.window(&window);
        let mask = (opcode == Opcode::MacPruned).then(|| {
            let kind = self.random.within(0, 4);
            let bytes = BlockGrid::of(weights.dims).mask_bytes().unwrap();
            let mask: Vec<u8> = (0..bytes)
                .map(|_| match kind {
                    0 => 0,
                    1 => 0xff,
                    _ => self.random.next() as u8 & self.random.next() as u8,
                })
                .collect();
            let imm = self.record(&mask).into();
            let rd = x(22);
            self.push(Insn::Li { rd, imm });
            rd
        });
        let mut results = Vec::new();
        // Tiles of one product, each below the one before.
        let stacked = times > 1 && self.random.one_in(2);
        if stacked {
            let [_, rows, columns, channels] = dst.dims;
            let etype = self.small_type();
            let whole = self.result([1, rows * times as u32, columns, channels], etype);
            let quant = self.requantization(etype, oc);
            let quant = self.quant(&quant);
            for i in 0..times as i64 {
                let base = whole.base + i * i64::from(rows) * whole.strides[1];
                results.push((self.tensor(&TensorDesc { base, dims: dst.dims, ..whole }), quant));
            }
        }
        for _ in results.len()..times {
            let etype = self.small_type();
            let d = self.result(dst.dims, etype);
            let quant = self.requantization(etype, oc);
            results.push((self.tensor(&d), self.quant(&quant)));
        }
        let [dst, src, weights, bias] = [dst, src, weights, bias].map(|d| self.tensor(&d));
        let first = self.random.pick(&[MacFlags::BIAS, MacFlags::empty()]);
        let mut rounds = vec![first; times.max(1)];
        if times == 0 && self.random.one_in(2) {
            rounds.push(MacFlags::ACC);
        }
        for (i, flags) in rounds.into_iter().enumerate() {
            if stacked {
                let imm = origin[0] + i as i64 * i64::from(out[0]);
                self.push(Insn::Li { rd: oy, imm });
            }
            let wait = self.wait();
            self.push(match mask {
                Some(mask) => Insn::MacPruned { dst, src, weights, bias, window, oy, ox, mask, flags, wait },
                None if depthwise => Insn::MacDw { dst, src, weights, bias, window, oy, ox, flags, wait },
                None => Insn::MacConv { dst, src, weights, bias, window, oy, ox, flags, wait },
            });
            if let Some((result, quant)) = results.get(i) {
                self.push(Insn::VecRequant { dst: *result, src: dst, quant: *quant, wait });
            }
        }
    }

    /// A requantization to a type, of all channels or of each.
    fn requantization(&mut self, etype: EType, channels: u32) -> QuantDesc {
        let mut quant = self.plain_quantization(etype);
        if self.random.one_in(2) {
            quant.mode = QuantMode::Channel;
            let words = if quant.profile == Profile::Onnx { channels } else { 2 * channels };
            quant.table = self.floats(words).base;
        }
        quant
    }

    fn pool(&mut self, average: bool) {
        let (window, image, out, origin) = self.placed();
        let channels = self.random.within(1, 40) as u32;
        let etype = self.small_type();
        let src = self.source([1, image[0], image[1], channels], etype);
        let dst = self.result([1, out[0], out[1], channels], etype);
        let quant = self.plain_quantization(etype);
        let quant = self.quant(&quant);
        let [oy, ox] = self.origin(origin);
        let window = self.window(&window);
        let (dst, src) = (self.tensor(&dst), self.tensor(&src));
        let wait = self.wait();
        let flags = self.random.pick(&[AvgFlags::INCLUDE_PAD, AvgFlags::empty()]);
        self.push(if average {
            Insn::VecAvgpool { dst, src, quant, window, oy, ox, flags, wait }
        } else {
            Insn::VecMaxpool { dst, src, window, oy, ox, wait }
        });
    }

    /// One or two sources of the same extents, perhaps the result in place, perhaps a broadcast.
    fn elementwise(&mut self, opcode: Opcode) {
        let dims = self.dims([2, 4, 5, 40]);
        let (mut ta, tb, mut td) = (self.small_type(), self.small_type(), self.small_type());
        if opcode == Opcode::VecLut {
            ta = self.byte_type();
        } else if opcode == Opcode::DmaCopy {
            td = ta;
        }
        let a = self.source(dims, ta);
        let mut b = self.source(dims, tb);
        if self.random.one_in(4) {
            b.strides[self.random.within(0, 4) as usize] = 0;
        }
        let mut d = self.result(dims, td);
        if self.random.one_in(4) && ta.bytes() == td.bytes() {
            d = TensorDesc { etype: td, zero_point: self.zero_point(td), ..a };
        }
        let wait = self.wait();
        let quant = self.quantization(td);
        let quant = self.quant(&quant);
        let [dst, a, b] = [d, a, b].map(|d| self.tensor(&d));
        match opcode {
            Opcode::VecAdd => self.push(Insn::VecAdd { dst, a, b, quant, wait }),
            Opcode::VecMul => self.push(Insn::VecMul { dst, a, b, quant, wait }),
            Opcode::DmaCopy => self.push(Insn::DmaCopy { dst, src: a, wait }),
            _ => {
                let table = self.source([1, 1, 1, 256], td);
                let table = self.tensor(&table);
                self.push(Insn::VecLut { dst, src: a, table, wait });
            }
        }
    }

    /// The f32 lane, softmax and resize. Noise as floats: infinities, NaN and subnormal numbers among them.
    fn lane(&mut self, opcode: Opcode) {
        let dims = self.dims([2, 3, 4, 30]);
        let wait = self.wait();
        match opcode {
            Opcode::VecF1 => {
                let (src, dst) = (self.source(dims, EType::F32), self.result(dims, EType::F32));
                let (dst, src) = (self.tensor(&dst), self.tensor(&src));
                let op = self.random.pick(&Float1::ALL);
                self.push(Insn::VecF1 { dst, src, op, wait });
            }
            Opcode::VecF2 => {
                let (a, mut b) = (self.source(dims, EType::F32), self.source(dims, EType::F32));
                if self.random.one_in(3) {
                    b.strides[self.random.within(0, 4) as usize] = 0;
                }
                let dst = self.result(dims, EType::F32);
                let [dst, a, b] = [dst, a, b].map(|d| self.tensor(&d));
                let op = self.random.pick(&Float2::ALL);
                self.push(Insn::VecF2 { dst, a, b, op, wait });
            }
            Opcode::VecFold => {
                let src = self.source(dims, EType::F32);
                let dst = self.result([dims[0], dims[1], dims[2], 1], EType::F32);
                let (dst, src) = (self.tensor(&dst), self.tensor(&src));
                let op = self.random.pick(&Fold::ALL);
                self.push(Insn::VecFold { dst, src, op, wait });
            }
            Opcode::VecSoftmax => {
                let (from, to) = (self.byte_type(), self.byte_type());
                let (src, dst) = (self.source(dims, from), self.result(dims, to));
                let table = self.floats(256);
                let quant = self.plain_quantization(to);
                let quant = self.quant(&quant);
                let [dst, src, table] = [dst, src, table].map(|d| self.tensor(&d));
                self.push(Insn::VecSoftmax { dst, src, table, quant, wait });
            }
            _ => {
                let etype = self.random.pick(&[EType::U8, EType::S8, EType::F32]);
                let out = self.dims([1, 4, 5, 1]);
                let src = self.source([1, dims[1], dims[2], dims[3]], etype);
                let dst = self.result([1, out[1], out[2], dims[3]], etype);
                let rows = self.source([1, 1, out[1], 4], EType::S32);
                let cols = self.source([1, 1, out[2], 4], EType::S32);
                let [dst, src, rows, cols] = [dst, src, rows, cols].map(|d| self.tensor(&d));
                self.push(Insn::VecResize { dst, src, rows, cols, wait });
            }
        }
    }

    /// Rows of noise in the constants, by ids of any integer type; now and then one of them is illegal.
    fn gather(&mut self) {
        let etype = self.random.pick(&EType::ALL);
        let size = etype.bytes() as i64;
        let columns = self.random.within(1, 40);
        let stride = columns * size + self.random.pick(&[0, 0, size, 3 * size]);
        let rows = self.random.within(1, (NOISE / stride).min(300) + 1);
        let base = self.random.within(0, (NOISE - rows * stride) / size + 1) * size;
        let table = TensorDesc {
            strides: [rows * stride, rows * stride, stride, size],
            ..TensorDesc::dense(Space::Dram, etype, base, [1, 1, rows as u32, columns as u32])
        };
        let count = self.random.within(1, 20);
        let kind = self.random.pick(&[EType::U8, EType::S8, EType::U16, EType::S16, EType::S32, EType::S64]);
        let bits = 8 * kind.bytes() as u32;
        let [least, most] = match kind {
            EType::U8 | EType::U16 => [0, (1 << bits) - 1],
            _ => [i64::MIN >> (64 - bits), i64::MAX >> (64 - bits)],
        };
        let mut bytes = Vec::new();
        let wrong = if self.random.one_in(12) { self.random.within(0, count) } else { -1 };
        for index in 0..count {
            let legal = self.random.within(least.max(-rows), (rows - 1).min(most) + 1);
            let id = match self.random.within(0, 4) {
                _ if index != wrong => legal,
                0 => rows,
                1 => -rows - 1,
                2 => least,
                _ => most,
            };
            bytes.extend(&id.to_le_bytes()[..kind.bytes()]);
        }
        let list = TensorDesc::dense(Space::Spm, kind, 0, [1, 1, 1, count as u32]);
        let ids = TensorDesc { base: self.place(bytes.len() as i64), ..list };
        let from = i64::from(self.record(&bytes));
        self.load(&ids, &TensorDesc { base: from, space: Space::Dram, ..list });
        let dst = self.result([1, 1, count as u32, columns as u32], etype);
        let [dst, src, ids] = [dst, table, ids].map(|d| self.tensor(&d));
        let wait = self.wait();
        self.push(Insn::DmaGather { dst, src, ids, wait });
    }

    fn operation(&mut self, opcode: Opcode) {
        let wait = self.wait();
        match opcode {
            Opcode::DmaIn | Opcode::DmaFill => {
                let etype = self.random.pick(&EType::ALL);
                let dims = self.dims([2, 4, 5, 40]);
                self.source(dims, etype);
            }
            Opcode::DmaPad => {
                let etype = self.random.pick(&EType::ALL);
                let inner = self.dims([2, 3, 4, 20]);
                let pads = [0; 4].map(|_: i16| self.random.within(0, 3) as i16);
                let grown = |axis: usize| inner[axis + 1] + pads[axis] as u32 + pads[axis + 2] as u32;
                let dst = self.result([inner[0], grown(0), grown(1), inner[3]], etype);
                let from = self.random.within(0, 100) * 8;
                let src = TensorDesc::dense(Space::Dram, etype, from, inner);
                let window = WindowDesc { kernel: [1, 1], stride: [1, 1], dilation: [1, 1], pads };
                let window = self.window(&window);
                let (dst, src) = (self.tensor(&dst), self.tensor(&src));
                self.push(Insn::DmaPad { dst, src, window, wait });
            }
            Opcode::DmaGather => self.gather(),
            Opcode::DmaOut => {
                let etype = self.random.pick(&EType::ALL);
                let dims = self.dims([2, 4, 5, 40]);
                let src = self.source(dims, etype);
                let (strides, lanes, bytes) = self.layout(dims, etype);
                let base = WRITABLE + self.random.within(0, (DRAM - WRITABLE - bytes) / 8) * 8;
                let zero_point = self.zero_point(etype);
                let dst = TensorDesc { base, dims, strides, zero_point, space: Space::Dram, etype, lanes };
                let (dst, src) = (self.tensor(&dst), self.tensor(&src));
                self.push(Insn::DmaOut { dst, src, wait });
            }
            Opcode::MacConv | Opcode::MacPruned | Opcode::MacDw => self.conv(opcode),
            Opcode::MacMatmul => {
                let [rows, cols] = [self.random.within(1, 9) as u32, self.random.within(1, 40) as u32];
                self.sums(rows, cols);
            }
            Opcode::VecRequant | Opcode::VecStore => {
                let [rows, cols] = [self.random.within(1, 9) as u32, self.random.within(1, 40) as u32];
                let src = self.sums(rows, cols);
                let small = self.small_type();
                let etype = match opcode {
                    Opcode::VecStore if self.random.one_in(2) => EType::S32,
                    Opcode::VecStore => src.etype,
                    _ => small,
                };
                let d = self.result([1, 1, rows, cols], etype);
                let quant = self.requantization(small, cols);
                let quant = self.quant(&quant);
                let (dst, src) = (self.tensor(&d), self.tensor(&src));
                self.push(if opcode == Opcode::VecStore {
                    Insn::VecStore { dst, src, wait }
                } else {
                    Insn::VecRequant { dst, src, quant, wait }
                });
            }
            Opcode::VecAdd | Opcode::VecMul | Opcode::VecLut | Opcode::DmaCopy => self.elementwise(opcode),
            Opcode::VecMaxpool => self.pool(false),
            Opcode::VecAvgpool => self.pool(true),
            Opcode::VecRsum => {
                let etype = self.small_type();
                let dims = self.dims([1, 5, 6, 40]);
                let src = self.source(dims, etype);
                let d = self.accumulators([1, 1, 1, dims[3]], Builder::sum_type(&[etype]));
                let (dst, src) = (self.tensor(&d), self.tensor(&src));
                self.push(Insn::VecRsum { dst, src, flags: RedFlags::empty(), wait });
                if self.random.one_in(2) {
                    self.push(Insn::VecRsum { dst, src, flags: RedFlags::ACC, wait });
                }
            }
            Opcode::VecQuant => {
                let etype = self.random.pick(&[EType::U8, EType::S8, EType::U16, EType::S16]);
                let dims = self.dims([2, 3, 4, 30]);
                // Noise as floats: infinities, NaN and subnormal numbers among them.
                let src = self.source(dims, EType::F32);
                let d = self.result(dims, etype);
                let quant = self.plain_quantization(etype);
                let quant = self.quant(&quant);
                let (dst, src) = (self.tensor(&d), self.tensor(&src));
                self.push(Insn::VecQuant { dst, src, quant, wait });
            }
            Opcode::VecDequant => {
                let [rows, cols] = [self.random.within(1, 9) as u32, self.random.within(1, 30) as u32];
                let src = if self.random.one_in(3) {
                    TensorDesc { zero_point: 0, ..self.sums(rows, cols) }
                } else {
                    let etype = self.small_type();
                    let dims = self.dims([2, 3, 4, 30]);
                    self.source(dims, etype)
                };
                let d = self.result(src.dims, EType::F32);
                let mut quant = self.plain_quantization(EType::U8);
                if self.random.one_in(2) {
                    quant.mode = QuantMode::Channel;
                    quant.table = self.floats(src.dims[3]).base;
                }
                let quant = self.quant(&quant);
                let (dst, src) = (self.tensor(&d), self.tensor(&src));
                self.push(Insn::VecDequant { dst, src, quant, wait });
            }
            Opcode::VecF1 | Opcode::VecF2 | Opcode::VecFold | Opcode::VecSoftmax | Opcode::VecResize => {
                self.lane(opcode);
            }
            Opcode::Qnop => {
                let queue = self.random.pick(&Queue::ALL);
                self.push(Insn::Qnop { queue, wait });
            }
            Opcode::Nop
            | Opcode::Li
            | Opcode::Add
            | Opcode::Sub
            | Opcode::Mul
            | Opcode::And
            | Opcode::Or
            | Opcode::Xor
            | Opcode::Sll
            | Opcode::Srl
            | Opcode::Sra
            | Opcode::Slt
            | Opcode::Min
            | Opcode::Max
            | Opcode::Addi
            | Opcode::Muli
            | Opcode::Andi
            | Opcode::Mini
            | Opcode::Maxi
            | Opcode::Beq
            | Opcode::Bne
            | Opcode::Blt
            | Opcode::Bge
            | Opcode::Jal
            | Opcode::Jalr
            | Opcode::LdD
            | Opcode::LdW
            | Opcode::TdescLoad
            | Opcode::TdescSet
            | Opcode::TdescAdd
            | Opcode::TdescMov
            | Opcode::QdescLoad
            | Opcode::QdescSet
            | Opcode::WdescLoad
            | Opcode::WdescSet
            | Opcode::LayerBegin
            | Opcode::LayerEnd
            | Opcode::Mark
            | Opcode::Fence
            | Opcode::Host
            | Opcode::Halt => self.control(opcode),
        }
    }

    /// Scalar instructions, with branches that always come to an end.
    fn control(&mut self, opcode: Opcode) {
        let [rd, rs1, rs2] = [0; 3].map(|_: u8| x(self.random.within(1, 16) as u8));
        let imm = self.random.next() as i32;
        match opcode {
            Opcode::Halt => {}
            Opcode::Host => self.push(Insn::Host { id: 0 }),
            Opcode::LayerBegin | Opcode::LayerEnd => {
                let queued: Vec<Opcode> =
                    Opcode::ALL.into_iter().filter(|o| o.info().unit != Unit::Control).collect();
                let id = self.random.within(0, 2) as u32;
                self.push(Insn::LayerBegin { id });
                for _ in 0..self.random.within(0, 4) {
                    let opcode = self.random.pick(&queued);
                    self.operation(opcode);
                }
                self.push(Insn::LayerEnd { id });
            }
            Opcode::Li => {
                let imm = self.random.next() as i64;
                self.push(Insn::Li { rd, imm });
            }
            Opcode::Mark => self.push(Insn::Mark { id: imm as u32 }),
            Opcode::Beq => self.push(Insn::Beq { rs1, rs2, target: 1 }),
            Opcode::Bne => self.push(Insn::Bne { rs1, rs2, target: 1 }),
            Opcode::Bge => self.push(Insn::Bge { rs1, rs2, target: 1 }),
            Opcode::Blt => {
                // A counted loop around a fill that walks.
                let n = self.random.within(1, 6);
                let d = TensorDesc::dense(Space::Spm, EType::U8, self.place(64), [1, 1, 1, 8]);
                let td = self.tensor(&d);
                self.push(Insn::Li { rd: x(17), imm: 0 });
                self.push(Insn::Li { rd: x(18), imm: n });
                self.push(Insn::Li { rd: x(19), imm: 8 });
                let wait = self.wait();
                self.push(Insn::DmaFill { dst: td, wait });
                self.push(Insn::TdescAdd { td, rs1: x(19), field: TField::Base });
                self.push(Insn::Addi { rd: x(17), rs1: x(17), imm: 1 });
                self.push(Insn::Blt { rs1: x(17), rs2: x(18), target: -3 });
            }
            Opcode::Jal | Opcode::Jalr => {
                self.push(Insn::Jal { rd: x(22), target: 1 });
                self.push(Insn::Jalr { rd: x(23), rs1: x(22), imm: 1 });
            }
            Opcode::LdD => {
                let imm = self.random.within(0, NOISE / 8) as i32 * 8;
                self.push(Insn::LdD { rd, rs1: x(0), imm });
            }
            Opcode::LdW => {
                let imm = self.random.within(0, NOISE / 4) as i32 * 4;
                self.push(Insn::LdW { rd, rs1: x(0), imm });
            }
            Opcode::TdescLoad | Opcode::TdescMov => {
                let d = TensorDesc::dense(Space::Spm, EType::U8, 0, [1, 1, 1, 1]);
                let ts = self.tensor(&d);
                let td = TReg::new(31).unwrap();
                self.push(Insn::TdescMov { td, ts });
                // A record from before, which the cache of constants may still hold.
                let imm = self.records[self.records.len() / 2] as i32;
                self.push(Insn::TdescLoad { td, imm, rs1: x(0) });
            }
            Opcode::TdescSet | Opcode::TdescAdd => {
                let d = TensorDesc::dense(Space::Spm, EType::U8, 0, [1, 1, 1, 1]);
                let td = self.tensor(&d);
                let field = self.random.pick(&TField::ALL);
                let imm = self.random.within(1, 100);
                self.push(Insn::Li { rd: x(24), imm });
                self.push(if opcode == Opcode::TdescSet {
                    Insn::TdescSet { td, rs1: x(24), field }
                } else {
                    Insn::TdescAdd { td, rs1: x(24), field }
                });
            }
            Opcode::QdescLoad | Opcode::QdescSet => {
                let quant = self.quantization(EType::S8);
                let qd = self.quant(&quant);
                let field = self.random.pick(&QField::ALL);
                self.push(Insn::QdescSet { qd, rs1: x(0), field });
            }
            Opcode::WdescLoad | Opcode::WdescSet => {
                let (window, ..) = self.placed();
                let wd = self.window(&window);
                let field = self.random.pick(&WField::ALL);
                self.push(Insn::Li { rd: x(24), imm: 3 });
                self.push(Insn::WdescSet { wd, rs1: x(24), field });
            }
            Opcode::Nop => self.push(Insn::Nop),
            Opcode::Fence => self.push(Insn::Fence),
            Opcode::Add => self.push(Insn::Add { rd, rs1, rs2 }),
            Opcode::Sub => self.push(Insn::Sub { rd, rs1, rs2 }),
            Opcode::Mul => self.push(Insn::Mul { rd, rs1, rs2 }),
            Opcode::And => self.push(Insn::And { rd, rs1, rs2 }),
            Opcode::Or => self.push(Insn::Or { rd, rs1, rs2 }),
            Opcode::Xor => self.push(Insn::Xor { rd, rs1, rs2 }),
            Opcode::Sll => self.push(Insn::Sll { rd, rs1, rs2 }),
            Opcode::Srl => self.push(Insn::Srl { rd, rs1, rs2 }),
            Opcode::Sra => self.push(Insn::Sra { rd, rs1, rs2 }),
            Opcode::Slt => self.push(Insn::Slt { rd, rs1, rs2 }),
            Opcode::Min => self.push(Insn::Min { rd, rs1, rs2 }),
            Opcode::Max => self.push(Insn::Max { rd, rs1, rs2 }),
            Opcode::Addi => self.push(Insn::Addi { rd, rs1, imm }),
            Opcode::Muli => self.push(Insn::Muli { rd, rs1, imm }),
            Opcode::Andi => self.push(Insn::Andi { rd, rs1, imm }),
            Opcode::Mini => self.push(Insn::Mini { rd, rs1, imm }),
            Opcode::Maxi => self.push(Insn::Maxi { rd, rs1, imm }),
            queue => unreachable!("{queue:?} is a queue instruction"),
        }
    }

    /// Changes one field of one descriptor slightly, or arbitrarily.
    fn disturb(&mut self) {
        let Some(&at) = self.records.get(self.random.within(0, self.records.len().max(1) as i64) as usize)
        else {
            return;
        };
        let bytes: [u8; TensorDesc::BYTES] = self.constants[at..at + TensorDesc::BYTES].try_into().unwrap();
        let mut d = TensorDesc::from_bytes(&bytes).unwrap();
        let wild = self.random.one_in(3);
        let delta = if wild {
            self.random.next() as i64 >> self.random.within(0, 60)
        } else {
            self.random.within(-3, 4)
        };
        match self.random.within(0, 6) {
            0 => d.base = d.base.wrapping_add(delta),
            1 => d.dims[self.random.within(0, 4) as usize] = delta as u32,
            2 => d.strides[self.random.within(0, 4) as usize] = delta,
            3 => d.zero_point = delta as i32,
            4 => d.space = self.random.pick(&Space::ALL),
            _ => d.etype = self.random.pick(&EType::ALL),
        }
        self.constants[at..at + TensorDesc::BYTES].copy_from_slice(&d.to_bytes());
    }

    fn finish(mut self, machine: &Machine) -> Program {
        assert!((self.constants.len() as i64) < WRITABLE);
        self.constants.resize(WRITABLE as usize, 0);
        let operand = |address: i64| HostTensor {
            name: "x".into(),
            dtype: DType::U8,
            shape: vec![16],
            address: address as u64,
        };
        let layer =
            |name: &str, host| Layer { name: name.into(), kind: "test".into(), host, ..Layer::default() };
        let input = TensorEntry {
            name: "x".into(),
            role: Role::Input,
            dtype: DType::U8,
            shape: vec![16],
            place: rcar_iss::internals::program::Place {
                address: WRITABLE as u64,
                dims: vec![16],
                strides: vec![1],
                ..Default::default()
            },
            ..TensorEntry::default()
        };
        let host = HostEntry {
            onnxruntime: false,
            layer: 0,
            op_types: vec!["Test".into()],
            reason: "test".into(),
            inputs: vec![operand(WRITABLE)],
            outputs: vec![operand(WRITABLE + 64)],
        };
        // Instructions here and there belong to a layer that is not open: as if loaded early.
        let mut provenance = Vec::new();
        let mut start = 0;
        while self.random.one_in(2) && start + 1 < self.code.len() as u32 {
            start = self.random.within(start.into(), self.code.len() as i64) as u32;
            let end = self.random.within(i64::from(start) + 1, self.code.len() as i64 + 1) as u32;
            provenance.push(CodeRange { start, end, layer: self.random.within(0, 2) as u32 });
            start = end;
        }
        Program {
            meta: Meta {
                provenance,
                name: "random".into(),
                isa_version: machine.isa_version,
                machine: MachineId { name: machine.name.clone(), hash: format!("{:016x}", machine.hash()) },
                dram_bytes: DRAM as u64,
                layers: vec![layer("host", true), layer("marked", false)],
                tensors: vec![input],
                hosts: vec![host],
                ..Meta::default()
            },
            code: self.code.iter().map(Insn::encode).collect(),
            constants: self.constants.into(),
            host_models: vec![Arc::from(&b"test"[..])],
        }
    }
}

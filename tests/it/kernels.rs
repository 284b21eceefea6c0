//! Every kernel level of this CPU against the reference engine, operation by operation: shapes, strides, zero
//! points, types, extremes. The bytes of all memories and the wrapped accumulations must be equal.

use std::sync::Arc;

use proptest::prelude::*;
use rcar_iss::internals::isa::{EType, QuantDesc, Queue, Space, TensorDesc, WindowDesc};
use rcar_iss::internals::kernels::cpu::Level;
use rcar_iss::internals::sim::engine::Engine;
use rcar_iss::internals::sim::engine::fast::Fast;
use rcar_iss::internals::sim::engine::reference::Reference;
use rcar_iss::internals::sim::op::ConvOp;
use rcar_iss::internals::sim::plan::Unit;
use rcar_iss::internals::sim::validate::Memories;
use rcar_iss::internals::sim::{Memory, OpKind, QueueOp};

const SPM: usize = 1 << 18;
const ACC: usize = 1 << 18;
/// Where operands lie.
const WEIGHTS: i64 = 1 << 16;
const BIAS: i64 = 3 << 16;
const SECOND: i64 = 1 << 17;

fn sizes() -> Memories {
    Memories { dram: 64, writable: 64, spm: SPM as u64, acc: ACC as u64 }
}

/// Memories with bytes of a kind: random ones, or only extremes.
fn filled(seed: u64, extreme: bool) -> Memory {
    let mut m = Memory::new([0_u8; 64][..].into(), &sizes());
    let mut state = seed | 1;
    for (space, len) in [(Space::Spm, SPM), (Space::Acc, ACC)] {
        for b in m.write(space, 0, len) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let byte = (state >> 32) as u8;
            *b = if extreme { [0, 0x7f, 0x80, 0xff][usize::from(byte % 4)] } else { byte };
        }
    }
    m
}

/// Executes on every level and on the reference engine.
fn agree(kind: OpKind, seed: u64, extreme: bool) -> Result<(), TestCaseError> {
    agree_from(kind, &filled(seed, extreme))
}

fn op(kind: OpKind) -> QueueOp {
    QueueOp { seq: 0, pc: 0, queue: Queue::Mac, kind, tickets: [None; 2], layer: None }
}

/// A product and its requantization as one, on every level, against the two on the reference engine: the
/// scratchpad must be equal, and the wraps.
fn pair_agrees([first, second]: [OpKind; 2], before: &Memory) -> Result<(), TestCaseError> {
    let pair = [first, second].map(|kind| Arc::new(op(kind)));
    let fused = Unit::Fused(pair.clone());
    let failed = |e: rcar_iss::internals::sim::FaultKind| TestCaseError::fail(e.to_string());
    let mut expected = before.clone();
    let mut reference = Reference::new(sizes(), 64);
    reference.defined(Space::Spm, 0, SPM);
    reference.defined(Space::Acc, 0, ACC);
    let mut wraps = 0;
    for op in &pair {
        wraps += reference.execute(op, &mut expected).map_err(failed)?;
    }
    for level in Level::available() {
        let mut memory = before.clone();
        let mut engine = Fast::at(level);
        // Twice: the second time, prepared weights are used.
        for _ in 0..2 {
            memory.write(Space::Spm, 0, SPM).copy_from_slice(before.read(Space::Spm, 0, SPM));
            engine.changed((0, 64));
            let got = engine.execute_unit(&fused, &mut memory).map_err(failed)?;
            prop_assert_eq!(wraps, got, "{}: wraps", level.name());
            let (e, g) = (expected.read(Space::Spm, 0, SPM), memory.read(Space::Spm, 0, SPM));
            let first = e.iter().zip(g).position(|(a, b)| a != b);
            prop_assert_eq!(first, None, "{}: the scratchpad differs", level.name());
        }
    }
    Ok(())
}

/// The same with given memories.
fn agree_from(kind: OpKind, before: &Memory) -> Result<(), TestCaseError> {
    let op = op(kind);
    let mut expected = before.clone();
    let mut reference = Reference::new(sizes(), 64);
    reference.defined(Space::Spm, 0, SPM);
    reference.defined(Space::Acc, 0, ACC);
    let wraps = reference.execute(&op, &mut expected).map_err(|e| TestCaseError::fail(e.to_string()))?;
    for level in Level::available() {
        let mut memory = before.clone();
        let mut engine = Fast::at(level);
        let got = engine.execute(&op, &mut memory).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(wraps, got, "{}: wraps", level.name());
        for (space, len) in [(Space::Spm, SPM), (Space::Acc, ACC)] {
            let (e, g) = (expected.read(space, 0, len), memory.read(space, 0, len));
            let first = e.iter().zip(g).position(|(a, b)| a != b);
            prop_assert_eq!(first, None, "{}: {:?} differs", level.name(), space);
        }
    }
    Ok(())
}

fn tensor(space: Space, etype: EType, base: i64, dims: [u32; 4], zero_point: i32) -> TensorDesc {
    TensorDesc { zero_point, ..TensorDesc::dense(space, etype, base, dims) }
}

/// A zero point of a type: an end of the range or something between.
fn zero_point(etype: EType, pick: u8) -> i32 {
    let [lo, hi] = etype.int_range().unwrap();
    match pick % 4 {
        0 => lo,
        1 => hi,
        _ => (lo + hi + 1) / 2 + i32::from(pick) - 100,
    }
    .clamp(lo, hi)
}

/// A convolution's shape and types, as numbers to be shrunk.
#[derive(Debug, Clone)]
struct Shape {
    tile: [u32; 2],
    oc: u32,
    ic: u32,
    kernel: [u16; 2],
    stride: [u16; 2],
    dilation: [u16; 2],
    pads: [i16; 2],
    gap: i64,
    picks: [u8; 4],
    start: u8,
    seed: u64,
    extreme: bool,
}

fn shape() -> impl Strategy<Value = Shape> {
    let geometry = ([1..=5_u32, 1..=37], 1..=140_u32, 1..=70_u32, [1..=3_u16, 1..=3], [1..=3_u16, 1..=3]);
    let rest = (
        [1..=2_u16, 1..=2],
        [0..=2_i16, 0..=2],
        0..3_i64,
        any::<[u8; 4]>(),
        0..3_u8,
        any::<u64>(),
        any::<bool>(),
    );
    (geometry, rest).prop_map(
        |((tile, oc, ic, kernel, stride), (dilation, pads, gap, picks, start, seed, extreme))| Shape {
            tile,
            oc,
            ic,
            kernel,
            stride,
            dilation,
            pads,
            gap,
            picks,
            start,
            seed,
            extreme,
        },
    )
}

impl Shape {
    /// The operands; `wide` for activations of 16 bits, `depthwise` with as many channels as outputs. None if
    /// they do not fit the test's memories.
    fn conv(&self, wide: bool, depthwise: bool) -> Option<ConvOp> {
        let Shape { tile, oc, kernel, stride, dilation, pads, .. } = *self;
        let ic = if depthwise { oc } else { self.ic };
        let narrow = [EType::U8, EType::S8];
        let a = if wide { [EType::U16, EType::S16] } else { narrow }[usize::from(self.picks[0] % 2)];
        let w = narrow[usize::from(self.picks[1] % 2)];
        // Just enough image for the tile, or less where there is padding.
        let extent = |i: usize| {
            let reach = (tile[i] - 1) * u32::from(stride[i]) + u32::from((kernel[i] - 1) * dilation[i]) + 1;
            (reach as i32 - 2 * i32::from(pads[i])).max(1) as u32
        };
        let mut src = tensor(Space::Spm, a, 64, [1, extent(0), extent(1), ic], zero_point(a, self.picks[2]));
        // There may be gaps between pixels.
        let size = a.bytes() as i64;
        let pixel = i64::from(ic) * size + [0, 4, 16][self.gap as usize] * size;
        src.strides = [0, pixel * i64::from(src.dims[2]), pixel, size];
        let weights = if depthwise {
            tensor(
                Space::Spm,
                w,
                WEIGHTS,
                [1, kernel[0].into(), kernel[1].into(), oc],
                zero_point(w, self.picks[3]),
            )
        } else {
            let dims = [oc, kernel[0].into(), kernel[1].into(), ic];
            TensorDesc {
                strides: [0; 4],
                ..tensor(Space::Spm, w, WEIGHTS, dims, zero_point(w, self.picks[3]))
            }
        };
        let sums = if wide { EType::S64 } else { EType::S32 };
        let dst = tensor(Space::Acc, sums, 0, [1, tile[0], tile[1], oc], 0);
        let bias = (self.start == 1).then(|| tensor(Space::Spm, sums, BIAS, [1, 1, 1, oc], 0));
        let taps = i64::from(kernel[0]) * i64::from(kernel[1]);
        let packed = i64::from(oc.next_multiple_of(16)) * taps * i64::from(ic.next_multiple_of(4));
        let fits = src.strides[1] * i64::from(src.dims[1]) + 64 <= WEIGHTS
            && packed <= BIAS - WEIGHTS
            && i64::from(tile[0] * tile[1] * oc) * sums.bytes() as i64 <= ACC as i64;
        let window = WindowDesc { kernel, stride, dilation, pads: [pads[0], pads[1], pads[0], pads[1]] };
        fits.then_some(ConvOp {
            dst,
            src,
            weights,
            bias,
            accumulate: self.start == 2,
            window,
            origin: [0, 0],
            pruned: None,
        })
    }
}

fn check(cases: u32, test: impl Fn(Shape) -> Result<(), TestCaseError>) {
    crate::settings::try_cases(cases, &shape(), test);
}

/// What the tests of this file, and those of `kernel_calls.rs`, say of the levels that they ran at.
#[test]
fn levels_are_told() {
    let levels = Level::available();
    let ran: Vec<&str> = levels.iter().map(|l| l.name()).collect();
    let seed = crate::settings::seed();
    crate::required::told(&format!("kernels: levels {}; cases of RCN_CASE_SEED={seed}\n", ran.join(", ")));
    assert!(levels.contains(&Level::Portable) && levels.last() == Some(&Level::detect()), "{ran:?}");
    for name in Level::NAMES.into_iter().filter(|n| !ran.contains(n)) {
        crate::required::missing(name, &format!("this CPU does not execute the {name} kernels"));
    }
}

#[test]
fn convolutions_agree_on_every_level() {
    check(80, |s| match s.conv(false, false) {
        Some(c) => agree(OpKind::Conv(c), s.seed, s.extreme),
        None => Err(TestCaseError::reject("too large")),
    });
}

#[test]
fn convolutions_of_16_bits_agree_on_every_level() {
    check(60, |s| match s.conv(true, false) {
        Some(c) => agree(OpKind::Conv(c), s.seed, s.extreme),
        None => Err(TestCaseError::reject("too large")),
    });
}

#[test]
fn depthwise_convolutions_agree_on_every_level() {
    check(150, |s| match s.conv(s.picks[0] > 200, true) {
        Some(c) => agree(OpKind::Depthwise(c), s.seed, s.extreme),
        None => Err(TestCaseError::reject("too large")),
    });
}

#[test]
fn products_with_their_requantization_agree_on_every_level() {
    check(160, |s| {
        let depthwise = s.seed % 3 == 0;
        let s = Shape { start: s.start % 2, ..s };
        let Some(c) = s.conv(false, depthwise) else { return Err(TestCaseError::reject("too large")) };
        let e = [EType::U8, EType::S8][usize::from(s.picks[2] % 2)];
        // Sometimes overlapping what the product reads, so that the two are executed separately.
        let base = if s.picks[1] > 230 { 256 } else { SECOND };
        let mut dst = tensor(Space::Spm, e, base, c.dst.dims, 3);
        if s.gap > 0 {
            let pixel = i64::from(c.dst.dims[3].next_multiple_of(16)) + 16 * (s.gap - 1);
            dst.lanes = 16;
            dst.strides = [0, pixel * i64::from(dst.dims[2]), pixel, 1];
        }
        let [lo, hi] = e.int_range().unwrap();
        let mut quant = quant(&s, e);
        (quant.lo, quant.hi) = if s.extreme { (lo, hi) } else { (lo + 1, hi - 1) };
        if s.seed.is_multiple_of(4) {
            quant.zero_point = 0;
        }
        // Multipliers behind the biases; biases of all sizes, some of them enormous.
        quant.table = BIAS + 1024;
        let mut before = filled(s.seed, s.extreme);
        for (i, bytes) in before.write(Space::Spm, BIAS, 4 * 140).chunks_exact_mut(4).enumerate() {
            let value = i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            let value = if i % 16 == usize::from(s.picks[0] % 20) { value } else { value >> (8 + i % 8) };
            bytes.copy_from_slice(&value.to_le_bytes());
        }
        // Most multipliers are below 1, as those of networks are.
        if s.picks[2] > 40 {
            let table = before.write(Space::Spm, BIAS + 1024, 4 * 140);
            table.chunks_exact_mut(4).for_each(|b| b[3] = (b[3] & 0x80) | 0x3b);
            quant.m0 = if quant.m0.abs() < 1.0 { quant.m0 } else { 0.001 };
        }
        let src = c.dst;
        let product = if depthwise { OpKind::Depthwise(c) } else { OpKind::Conv(c) };
        pair_agrees([product, OpKind::Requant { dst, src, quant }], &before)
    });
}

/// Products of words: results of 8 and 16 bits, sums that saturate, biases of all sizes.
#[test]
fn products_of_words_with_their_requantization_agree_on_every_level() {
    check(160, |s| {
        let depthwise = s.seed % 3 == 0;
        let s = Shape { start: s.start % 2, ..s };
        // Few channels, and tiles of one pixel, are kernels' special cases.
        let s = match s.picks[3] % 5 {
            0 => Shape { oc: [1, 3, 8, 7][s.seed as usize % 4], ..s },
            1 => Shape { ic: [1, 3, 8, 4][s.seed as usize % 4], tile: [s.tile[0], 1], ..s },
            _ => s,
        };
        let Some(c) = s.conv(true, depthwise) else { return Err(TestCaseError::reject("too large")) };
        let e = [EType::U16, EType::S16, EType::U8, EType::S8][usize::from(s.picks[2] % 4)];
        let size = e.bytes() as i64;
        // Sometimes overlapping what the product reads, so that the two are executed separately.
        let base = if s.picks[1] > 230 { 256 } else { SECOND };
        let mut dst = tensor(Space::Spm, e, base, c.dst.dims, 3);
        if s.gap > 0 {
            let pixel = (i64::from(c.dst.dims[3].next_multiple_of(16)) + 16 * (s.gap - 1)) * size;
            dst.lanes = 16;
            dst.strides = [0, pixel * i64::from(dst.dims[2]), pixel, size];
        }
        let [lo, hi] = e.int_range().unwrap();
        let mut quant = quant(&s, e);
        (quant.lo, quant.hi) = if s.extreme { (lo, hi) } else { (lo + 1, hi - 1) };
        // Then padding lanes are written with the results.
        if s.seed % 4 > 0 {
            dst.zero_point = quant.zero_point;
        }
        if !quant.m0.is_finite() || s.picks[0] % 2 == 0 {
            quant.m0 = (s.seed % 977) as f32 * 2_f32.powi(-(s.seed as i32 >> 10) % 12 - 20);
        }
        // Multipliers behind the biases; one bias in sixteen may be of any size, and so enormous that sums
        // wrap.
        quant.table = BIAS + 2048;
        let mut before = filled(s.seed, s.extreme);
        for (i, bytes) in before.write(Space::Spm, BIAS, 8 * 140).chunks_exact_mut(8).enumerate() {
            let any = i % 16 == usize::from(s.picks[0] % 40);
            let value = i64::from_le_bytes(bytes.try_into().unwrap());
            let value = if any { value } else { value >> (20 + i % 40) };
            bytes.copy_from_slice(&value.to_le_bytes());
        }
        // Most multipliers are those of networks; the others any bits.
        if s.picks[2] > 40 {
            let table = before.write(Space::Spm, BIAS + 2048, 4 * 140);
            table.chunks_exact_mut(4).for_each(|b| b[3] = (b[3] & 0x80) | 0x38 | (b[3] & 3));
        }
        let src = c.dst;
        let product = if depthwise { OpKind::Depthwise(c) } else { OpKind::Conv(c) };
        pair_agrees([product, OpKind::Requant { dst, src, quant }], &before)
    });
}

#[test]
fn requantization_agrees_on_every_level() {
    check(150, |s| {
        let wide = s.picks[0] > 200;
        let e = [EType::U8, EType::S8, EType::U8, EType::S16][usize::from(s.picks[1] % 4)];
        let dims = [1, s.tile[0], s.tile[1], s.oc.min(100)];
        let src = tensor(Space::Acc, if wide { EType::S64 } else { EType::S32 }, 0, dims, 0);
        let mut dst = tensor(Space::Spm, e, 0, dims, 3);
        let lanes = dims[3].next_multiple_of(16);
        let size = e.bytes() as i64;
        if s.gap > 0 {
            dst.lanes = 16;
            dst.strides = [0, i64::from(lanes * dims[2]) * size, i64::from(lanes) * size, size];
        }
        let [lo, hi] = e.int_range().unwrap();
        let mut quant = quant(&s, e);
        (quant.lo, quant.hi) = if s.extreme { (lo, hi) } else { (lo + 1, hi - 1) };
        agree(OpKind::Requant { dst, src, quant }, s.seed, s.extreme)
    });
}

/// A requantization: any bits as multipliers, NaN and infinities included, or realistic ones.
fn quant(s: &Shape, e: EType) -> QuantDesc {
    let mut bytes = [0; QuantDesc::BYTES];
    bytes[0] = 0;
    let mut q = QuantDesc::from_bytes(&bytes).unwrap();
    let bits = (s.seed >> 16) as u32;
    q.m0 = if s.extreme { f32::from_bits(bits) } else { (bits % 1000) as f32 * 1e-7 };
    q.m1 = (bits % 77) as f32 * 0.03;
    q.c = (bits % 300) as f32 - 150.0;
    q.zero_point = zero_point(e, s.picks[2]);
    [q.lo, q.hi] = e.int_range().unwrap();
    q.table = BIAS;
    // Half of them with a multiplier for each channel, which are any bytes.
    if s.picks[3] > 127 {
        q.mode = rcar_iss::internals::isa::QuantMode::Channel;
    }
    q
}

/// Accumulators of all sizes, with multipliers that bring them into the range of results, often to the middle
/// of two.
#[test]
fn exact_requantization_agrees_on_every_level() {
    check(200, |s| {
        let wide = s.picks[0] > 60;
        let e = [EType::U8, EType::S8, EType::U16, EType::S16][usize::from(s.picks[1] % 4)];
        if !wide && e.bytes() == 1 {
            return Err(TestCaseError::reject("not exact"));
        }
        let dims = [1, s.tile[0], s.tile[1], s.oc.min(70)];
        let sums = if wide { EType::S64 } else { EType::S32 };
        let (src, dst) = (tensor(Space::Acc, sums, 0, dims, 0), tensor(Space::Spm, e, 0, dims, 3));
        let mut m = filled(s.seed, false);
        let size = sums.bytes();
        let bits = (u32::from(s.picks[3]) * 63 / 255).clamp(14, size as u32 * 8 - 1);
        for bytes in m.write(Space::Acc, 0, ACC).chunks_exact_mut(size) {
            let mut all = [0; 8];
            all[8 - size..].copy_from_slice(bytes);
            // Fewer bits, and sometimes zeros behind the first sixteen.
            let mut v = i64::from_le_bytes(all) >> (64 - bits);
            if bytes[0] % 2 == 0 {
                v &= -1 << (bits - 14);
            }
            bytes.copy_from_slice(&v.to_le_bytes()[..size]);
        }
        let mut q = quant(&s, e);
        q.mode = rcar_iss::internals::isa::QuantMode::Channel;
        // Powers of two, and any mantissa.
        for (i, b) in m.write(Space::Spm, BIAS, 4 * 70).chunks_exact_mut(4).enumerate() {
            let fraction = if i % 2 == 0 { 0 } else { u32::from_le_bytes([b[0], b[1], b[2], 0]) & 0x7f_ffff };
            let exponent = 127 + 14 - bits + (i as u32 + u32::from(s.picks[2])) % 4;
            b.copy_from_slice(&(exponent << 23 | fraction).to_le_bytes());
        }
        agree_from(OpKind::Requant { dst, src, quant: q }, &m)
    });
}

/// Operands of 8 and 16 bits and floats, dense, apart, or one element for all.
#[test]
fn element_wise_operations_agree_on_every_level() {
    check(300, |s| {
        let types = [EType::U8, EType::S8, EType::U16, EType::S16];
        let pick = |i: usize| types[usize::from(s.picks[i] % 4)];
        let dims = [1, s.tile[0].min(3), s.tile[1].min(9), s.oc];
        let spread = |mut d: TensorDesc, how: u64| {
            let size = d.etype.bytes() as i64;
            match how % 4 {
                0 => d.strides = [0; 4],
                1 => d.strides = [0, 0, 0, size],
                2 => {
                    let pixel = (i64::from(d.dims[3]) + 5) * size;
                    d.strides = [0, pixel * i64::from(d.dims[2]), pixel, size];
                }
                _ => {}
            }
            d
        };
        let operand = |etype: EType, base, i: usize| {
            let zero = if etype == EType::F32 { 0 } else { zero_point(etype, s.picks[i]) };
            spread(tensor(Space::Spm, etype, base, dims, zero), s.seed >> (8 * i))
        };
        let result = |etype: EType| {
            let mut d = tensor(Space::Spm, etype, 1 << 16, dims, 1);
            if s.gap > 0 {
                let pixel = i64::from(dims[3].next_multiple_of(16)) * etype.bytes() as i64;
                d.lanes = 16;
                d.strides = [0, pixel * i64::from(dims[2]), pixel, d.strides[3]];
            }
            d
        };
        let mut q = quant(&s, pick(2));
        q.mode = rcar_iss::internals::isa::QuantMode::Tensor;
        let (a, b) = (operand(pick(0), 0, 2), operand(pick(1), SECOND, 3));
        let floats = [operand(EType::F32, 0, 2), operand(EType::F32, SECOND, 3)];
        let kind = match s.seed % 6 {
            0 => OpKind::Add { dst: result(pick(2)), a, b, quant: q },
            1 => OpKind::Mul { dst: result(pick(2)), a, b, quant: q },
            2 => OpKind::Quantize { dst: result(pick(2)), src: floats[0], quant: q },
            3 => {
                let mut q = quant(&s, EType::U8);
                q.table = BIAS;
                OpKind::Dequantize { dst: result(EType::F32), src: a, quant: q }
            }
            4 => {
                use rcar_iss::internals::isa::Float1::{Abs, Ceil, Exp, Floor, Neg, Round, Sigmoid, Sqrt};
                let op = [Neg, Abs, Sqrt, Exp, Sigmoid, Floor, Ceil, Round][usize::from(s.picks[0] % 8)];
                OpKind::F1 { dst: result(EType::F32), src: floats[0], op }
            }
            _ => {
                use rcar_iss::internals::isa::Float2::{Add, Div, Max, Min, Mul, Pow, Sub};
                let op = [Add, Sub, Mul, Div, Min, Max, Pow][usize::from(s.picks[0] % 7)];
                OpKind::F2 { dst: result(EType::F32), a: floats[0], b: floats[1], op }
            }
        };
        agree(kind, s.seed, s.extreme)
    });
}

#[test]
fn sums_products_tables_and_pools_agree_on_every_level() {
    check(200, |s| {
        let types = [EType::U8, EType::S8];
        let pick = |i: usize| types[usize::from(s.picks[i] % 2)];
        let dims = [1, s.tile[0], s.tile[1], s.oc];
        let a = tensor(Space::Spm, pick(0), 0, dims, zero_point(pick(0), s.picks[3]));
        let b = tensor(Space::Spm, pick(1), SECOND, dims, zero_point(pick(1), s.picks[2]));
        let dst = tensor(Space::Spm, pick(2), 1 << 16, dims, 1);
        let mut q = quant(&s, pick(2));
        q.mode = rcar_iss::internals::isa::QuantMode::Tensor;
        let kind = match s.picks[3] % 5 {
            0 => OpKind::Add { dst, a, b, quant: q },
            1 => OpKind::Mul { dst, a, b, quant: q },
            2 => OpKind::Lut { dst, src: a, table: tensor(Space::Spm, pick(2), BIAS, [1, 1, 1, 256], 0) },
            3 => {
                let floats = tensor(Space::Spm, EType::F32, SECOND, [1, 2, 17, s.oc], 0);
                OpKind::Quantize {
                    dst: tensor(Space::Spm, pick(2), 1 << 16, floats.dims, 1),
                    src: floats,
                    quant: q,
                }
            }
            _ => {
                let Some(c) = s.conv(false, true) else { return Err(TestCaseError::reject("too large")) };
                let src = TensorDesc { etype: pick(0), zero_point: 0, ..c.src };
                let dst = tensor(Space::Spm, pick(0), SECOND, c.dst.dims, 0);
                OpKind::MaxPool { dst, src, window: c.window, origin: [0, 0] }
            }
        };
        agree(kind, s.seed, s.extreme)
    });
}

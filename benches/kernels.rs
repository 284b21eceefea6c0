//! How fast the kernels of the MAC array are on the layers of real networks, requantization included, beside what this CPU can
//! do at most with VPDPBUSD, and beside a kept library.
//!
//! `cargo bench --bench kernels` prints a Markdown table at the end: multiply-accumulates in 10^9 a second, and percent of the
//! peak. The library is given what favours it: weights packed before, windows already copied out, no requantization.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark fails by panicking")]
#![allow(clippy::print_stdout, reason = "the table is the result")]

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use rcar_iss::isa::{EType, QuantDesc, Queue, Space, TensorDesc, WindowDesc};
use rcar_iss::sim::engine::Engine;
use rcar_iss::sim::engine::fast::{Fast, Level};
use rcar_iss::sim::op::ConvOp;
use rcar_iss::sim::plan::Unit;
use rcar_iss::sim::validate::Memories;
use rcar_iss::sim::{Memory, OpKind, QueueOp};
use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;

/// A layer: extent of the square result, channels in and out, and the square kernel.
type Layer = (u32, u32, u32, u16);

const NETWORKS: [(&str, &[Layer]); 2] = [
    (
        "ResNet-50",
        &[
            (56, 64, 64, 1),
            (56, 64, 64, 3),
            (56, 64, 256, 1),
            (56, 256, 64, 1),
            (28, 512, 128, 1),
            (28, 128, 128, 3),
            (28, 128, 512, 1),
            (14, 1024, 256, 1),
            (14, 256, 256, 3),
            (14, 256, 1024, 1),
            (7, 2048, 512, 1),
            (7, 512, 512, 3),
            (7, 512, 2048, 1),
        ],
    ),
    (
        "EfficientNet-Lite0",
        &[
            (112, 32, 16, 1),
            (112, 16, 96, 1),
            (56, 24, 144, 1),
            (28, 40, 240, 1),
            (14, 80, 480, 1),
            (14, 672, 112, 1),
            (7, 192, 1152, 1),
            (7, 320, 1280, 1),
        ],
    ),
];

const SPM: u64 = 16 << 20;
const WEIGHTS: i64 = 4 << 20;
const MULTIPLIERS: i64 = 14 << 20;
const RESULT: i64 = 15 << 20;
/// Bytes of accumulators of a tile, as many as a compiled program's have.
const TILE: u32 = 128 << 10;

fn tensor(space: Space, etype: EType, base: i64, dims: [u32; 4]) -> TensorDesc {
    let size = etype.bytes() as i64;
    let [_, b, c, d] = dims.map(i64::from);
    TensorDesc {
        base,
        dims,
        strides: [b * c * d * size, c * d * size, d * size, size],
        zero_point: 0,
        space,
        etype,
        lanes: 1,
    }
}

/// A tile of a layer: its operations and how many multiply-accumulates they are.
fn tile(&(extent, ic, oc, k): &Layer) -> ([QueueOp; 2], u64) {
    let oc = oc.min(256);
    let rows = (TILE / (extent * oc * 4)).clamp(1, extent);
    let taps = u32::from(k);
    let dst = tensor(Space::Acc, EType::S32, 0, [1, rows, extent, oc]);
    let conv = ConvOp {
        dst,
        src: tensor(Space::Spm, EType::U8, 0, [1, rows + taps - 1, extent + taps - 1, ic]),
        weights: TensorDesc {
            strides: [0; 4],
            ..tensor(Space::Spm, EType::S8, WEIGHTS, [oc, taps, taps, ic])
        },
        bias: None,
        accumulate: false,
        window: WindowDesc { kernel: [k; 2], stride: [1; 2], dilation: [1; 2], pads: [0; 4] },
        origin: [0; 2],
        pruned: None,
    };
    let mut quant = QuantDesc::from_bytes(&[0; QuantDesc::BYTES]).unwrap();
    (quant.lo, quant.hi, quant.table) = (0, 255, MULTIPLIERS);
    quant.mode = rcar_iss::isa::QuantMode::Channel;
    let to = tensor(Space::Spm, EType::U8, RESULT, dst.dims);
    let op = |queue, kind| QueueOp { seq: 0, pc: 0, queue, kind, tickets: [None; 2], layer: None };
    let macs = u64::from(rows * extent) * u64::from(oc * taps * taps * ic);
    ([op(Queue::Mac, OpKind::Conv(conv)), op(Queue::Vec, OpKind::Requant { dst: to, src: dst, quant })], macs)
}

fn memory() -> Memory {
    let sizes = Memories { dram: 64, writable: 64, spm: SPM, acc: 1 << 20 };
    let mut m = Memory::new([0_u8; 64][..].into(), &sizes);
    for (i, b) in m.write(Space::Spm, 0, SPM as usize).iter_mut().enumerate() {
        *b = (i * 31 % 251) as u8;
    }
    m.write(Space::Spm, MULTIPLIERS, 1024)
        .as_chunks_mut()
        .0
        .iter_mut()
        .for_each(|b| *b = 1e-4_f32.to_le_bytes());
    m
}

#[expect(clippy::disallowed_methods, reason = "real time is what is measured")]
fn now() -> Instant {
    Instant::now()
}

/// The shortest time of one call in seconds, and criterion's figures on the terminal.
fn measure(c: &mut Criterion, group: &str, name: &str, macs: u64, mut f: impl FnMut()) -> f64 {
    let best = RefCell::new(f64::INFINITY);
    let mut group = c.benchmark_group(group);
    group.throughput(Throughput::Elements(macs)).sample_size(10);
    group.warm_up_time(Duration::from_millis(50)).measurement_time(Duration::from_millis(200));
    group.bench_function(name, |b| {
        b.iter_custom(|n| {
            let begin = now();
            (0..n).for_each(|_| f());
            let time = begin.elapsed();
            let mut best = best.borrow_mut();
            *best = best.min(time.as_secs_f64() / n as f64);
            time
        });
    });
    group.finish();
    best.into_inner()
}

fn main() {
    let mut c = Criterion::default().configure_from_args().without_plots();
    let level = Level::detect();
    let peak = level.spin(1000).map(|macs| {
        macs as f64
            / measure(&mut c, "peak", "VPDPBUSD", macs, || {
                std::hint::black_box(level.spin(1000));
            })
    });
    let library = GemmExecutor::<u8, i8, i32>::default();
    let mut table = format!("| network | layer | {} |", level.name());
    let vnni = Level::named("avx512-vnni").ok().filter(|v| *v != level);
    table += if vnni.is_some() { " avx512-vnni |" } else { "" };
    table += &format!(" rten-gemm ({}) |\n", library.kernel_name());
    let rate = |macs: u64, seconds: f64| {
        let rate = macs as f64 / seconds;
        let share = peak.map_or(String::new(), |p| format!(" ({:.0} %)", 100.0 * rate / p));
        format!(" {:.0}{share} |", rate / 1e9)
    };
    let mut memory = memory();
    for (network, layers) in NETWORKS {
        for layer in layers {
            let (extent, ic, oc, k) = *layer;
            let name = format!("{extent}² · {ic} → {oc}, {k} × {k}");
            table += &format!("| {network} | {name} |");
            let (ops, macs) = tile(layer);
            let fused = Unit::Fused(ops.clone().map(Arc::new));
            for level in [Some(level), vnni].into_iter().flatten() {
                let mut engine = Fast::at(level);
                let seconds = measure(&mut c, network, &format!("{name}, {}", level.name()), macs, || {
                    // As a session executes them: nothing else reads these sums.
                    engine.execute_unit(&fused, &mut memory).unwrap();
                });
                table += &rate(macs, seconds);
            }
            let OpKind::Conv(conv) = &ops[0].kind else { continue };
            let [n, depth] = [conv.dst.dims[3] as usize, usize::from(k).pow(2) * ic as usize];
            let pixels = (conv.dst.dims[1] * conv.dst.dims[2]) as usize;
            let a = NdTensor::<u8, 2>::full([pixels, depth], 7);
            let b = NdTensor::<i8, 2>::full([depth, n], -3);
            let packed = library.prepack_b(b.view());
            let mut out = vec![0_i32; pixels * n];
            let seconds = measure(&mut c, network, &format!("{name}, rten-gemm"), macs, || {
                let (a, b) = (GemmInputA::Unpacked(a.view()), GemmInputB::Packed(&packed));
                library.gemm(&mut out, a, b, GemmOptions::default()).unwrap();
            });
            table += &rate(macs, seconds);
            table += "\n";
        }
    }
    if let Some(peak) = peak {
        println!("\nVPDPBUSD in registers: {:.0} GMAC/s\n", peak / 1e9);
    }
    println!("{table}");
}

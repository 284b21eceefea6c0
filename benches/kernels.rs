//! Speed of the MAC array's kernels on layers of real networks, requantization included, compared with the
//! CPU's peak rate of VPDPBUSD and with another library.
//!
//! `cargo bench --bench kernels` prints a Markdown table at the end: multiply-accumulates in 10^9 a second,
//! and percent of the peak. The other library has an advantage: weights packed before, windows already copied
//! out, no requantization.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark fails by panicking")]
#![allow(clippy::print_stdout, reason = "the table is the result")]

use std::cell::RefCell;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use rcar_iss::internals::kernels::aligned::Aligned;
use rcar_iss::internals::kernels::cpu::Level;
use rcar_iss::internals::kernels::dense::{self, Lists, Start, Tile};
use rcar_iss::internals::kernels::epilogue::{Bounds, Epilogue, Scale};
use rcar_iss::internals::kernels::peak;
use rcar_iss::internals::kernels::view::{View, ViewMut};
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

/// Bytes of accumulators of a tile, as many as a compiled program's have.
const TILE: u32 = 128 << 10;

/// A tile of a layer, its requantization included, as an engine passes it to the kernels.
struct Product {
    src: Aligned<u8>,
    weights: Aligned<u8>,
    sums: Vec<i32>,
    multipliers: Vec<f32>,
    taps: Vec<usize>,
    step: [usize; 2],
    extent: [usize; 2],
    quads: usize,
    oc: usize,
    macs: u64,
}

impl Product {
    fn of(&(extent, ic, oc, k): &Layer) -> Product {
        let oc = oc.min(256);
        let rows = (TILE / (extent * oc * 4)).clamp(1, extent);
        let macs = u64::from(rows * extent) * u64::from(oc * ic) * u64::from(k).pow(2);
        let [rows, columns, ic, oc, k] = [rows, extent, ic, oc, k.into()].map(|n| n as usize);
        let filled = |len: usize| {
            let mut bytes = Aligned::default();
            bytes.room(len).iter_mut().enumerate().for_each(|(i, b)| *b = (i * 31 % 251) as u8);
            bytes
        };
        let row = (columns + k - 1) * ic;
        // The taps of a row are contiguous: one tap with more channels.
        let taps = (0..k).map(|y| y * row).collect();
        Product {
            src: filled((rows + k - 1) * row),
            weights: filled(oc * k * k * ic),
            sums: vec![0; oc],
            multipliers: vec![1e-4; oc.next_multiple_of(64)],
            taps,
            step: [row, ic],
            extent: [rows, columns],
            quads: k * ic / 4,
            oc,
            macs,
        }
    }

    fn tile<'a>(&'a self, to: &'a mut [u8]) -> Tile<'a> {
        let bounds = Bounds { zero_point: 0, clamp: [0, 255] };
        let scale = Scale { multipliers: &self.multipliers, small: true, bounds, signed: false, guard: None };
        Tile {
            src: View::from(&*self.src),
            first: 0,
            step: self.step,
            extent: self.extent,
            taps: &self.taps,
            quads: self.quads,
            weights: &self.weights,
            weight_sums: &self.sums,
            oc: self.oc,
            zeros: [0, 0],
            start: Start::Zero,
            epilogue: Epilogue::Bytes(scale),
            dst: ViewMut::from(to),
            target: 0,
            stride: [self.extent[1] * self.oc, self.oc],
        }
    }
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
    let peak = peak::products(level, 1000).map(|macs| {
        macs as f64
            / measure(&mut c, "peak", "VPDPBUSD", macs, || {
                std::hint::black_box(peak::products(level, 1000));
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
    let (mut lists, mut results) = (Lists::default(), Aligned::<u8>::default());
    for (network, layers) in NETWORKS {
        for layer in layers {
            let (extent, ic, oc, k) = *layer;
            let name = format!("{extent}² · {ic} → {oc}, {k} × {k}");
            table += &format!("| {network} | {name} |");
            let product = Product::of(layer);
            let (macs, pixels) = (product.macs, product.extent.iter().product::<usize>());
            let to = results.room(pixels * product.oc);
            for level in [Some(level), vnni].into_iter().flatten().filter(|l| l.requantizes()) {
                let seconds = measure(&mut c, network, &format!("{name}, {}", level.name()), macs, || {
                    dense::run(&mut product.tile(to), level, &mut lists).unwrap();
                });
                table += &rate(macs, seconds);
            }
            let [n, depth] = [product.oc, usize::from(k).pow(2) * ic as usize];
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

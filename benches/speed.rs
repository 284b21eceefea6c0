//! Speed of the step loop, the MAC array's kernels, DMA, compilation, and whole inferences on both engines.
//!
//! `cargo bench` runs all, `cargo bench -- inference` those with the word in their name.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark fails by panicking")]

use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rcar_iss::internals::compiler::{self, CompileOptions};
use rcar_iss::internals::graph::Graph;
use rcar_iss::internals::kernels::cpu::Level;
use rcar_iss::internals::machine::Machine;
use rcar_iss::internals::onnx::{self, ImportOptions, LoadedModel};
use rcar_iss::internals::program::{Program, Role, text};
use rcar_iss::internals::sim::{Decoded, EngineKind, Limits, Loaded, Session};

fn machine() -> Machine {
    Machine::named("rcn-m").unwrap()
}

fn graph(model: &str) -> Graph {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(model).join("model.onnx");
    onnx::import(&LoadedModel::from_file(&path).unwrap(), &ImportOptions::default()).unwrap().graph
}

fn load(program: Program) -> Loaded {
    Loaded::new(Arc::new(program), &machine(), Limits::default()).unwrap()
}

fn session_run(loaded: &Loaded, session: &mut Session) {
    let inputs: Vec<(&str, Vec<u8>)> = loaded
        .program()
        .meta
        .tensors
        .iter()
        .filter(|t| t.role == Role::Input)
        .map(|t| (t.name.as_str(), vec![0; t.shape.iter().product::<u64>() as usize * 4]))
        .collect();
    let given: Vec<(&str, &[u8])> = inputs.iter().map(|(n, b)| (*n, b.as_slice())).collect();
    session.run(&given, &mut (), &mut ()).unwrap();
}

/// Scalar instructions: a loop of four. Runs follow the record of the control pass, so this measures the
/// control pass, with the clock: as in a load, and with the timing of every instruction recorded.
fn step_loop(c: &mut Criterion) {
    let source = ".code\n li x1, 250000\nloop:\n addi x2, x2, 1\n add x3, x3, x2\n xor x4, x3, x2\n blt x2, x1, loop\n halt\n";
    let program = Arc::new(text::assemble(source).unwrap());
    let machine = machine();
    let decoded = Decoded::new(Arc::clone(&program), &machine, Limits::default()).unwrap();
    let mut group = c.benchmark_group("step loop");
    group.throughput(Throughput::Elements(1_000_000));
    group.bench_function("scalar instructions, load", |b| {
        b.iter(|| Loaded::new(Arc::clone(&program), &machine, Limits::default()).unwrap());
    });
    group.bench_function("scalar instructions, timeline", |b| b.iter(|| decoded.timeline().unwrap()));
    group.finish();
}

/// One convolution tile: 14 × 14 × 128 → 128, 3 × 3.
fn convolution(c: &mut Criterion) {
    let source = "
.const
image:   .tdesc spm u8 0 [1, 14, 14, 128] zp=7
weights: .tdesc spm s8 32768 [1, 1, 1, 147456]
packed:  .tdesc spm s8 32768 [128, 3, 3, 128] [0, 0, 0, 0]
sums:    .tdesc acc s32 0 [1, 14, 14, 128]
window:  .wdesc kernel=[3, 3] pads=[1, 1, 1, 1]
.code
  tdesc.load t0, image(x0)
  tdesc.load t1, weights(x0)
  tdesc.load t2, packed(x0)
  tdesc.load t3, sums(x0)
  wdesc.load w0, window(x0)
  dma.fill   t0
  dma.fill   t1
  mac.conv   t3, t0, t2, t0, w0, x0, x0 wait(dmain)
  halt
";
    let loaded = load(text::assemble(source).unwrap());
    let mut group = c.benchmark_group("convolution");
    group.throughput(Throughput::Elements(14 * 14 * 128 * 128 * 9));
    group.sample_size(10);
    // Elements are multiply-accumulates.
    for level in Level::available() {
        group.bench_function(level.name(), |b| {
            let mut session = Session::builder(&loaded).kernels(level).build();
            b.iter(|| session.run(&[], &mut (), &mut ()).unwrap());
        });
    }
    group.bench_function("reference engine", |b| {
        let mut session = Session::new(&loaded, EngineKind::Reference);
        b.iter(|| session.run(&[], &mut (), &mut ()).unwrap());
    });
    group.finish();
}

/// Transfers of 512 KiB: constants to the scratchpad, inside it, out of it; and a change of layout, three
/// planes to pixels of four lanes.
fn dma(c: &mut Criterion) {
    let constants = "weights: .zero 524288\nfrom: .tdesc dram u8 weights [1, 1, 1, 524288]\n";
    let program = |buffer: &str, from: &str, to: &str, code: &str| {
        format!(
            "{buffer}.const\n{from}to: .tdesc {to}\n.code\n tdesc.load t0, from(x0)\n tdesc.load t1, to(x0)\n{code} halt\n"
        )
    };
    let inside = "from: .tdesc spm u8 0 [1, 1, 1, 524288]\n";
    let planes = "all: .tdesc spm u8 0 [1, 1, 1, 150528]\nfrom: .tdesc spm u8 0 [1, 224, 224, 3] [150528, 224, 1, 50176]\n";
    let fill = " dma.fill t0\n";
    let cases = [
        ("in, constants", 524_288, program("", constants, "spm u8 0 [1, 1, 1, 524288]", " dma.in t1, t0\n")),
        ("fill", 524_288, program("", inside, "spm u8 0 [1, 1, 1, 524288]", fill)),
        (
            "fill and copy",
            2 * 524_288,
            program(
                "",
                inside,
                "spm u8 1048576 [1, 1, 1, 524288]",
                &format!("{fill} dma.copy t1, t0 wait(dmain)\n"),
            ),
        ),
        (
            "fill and out",
            2 * 524_288,
            program(
                ".buffer result, 524288\n",
                inside,
                "dram u8 result [1, 1, 1, 524288]",
                &format!("{fill} dma.out t1, t0 wait(dmain)\n"),
            ),
        ),
        (
            "fill and change of layout",
            2 * 150_528,
            program(
                "",
                planes,
                "spm u8 1048576 [1, 224, 224, 3] [200704, 896, 4, 1]",
                " tdesc.load t2, all(x0)\n dma.fill t2\n dma.copy t1, t0 wait(dmain)\n",
            ),
        ),
    ];
    let mut group = c.benchmark_group("dma");
    for (name, bytes, source) in cases {
        let loaded = load(text::assemble(&source).unwrap());
        group.throughput(Throughput::Bytes(bytes));
        group.bench_function(name, |b| {
            let mut session = Session::new(&loaded, EngineKind::Fast);
            b.iter(|| session.run(&[], &mut (), &mut ()).unwrap());
        });
    }
    group.finish();
}

fn compile(c: &mut Criterion) {
    let mut group = c.benchmark_group("compile");
    group.sample_size(10);
    for model in ["digit_cnn", "efficientnet_lite0"] {
        let graph = graph(model);
        let machine = machine();
        group.bench_function(model, |b| {
            b.iter(|| compiler::compile(&graph, &machine, &CompileOptions::default()).unwrap());
        });
    }
    group.finish();
}

fn inference(c: &mut Criterion) {
    let mut group = c.benchmark_group("inference");
    group.sample_size(10);
    for model in ["digit_cnn", "efficientnet_lite0"] {
        let program =
            compiler::compile(&graph(model), &machine(), &CompileOptions::default()).unwrap().program;
        group.bench_function(format!("{model}, load"), |b| b.iter(|| load(program.clone())));
        let loaded = load(program);
        let engines: &[EngineKind] = if model == "digit_cnn" {
            &[EngineKind::Fast, EngineKind::Reference]
        } else {
            &[EngineKind::Fast]
        };
        group.bench_function(format!("{model}, clock"), |b| b.iter(|| loaded.clock_anew().unwrap()));
        group.bench_function(format!("{model}, fast, 2 threads"), |b| {
            let mut session = Session::builder(&loaded).threads(2).build();
            b.iter(|| session_run(&loaded, &mut session));
        });
        for engine in engines {
            group.bench_function(format!("{model}, {}", engine.name()), |b| {
                let mut session = Session::new(&loaded, *engine);
                b.iter(|| session_run(&loaded, &mut session));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, step_loop, convolution, dma, compile, inference);
criterion_main!(benches);

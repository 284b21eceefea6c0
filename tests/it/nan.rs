//! NaN and infinities: every engine and every kernel gives the same bits, and a NaN result always has the
//! same bits, whatever the operands were.

use std::fmt::Write;
use std::sync::Arc;

use rcar_iss::internals::isa::Space;
use rcar_iss::internals::kernels::cpu::Level;
use rcar_iss::internals::machine::Machine;
use rcar_iss::internals::program::text;
use rcar_iss::internals::sim::engine::Engine;
use rcar_iss::internals::sim::engine::fast::Fast;
use rcar_iss::internals::sim::{EngineKind, Limits, Loaded, Session};

use crate::random::build::Random;

/// Quiet and signalling NaN of both signs and several payloads, infinities, zeros, denormal and ordinary
/// numbers.
const ODD: [u32; 18] = [
    0x7fc0_0000,
    0xffc0_0000,
    0x7fc1_2345,
    0xffe5_4321,
    0x7f81_2345,
    0xff80_0001,
    0x7fff_ffff,
    0xffff_ffff,
    0x7f80_0000,
    0xff80_0000,
    0,
    0x8000_0000,
    1,
    0x807f_ffff,
    0x3f80_0000,
    0xc000_0000,
    0x7f7f_ffff,
    0x00ff_ffff,
];

/// Elements of a row: two vectors of 512 bits and a part of one.
const N: usize = 36;
/// Where results begin, and what one takes.
const RESULTS: usize = 0x1000;
const STEP: usize = 0x100;

/// A program with all functions of floats, and the numbers of float results and of byte results that it
/// leaves.
fn program(random: &mut Random) -> (String, usize, usize) {
    let mut bits = |n: usize| -> String {
        let one = |_| {
            let any = random.next() as u32;
            let bits = if any.is_multiple_of(3) { any } else { ODD[any as usize / 3 % ODD.len()] };
            format!("{bits:#x}")
        };
        (0..n).map(one).collect::<Vec<_>>().join(", ")
    };
    let mut constants = String::new();
    for name in ["a", "b", "q", "m"] {
        let _ = writeln!(constants, "{name}: .s32 {}", bits(N));
    }
    for name in ["rows", "cols"] {
        let _ = write!(constants, "{name}: .s32 ");
        let lines: Vec<String> = (0..3).map(|i| format!("{}, 1, {}", i % 2, bits(2))).collect();
        let _ = writeln!(constants, "{}", lines.join(", "));
    }
    let mut code = String::new();
    let loads = [
        ("a", "f32", "[1, 1, 1, 36]"),
        ("b", "f32", "[1, 1, 1, 36]"),
        ("q", "s8", "[1, 1, 1, 36]"),
        ("m", "f32", "[1, 1, 1, 36]"),
        ("rows", "s32", "[1, 1, 3, 4]"),
        ("cols", "s32", "[1, 1, 3, 4]"),
    ];
    for (i, (name, etype, dims)) in loads.into_iter().enumerate() {
        let _ = writeln!(constants, "{name}_dram: .tdesc dram {etype} {name} {dims}");
        let _ = writeln!(constants, "{name}_spm: .tdesc spm {etype} {:#x} {dims}", i * STEP);
        let _ = writeln!(code, "  tdesc.load t{i}, {name}_spm(x0)\n  tdesc.load t6, {name}_dram(x0)");
        let _ = writeln!(code, "  dma.in t{i}, t6");
    }
    let _ = writeln!(constants, "one: .tdesc spm f32 {STEP:#x} [1, 1, 1, 36] [0, 0, 0, 0]");
    let _ = writeln!(constants, "image: .tdesc spm f32 0 [1, 2, 2, 9]");
    let _ = writeln!(constants, "small: .tdesc spm s8 {:#x} [1, 2, 2, 9]", 2 * STEP);
    let _ = writeln!(constants, ".align 8\neach: .qdesc mode=channel table={:#x}", 3 * STEP);
    let first = bits(1);
    let scale = f32::from_bits(u32::from_str_radix(first.trim_start_matches("0x"), 16).unwrap());
    let _ = writeln!(constants, "all: .qdesc m0={scale:?} lo=-128 hi=127");
    for (register, name) in [(7, "one"), (8, "image"), (9, "small")] {
        let _ = writeln!(code, "  tdesc.load t{register}, {name}(x0)");
    }
    let _ = writeln!(code, "  qdesc.load q0, each(x0)\n  qdesc.load q1, all(x0)");
    let mut floats: Vec<(String, &str)> = Vec::new();
    for op in ["add", "sub", "mul", "div", "min", "max", "pow"] {
        for operands in ["t0, t1", "t1, t0", "t0, t7", "t7, t0"] {
            floats.push((format!("vec.f2 t10, {operands}, {op}"), "[1, 1, 1, 36]"));
        }
    }
    for op in ["neg", "abs", "sqrt", "exp", "log", "floor", "ceil", "round", "sigmoid"] {
        floats.push((format!("vec.f1 t10, t0, {op}"), "[1, 1, 1, 36]"));
    }
    for op in ["sum", "max", "min"] {
        floats.push((format!("vec.fold t10, t0, {op}"), "[1, 1, 1, 1]"));
    }
    floats.push(("vec.dequant t10, t2, q0".into(), "[1, 1, 1, 36]"));
    floats.push(("vec.dequant t10, t2, q1".into(), "[1, 1, 1, 36]"));
    floats.push(("vec.resize t10, t8, t4, t5".into(), "[1, 3, 3, 9]"));
    let bytes = [("vec.quant t10, t0, q1", "[1, 1, 1, 36]"), ("vec.resize t10, t9, t4, t5", "[1, 3, 3, 9]")];
    let all = floats.iter().map(|(op, dims)| (op.as_str(), *dims, "f32"));
    for (i, (op, dims, etype)) in all.chain(bytes.map(|(op, dims)| (op, dims, "s8"))).enumerate() {
        // A resized image takes more than one step, and is the last of its kind.
        let at = RESULTS + (i + usize::from(i > floats.len() - 1)) * STEP;
        let _ = writeln!(constants, "to{i}: .tdesc spm {etype} {at:#x} {dims}");
        let wait = if i == 0 { " wait(dmain)" } else { "" };
        let _ = writeln!(code, "  tdesc.load t10, to{i}(x0)\n  {op}{wait}");
    }
    let text = format!(".machine rcn-m\n.const\n{constants}\n.code\n{code}\n  halt\n");
    (text, floats.len(), bytes.len())
}

#[test]
fn every_nan_has_the_same_bits_in_every_engine() {
    let machine = Machine::named("rcn-m").unwrap();
    let mut random = Random::new(11);
    for _ in 0..40 {
        let (source, floats, bytes) = program(&mut random);
        let program = text::assemble(&source).unwrap_or_else(|e| panic!("{e}\n{source}"));
        let loaded = Loaded::new(Arc::new(program), &machine, Limits::default());
        let loaded = loaded.unwrap_or_else(|e| panic!("{e}\n{source}"));
        let len = (floats + bytes + 2) * STEP;
        let left = |engine: Box<dyn Engine + Send>| -> Vec<u8> {
            let mut session = Session::with_engine(&loaded, engine);
            session.run(&[], &mut (), &mut ()).unwrap();
            session.memory().read(Space::Spm, RESULTS as i64, len).to_vec()
        };
        let reference = left(EngineKind::Reference.make(loaded.decoded()));
        let of_floats = (floats + 1) * STEP;
        for (at, word) in reference[..of_floats].as_chunks::<4>().0.iter().enumerate() {
            let value = f32::from_le_bytes(*word);
            assert!(
                !value.is_nan() || value.to_bits() == 0x7fc0_0000,
                "{:#x} at {at}\n{source}",
                value.to_bits()
            );
        }
        for level in Level::available() {
            let fast = left(Box::new(Fast::at(level)));
            let differs = reference.iter().zip(&fast).position(|(r, f)| r != f);
            assert_eq!(differs, None, "{level:?}\n{source}");
        }
    }
}

//! Two workers that write between each other's rows, for tools that check memory accesses: under Miri or a
//! thread sanitizer this fails if a worker claims a byte that another one writes. Without such a tool it
//! tests values.

use super::super::engine::Engine;
use super::super::engine::fast::Fast;
use super::super::memory::Memory;
use super::super::op::{ConvOp, OpKind, QueueOp};
use super::super::validate::Memories;
use crate::isa::{EType, QuantDesc, QuantMode, Queue, Space, TensorDesc, WindowDesc};
use crate::kernels::cpu::Level;

/// Rows, columns and channels of each worker's half of an image.
const EXTENT: [i64; 3] = [3, 5, 4];
/// Addresses of the two images.
const IMAGES: [i64; 2] = [0, 256];
const WEIGHTS: i64 = 512;
const TABLE: i64 = 1024;

/// A worker's half of the channels of an image.
fn half(image: i64, worker: i64) -> TensorDesc {
    let [rows, columns, channels] = EXTENT;
    let pitch = 2 * channels;
    let dims = [1, rows, columns, channels].map(|n| n as u32);
    TensorDesc {
        strides: [rows * columns * pitch, columns * pitch, pitch, 1],
        ..TensorDesc::dense(Space::Spm, EType::U8, image + worker * channels, dims)
    }
}

/// What a worker executes: it reads its half of one image and writes its half of the other.
fn work(worker: i64) -> Vec<OpKind> {
    let [src, dst] = [IMAGES[worker as usize], IMAGES[1 - worker as usize]].map(|i| half(i, worker));
    let window = WindowDesc { kernel: [3; 2], stride: [1; 2], dilation: [1; 2], pads: [1; 4] };
    let acc = TensorDesc::dense(Space::Acc, EType::S32, worker * 4096, src.dims);
    let weights = WEIGHTS + worker * 64;
    let weights = TensorDesc::dense(Space::Spm, EType::S8, weights, [1, 3, 3, EXTENT[2] as u32]);
    let table = TensorDesc::dense(Space::Spm, EType::U8, TABLE, [1, 1, 1, 256]);
    let mut quant = QuantDesc::from_bytes(&[0; QuantDesc::BYTES]).unwrap();
    (quant.m0, quant.m1, quant.lo, quant.hi, quant.mode) = (0.01, 0.5, 0, 255, QuantMode::Tensor);
    let origin = [0; 2];
    let conv = ConvOp { dst: acc, src, weights, bias: None, accumulate: false, window, origin, pruned: None };
    vec![
        OpKind::Add { dst, a: src, b: src, quant },
        OpKind::Lut { dst, src, table },
        OpKind::MaxPool { dst, src, window, origin },
        OpKind::DmaCopy { dst, src },
        OpKind::Depthwise(conv),
        OpKind::Requant { dst, src: acc, quant },
    ]
}

fn run(worker: i64, memory: &mut Memory, level: Level) {
    let mut engine = Fast::at(level);
    for kind in work(worker) {
        let op = QueueOp { seq: 0, pc: 0, queue: Queue::Vec, kind, tickets: [None; 2], layer: None };
        engine.execute(&op, memory).unwrap();
    }
}

fn filled() -> Memory {
    let sizes = Memories { dram: 64, writable: 64, spm: 2048, acc: 8192 };
    let mut memory = Memory::new([0_u8; 64][..].into(), &sizes);
    memory.write(Space::Spm, 0, 2048).iter_mut().enumerate().for_each(|(i, b)| *b = (i * 37 % 251) as u8);
    memory
}

#[test]
#[expect(unsafe_code, reason = "two holders of one memory, which touch different bytes")]
fn two_workers_claim_no_byte_of_each_other() {
    for level in Level::available() {
        let mut one_after_the_other = filled();
        (0..2).for_each(|worker| run(worker, &mut one_after_the_other, level));
        let mut memory = filled();
        // SAFETY: the two workers read and write different bytes.
        let mut alias = unsafe { memory.alias() };
        std::thread::scope(|scope| {
            scope.spawn(|| run(0, &mut memory, level));
            scope.spawn(|| run(1, &mut alias, level));
        });
        drop(alias);
        let all = |m: &Memory| m.read(Space::Spm, 0, 2048).to_vec();
        assert!(all(&memory) == all(&one_after_the_other), "{}: the scratchpad differs", level.name());
    }
}

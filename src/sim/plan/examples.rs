//! Small records for tests of the passes: tiles of a product of 1 × 1 taps, 16 channels to 16 channels.

use super::record::{Record, Recorder, Step};
use crate::isa::{EType, Profile, QuantDesc, QuantMode, Queue, Space, TensorDesc, WindowDesc};
use crate::machine::Machine;
use crate::sim::clock::cost::Cost;
use crate::sim::op::{ConvOp, OpKind, QueueOp};
use crate::sim::validate::Memories;

/// Bytes of the accumulators: the sums of two tiles.
pub(super) const ACC: u64 = 2 * SUMS as u64;
/// Bytes of the weights.
pub(super) const BYTES: i64 = 256;
/// Where results and weights lie in the scratchpad, behind the image.
pub(super) const RESULTS: i64 = 1 << 15;
pub(super) const WEIGHTS: i64 = 1 << 16;

/// The memories; DRAM can be written from 4096 on.
pub(super) const SIZES: Memories = Memories { dram: 1 << 16, writable: 4096, spm: 1 << 17, acc: ACC };

const CHANNELS: i64 = 16;
const COLUMNS: i64 = 8;
/// Rows of the image, and of a tile.
const ROWS: u32 = 200;
const TILE: u32 = 2;
/// Bytes of a tile's sums.
const SUMS: i64 = TILE as i64 * COLUMNS * CHANNELS * 4;

fn pixels(space: Space, etype: EType, base: i64, rows: u32) -> TensorDesc {
    TensorDesc::dense(space, etype, base, [1, rows, COLUMNS as u32, CHANNELS as u32])
}

/// A row of bytes.
pub(super) fn bytes(space: Space, base: i64, len: i64) -> TensorDesc {
    TensorDesc::dense(space, EType::U8, base, [1, 1, 1, len as u32])
}

/// The product of tile `number`; its sums lie in one of two places.
pub(super) fn product(number: i64, place: i64) -> OpKind {
    let window = WindowDesc { kernel: [1; 2], stride: [1; 2], dilation: [1; 2], pads: [0; 4] };
    let weights = TensorDesc::dense(Space::Spm, EType::S8, WEIGHTS, [16, 1, 1, 16]);
    OpKind::Conv(ConvOp {
        dst: pixels(Space::Acc, EType::S32, place * SUMS, TILE),
        src: pixels(Space::Spm, EType::U8, 0, ROWS),
        weights,
        bias: None,
        accumulate: false,
        window,
        origin: [number * i64::from(TILE), 0],
        pruned: None,
    })
}

/// The requantization of a tile.
pub(super) fn requantization(number: i64, place: i64) -> OpKind {
    let below = number * i64::from(TILE) * COLUMNS * CHANNELS;
    let quant = QuantDesc {
        profile: Profile::Onnx,
        mode: QuantMode::Tensor,
        zero_point: 0,
        lo: 0,
        hi: 255,
        m0: 0.5,
        m1: 0.0,
        c: 0.0,
        s0: 0,
        s1: 0,
        s2: 0,
        k0: 0,
        k1: 0,
        k2: 0,
        table: 0,
    };
    OpKind::Requant {
        dst: pixels(Space::Spm, EType::U8, RESULTS + below, TILE),
        src: pixels(Space::Acc, EType::S32, place * SUMS, TILE),
        quant,
    }
}

/// A load of bytes from DRAM.
pub(super) fn load(to: i64, from: i64, len: i64) -> OpKind {
    OpKind::DmaIn { dst: bytes(Space::Spm, to, len), src: bytes(Space::Dram, from, len) }
}

/// A record under construction.
pub(super) struct Build {
    recorder: Recorder,
    machine: Machine,
    seq: u64,
}

impl Build {
    pub(super) fn new() -> Build {
        Build { recorder: Recorder::new(), machine: Machine::named("rcn-m").unwrap(), seq: 0 }
    }

    /// Appends queue instructions.
    pub(super) fn ops(mut self, kinds: impl IntoIterator<Item = OpKind>) -> Build {
        for kind in kinds {
            let op =
                QueueOp { seq: self.seq, pc: 0, queue: Queue::Mac, kind, tickets: [None; 2], layer: None };
            self.recorder.issue(&op, Cost::of(&op.kind, &self.machine));
            self.seq += 1;
        }
        self
    }

    /// Appends a step.
    pub(super) fn step(mut self, step: Step) -> Build {
        self.recorder.step(step);
        self
    }

    pub(super) fn record(self) -> Record {
        self.recorder.finish(self.seq).unwrap()
    }
}

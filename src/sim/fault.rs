//! Faults: what a program did wrong, at which instruction, in which layer.

use crate::isa::{DecodeError, DescriptorError, Queue, Space};

/// A program did something illegal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("fault at pc {pc} ({}){}: {kind}", .insn.as_deref().unwrap_or("no instruction"), layer_text(.layer.as_deref()))]
pub struct Fault {
    /// What happened.
    pub kind: FaultKind,
    /// Index of the instruction word.
    pub pc: u64,
    /// Its assembly text; `None` where there is no instruction.
    pub insn: Option<Box<str>>,
    /// Name of the open layer; `None` outside of layers.
    pub layer: Option<Box<str>>,
}

fn layer_text(layer: Option<&str>) -> String {
    layer.map_or(String::new(), |l| format!(" in layer \"{l}\""))
}

/// The kinds of faults.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultKind {
    /// The word is not an instruction.
    #[error("illegal instruction: {0}")]
    IllegalInstruction(DecodeError),
    /// Execution left the code without `halt`.
    #[error("execution left the code, which has {words} instructions; end it with `halt`")]
    PcOutOfRange {
        /// Instruction words of the program.
        words: u64,
    },
    /// A descriptor register was used before anything was loaded into it.
    #[error("descriptor register {register} was never loaded")]
    UnsetDescriptor {
        /// Name of the register, such as `t3`.
        register: String,
    },
    /// A record in the constants is not a descriptor.
    #[error("bad descriptor at constant address {address:#x}: {error}")]
    BadDescriptor {
        /// Its constant address.
        address: i64,
        /// Why it is refused.
        error: DescriptorError,
    },
    /// A value does not fit the descriptor field.
    #[error("{value} does not fit field {field}")]
    DescriptorField {
        /// Field.
        field: &'static str,
        /// Value.
        value: i64,
    },
    /// A scalar or descriptor load outside the constants or not aligned.
    #[error(
        "constant load of {bytes} bytes at {address:#x}: outside the {len} bytes of constants, or not a multiple of {align}"
    )]
    BadConstantLoad {
        /// Address.
        address: i64,
        /// Bytes.
        bytes: usize,
        /// Size of the segment.
        len: usize,
        /// Required alignment.
        align: usize,
    },
    /// A byte is read that nothing has written.
    #[error("undefined read: byte {address:#x} of {} was never written", .space.name())]
    UndefinedRead {
        /// Memory.
        space: Space,
        /// Lowest undefined address that the instruction reads.
        address: i64,
    },
    /// An address outside the memory.
    #[error("access out of range: byte {address:#x} of {}, which has {size:#x} bytes", .space.name())]
    OutOfRange {
        /// Memory.
        space: Space,
        /// First such address found.
        address: i64,
        /// Size of the memory.
        size: u64,
    },
    /// A write into the constant segment.
    #[error("write to constants: byte {address:#x} lies below {limit:#x}, where writable DRAM begins")]
    WriteToConstants {
        /// Address.
        address: i64,
        /// First writable address.
        limit: u64,
    },
    /// Operands that do not fit together.
    #[error("illegal operand: {reason}")]
    IllegalOperand {
        /// Which and why.
        reason: String,
    },
    /// A tile larger than half of the accumulator memory.
    #[error("accumulator tile of {bytes} bytes; a tile takes at most half of the memory, {limit} bytes")]
    AccumulatorTooLarge {
        /// Span of the tile in bytes.
        bytes: i64,
        /// Largest legal span.
        limit: i64,
    },
    /// More products in one sum than its accumulators can hold without a wrap.
    #[error("reduction of {length} products; one instruction sums at most {limit}")]
    ReductionTooLong {
        /// Products.
        length: u64,
        /// Largest legal number.
        limit: u64,
    },
    /// Source and destination share bytes.
    #[error("source and destination overlap at byte {address:#x} of {}", .space.name())]
    Overlap {
        /// Memory.
        space: Space,
        /// A shared byte.
        address: i64,
    },
    /// A limit on the work of a program.
    #[error(
        "watchdog: more than {limit} {what}; raise the limit with {option} if the program is meant to run longer"
    )]
    Watchdog {
        /// What is limited.
        what: &'static str,
        /// The limit.
        limit: u64,
        /// Command line option that raises it.
        option: &'static str,
    },
    /// Layer markers that do not pair.
    #[error("layer marker: {reason}")]
    LayerMarker {
        /// What is wrong.
        reason: String,
    },
    /// At a layer's end its tensor is not complete.
    #[error("layer \"{layer}\" ends, but byte {address:#x} of its tensor \"{tensor}\" was never written")]
    IncompleteTensor {
        /// Layer.
        layer: String,
        /// Tensor.
        tensor: String,
        /// Lowest undefined address of it.
        address: i64,
    },
    /// `host` with an id that the host table does not have.
    #[error("host layer {id} is not in the host table, which has {count} entries")]
    UnknownHost {
        /// Id.
        id: u32,
        /// Entries.
        count: usize,
    },
    /// Two instructions touch the same bytes, one of them writing, and nothing orders them.
    #[error(
        "race: it {} bytes {start:#x}..{end:#x} of {}, which `{}` at pc {} {}, and nothing orders the two; let it wait({}), or put a fence between them",
        verb(*.writes), .space.name(), .other.insn, .other.pc, verb(.other.writes), .other.queue.name()
    )]
    Race {
        /// Memory.
        space: Space,
        /// First byte that both touch.
        start: i64,
        /// One past the last byte of that run.
        end: i64,
        /// Whether this instruction writes it.
        writes: bool,
        /// The other instruction, issued earlier.
        other: Box<Racing>,
    },
    /// An id that the table has no row for.
    #[error(
        "id {id} at index {index} of the ids is outside the table, which has {rows} rows: ids are -{rows} to {}", .rows.saturating_sub(1)
    )]
    IdOutOfRange {
        /// Position among the ids of the instruction, the first one that is illegal.
        index: u32,
        /// The id.
        id: i64,
        /// Rows of the table.
        rows: u32,
    },
    /// A host layer did not produce its outputs.
    #[error("host layer failed: {reason}")]
    HostFailed {
        /// Why.
        reason: String,
    },
}

/// The earlier instruction of a race.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Racing {
    /// Index of its word.
    pub pc: u32,
    /// Its assembly text.
    pub insn: String,
    /// Its queue.
    pub queue: Queue,
    /// Whether it writes the bytes.
    pub writes: bool,
}

fn verb(writes: bool) -> &'static str {
    if writes { "writes" } else { "reads" }
}

impl FaultKind {
    /// Whether it depends on data, so that only a run can find it; all others are found at load.
    #[must_use]
    pub fn depends_on_data(&self) -> bool {
        matches!(self, FaultKind::HostFailed { .. } | FaultKind::IdOutOfRange { .. })
    }

    /// All names, in the order of the variants.
    pub const NAMES: [&'static str; 20] = [
        "illegal-instruction",
        "pc-out-of-range",
        "unset-descriptor",
        "bad-descriptor",
        "descriptor-field",
        "bad-constant-load",
        "undefined-read",
        "out-of-range",
        "write-to-constants",
        "illegal-operand",
        "accumulator-too-large",
        "reduction-too-long",
        "overlap",
        "watchdog",
        "layer-marker",
        "incomplete-tensor",
        "unknown-host",
        "host-failed",
        "race",
        "id-out-of-range",
    ];

    /// A short stable name, for tests and `--json`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            FaultKind::IllegalInstruction(_) => Self::NAMES[0],
            FaultKind::PcOutOfRange { .. } => Self::NAMES[1],
            FaultKind::UnsetDescriptor { .. } => Self::NAMES[2],
            FaultKind::BadDescriptor { .. } => Self::NAMES[3],
            FaultKind::DescriptorField { .. } => Self::NAMES[4],
            FaultKind::BadConstantLoad { .. } => Self::NAMES[5],
            FaultKind::UndefinedRead { .. } => Self::NAMES[6],
            FaultKind::OutOfRange { .. } => Self::NAMES[7],
            FaultKind::WriteToConstants { .. } => Self::NAMES[8],
            FaultKind::IllegalOperand { .. } => Self::NAMES[9],
            FaultKind::AccumulatorTooLarge { .. } => Self::NAMES[10],
            FaultKind::ReductionTooLong { .. } => Self::NAMES[11],
            FaultKind::Overlap { .. } => Self::NAMES[12],
            FaultKind::Watchdog { .. } => Self::NAMES[13],
            FaultKind::LayerMarker { .. } => Self::NAMES[14],
            FaultKind::IncompleteTensor { .. } => Self::NAMES[15],
            FaultKind::UnknownHost { .. } => Self::NAMES[16],
            FaultKind::HostFailed { .. } => Self::NAMES[17],
            FaultKind::Race { .. } => Self::NAMES[18],
            FaultKind::IdOutOfRange { .. } => Self::NAMES[19],
        }
    }
}

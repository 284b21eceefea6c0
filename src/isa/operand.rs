//! Operands as data: the fields of instructions in the table, and conditions.

use super::decode::{self, DecodeError};
use super::kinds::{Queue, Timing};

/// The unit that executes an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// The control core.
    Control,
    /// A queue.
    Queue(Queue),
    /// The queue that an operand names.
    Named,
}

/// The kind of value in a field, which determines how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Prefix and number.
    Register {
        /// `x`, `t`, `q` or `w`.
        prefix: &'static str,
    },
    /// Signed immediate.
    Signed,
    /// Index.
    Unsigned,
    /// Branch target in words, relative to the instruction.
    Relative,
    /// One of the names.
    Enum(&'static [(&'static str, u32)]),
    /// A set of the names; the number is the bit.
    Flags(&'static [(&'static str, u32)]),
}

/// One field of an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldInfo {
    /// Name in the table's syntax.
    pub name: &'static str,
    /// First bit.
    pub lo: u32,
    /// Bits.
    pub width: u32,
    /// What it holds.
    pub class: Class,
}

/// One instruction, as the table describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpcodeInfo {
    /// Operation code.
    pub opcode: u8,
    /// Mnemonic.
    pub mnemonic: &'static str,
    /// The unit that executes it.
    pub unit: Unit,
    /// Timing class.
    pub timing: Timing,
    /// Operands: literal text and `{field}`.
    pub syntax: &'static str,
    /// Tensor operands read.
    pub reads: &'static [&'static str],
    /// Tensor operands written.
    pub writes: &'static [&'static str],
    /// Fields in the order of the syntax, conditions left out.
    pub fields: &'static [FieldInfo],
}

impl OpcodeInfo {
    pub(super) const UNUSED: OpcodeInfo = OpcodeInfo {
        opcode: 0,
        mnemonic: "",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "",
        reads: &[],
        writes: &[],
        fields: &[],
    };

    /// Whether conditions may follow the operands.
    #[must_use]
    pub fn queued(&self) -> bool {
        self.unit != Unit::Control
    }
}

/// A condition: all but the last `back` instructions issued to `queue` so far must have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cond {
    /// The queue waited for.
    pub queue: Queue,
    /// How many of its last instructions may still run.
    pub back: u8,
}

/// Up to two conditions; a single one comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Wait(pub [Option<Cond>; 2]);

/// First bits of the condition fields, the same in every format that has them.
const COND_BITS: u32 = 11;

impl Wait {
    /// No condition.
    pub const NONE: Wait = Wait([None, None]);

    /// The conditions, in order.
    pub fn iter(self) -> impl Iterator<Item = Cond> {
        self.0.into_iter().flatten()
    }

    pub(super) fn encode(self, first: u32, second: u32) -> u128 {
        let field =
            |cond: Option<Cond>| cond.map_or(0, |c| u128::from(c.queue as u8 + 1) | u128::from(c.back) << 3);
        field(self.0[0]) << first | field(self.0[1]) << second
    }

    pub(super) fn decode(
        word: u128,
        first: u32,
        second: u32,
        mnemonic: &'static str,
    ) -> Result<Wait, DecodeError> {
        let field = |lo: u32, name: &'static str| {
            let value = decode::bits(word, lo, COND_BITS);
            let bad = DecodeError::Field { mnemonic, field: name, value };
            match (value & 7) as u8 {
                0 if value == 0 => Ok(None),
                0 => Err(bad),
                code => match Queue::new(code - 1) {
                    Some(queue) => Ok(Some(Cond { queue, back: (value >> 3) as u8 })),
                    None => Err(bad),
                },
            }
        };
        let conds = [field(first, "cond0")?, field(second, "cond1")?];
        if conds[0].is_none() && conds[1].is_some() {
            let value = decode::bits(word, second, COND_BITS);
            return Err(DecodeError::Field { mnemonic, field: "cond1", value });
        }
        Ok(Wait(conds))
    }
}

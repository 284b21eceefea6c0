//! Basics of the generated decoder: bit fields, and errors.

/// Why a word is not an instruction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No instruction has this operation code.
    #[error("no instruction has the operation code {opcode:#04x}")]
    Opcode {
        /// Bits 0…7 of the word.
        opcode: u8,
    },
    /// Bits outside the instruction's fields are set.
    #[error("{mnemonic}: reserved bits {} are not zero", bit_list(*.bits))]
    Reserved {
        /// The instruction.
        mnemonic: &'static str,
        /// The offending bits.
        bits: u128,
    },
    /// A field holds an undefined value.
    #[error("{mnemonic}: field {field} has the illegal value {value}")]
    Field {
        /// The instruction.
        mnemonic: &'static str,
        /// The field.
        field: &'static str,
        /// Its bits as a number.
        value: u64,
    },
}

/// Why a record is not a descriptor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DescriptorError {
    /// Too short or too long.
    #[error("{descriptor}: {found} bytes instead of {wanted}")]
    Length {
        /// The kind of record.
        descriptor: &'static str,
        /// Bytes given.
        found: usize,
        /// Bytes needed.
        wanted: usize,
    },
    /// A byte outside the fields is set.
    #[error("{descriptor}: reserved byte {offset} is not zero")]
    Reserved {
        /// The kind of record.
        descriptor: &'static str,
        /// Position of the byte.
        offset: usize,
    },
    /// A field holds an undefined value.
    #[error("{descriptor}: field {field} has the illegal value {value}")]
    Field {
        /// The kind of record.
        descriptor: &'static str,
        /// The field.
        field: &'static str,
        /// Its value.
        value: u8,
    },
}

fn bit_list(bits: u128) -> String {
    let set: Vec<String> = (0..128).filter(|b| bits >> b & 1 == 1).map(|b| b.to_string()).collect();
    let shown = set.iter().take(8).cloned().collect::<Vec<_>>().join(", ");
    if set.len() > 8 { format!("{shown} … ({} in all)", set.len()) } else { shown }
}

/// `width` bits of a word from bit `lo` on.
pub(super) fn bits(word: u128, lo: u32, width: u32) -> u64 {
    ((word >> lo) & ((1_u128 << width) - 1)) as u64
}

/// All bits outside `mask` must be zero.
pub(super) fn reserved(word: u128, mask: u128, mnemonic: &'static str) -> Result<(), DecodeError> {
    if word & !mask == 0 { Ok(()) } else { Err(DecodeError::Reserved { mnemonic, bits: word & !mask }) }
}

/// `N` bytes of a record; the generated code only asks for parts inside it.
pub(super) fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

pub(super) fn reserved_bytes(
    descriptor: &'static str,
    bytes: &[u8],
    at: &[usize],
) -> Result<(), DescriptorError> {
    match at.iter().find(|i| bytes[**i] != 0) {
        Some(&offset) => Err(DescriptorError::Reserved { descriptor, offset }),
        None => Ok(()),
    }
}

pub(super) fn legal_byte(
    descriptor: &'static str,
    field: &'static str,
    value: u8,
    legal: &[u8],
) -> Result<(), DescriptorError> {
    if legal.contains(&value) { Ok(()) } else { Err(DescriptorError::Field { descriptor, field, value }) }
}

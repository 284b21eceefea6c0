//! The layout of a program file.

/// ELF machine number of RCN: "RC" read as a little-endian half-word's letters (0x5243), unknown to binutils.
pub const E_MACHINE: u16 = 0x5243;

/// Version of the container, kept in `e_flags`. A reader refuses every other.
pub const FORMAT_VERSION: u32 = 1;

pub(super) const CODE: &str = ".rcn.code";
pub(super) const CONST: &str = ".rcn.const";
pub(super) const META: &str = ".rcn.meta";
pub(super) const HOST: &str = ".rcn.host";
pub(super) const CHECKSUM: &str = ".rcn.checksum";

/// Bytes of one instruction word.
pub(super) const WORD_BYTES: usize = 16;

/// xxh3-64 of `bytes` with the eight at `field` taken as zero. `None` if the field is outside.
pub(super) fn checksum(bytes: &[u8], field: usize) -> Option<u64> {
    let before = bytes.get(..field)?;
    let after = bytes.get(field.checked_add(8)?..)?;
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    hash.update(before);
    hash.update(&[0; 8]);
    hash.update(after);
    Some(hash.digest())
}

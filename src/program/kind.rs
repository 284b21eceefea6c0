//! The kinds of files that contain or become a program.

use std::path::Path;

use super::elf;

/// The kind of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A program file.
    Program,
    /// Assembly text.
    Assembly,
    /// Anything else: an ONNX model, which has no magic number.
    Model,
}

impl FileKind {
    /// Number of bytes that determine the kind.
    pub const HEAD: usize = 64;

    /// The kind by the first bytes, and by the name where they are not conclusive: ELF is a program, `.s`
    /// text assembly, the rest ONNX. Text without a name (standard input) is assembly.
    #[must_use]
    pub fn of(name: Option<&Path>, head: &[u8]) -> FileKind {
        let extension = name.and_then(Path::extension).and_then(|e| e.to_str()).unwrap_or_default();
        if head.starts_with(b"\x7fELF") || extension == "rcn" || elf::is_program_file(head) {
            FileKind::Program
        } else if matches!(extension, "s" | "S" | "asm") || name.is_none() && is_text(head) {
            FileKind::Assembly
        } else {
            FileKind::Model
        }
    }
}

/// Whether a file begins like text. ONNX models begin with a small number.
fn is_text(bytes: &[u8]) -> bool {
    let plain = |b: &u8| (b' '..=b'~').contains(b) || matches!(b, b'\n' | b'\r' | b'\t') || *b >= 0x80;
    !bytes.is_empty() && bytes.iter().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_counts_before_the_name_and_text_without_one_is_assembly() {
        let kind = |name: &str, head: &[u8]| FileKind::of(Some(Path::new(name)), head);
        assert_eq!(kind("net.onnx", b"\x7fELF"), FileKind::Program);
        assert_eq!(kind("net.rcn", b"damaged"), FileKind::Program);
        assert_eq!(kind("net.s", b".code"), FileKind::Assembly);
        assert_eq!(kind("net", b".code"), FileKind::Model);
        assert_eq!(FileKind::of(None, b".code"), FileKind::Assembly);
        assert_eq!(FileKind::of(None, b"\x08\x07"), FileKind::Model);
    }
}

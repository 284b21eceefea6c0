//! TODO
use super::Program;
/// TODO
pub fn disassemble_with_comments(_: &Program, _: &[(usize, String)]) -> String { String::new() }

//! The version string.

use std::sync::LazyLock;

use crate::isa::ISA_VERSION;

/// Version of the program, the commit it was built from if that is known, and the version of the instruction
/// set.
pub(super) fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let commit = option_env!("RCAR_ISS_COMMIT").map_or_else(String::new, |c| format!("commit {c}, "));
        format!("{} ({commit}instruction set version {ISA_VERSION})", env!("CARGO_PKG_VERSION"))
    });
    &VERSION
}

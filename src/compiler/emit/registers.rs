//! Allocation of scalar registers during emission: loop variables and origins stay, temporaries are released.

use crate::compiler::CompileError;
use crate::isa::XReg;

/// Allocates `x1 …`; `x0` is zero.
#[derive(Debug)]
pub(super) struct Scalars {
    free: Vec<u8>,
}

impl Scalars {
    pub(super) fn new() -> Scalars {
        Scalars { free: (1..XReg::COUNT as u8).rev().collect() }
    }

    /// Allocates a register.
    pub(super) fn take(&mut self) -> Result<XReg, CompileError> {
        let number = self.free.pop().and_then(XReg::new);
        number.ok_or(CompileError::TooBig { what: "scalar values alive at once" })
    }

    /// Releases a register.
    pub(super) fn give(&mut self, register: XReg) {
        self.free.push(register.index() as u8);
        // The lowest numbers first, so that small changes of the code change few register numbers in
        // listings.
        self.free.sort_unstable_by(|a, b| b.cmp(a));
    }
}

/// `x0`, which reads as zero.
pub(super) const ZERO: XReg = match XReg::new(0) {
    Some(x) => x,
    None => panic!("register 0 exists"),
};

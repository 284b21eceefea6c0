//! The registers that an instruction's operands name.

use super::conv::Pruned;
use crate::isa::{QReg, QuantDesc, TReg, TensorDesc, WReg, WindowDesc, XReg};

/// Gives the contents of the registers that an instruction's operands name.
pub trait Registers {
    /// Why a register has no contents.
    type Error;
    /// A scalar register.
    fn scalar(&self, x: XReg) -> i64;
    /// A tensor descriptor.
    ///
    /// # Errors
    /// It was never set.
    fn tensor(&self, t: TReg) -> Result<TensorDesc, Self::Error>;
    /// A quantization descriptor.
    ///
    /// # Errors
    /// It was never set.
    fn quant(&self, q: QReg) -> Result<QuantDesc, Self::Error>;
    /// A window descriptor.
    ///
    /// # Errors
    /// It was never set.
    fn window(&self, w: WReg) -> Result<WindowDesc, Self::Error>;
    /// The mask at the address in register `mask`, read for the weights described by `weights`.
    ///
    /// # Errors
    /// The weights' descriptor was never set; there is no such mask.
    fn pruned(&mut self, weights: TReg, mask: XReg) -> Result<Pruned, Self::Error>;
}

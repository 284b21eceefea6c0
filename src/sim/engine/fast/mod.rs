//! placeholder while the rest is brought up
use super::Engine;
use crate::isa::Space;
use crate::sim::fault::FaultKind;
use crate::sim::memory::Memory;
use crate::sim::op::QueueOp;
/// x
#[derive(Debug, Default)]
pub struct Fast;
impl Fast {
    /// x
    #[must_use]
    pub fn new() -> Fast { Fast }
}
impl Engine for Fast {
    fn reset(&mut self) {}
    fn defined(&mut self, _: Space, _: i64, _: usize) {}
    fn execute(&mut self, _: &QueueOp, _: &mut Memory) -> Result<u64, FaultKind> { Ok(0) }
}

//! Observers of a run.

use super::memory::Memory;
use super::op::QueueOp;
use super::written::Written;

/// Which hooks of an [`Observer`] are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sees {
    /// None.
    Nothing,
    /// [`Observer::layer_begin`] and [`Observer::layer_end`].
    Layers,
    /// Also [`Observer::op`]: operations are then executed one after the other.
    Operations,
    /// All hooks.
    Everything,
}

/// Observes a run. All hooks have empty defaults; a run is generic over the observer, so unused hooks cost
/// nothing. `&mut dyn Observer` is an observer too. Observing never changes values or cycles.
pub trait Observer {
    /// The hooks that it implements; constant during a run. A run does not do what no hook shows: if not
    /// every instruction is observed, it does not step through scalars, and if ends of layers are not
    /// observed either, threads need not synchronize there.
    fn sees(&self) -> Sees {
        Sees::Everything
    }

    /// A layer begins. Not called for the prologue.
    fn layer_begin(&mut self, _layer: u32) {}

    /// A layer has ended: its tensors are complete in memory. Not called for a layer that faulted.
    fn layer_end(&mut self, _layer: u32, _memory: &Memory) {}

    /// The control core has executed or issued instruction `pc` in cycle `cycle`; `written` is the register
    /// it wrote, if any. Not called for an instruction that faulted.
    fn retire(&mut self, _pc: u32, _cycle: u64, _written: Option<Written>) {}

    /// A queue instruction was executed, and memory holds its results. Called before [`Observer::retire`].
    /// Not called for control instructions, nor for an instruction that faulted.
    fn op(&mut self, _op: &QueueOp, _memory: &Memory) {}
}

/// Observes nothing.
impl Observer for () {
    fn sees(&self) -> Sees {
        Sees::Nothing
    }
}

/// Both observe, the first one first.
impl<A: Observer, B: Observer> Observer for (A, B) {
    fn sees(&self) -> Sees {
        self.0.sees().max(self.1.sees())
    }

    fn layer_begin(&mut self, layer: u32) {
        self.0.layer_begin(layer);
        self.1.layer_begin(layer);
    }

    fn layer_end(&mut self, layer: u32, memory: &Memory) {
        self.0.layer_end(layer, memory);
        self.1.layer_end(layer, memory);
    }

    fn retire(&mut self, pc: u32, cycle: u64, written: Option<Written>) {
        self.0.retire(pc, cycle, written);
        self.1.retire(pc, cycle, written);
    }

    fn op(&mut self, op: &QueueOp, memory: &Memory) {
        self.0.op(op, memory);
        self.1.op(op, memory);
    }
}

impl<A: Observer + ?Sized> Observer for &mut A {
    fn sees(&self) -> Sees {
        (**self).sees()
    }

    fn layer_begin(&mut self, layer: u32) {
        (**self).layer_begin(layer);
    }

    fn layer_end(&mut self, layer: u32, memory: &Memory) {
        (**self).layer_end(layer, memory);
    }

    fn retire(&mut self, pc: u32, cycle: u64, written: Option<Written>) {
        (**self).retire(pc, cycle, written);
    }

    fn op(&mut self, op: &QueueOp, memory: &Memory) {
        (**self).op(op, memory);
    }
}

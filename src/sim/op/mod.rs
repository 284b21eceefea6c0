//! Queue instructions with all that they need captured, as the control core hands them to the queues.
//! [`OpKind`] is generated from `isa/rcn.toml`.

mod conv;
mod issued;
#[allow(missing_docs, clippy::all, clippy::pedantic, unused_qualifications, reason = "generated")]
#[rustfmt::skip]
mod kind;
mod registers;

pub use conv::{ConvOp, Pruned};
pub use issued::{QueueOp, Ticket};
pub use kind::OpKind;
pub(crate) use kind::{dma_op, mac_op, vec_op};
pub use registers::Registers;

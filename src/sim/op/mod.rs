//! Queue instructions with everything captured that they need: what the control core hands to the queues.
//! [`OpKind`] comes from `isa/rcn.toml`.

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

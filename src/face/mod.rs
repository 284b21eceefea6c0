//! The stable interface of the library, for programs that embed it.
//!
//! Each step is a type that owns what it needs and is made by the one before it: a [`Model`] is imported to a
//! [`Graph`], compiled to a [`Program`], loaded as a [`Loaded`] and run in a [`Session`]. These types are
//! thin wrappers of the modules below, which are not stable.

pub(crate) mod accuracy;
pub(crate) mod error;
mod graph;
mod loaded;
mod machine;
mod model;
mod options;
mod outputs;
mod program;
mod session;

pub use graph::Graph;
pub use loaded::{Layer, Loaded, Port};
pub use model::Model;
pub use options::{Compile, Import};
pub use outputs::Outputs;
pub use program::Program;
pub use session::{RunError, Session, SessionBuilder};

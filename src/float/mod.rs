//! ONNX models in float, run by a library: host layers, constants of a graph, shapes, and float references.
//!
//! Its results are a library's float arithmetic: the same in every run on one machine, but not bit-exact
//! across machines. [`FloatRunner`] computes outputs with `rten`, on one thread; [`Stream`] shows every
//! tensor, with the [`Engine`] that the user chose.

mod convert;
mod engine;
mod find;
mod network;
mod onnxruntime;
mod runner;
mod stream;
mod stretches;
mod whole;

pub use convert::Borrowed;
pub use engine::Engine;
pub use find::{FindError, Library, VARIABLE, Wanted, library_name};
pub use network::{Collected, Kept, Network, Observer, Shown, Step};
pub use onnxruntime::{Runtime, RuntimeError};
pub use runner::FloatRunner;
pub use stream::Stream;
pub use stretches::Threads;

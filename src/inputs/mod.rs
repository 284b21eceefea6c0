//! What a network is given: pictures, arrays and folders of either, as samples of its inputs.
//!
//! [`Ports`] are the inputs of a program or of a float network, with the element type, shape and treatment of
//! pictures that each wants. [`Feed`] gives them what was named as `[NAME=]PATH`: it finds which file is for
//! which input, tells pictures from arrays, cuts stacked arrays into samples, and reads them at once or when
//! they are asked for. Whoever runs a network asks for [`Samples`], which a feed is, and a plain vector of
//! samples too. Beside a model lies a [`Sidecar`], which says what ONNX does not: how pictures become values,
//! and what the classes are called. [`labels`](read_labels) are the right classes of samples,
//! [`classes`](read_classes) the names of classes.

mod array;
mod beside;
mod choice;
mod classes;
mod content;
mod error;
mod feed;
mod finite;
mod folder;
mod labels;
mod picture;
mod pictures;
mod ports;
mod samples;
mod sidecar;

pub use beside::NextSidecar;
pub use classes::read_classes;
pub use error::{FileFault, InputError, NormalizationFault, Statistic};
pub use feed::{Feed, Reading};
pub use finite::NotFinite;
pub use labels::read_labels;
pub use pictures::Pictures;
pub use ports::{Held, Port, Ports};
pub use samples::{Sample, Samples, bytes_of};
pub use sidecar::{Sidecar, key};

//! Inputs of a network: pictures, arrays and folders of either, as samples.
//!
//! [`Ports`] are the inputs of a program or of a float network, with element type, shape and preprocessing of
//! pictures. [`Feed`] makes samples for them from arguments `[NAME=]PATH`: it assigns files to inputs,
//! distinguishes pictures from arrays, cuts stacked arrays into samples, and reads them at once or on
//! request. Code that runs a network takes [`Samples`], which feeds and plain vectors of samples implement. A
//! [`Sidecar`] beside a model has what ONNX does not: the preprocessing of pictures, and class names.
//! [`labels`](read_labels) are the right classes of samples, [`classes`](read_classes) the names of classes.

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

//! Samples: successive inputs of a network.

use super::error::InputError;
use crate::tensor_file::TensorData;

/// A value for each input of a network, by name.
pub type Sample = Vec<(String, TensorData)>;

/// A source of samples. They are requested one by one, from several threads, so that only a few need be in
/// memory.
pub trait Samples: Sync {
    /// Number of samples.
    fn count(&self) -> usize;

    /// The name of a sample in reports.
    fn name(&self, at: usize) -> String {
        at.to_string()
    }

    /// Reads a sample.
    ///
    /// # Errors
    /// It cannot be read, or there is none.
    fn read(&self, at: usize) -> Result<Sample, InputError>;
}

impl Samples for [Sample] {
    fn count(&self) -> usize {
        self.len()
    }

    fn read(&self, at: usize) -> Result<Sample, InputError> {
        self.get(at).cloned().ok_or(InputError::NoSample { at, count: self.len() })
    }
}

impl Samples for Vec<Sample> {
    fn count(&self) -> usize {
        self.len()
    }

    fn read(&self, at: usize) -> Result<Sample, InputError> {
        self.as_slice().read(at)
    }
}

/// A sample's names and bytes (row-major, little endian), as a session takes them.
#[must_use]
pub fn bytes_of(sample: &Sample) -> Vec<(&str, &[u8])> {
    sample.iter().map(|(name, tensor)| (name.as_str(), tensor.bytes.as_slice())).collect()
}

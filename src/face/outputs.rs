//! Results of a run.

use std::ops::Index;

use crate::tensor_file::TensorData;

/// Tensors of a run by name, in the order of the program, or in that of the request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outputs {
    pub(super) tensors: Vec<(String, TensorData)>,
    pub(super) wraps: u64,
}

impl Outputs {
    /// A tensor by its ONNX name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&TensorData> {
        self.tensors.iter().find(|(n, _)| n == name).map(|(_, tensor)| tensor)
    }

    /// Names and tensors.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &TensorData)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// How many accumulations wrapped, in 32 bits, or 64 where an operand has 16; 0 unless a network was
    /// quantized for wider sums.
    #[must_use]
    pub fn wraps(&self) -> u64 {
        self.wraps
    }
}

impl Index<&str> for Outputs {
    type Output = TensorData;

    /// # Panics
    /// There is no such tensor; [`Outputs::get`] does not panic.
    fn index(&self, name: &str) -> &TensorData {
        match self.get(name) {
            Some(tensor) => tensor,
            None => panic!("there is no tensor \"{name}\""),
        }
    }
}

impl IntoIterator for Outputs {
    type Item = (String, TensorData);
    type IntoIter = std::vec::IntoIter<(String, TensorData)>;

    fn into_iter(self) -> Self::IntoIter {
        self.tensors.into_iter()
    }
}

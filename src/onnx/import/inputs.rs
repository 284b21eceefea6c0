//! The graph's inputs.

use super::super::proto::{ValueInfoProto, tensor_proto::DataType};
use super::declared::{declared, dtype_of};
use super::importer::Importer;
use super::outcome::ImportError;
use super::value::Value;
use crate::graph::Tensor;

impl<'a> Importer<'a> {
    pub(super) fn input(&mut self, info: &'a ValueInfoProto) -> Result<(), ImportError> {
        let malformed =
            |reason: String| ImportError::Malformed { place: format!("input \"{}\"", info.name()), reason };
        let (shape, elem) = declared(info, &self.options.dims(info.name())).map_err(malformed)?;
        let Some(dtype) = dtype_of(elem) else {
            return Err(malformed(format!(
                "its element type is {}; float and integers of 8 to 64 bits are supported",
                DataType::try_from(elem).map_or("unknown", |d| d.as_str_name())
            )));
        };
        let id = self.tensor(Tensor { name: info.name().into(), shape, dtype, quant: None });
        self.graph.inputs.push(id);
        self.values.insert(info.name(), Value::Tensor(id));
        Ok(())
    }
}

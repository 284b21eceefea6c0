//! Whole models in ONNX Runtime: only their outputs are computed.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use ort::session::{Session, SessionInputValue};
use ort::value::DynValue;

use super::convert::{Borrowed, bytes};
use super::onnxruntime::{Runtime, borrowed, refused};
use crate::tensor_file::{Element, TensorData};

/// Sessions of one ONNX Runtime, by xxh3-128 of their models.
pub(super) struct Whole {
    runtime: Runtime,
    sessions: BTreeMap<u128, Session>,
}

impl Whole {
    pub(super) fn new(runtime: Runtime) -> Whole {
        Whole { runtime, sessions: BTreeMap::new() }
    }

    /// Number of loaded models.
    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    pub(super) fn loaded(&mut self, model: &[u8]) -> Result<&mut Session, String> {
        match self.sessions.entry(xxhash_rust::xxh3::xxh3_128(model)) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(place) => Ok(place.insert(self.runtime.plain(model)?)),
        }
    }

    pub(super) fn run(
        &mut self,
        model: &[u8],
        inputs: &[(&str, Borrowed<'_>)],
        outputs: &[&str],
    ) -> Result<Vec<TensorData>, String> {
        let mut given: Vec<(String, SessionInputValue<'_>)> = Vec::with_capacity(inputs.len());
        for (name, t) in inputs {
            given.push(((*name).to_string(), borrowed(name, t.element, &t.shape, t.bytes)?));
        }
        let results = self.loaded(model)?.run(given).map_err(refused)?;
        let one = |name: &&str| match results.get(name) {
            Some(value) => tensor(name, value),
            None => Err(format!("its model has no output named '{name}'")),
        };
        outputs.iter().map(one).collect()
    }
}

/// Converts the library's tensor to ours.
fn tensor(name: &str, value: &DynValue) -> Result<TensorData, String> {
    macro_rules! read {
        ($t:ty, $element:ident) => {
            if let Ok((shape, values)) = value.try_extract_tensor::<$t>() {
                let shape = shape.iter().map(|d| usize::try_from(*d).unwrap_or(0)).collect();
                let bytes = bytes(values.to_vec(), <$t>::to_le_bytes);
                return Ok(TensorData { element: Element::$element, shape, bytes });
            }
        };
    }
    read!(f32, F32);
    read!(i64, S64);
    read!(i32, S32);
    read!(u8, U8);
    read!(i8, S8);
    read!(u16, U16);
    read!(i16, S16);
    if let Ok((shape, values)) = value.try_extract_tensor::<bool>() {
        let shape = shape.iter().map(|d| usize::try_from(*d).unwrap_or(0)).collect();
        return Ok(TensorData {
            element: Element::Bool,
            shape,
            bytes: values.iter().map(|v| u8::from(*v)).collect(),
        });
    }
    Err(format!("output '{name}' is no tensor of f32, of integers that host layers give, or of truth values"))
}

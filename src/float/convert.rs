//! Conversion of tensors to those of the float library, and calls of a library that may panic.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rten::{Model, NodeId, Value};
use rten_tensor::Layout;

use crate::tensor_file::{Element, TensorData};

/// Calls the library, which panics on some invalid models, such as a normalization over no axes. Its
/// arguments must not be used again after a panic.
pub(super) fn guarded<T>(call: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(|| crate::files::quiet(call))).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it does not say why");
        Err(format!("the float library gave up on it: {said}"))
    })
}

pub(super) fn node(model: &Model, name: &str) -> Result<NodeId, String> {
    model.find_node(name).ok_or_else(|| format!("its model has no value named '{name}'"))
}

/// A tensor whose bytes are borrowed.
#[derive(Debug, Clone)]
pub struct Borrowed<'a> {
    /// Element type.
    pub element: Element,
    /// Extents.
    pub shape: Vec<usize>,
    /// Row-major, little endian.
    pub bytes: &'a [u8],
}

impl<'a> Borrowed<'a> {
    /// Borrows a tensor.
    #[must_use]
    pub fn of(tensor: &'a TensorData) -> Borrowed<'a> {
        Borrowed { element: tensor.element, shape: tensor.shape.clone(), bytes: &tensor.bytes }
    }
}

/// Converts a tensor to the library's.
pub(super) fn value(name: &str, tensor: &TensorData) -> Result<Value, String> {
    borrowed(name, &Borrowed::of(tensor))
}

/// Converts a tensor to the library's. It computes 64-bit integers in 32 bits: values that do not fit are
/// refused.
pub(super) fn borrowed(name: &str, tensor: &Borrowed<'_>) -> Result<Value, String> {
    let b = tensor.bytes;
    let shape = &tensor.shape;
    let made = match tensor.element {
        Element::F32 => Value::from_shape(shape, chunks(b, f32::from_le_bytes)).map_err(|e| e.to_string()),
        Element::S32 => Value::from_shape(shape, chunks(b, i32::from_le_bytes)).map_err(|e| e.to_string()),
        Element::S8 => Value::from_shape(shape, chunks(b, i8::from_le_bytes)).map_err(|e| e.to_string()),
        Element::U8 => Value::from_shape(shape, b.to_vec()).map_err(|e| e.to_string()),
        // The library's booleans are integers.
        Element::Bool => {
            let flags: Vec<i32> = b.iter().map(|v| i32::from(*v != 0)).collect();
            Value::from_shape(shape, flags).map_err(|e| e.to_string())
        }
        Element::S64 => {
            let narrow: Option<Vec<i32>> =
                chunks(b, i64::from_le_bytes).into_iter().map(|v| i32::try_from(v).ok()).collect();
            let narrow = narrow.ok_or_else(|| format!("input '{name}' holds values beyond 32 bits"))?;
            Value::from_shape(shape, narrow).map_err(|e| e.to_string())
        }
        other => Err(format!("elements of type {} are not supported by the host library", other.name())),
    };
    made.map_err(|e| format!("input '{name}': {e}"))
}

pub(super) fn tensor(name: &str, value: Value) -> Result<TensorData, String> {
    let shape = value.shape().to_vec();
    let (element, bytes) = match value {
        Value::FloatTensor(t) => (Element::F32, bytes(t.into_data(), f32::to_le_bytes)),
        Value::Int32Tensor(t) => (Element::S32, bytes(t.into_data(), i32::to_le_bytes)),
        Value::Int8Tensor(t) => (Element::S8, bytes(t.into_data(), i8::to_le_bytes)),
        Value::UInt8Tensor(t) => (Element::U8, t.into_data()),
        _ => return Err(format!("output '{name}' is no tensor of f32, s32, s8 or u8")),
    };
    Ok(TensorData { element, shape, bytes })
}

pub(super) fn bytes<T: Copy, const N: usize>(values: Vec<T>, to: fn(T) -> [u8; N]) -> Vec<u8> {
    let mut bytes = vec![0; values.len() * N];
    bytes.as_chunks_mut().0.iter_mut().zip(values).for_each(|(b, v)| *b = to(v));
    bytes
}

pub(super) fn chunks<T, const N: usize>(bytes: &[u8], from: fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|chunk| from(*chunk)).collect()
}

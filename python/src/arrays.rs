//! numpy's arrays as tensors, and back.

use numpy::{PyArrayDescrMethods, PyArrayDyn, PyArrayMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use rcar_iss::Tensor;
use rcar_iss::data::{Element, Number};

/// A tensor of an array, or of anything that numpy makes one of. Memory of any strides is copied in row-major order.
///
/// # Errors
/// Its type is none that a tensor has.
pub(crate) fn tensor(value: &Bound<'_, PyAny>) -> PyResult<Tensor> {
    let array = value.py().import("numpy")?.call_method1("asarray", (value,))?;
    macro_rules! try_all {
        ($($number:ty),*) => {
            $(if let Ok(array) = array.cast::<PyArrayDyn<$number>>() {
                return Ok(copied(array));
            })*
        };
    }
    try_all!(f32, u8, i8, i64, i32, u16, i16, bool, f64, u32, u64);
    let found = array.cast::<PyUntypedArray>()?.dtype();
    Err(PyTypeError::new_err(format!(
        "an array of {} is given; floats of 32 and 64 bits, integers of 8 to 64 bits and bool are taken",
        found.typeobj().name()?
    )))
}

fn copied<T: Number + numpy::Element>(array: &Bound<'_, PyArrayDyn<T>>) -> Tensor {
    let view = array.readonly();
    let mut bytes = vec![0; array.len() * T::ELEMENT.bytes()];
    let places = bytes.chunks_exact_mut(T::ELEMENT.bytes());
    match view.as_slice() {
        Ok(values) => places.zip(values).for_each(|(to, value)| value.put(to)),
        Err(_) => places.zip(view.as_array().iter()).for_each(|(to, value)| value.put(to)),
    }
    Tensor { element: T::ELEMENT, shape: array.shape().to_vec(), bytes }
}

/// An array of a tensor.
///
/// # Errors
/// numpy is out of memory, or the tensor has 16-bit floats, which no program gives.
pub(crate) fn array<'py>(py: Python<'py>, tensor: &Tensor) -> PyResult<Bound<'py, PyAny>> {
    fn of<'py, T: Number + numpy::Element>(py: Python<'py>, tensor: &Tensor) -> PyResult<Bound<'py, PyAny>> {
        let values = tensor.values::<T>().unwrap_or_default();
        Ok(numpy::PyArray1::from_vec(py, values).reshape(tensor.shape.clone())?.into_any())
    }
    match tensor.element {
        Element::U8 => of::<u8>(py, tensor),
        Element::S8 => of::<i8>(py, tensor),
        Element::U16 => of::<u16>(py, tensor),
        Element::S16 => of::<i16>(py, tensor),
        Element::S32 => of::<i32>(py, tensor),
        Element::S64 => of::<i64>(py, tensor),
        Element::U32 => of::<u32>(py, tensor),
        Element::U64 => of::<u64>(py, tensor),
        Element::F32 => of::<f32>(py, tensor),
        Element::F64 => of::<f64>(py, tensor),
        Element::Bool => of::<bool>(py, tensor),
        Element::F16 => Err(PyTypeError::new_err("arrays of float16 are not given")),
    }
}

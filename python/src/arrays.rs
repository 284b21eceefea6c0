//! Conversion between numpy arrays and tensors.

use numpy::{PyArrayDyn, PyArrayMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyMapping;
use rcar_iss::Tensor;
use rcar_iss::data::{Element, Number};

/// The tensor of an array, or of anything that numpy converts to one. Arrays that are not aligned, or not in
/// row-major order, are copied first.
///
/// # Errors
/// No tensor has its element type.
pub(crate) fn tensor(value: &Bound<'_, PyAny>) -> PyResult<Tensor> {
    let numpy = value.py().import("numpy")?;
    let array = numpy.call_method1("asarray", (value,))?;
    let array = numpy.call_method1("require", (array, value.py().None(), ["C_CONTIGUOUS", "ALIGNED"]))?;
    macro_rules! try_all {
        ($($number:ty),*) => {
            $(if let Ok(array) = array.cast::<PyArrayDyn<$number>>() {
                return copied(array);
            })*
        };
    }
    try_all!(f32, u8, i8, i64, i32, u16, i16, bool, f64, u32, u64);
    let found: String = array.cast::<PyUntypedArray>()?.dtype().getattr("str")?.extract()?;
    Err(PyTypeError::new_err(format!(
        "an array of {found} is given; floats of 32 and 64 bits, integers of 8 to 64 bits and bool are taken, in this \
         computer's byte order"
    )))
}

/// `array` is in row-major order.
fn copied<T: Number + numpy::Element>(array: &Bound<'_, PyArrayDyn<T>>) -> PyResult<Tensor> {
    let view = array.readonly();
    // rust-numpy returns slices of column-major arrays, too.
    if !array.is_c_contiguous() {
        return Err(PyTypeError::new_err("numpy.require gave an array that is not in row-major order"));
    }
    let values = view.as_slice()?;
    let mut bytes = vec![0; values.len() * T::ELEMENT.bytes()];
    bytes.chunks_exact_mut(T::ELEMENT.bytes()).zip(values).for_each(|(to, value)| value.put(to));
    Ok(Tensor { element: T::ELEMENT, shape: array.shape().to_vec(), bytes })
}

/// Arrays by name, from a dictionary or another mapping.
///
/// # Errors
/// A name is not a string, or no tensor has the element type of an array.
pub(crate) fn tensors(given: &Bound<'_, PyMapping>) -> PyResult<Vec<(String, Tensor)>> {
    // The items are copied first: converting a value to an array may run code that changes the mapping.
    given
        .items()?
        .iter()
        .map(|item| {
            let (name, value): (String, Bound<'_, PyAny>) = item.extract()?;
            Ok((name, tensor(&value)?))
        })
        .collect()
}

/// The array of a tensor.
///
/// # Errors
/// numpy is out of memory, or the tensor has 16-bit floats, which programs do not produce.
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

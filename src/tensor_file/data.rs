//! A tensor in memory, as in a file.

use crate::dtype::DType;

/// Element type of an array in a file. There are more than the machine computes with, so that messages can
/// name what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// numpy `uint8`.
    U8,
    /// numpy `int8`.
    S8,
    /// numpy `uint16`.
    U16,
    /// numpy `int16`.
    S16,
    /// numpy `int32`.
    S32,
    /// numpy `int64`.
    S64,
    /// numpy `uint32`.
    U32,
    /// numpy `uint64`.
    U64,
    /// numpy `float16`.
    F16,
    /// numpy `float32`.
    F32,
    /// numpy `float64`.
    F64,
    /// numpy `bool`.
    Bool,
}

impl Element {
    /// All, with the name in program tables and the name in numpy.
    pub(super) const NAMES: [(Element, &'static str, &'static str); 12] = [
        (Element::U8, "u8", "uint8"),
        (Element::S8, "s8", "int8"),
        (Element::U16, "u16", "uint16"),
        (Element::S16, "s16", "int16"),
        (Element::S32, "s32", "int32"),
        (Element::S64, "s64", "int64"),
        (Element::U32, "u32", "uint32"),
        (Element::U64, "u64", "uint64"),
        (Element::F16, "f16", "float16"),
        (Element::F32, "f32", "float32"),
        (Element::F64, "f64", "float64"),
        (Element::Bool, "bool", "bool"),
    ];

    /// The name in program tables: `u8`.
    #[must_use]
    pub fn name(self) -> &'static str {
        Element::NAMES.iter().find(|(e, _, _)| *e == self).map_or("?", |(_, name, _)| name)
    }

    /// The name in numpy: `uint8`.
    #[must_use]
    pub fn numpy_name(self) -> &'static str {
        Element::NAMES.iter().find(|(e, _, _)| *e == self).map_or("?", |(_, _, name)| name)
    }

    /// Inverse of [`Element::name`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Element> {
        Element::NAMES.iter().find(|(_, n, _)| *n == name).map(|(e, _, _)| *e)
    }

    /// The corresponding element type of program tables, if there is one.
    #[must_use]
    pub fn dtype(self) -> Option<DType> {
        DType::from_name(self.name())
    }

    /// Size of one element.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Element::U8 | Element::S8 | Element::Bool => 1,
            Element::U16 | Element::S16 | Element::F16 => 2,
            Element::S32 | Element::U32 | Element::F32 => 4,
            Element::S64 | Element::U64 | Element::F64 => 8,
        }
    }
}

/// A dense tensor: row-major, little-endian.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorData {
    /// Element type.
    pub element: Element,
    /// Extents; empty for a scalar.
    pub shape: Vec<usize>,
    /// `product(shape) · element.bytes()` bytes.
    pub bytes: Vec<u8>,
}

impl TensorData {
    /// Number of elements.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.bytes.len() / self.element.bytes()
    }
}

impl From<DType> for Element {
    fn from(dtype: DType) -> Element {
        match dtype {
            DType::U8 => Element::U8,
            DType::S8 => Element::S8,
            DType::U16 => Element::U16,
            DType::S16 => Element::S16,
            DType::S32 => Element::S32,
            DType::S64 => Element::S64,
            DType::F32 => Element::F32,
            DType::Bool => Element::Bool,
        }
    }
}

#[test]
fn tables_and_files_call_elements_alike() {
    for dtype in DType::ALL {
        let element = Element::from(dtype);
        assert_eq!((element.name(), element.bytes()), (dtype.name(), dtype.bytes()));
        assert_eq!(element.dtype(), Some(dtype));
    }
}

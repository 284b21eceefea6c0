//! Reading `.npy`.

use std::path::Path;

use ndarray::{ArrayD, ArrayViewD};
use ndarray_npy::{ReadNpyExt, ReadableElement, ViewElement, ViewNpyError, ViewNpyExt};

use super::{Element, TensorData, TensorFileError};
use crate::files;

/// Longest header that is parsed; numpy's own have a few dozen bytes.
const MAX_HEADER: usize = 4096;
/// Most brackets in a header: the dictionary's and the shape's are four.
const MAX_BRACKETS: usize = 16;

/// Reads a `.npy` file of version 1 to 3, C or Fortran order, either byte order.
///
/// # Errors
/// The file cannot be read, is not `.npy`, is cut or too long, or holds another element type.
pub fn read(path: &Path) -> Result<TensorData, TensorFileError> {
    parse(&files::read_regular(path)?)
}

/// Reads the bytes of a `.npy` file.
///
/// # Errors
/// As [`read`].
pub fn parse(bytes: &[u8]) -> Result<TensorData, TensorFileError> {
    check_header(bytes)?;
    let mut words = None;
    if has_words(bytes, b'f') {
        // The `.npy` reader has no half precision: its bits are read as integers.
        let mut renamed = bytes.to_vec();
        rename_words(&mut renamed, b'f', b'u');
        words = Some(renamed);
    }
    let half = words.is_some();
    let bytes = words.as_deref().unwrap_or(bytes);
    let attempts: [Attempt; 11] = [
        |b| attempt(b, Element::F32, f32::to_le_bytes),
        |b| attempt(b, Element::U8, u8::to_le_bytes),
        |b| attempt(b, Element::S8, i8::to_le_bytes),
        |b| attempt(b, Element::U16, u16::to_le_bytes),
        |b| attempt(b, Element::S16, i16::to_le_bytes),
        |b| attempt(b, Element::S32, i32::to_le_bytes),
        |b| attempt(b, Element::S64, i64::to_le_bytes),
        |b| attempt(b, Element::U32, u32::to_le_bytes),
        |b| attempt(b, Element::U64, u64::to_le_bytes),
        |b| attempt(b, Element::F64, f64::to_le_bytes),
        |b| attempt(b, Element::Bool, |v: bool| [u8::from(v)]),
    ];
    let mut found = String::new();
    for attempt in attempts {
        match attempt(bytes)? {
            Typed::Found(tensor) if half => return Ok(TensorData { element: Element::F16, ..tensor }),
            Typed::Found(tensor) => return Ok(tensor),
            Typed::Other(descriptor) => found = descriptor,
        }
    }
    Err(TensorFileError::Element { found })
}

enum Typed<T> {
    Found(T),
    /// Another descriptor.
    Other(String),
}

type Attempt = fn(&[u8]) -> Result<Typed<TensorData>, TensorFileError>;

fn attempt<T, const N: usize>(
    bytes: &[u8],
    element: Element,
    to_bytes: fn(T) -> [u8; N],
) -> Result<Typed<TensorData>, TensorFileError>
where
    T: ViewElement + ReadableElement + Copy,
{
    Ok(match typed::<T>(bytes)? {
        Typed::Found(array) => {
            let shape = array.shape().to_vec();
            let mut bytes = Vec::with_capacity(array.len() * N);
            array.iter().for_each(|value| bytes.extend(to_bytes(*value)));
            Typed::Found(TensorData { element, shape, bytes })
        }
        Typed::Other(descriptor) => Typed::Other(descriptor),
    })
}

/// The array, if its descriptor is that of `T`. The view compares the header with the file's length before
/// anything is allocated; only then the copying reader, which handles byte order and alignment, is used.
fn typed<T>(bytes: &[u8]) -> Result<Typed<ArrayD<T>>, TensorFileError>
where
    T: ViewElement + ReadableElement + Clone,
{
    match ArrayViewD::<T>::view_npy(bytes) {
        Ok(view) => Ok(Typed::Found(view.to_owned())),
        Err(ViewNpyError::WrongDescriptor(found)) => Ok(Typed::Other(found.to_string())),
        Err(ViewNpyError::MisalignedData) => copied(bytes),
        Err(ViewNpyError::NonNativeEndian) => {
            // Not yet compared with the length.
            let length = declared_elements(bytes).and_then(|n| n.checked_mul(size_of::<T>()));
            if length.is_none_or(|n| n > bytes.len()) {
                return Err(TensorFileError::Npy {
                    reason: "the file is shorter than its header says".into(),
                });
            }
            copied(bytes)
        }
        Err(error) => Err(TensorFileError::Npy { reason: error.to_string() }),
    }
}

fn copied<T: ReadableElement>(bytes: &[u8]) -> Result<Typed<ArrayD<T>>, TensorFileError> {
    ArrayD::<T>::read_npy(bytes).map(Typed::Found).map_err(|e| TensorFileError::Npy { reason: e.to_string() })
}

/// Start and length of the header's text.
fn header(bytes: &[u8]) -> Result<&[u8], TensorFileError> {
    let refused = |reason: &str| TensorFileError::Npy { reason: reason.into() };
    if !bytes.starts_with(b"\x93NUMPY") {
        return Err(refused("it does not begin with the bytes 93 'NUMPY'"));
    }
    let short = || refused("it ends inside the header");
    let (at, length) = match bytes.get(6).ok_or_else(short)? {
        1 => (10, bytes.get(8..10).map(|b| u32::from(u16::from_le_bytes([b[0], b[1]])))),
        _ => (12, bytes.get(8..12).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))),
    };
    let length = length.ok_or_else(short)? as usize;
    if length > MAX_HEADER {
        return Err(refused("its header is longer than 4096 bytes"));
    }
    bytes.get(at..at + length).ok_or_else(short)
}

/// Offset in the header where elements are declared as floats (`f`) or unsigned integers (`u`) of two bytes.
fn words_at(bytes: &[u8], kind: u8) -> Option<usize> {
    let text = header(bytes).ok()?;
    let at = text
        .windows(5)
        .position(|w| matches!(w, [b'\'' | b'"', b'<' | b'>' | b'=', k, b'2', b'\'' | b'"'] if *k == kind))?;
    // The header's text is a part of the bytes.
    Some(text.as_ptr() as usize - bytes.as_ptr() as usize + at + 2)
}

fn has_words(bytes: &[u8], kind: u8) -> bool {
    words_at(bytes, kind).is_some()
}

/// Changes the kind of two-byte elements in the header, which keeps its length.
pub(super) fn rename_words(bytes: &mut [u8], from: u8, to: u8) {
    if let Some(kind) = words_at(bytes, from).and_then(|at| bytes.get_mut(at)) {
        *kind = to;
    }
}

/// Protects the parser of Python literals from deeply nested headers.
fn check_header(bytes: &[u8]) -> Result<(), TensorFileError> {
    let brackets = header(bytes)?.iter().filter(|b| matches!(b, b'(' | b'[' | b'{')).count();
    if brackets > MAX_BRACKETS {
        return Err(TensorFileError::Npy {
            reason: "its header is not a dictionary of descr, order and shape".into(),
        });
    }
    Ok(())
}

/// Elements of the shape in the header. `None` if it cannot be parsed.
fn declared_elements(bytes: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(header(bytes).ok()?).ok()?;
    let shape = text.split_once("shape")?.1.split_once('(')?.1.split_once(')')?.0;
    shape
        .split(',')
        .map(str::trim)
        .filter(|s| !s.is_empty())
        .try_fold(1_usize, |n, d| n.checked_mul(d.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::{to_npy, write};
    use super::*;

    fn sample() -> TensorData {
        TensorData { element: Element::S16, shape: vec![2, 3], bytes: (0..12).collect() }
    }

    #[test]
    fn what_is_written_reads_back() {
        for element in Element::NAMES.map(|(element, _, _)| element) {
            let tensor = TensorData { element, shape: vec![3, 1, 2], bytes: vec![1; 6 * element.bytes()] };
            assert_eq!(parse(&to_npy(&tensor).unwrap()).unwrap(), tensor);
        }
        let scalar = TensorData { element: Element::F32, shape: vec![], bytes: vec![0; 4] };
        assert_eq!(parse(&to_npy(&scalar).unwrap()).unwrap(), scalar);
        let path = std::env::temp_dir().join(format!("rcar-iss-npy-{}.npy", std::process::id()));
        write(&path, &sample()).unwrap();
        assert_eq!(read(&path).unwrap(), sample());
        std::fs::remove_file(&path).unwrap();
    }

    /// A file as numpy writes it.
    fn file(descriptor: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let dictionary =
            format!("{{'descr': '{descriptor}', 'fortran_order': {fortran}, 'shape': {shape}, }}");
        let padded = format!("{dictionary:<117}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((padded.len() as u16).to_le_bytes());
        bytes.extend(padded.as_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn half_precision_and_other_orders_of_bytes_and_axes_are_read() {
        // 1.0, -2.0, 0.5 and the least number above 0.
        let halves = [0x3C00_u16, 0xC000, 0x3800, 0x0001];
        let wanted = [1.0_f32, -2.0, 0.5, 2.0_f32.powi(-24)].map(f32::to_le_bytes).concat();
        let big: Vec<u8> = halves.iter().flat_map(|h| h.to_be_bytes()).collect();
        let little: Vec<u8> = halves.iter().flat_map(|h| h.to_le_bytes()).collect();
        for (descriptor, data) in [("<f2", &little), (">f2", &big)] {
            let read = parse(&file(descriptor, "False", "(2, 2)", data)).unwrap();
            assert_eq!((read.element, &read.shape[..]), (Element::F16, &[2, 2][..]));
            assert_eq!(read.to(Element::F32).unwrap().bytes, wanted, "{descriptor}");
        }
        let floats: Vec<u8> = [1.0_f32, 2.0, 3.0, 4.0].iter().flat_map(|v| v.to_be_bytes()).collect();
        let turned = parse(&file(">f4", "True", "(2, 2)", &floats)).unwrap();
        assert_eq!(turned.bytes, [1.0_f32, 3.0, 2.0, 4.0].map(f32::to_le_bytes).concat());
        let error = parse(&file("<c8", "False", "(1,)", &[0; 8])).unwrap_err().to_string();
        assert!(error.contains("<c8") && error.contains("floats of 16, 32 and 64 bits"), "{error}");
    }

    #[test]
    fn every_cut_and_flip_is_an_error_or_another_array_but_never_a_panic() {
        let good = to_npy(&sample()).unwrap();
        for at in 0..good.len() {
            assert!(parse(&good[..at]).is_err());
            for flip in [0x01, 0x10, 0x80] {
                let mut bad = good.clone();
                bad[at] ^= flip;
                let _ = parse(&bad);
            }
        }
    }

    #[test]
    fn a_header_that_promises_terabytes_is_refused() {
        let good = to_npy(&sample()).unwrap();
        let text = String::from_utf8_lossy(&good).into_owned();
        for (from, to) in [("(2, 3)", "(9999999999, 999)"), ("<i2", ">i2")] {
            let mut bad: Vec<u8> = vec![0x93];
            bad.extend_from_slice(
                text.trim_start_matches(char::REPLACEMENT_CHARACTER).replace(from, to).as_bytes(),
            );
            if from == "<i2" {
                bad = String::from_utf8_lossy(&bad).replace("(2, 3)", "(99999999, 9999)").into_bytes();
                bad.splice(0..3, [0x93]);
            }
            assert!(parse(&bad).is_err());
        }
    }

    #[test]
    fn deep_nesting_is_refused_before_parsing() {
        let mut bytes = b"\x93NUMPY\x01\x00\x00\x08".to_vec();
        bytes.extend_from_slice(&[b'('; 2048]);
        assert!(parse(&bytes).unwrap_err().to_string().contains("dictionary"));
    }
}

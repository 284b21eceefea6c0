//! `.npz`: a ZIP archive of `.npy` files, as numpy writes it.

use std::io::{Cursor, Read, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::{TensorData, TensorFileError, parse, to_npy};
use crate::files::{self, Panicked};

/// Most bytes that one array of an archive may unpack to, in addition to sixteen times the archive's length:
/// a small file must not fill the memory.
const MAX_ARRAY: u64 = 128 << 20;

/// An open archive. Arrays are unpacked one at a time.
#[derive(Debug)]
pub struct Npz {
    archive: ZipArchive<Cursor<Vec<u8>>>,
    /// Bytes of the archive.
    length: u64,
}

fn broken(reason: impl ToString) -> TensorFileError {
    TensorFileError::Npz { reason: reason.to_string() }
}

impl Npz {
    /// Whether these bytes begin like an archive.
    #[must_use]
    pub fn is_npz(bytes: &[u8]) -> bool {
        bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
    }

    /// Opens an archive in memory.
    ///
    /// # Errors
    /// It is not a ZIP archive.
    pub fn open(bytes: Vec<u8>) -> Result<Npz, TensorFileError> {
        let length = bytes.len() as u64;
        let archive =
            files::guarded(|| Ok(ZipArchive::new(Cursor::new(bytes)))).map_err(|e: Panicked| broken(e))?;
        Ok(Npz { archive: archive.map_err(broken)?, length })
    }

    /// The names of the arrays, without `.npy`, in the archive's order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let names = (0..self.archive.len()).filter_map(|i| self.archive.name_for_index(i));
        names.filter_map(|n| n.strip_suffix(".npy")).map(str::to_string).collect()
    }

    /// One array.
    ///
    /// # Errors
    /// There is none of that name, it is damaged, or holds another element type.
    pub fn array(&mut self, name: &str) -> Result<TensorData, TensorFileError> {
        let limit = MAX_ARRAY.saturating_add(self.length.saturating_mul(16));
        let too_large =
            || broken(format!("array \"{name}\" unpacks to more than {limit} bytes; save it uncompressed"));
        let archive = &mut self.archive;
        let mut unpack = || {
            let file = archive.by_name(&format!("{name}.npy")).map_err(broken)?;
            // The size may be false, so what is unpacked is counted too.
            if file.size() > limit {
                return Err(too_large());
            }
            let mut bytes = Vec::new();
            file.take(limit + 1).read_to_end(&mut bytes).map_err(broken)?;
            if bytes.len() as u64 > limit { Err(too_large()) } else { Ok(bytes) }
        };
        let bytes = files::guarded(|| Ok(unpack())).map_err(|e: Panicked| broken(e))??;
        parse(&bytes)
    }
}

/// Named tensors as the bytes of an `.npz` file, not compressed: the same tensors give the same bytes.
///
/// # Errors
/// The bytes of a tensor do not fill its shape, or two have the same name.
pub fn to_npz<'a>(
    tensors: impl IntoIterator<Item = (&'a str, &'a TensorData)>,
) -> Result<Vec<u8>, TensorFileError> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default());
    for (name, tensor) in tensors {
        archive.start_file(format!("{name}.npy"), options).map_err(broken)?;
        archive.write_all(&to_npy(tensor)?).map_err(broken)?;
    }
    Ok(archive.finish().map_err(broken)?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::super::Element;
    use super::*;

    #[test]
    fn a_bomb_is_refused_before_it_is_unpacked() {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        archive.start_file("x.npy", options).unwrap();
        for _ in 0..160 {
            archive.write_all(&vec![0; 1 << 20]).unwrap();
        }
        let bytes = archive.finish().unwrap().into_inner();
        assert!(bytes.len() < 1 << 20);
        // Once as it is, once with false sizes.
        let size = (160_u32 << 20).to_le_bytes();
        let mut lying = bytes.clone();
        for at in 0..lying.len() - 4 {
            if lying[at..at + 4] == size {
                lying[at..at + 4].copy_from_slice(&100_u32.to_le_bytes());
            }
        }
        for bytes in [bytes, lying] {
            let error = Npz::open(bytes).unwrap().array("x").unwrap_err().to_string();
            assert!(error.contains("more than"), "{error}");
        }
    }

    #[test]
    fn arrays_come_back() {
        let a = TensorData { element: Element::U8, shape: vec![2, 2], bytes: vec![1, 2, 3, 4] };
        let b = TensorData { element: Element::F32, shape: vec![1], bytes: 1.5_f32.to_le_bytes().to_vec() };
        let bytes = to_npz([("a/x", &a), ("b", &b)]).unwrap();
        assert!(Npz::is_npz(&bytes));
        assert_eq!(bytes, to_npz([("a/x", &a), ("b", &b)]).unwrap());
        let mut npz = Npz::open(bytes.clone()).unwrap();
        assert_eq!(npz.names(), ["a/x", "b"]);
        assert_eq!(npz.array("a/x").unwrap(), a);
        assert_eq!(npz.array("b").unwrap(), b);
        assert!(npz.array("c").is_err());
        for cut in 0..bytes.len() {
            if let Ok(mut npz) = Npz::open(bytes[..cut].to_vec()) {
                let _ = npz.array("b");
            }
        }
    }
}

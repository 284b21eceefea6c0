//! File kinds by their first bytes: the supported picture formats, and others that users may mistake for
//! them.

use std::fmt;

/// A supported picture format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Portable Network Graphics.
    Png,
    /// JPEG in a JFIF or EXIF file.
    Jpeg,
    /// Windows bitmap.
    Bmp,
    /// The first picture of a GIF.
    Gif,
    /// The first page of a TIFF.
    Tiff,
    /// WebP, the first picture of an animation.
    Webp,
}

impl Format {
    /// All.
    pub const ALL: [Format; 6] =
        [Format::Png, Format::Jpeg, Format::Bmp, Format::Gif, Format::Tiff, Format::Webp];

    /// Their names, for messages.
    pub const NAMES: &str = "PNG, JPEG, BMP, GIF, TIFF and WebP";

    /// Extensions that files of these formats have.
    pub const EXTENSIONS: [&str; 10] =
        ["png", "jpg", "jpeg", "jpe", "jfif", "bmp", "gif", "tif", "tiff", "webp"];

    /// The format of a file that begins with these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Format> {
        Some(match bytes {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Format::Png,
            [0xFF, 0xD8, 0xFF, ..] => Format::Jpeg,
            // The reserved bytes of a bitmap's header are zero; many texts begin with "BM".
            [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => Format::Bmp,
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Format::Gif,
            [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Format::Tiff,
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Format::Webp,
            _ => return None,
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Format::Png => "PNG",
            Format::Jpeg => "JPEG",
            Format::Bmp => "BMP",
            Format::Gif => "GIF",
            Format::Tiff => "TIFF",
            Format::Webp => "WebP",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether the bytes begin like a supported picture.
#[must_use]
pub fn is_image(bytes: &[u8]) -> bool {
    Format::of(bytes).is_some()
}

/// Extensions of unsupported pictures.
pub const FOREIGN_EXTENSIONS: [&str; 22] = [
    "heic", "heif", "avif", "jxl", "jp2", "j2k", "ppm", "pgm", "pbm", "pnm", "ico", "svg", "psd", "exr",
    "hdr", "qoi", "dds", "tga", "dng", "raw", "cr2", "nef",
];

/// First bytes of other files, and what these are.
const BEGINNINGS: [(&[u8], &str); 25] = [
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"\0\0\x01\0", "an icon (ICO)"),
    (b"8BPS", "a Photoshop document (PSD)"),
    (b"%PDF", "a PDF document"),
    (b"v/1\x01", "an OpenEXR picture"),
    (b"#?RADIANCE", "a Radiance HDR picture"),
    (b"qoif", "a QOI picture"),
    (b"DDS ", "a DDS texture"),
    (b"<svg", "an SVG drawing"),
    (b"<?xml", "an XML document, perhaps an SVG drawing"),
    (b"<!DOCTYPE", "an HTML page, perhaps the error of a download"),
    (b"<html", "an HTML page, perhaps the error of a download"),
    (b"version https://git-lfs", "a pointer of Git LFS: the file itself was not fetched (git lfs pull)"),
    (b"\x89HDF", "an HDF5 file"),
    (b"MATLAB 5.0", "a MATLAB file"),
    (b"PAR1", "a Parquet file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"\x7fELF", "an ELF file, like a program of this tool"),
    (b"\x80\x02", "a Python pickle"),
    (b"\x80\x04", "a Python pickle"),
];

/// The kind of an unsupported file, by its first bytes; `None` if unknown.
#[must_use]
pub fn foreign(bytes: &[u8]) -> Option<&'static str> {
    if bytes.is_empty() {
        return Some("an empty file");
    }
    if let [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] = bytes {
        return Some(match brand.get(..4) {
            Some(b"heic" | b"heix" | b"hevc" | b"heim" | b"mif1" | b"msf1") => "a HEIC picture",
            Some(b"avif" | b"avis") => "an AVIF picture",
            _ => "an MP4 or QuickTime film",
        });
    }
    if matches!(bytes, [b'P', b'1'..=b'7', b' ' | b'\n' | b'\r' | b'\t', ..]) {
        return Some("a Netpbm picture (PBM, PGM, PPM or PAM)");
    }
    BEGINNINGS.iter().find(|(begin, _)| bytes.starts_with(begin)).map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_by_their_first_bytes() {
        for (bytes, format) in [
            (&b"\x89PNG\r\n\x1a\n"[..], Some(Format::Png)),
            (b"\xff\xd8\xff\xe0", Some(Format::Jpeg)),
            (b"BM\x36\x00\x00\x00\x00\x00\x00\x00\x36", Some(Format::Bmp)),
            (b"BM is how this text begins", None),
            (b"GIF89a", Some(Format::Gif)),
            (b"MM\0*", Some(Format::Tiff)),
            (b"RIFF\x10\0\0\0WEBPVP8 ", Some(Format::Webp)),
            (b"RIFF\x10\0\0\0AVI ", None),
            (b"", None),
        ] {
            assert_eq!(Format::of(bytes), format, "{bytes:?}");
        }
        for (bytes, what) in [
            (&b"\0\0\0\x18ftypheic\0\0"[..], "HEIC"),
            (b"\0\0\0\x18ftypavif", "AVIF"),
            (b"\0\0\0\x18ftypisom", "MP4"),
            (b"P6\n2 2\n255\n", "Netpbm"),
            (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
            (b"<!DOCTYPE html>", "HTML"),
            (b"", "empty"),
        ] {
            assert!(foreign(bytes).is_some_and(|found| found.contains(what)), "{what}");
        }
        assert_eq!(foreign(b"no jpg"), None);
    }
}

//! Decoding pictures.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::format::{Format, foreign};
use super::{Image, ImageError};
use crate::files::{self, Panicked};

/// Longest side in pixels.
pub(super) const MAX_SIDE: usize = 1 << 15;
/// Most pixels: 67 million.
pub(super) const MAX_PIXELS: usize = 1 << 26;
/// Most bytes that a decoder may allocate.
const MAX_MEMORY: u64 = 1 << 30;

/// A decoded file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// The pixels, oriented as EXIF says.
    pub image: Image,
    /// What the file is.
    pub format: Format,
    /// EXIF orientation: 1 none, 3 rotated by 180°, 6 clockwise, 8 counterclockwise, 2, 4, 5 and 7 mirrored.
    pub orientation: u8,
}

/// Decodes a picture to grey or RGB, upright.
///
/// # Errors
/// Another format, a damaged or cut file, or too many pixels.
pub fn decode(bytes: &[u8]) -> Result<Picture, ImageError> {
    let Some(format) = Format::of(bytes) else {
        return Err(ImageError::Format { found: foreign(bytes).unwrap_or("nothing that is known") });
    };
    let read = || match format {
        Format::Png => png(bytes),
        Format::Jpeg => jpeg(bytes),
        Format::Bmp => other(bytes, format, image::ImageFormat::Bmp),
        Format::Gif => other(bytes, format, image::ImageFormat::Gif),
        Format::Tiff => other(bytes, format, image::ImageFormat::Tiff),
        Format::Webp => other(bytes, format, image::ImageFormat::WebP),
    };
    // A decoder's panic on damaged bytes must not end the program.
    let panicked = |e: Panicked| refused(format, e);
    let (image, orientation) = files::guarded(|| Ok(read())).map_err(panicked)??;
    Ok(Picture { image: image.upright(orientation), format, orientation: orientation.to_exif() })
}

fn refused(format: Format, reason: impl ToString) -> ImageError {
    ImageError::Decode { format, reason: reason.to_string() }
}

/// A decoder's error, with how far it had read.
fn refused_at(format: Format, bytes: &Cursor<&[u8]>, reason: impl ToString) -> ImageError {
    let all = bytes.get_ref().len();
    let reason = format!("{} (by byte {} of {all})", reason.to_string(), bytes.position().min(all as u64));
    ImageError::Decode { format, reason }
}

fn check_size(width: usize, height: usize) -> Result<(), ImageError> {
    if width > MAX_SIDE || height > MAX_SIDE || width.saturating_mul(height) > MAX_PIXELS {
        return Err(ImageError::TooLarge { width, height, limit: MAX_PIXELS });
    }
    Ok(())
}

/// The orientation from EXIF data.
fn turned(exif: Option<&[u8]>) -> Orientation {
    exif.and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms)
}

fn png(bytes: &[u8]) -> Result<(Image, Orientation), ImageError> {
    let mut source = Cursor::new(bytes);
    let read = png_from(&mut source);
    read.map_err(|e| match e {
        PngError::Library(e) => refused_at(Format::Png, &source, e),
        PngError::Ours(e) => e,
    })
}

enum PngError {
    Library(png::DecodingError),
    Ours(ImageError),
}

impl From<png::DecodingError> for PngError {
    fn from(e: png::DecodingError) -> PngError {
        PngError::Library(e)
    }
}

fn png_from(source: &mut Cursor<&[u8]>) -> Result<(Image, Orientation), PngError> {
    let own = |reason: String| PngError::Ours(refused(Format::Png, reason));
    let mut decoder = png::Decoder::new(source);
    let indexed = decoder.read_header_info()?.color_type == png::ColorType::Indexed;
    // Palettes are looked up here: there are files whose palette ends inside a colour, and other decoders
    // accept them.
    decoder.set_transformations(if indexed {
        png::Transformations::IDENTITY
    } else {
        png::Transformations::EXPAND | png::Transformations::STRIP_16
    });
    let mut reader = decoder.read_info()?;
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    check_size(width, height).map_err(PngError::Ours)?;
    let size = reader.output_buffer_size().ok_or_else(|| own("its size overflows".into()))?;
    let mut data = vec![0; size];
    let frame = reader.next_frame(&mut data)?;
    // To the end: a file cut behind its last row is refused too.
    reader.finish()?;
    let orientation = turned(reader.info().exif_metadata.as_deref());
    data.truncate(frame.buffer_size());
    if indexed {
        let palette = reader.info().palette.as_deref().unwrap_or_default();
        let data = coloured(&data, frame.line_size, width, frame.bit_depth as usize, palette)
            .ok_or_else(|| own("its palette holds no colour".into()))?;
        return Ok((Image { width, height, channels: 3, data }, orientation));
    }
    let (channels, keep) = match frame.color_type {
        png::ColorType::Grayscale => (1, 1),
        png::ColorType::GrayscaleAlpha => (2, 1),
        png::ColorType::Rgb => (3, 3),
        png::ColorType::Rgba => (4, 3),
        png::ColorType::Indexed => return Err(own("its palette was not expanded".into())),
    };
    Ok((Image { width, height, channels: keep, data: kept(data, channels, keep) }, orientation))
}

/// The colours of rows of indices, with the first pixel in the highest bits of a byte. An index behind the
/// palette is black.
fn coloured(rows: &[u8], line: usize, width: usize, bits: usize, palette: &[u8]) -> Option<Vec<u8>> {
    let colours = palette.as_chunks::<3>().0;
    if colours.is_empty() {
        return None;
    }
    let each = 8 / bits.clamp(1, 8);
    let pixel = |row: &[u8], x: usize| {
        let byte = row.get(x / each).copied().unwrap_or(0);
        let index = usize::from(byte) >> (8 - bits - x % each * bits) & ((1 << bits) - 1);
        colours.get(index).copied().unwrap_or([0; 3])
    };
    Some(rows.chunks(line.max(1)).flat_map(|row| (0..width).flat_map(move |x| pixel(row, x))).collect())
}

/// The first `keep` of every `channels` samples.
fn kept<T: Copy>(data: Vec<T>, channels: usize, keep: usize) -> Vec<T> {
    if keep == channels {
        return data;
    }
    data.chunks_exact(channels).flat_map(|p| p.iter().take(keep).copied()).collect()
}

fn jpeg(bytes: &[u8]) -> Result<(Image, Orientation), ImageError> {
    let options = DecoderOptions::default()
        .set_use_unsafe(false)
        .set_strict_mode(true)
        .set_max_width(MAX_SIDE)
        .set_max_height(MAX_SIDE);
    let mut source = Cursor::new(bytes);
    let mut decoder = JpegDecoder::new_with_options(&mut source, options);
    if let Err(e) = decoder.decode_headers() {
        drop(decoder);
        return Err(refused_at(Format::Jpeg, &source, e));
    }
    let (width, height) = decoder.dimensions().ok_or_else(|| refused(Format::Jpeg, "it tells no size"))?;
    check_size(width, height)?;
    let grey = decoder.input_colorspace() == Some(ColorSpace::Luma);
    let (space, channels) = if grey { (ColorSpace::Luma, 1) } else { (ColorSpace::RGB, 3) };
    decoder.set_options(options.jpeg_set_out_colorspace(space));
    let data = match decoder.decode() {
        Ok(data) => data,
        Err(e) => {
            drop(decoder);
            return Err(refused_at(Format::Jpeg, &source, e));
        }
    };
    let orientation = turned(decoder.exif().map(Vec::as_slice));
    if data.len() != width * height * channels {
        return Err(refused(Format::Jpeg, "its data has another size than its header says"));
    }
    Ok((Image { width, height, channels, data }, orientation))
}

/// The formats of the `image` crate.
fn other(
    bytes: &[u8],
    format: Format,
    library: image::ImageFormat,
) -> Result<(Image, Orientation), ImageError> {
    let failed = |e: image::ImageError| refused(format, e);
    let mut decoder = ImageReader::with_format(Cursor::new(bytes), library).into_decoder().map_err(failed)?;
    let (width, height) = decoder.dimensions();
    check_size(width as usize, height as usize)?;
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_MEMORY);
    decoder.set_limits(limits).map_err(failed)?;
    let orientation = decoder.orientation().map_err(failed)?;
    let decoded = DynamicImage::from_decoder(decoder).map_err(failed)?;
    let upper = |data: Vec<u16>| data.into_iter().map(|v| (v >> 8) as u8).collect();
    let (channels, data): (usize, Vec<u8>) = match decoded {
        DynamicImage::ImageLuma8(p) => (1, p.into_raw()),
        DynamicImage::ImageLumaA8(p) => (1, kept(p.into_raw(), 2, 1)),
        DynamicImage::ImageRgb8(p) => (3, p.into_raw()),
        DynamicImage::ImageRgba8(p) => (3, kept(p.into_raw(), 4, 3)),
        DynamicImage::ImageLuma16(p) => (1, upper(p.into_raw())),
        DynamicImage::ImageLumaA16(p) => (1, upper(kept(p.into_raw(), 2, 1))),
        DynamicImage::ImageRgb16(p) => (3, upper(p.into_raw())),
        DynamicImage::ImageRgba16(p) => (3, upper(kept(p.into_raw(), 4, 3))),
        _ => return Err(refused(format, "its samples are no integers of 8 or 16 bits")),
    };
    Ok((Image { width: width as usize, height: height as usize, channels, data }, orientation))
}

impl Image {
    /// The picture, oriented.
    pub(super) fn upright(self, how: Orientation) -> Image {
        let (w, h) = (self.width, self.height);
        // Source of the pixel at (x, y) of the result.
        let from = |x: usize, y: usize| match how {
            Orientation::NoTransforms => (x, y),
            Orientation::FlipHorizontal => (w - 1 - x, y),
            Orientation::Rotate180 => (w - 1 - x, h - 1 - y),
            Orientation::FlipVertical => (x, h - 1 - y),
            Orientation::Rotate90FlipH => (y, x),
            Orientation::Rotate90 => (y, h - 1 - x),
            Orientation::Rotate270FlipH => (w - 1 - y, h - 1 - x),
            Orientation::Rotate270 => (w - 1 - y, x),
        };
        let (width, height) = match how {
            Orientation::NoTransforms => return self,
            Orientation::FlipHorizontal | Orientation::Rotate180 | Orientation::FlipVertical => (w, h),
            _ => (h, w),
        };
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let pixel = |(x, y)| {
            let (x, y) = from(x, y);
            self.data.iter().skip((y * w + x) * self.channels).take(self.channels).copied()
        };
        Image { width, height, channels: self.channels, data: places.flat_map(pixel).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample_png() -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, 5, 4);
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&(0..80).collect::<Vec<u8>>()).unwrap();
        writer.finish().unwrap();
        out
    }

    #[test]
    fn alpha_is_dropped() {
        let Picture { image, format, orientation } = decode(&sample_png()).unwrap();
        assert_eq!((image.width, image.height, image.channels), (5, 4, 3));
        assert_eq!(image.data[..6], [0, 1, 2, 4, 5, 6]);
        assert_eq!((format, orientation), (Format::Png, 1));
    }

    /// A file of 3 × 2 grey pixels 1 to 6 with an orientation.
    fn oriented(tag: u8) -> Vec<u8> {
        let mut exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0".to_vec();
        exif[19] = tag;
        let mut info = png::Info::with_size(3, 2);
        info.color_type = png::ColorType::Grayscale;
        info.bit_depth = png::BitDepth::Eight;
        info.exif_metadata = Some(exif.into());
        let mut out = Vec::new();
        let mut writer = png::Encoder::with_info(&mut out, info).unwrap().write_header().unwrap();
        writer.write_image_data(&[1, 2, 3, 4, 5, 6]).unwrap();
        writer.finish().unwrap();
        out
    }

    #[test]
    fn pictures_are_turned_as_cameras_say() {
        // As `PIL.ImageOps.exif_transpose` turns them.
        let turned: [(usize, [u8; 6]); 8] = [
            (3, [1, 2, 3, 4, 5, 6]),
            (3, [3, 2, 1, 6, 5, 4]),
            (3, [6, 5, 4, 3, 2, 1]),
            (3, [4, 5, 6, 1, 2, 3]),
            (2, [1, 4, 2, 5, 3, 6]),
            (2, [4, 1, 5, 2, 6, 3]),
            (2, [6, 3, 5, 2, 4, 1]),
            (2, [3, 6, 2, 5, 1, 4]),
        ];
        for (tag, (width, data)) in (1..).zip(turned) {
            let found = decode(&oriented(tag)).unwrap();
            assert_eq!(
                (found.orientation, found.image.width, &found.image.data[..]),
                (tag, width, &data[..])
            );
        }
        // Invalid orientations are ignored.
        assert_eq!(decode(&oriented(9)).unwrap().orientation, 1);
    }

    #[test]
    fn other_formats_give_the_pixels_that_were_written() {
        let pixels: Vec<u8> = (0..4 * 3 * 3).map(|v| v * 7).collect();
        let picture = image::RgbImage::from_raw(4, 3, pixels.clone()).unwrap();
        for (library, format) in [
            (image::ImageFormat::Bmp, Format::Bmp),
            (image::ImageFormat::Tiff, Format::Tiff),
            (image::ImageFormat::WebP, Format::Webp),
        ] {
            let mut out = Cursor::new(Vec::new());
            picture.write_to(&mut out, library).unwrap();
            let bytes = out.into_inner();
            let found = decode(&bytes).unwrap();
            assert_eq!((found.format, found.image.channels), (format, 3));
            assert_eq!(found.image.data, pixels, "{format}");
            for at in 0..bytes.len() {
                let _ = decode(&bytes[..at]);
                let mut bad = bytes.clone();
                bad[at] ^= 0x41;
                let _ = decode(&bad);
            }
        }
        let mut out = Cursor::new(Vec::new());
        let grey = image::ImageBuffer::<image::Luma<u16>, _>::from_raw(2, 1, vec![0x1280_u16, 0xFFFF]);
        DynamicImage::ImageLuma16(grey.unwrap()).write_to(&mut out, image::ImageFormat::Tiff).unwrap();
        assert_eq!(decode(out.get_ref()).unwrap().image.data, [0x12, 0xFF]);
    }

    /// A PNG of 4 × 1 pixels with a palette; indices of `bits` bits each in `row`.
    fn paletted(bits: png::BitDepth, palette: &[u8], trns: &[u8], row: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, 4, 1);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(bits);
        encoder.set_palette(palette);
        if !trns.is_empty() {
            encoder.set_trns(trns);
        }
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(row).unwrap();
        writer.finish().unwrap();
        out
    }

    #[test]
    fn palettes_become_colours_or_errors() {
        let colours = [1, 2, 3, 40, 50, 60, 7, 8, 9];
        let rows = [
            (png::BitDepth::Two, vec![0b00_01_10_01]),
            (png::BitDepth::Four, vec![0x01, 0x21]),
            (png::BitDepth::Eight, vec![0, 1, 2, 1]),
        ];
        for (bits, row) in rows {
            for trns in [&[][..], &[0, 128], &[1, 2, 3]] {
                let image = decode(&paletted(bits, &colours, trns, &row)).unwrap().image;
                assert_eq!((image.width, image.height, image.channels), (4, 1, 3));
                assert_eq!(image.data, [1, 2, 3, 40, 50, 60, 7, 8, 9, 40, 50, 60], "{bits:?} {trns:?}");
            }
        }
        for bytes in [1, 2, 3 * 256 + 1] {
            let odd = paletted(png::BitDepth::Eight, &vec![9; bytes], &[], &[0; 4]);
            let error = decode(&odd).unwrap_err().to_string();
            assert!(error.contains("the PNG picture is damaged"), "{bytes}: {error}");
        }
        // The incomplete colour at the end is dropped.
        for bytes in [4, 5, 7] {
            let odd = paletted(png::BitDepth::Eight, &vec![9; bytes], &[], &[0, 0, 1, 0]);
            let image = decode(&odd).unwrap().image;
            let second = if bytes < 6 { 0 } else { 9 };
            assert_eq!(image.data[..3], [9; 3]);
            assert_eq!(image.data[6..9], [second; 3], "{bytes}");
        }
    }

    #[test]
    fn damage_never_panics() {
        let good = sample_png();
        for at in 0..good.len() {
            let _ = decode(&good[..at]);
            let mut bad = good.clone();
            bad[at] ^= 0x41;
            let _ = decode(&bad);
        }
        assert!(matches!(decode(b"GIF89a"), Err(ImageError::Decode { format: Format::Gif, .. })));
        let error = decode(b"\0\0\0\x18ftypheic").unwrap_err().to_string();
        assert!(error.contains("a HEIC picture") && error.contains("WebP"), "{error}");
        let error = decode(&good[..40]).unwrap_err().to_string();
        assert!(error.contains("the PNG picture is damaged") && error.contains("of 40"), "{error}");
    }
}

//! Decoding PNG and JPEG.

use std::io::Cursor;

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::{Image, ImageError};
use crate::files::{self, Panicked};

/// Longest side.
pub(super) const MAX_SIDE: usize = 1 << 15;
/// Most pixels: 67 million.
pub(super) const MAX_PIXELS: usize = 1 << 26;

const PNG_MAGIC: &[u8] = b"\x89PNG\r\n\x1a\n";
const JPEG_MAGIC: &[u8] = b"\xff\xd8\xff";

/// Whether the bytes begin as a PNG or JPEG file does.
#[must_use]
pub fn is_image(bytes: &[u8]) -> bool {
    bytes.starts_with(PNG_MAGIC) || bytes.starts_with(JPEG_MAGIC)
}

/// Decodes a PNG or JPEG file to grey or RGB.
///
/// # Errors
/// Another format, a damaged or cut file, or too many pixels.
pub fn decode(bytes: &[u8]) -> Result<Image, ImageError> {
    if bytes.starts_with(PNG_MAGIC) {
        guarded("PNG", || png(bytes))
    } else if bytes.starts_with(JPEG_MAGIC) {
        guarded("JPEG", || jpeg(bytes))
    } else {
        Err(ImageError::Format)
    }
}

/// The decoder's result; an error, if it panics.
fn guarded(
    format: &'static str,
    decode: impl FnOnce() -> Result<Image, ImageError>,
) -> Result<Image, ImageError> {
    let panicked = |e: Panicked| ImageError::Decode { format, reason: e.to_string() };
    files::guarded(|| Ok(decode())).map_err(panicked)?
}

fn check_size(width: usize, height: usize) -> Result<(), ImageError> {
    if width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS {
        return Err(ImageError::TooLarge { width, height, limit: MAX_PIXELS });
    }
    Ok(())
}

fn png(bytes: &[u8]) -> Result<Image, ImageError> {
    let refused = |reason: String| ImageError::Decode { format: "PNG", reason };
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(|e| refused(e.to_string()))?;
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    check_size(width, height)?;
    // The decoder takes apart what is there in steps of three, and looks up pixels in 256 entries.
    if let Some(palette) = &reader.info().palette
        && (palette.is_empty() || !palette.len().is_multiple_of(3) || palette.len() > 3 * 256)
    {
        return Err(refused(format!("its palette has {} bytes, no whole number of colours", palette.len())));
    }
    let size = reader.output_buffer_size().ok_or_else(|| refused("its size overflows".into()))?;
    let mut data = vec![0; size];
    let frame = reader.next_frame(&mut data).map_err(|e| refused(e.to_string()))?;
    // To the end: a file cut behind its last row is refused too.
    reader.finish().map_err(|e| refused(e.to_string()))?;
    data.truncate(frame.buffer_size());
    let (channels, keep) = match frame.color_type {
        png::ColorType::Grayscale => (1, 1),
        png::ColorType::GrayscaleAlpha => (2, 1),
        png::ColorType::Rgb => (3, 3),
        png::ColorType::Rgba => (4, 3),
        png::ColorType::Indexed => return Err(refused("its palette was not expanded".into())),
    };
    if keep != channels {
        data = data.chunks_exact(channels).flat_map(|p| p.iter().take(keep).copied()).collect();
    }
    Ok(Image { width, height, channels: keep, data })
}

fn jpeg(bytes: &[u8]) -> Result<Image, ImageError> {
    let refused = |reason: String| ImageError::Decode { format: "JPEG", reason };
    let options = DecoderOptions::default()
        .set_use_unsafe(false)
        .set_strict_mode(true)
        .set_max_width(MAX_SIDE)
        .set_max_height(MAX_SIDE);
    let mut decoder = JpegDecoder::new_with_options(Cursor::new(bytes), options);
    decoder.decode_headers().map_err(|e| refused(format!("{e:?}")))?;
    let (width, height) = decoder.dimensions().ok_or_else(|| refused("it tells no size".into()))?;
    check_size(width, height)?;
    let grey = decoder.input_colorspace() == Some(ColorSpace::Luma);
    let (space, channels) = if grey { (ColorSpace::Luma, 1) } else { (ColorSpace::RGB, 3) };
    decoder.set_options(options.jpeg_set_out_colorspace(space));
    let data = decoder.decode().map_err(|e| refused(format!("{e:?}")))?;
    if data.len() != width * height * channels {
        return Err(refused("its data has another size than its header says".into()));
    }
    Ok(Image { width, height, channels, data })
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
        let image = decode(&sample_png()).unwrap();
        assert_eq!((image.width, image.height, image.channels), (5, 4, 3));
        assert_eq!(image.data[..6], [0, 1, 2, 4, 5, 6]);
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
                let image = decode(&paletted(bits, &colours, trns, &row)).unwrap();
                assert_eq!((image.width, image.height, image.channels), (4, 1, 3));
                assert_eq!(image.data, [1, 2, 3, 40, 50, 60, 7, 8, 9, 40, 50, 60], "{bits:?} {trns:?}");
            }
        }
        for bytes in [1, 4, 5, 3 * 256 + 1] {
            let odd = paletted(png::BitDepth::Eight, &vec![9; bytes], &[], &[0; 4]);
            let error = decode(&odd).unwrap_err().to_string();
            assert!(error.contains("PNG"), "{bytes}: {error}");
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
        assert_eq!(decode(b"GIF89a"), Err(ImageError::Format));
    }
}

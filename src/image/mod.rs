//! Pictures as network inputs: PNG, JPEG, BMP, GIF, TIFF and WebP, resized, cropped and normalized as a
//! [`Preprocess`] says.
//!
//! The same picture gives the same bits everywhere: JPEG is decoded by portable code (no SIMD variants,
//! unless it lies inside a TIFF), resizing is exact integer arithmetic ([`resize`]), and normalization is one
//! f32 subtraction and one f32 division per value. Alpha is dropped, 16-bit samples keep their upper 8 bits,
//! and a picture is turned as its EXIF orientation says.

mod decode;
mod error;
mod format;
mod pixels;
mod resize;

pub use decode::{Picture, decode};
pub use error::ImageError;
pub use format::{FOREIGN_EXTENSIONS, Format, foreign, is_image};
pub use pixels::Image;
pub use resize::resize;

use crate::program::Preprocess;

/// The input `[1, C, H, W]` of a network from a picture, as f32 in NCHW order: resize, crop,
/// `(v − mean) / std`.
///
/// # Errors
/// The shape is not a picture's, or the crop does not fit.
pub fn to_input(image: Image, shape: &[u64], how: &Preprocess) -> Result<Vec<f32>, ImageError> {
    let fitted = fit(image, shape, how.resize)?;
    let pixels = fitted.width * fitted.height;
    let mut out = Vec::with_capacity(pixels * fitted.channels);
    for channel in 0..fitted.channels {
        let source = if how.bgr && fitted.channels == 3 { 2 - channel } else { channel };
        let mean = per_channel(&how.mean, channel, 0.0);
        let std = per_channel(&how.std, channel, 1.0);
        // A byte has only 256 values.
        let values: [f32; 256] = std::array::from_fn(|v| (v as f32 - mean) / std);
        let pixels = fitted.data.chunks_exact(fitted.channels);
        out.extend(pixels.map(|pixel| values[usize::from(pixel[source])]));
    }
    Ok(out)
}

/// The input `[1, C, H, W]` as raw values 0…255 in NCHW order, for networks that take `u8` pixels.
///
/// # Errors
/// As [`to_input`].
pub fn to_input_u8(image: Image, shape: &[u64], how: &Preprocess) -> Result<Vec<u8>, ImageError> {
    let fitted = fit(image, shape, how.resize)?;
    let plane = |channel: usize| {
        let source = if how.bgr && fitted.channels == 3 { 2 - channel } else { channel };
        fitted.data.iter().skip(source).step_by(fitted.channels).copied()
    };
    Ok((0..fitted.channels).flat_map(plane).collect())
}

/// One value for all channels, or one for each.
fn per_channel(values: &[f32], channel: usize, default: f32) -> f32 {
    values.get(channel).or(values.first()).copied().unwrap_or(default)
}

/// Converts a picture to the channels, height and width of an input.
fn fit(image: Image, shape: &[u64], short_side: Option<u32>) -> Result<Image, ImageError> {
    let refused = || ImageError::Shape { shape: shape.to_vec() };
    let [1, channels @ (1 | 3), height, width] = *shape else { return Err(refused()) };
    let size =
        |v: u64| usize::try_from(v).ok().filter(|v| (1..=decode::MAX_SIDE).contains(v)).ok_or_else(refused);
    let (height, width) = (size(height)?, size(width)?);
    let image = image.with_channels(if channels == 1 { 1 } else { 3 });
    let Some(short) = short_side else { return Ok(resize(&image, width, height)) };
    let short = size(u64::from(short))?;
    let smaller = image.width.min(image.height).max(1);
    let scaled = |side: usize| side * short / smaller;
    let (w, h) = (scaled(image.width), scaled(image.height));
    if w < width || h < height {
        return Err(ImageError::Crop { found_w: w, found_h: h, want_w: width, want_h: height });
    }
    if w.saturating_mul(h) > decode::MAX_PIXELS {
        return Err(ImageError::TooLarge { width: w, height: h, limit: decode::MAX_PIXELS });
    }
    resize(&image, w, h).centre_crop(width, height).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient(width: usize, height: usize, channels: usize) -> Image {
        let data = (0..width * height * channels).map(|i| (i * 7 % 256) as u8).collect();
        Image { width, height, channels, data }
    }

    #[test]
    fn values_become_planes_of_normalized_floats() {
        let image = Image { width: 2, height: 1, channels: 3, data: vec![127, 0, 255, 255, 127, 63] };
        let mut how = Preprocess { resize: None, mean: vec![127.0], std: vec![128.0], bgr: false };
        let rgb = to_input(image.clone(), &[1, 3, 1, 2], &how).unwrap();
        assert_eq!(rgb, [0.0, 1.0, -0.992_187_5, 0.0, 1.0, -0.5]);
        how.bgr = true;
        let bgr = to_input(image, &[1, 3, 1, 2], &how).unwrap();
        assert_eq!(bgr, [1.0, -0.5, -0.992_187_5, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn short_side_then_centre() {
        let how = Preprocess { resize: Some(8), mean: vec![0.0], std: vec![1.0], bgr: false };
        assert_eq!(to_input(gradient(32, 16, 3), &[1, 3, 6, 8], &how).unwrap().len(), 144);
        let error = to_input(gradient(32, 16, 3), &[1, 3, 9, 8], &how).unwrap_err();
        assert!(error.to_string().contains("16 x 8"), "{error}");
        assert!(to_input(gradient(4, 4, 3), &[1, 4, 6, 8], &how).is_err());
        let crop = gradient(5, 5, 1).centre_crop(3, 1).unwrap();
        assert_eq!(crop.data, gradient(5, 5, 1).data[11..14]);
    }
}

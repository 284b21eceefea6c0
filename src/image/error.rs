//! Why a picture cannot be used.

use super::format::Format;

/// Why a picture cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// An unsupported format.
    #[error("it is {found}; pictures of {} are read", Format::NAMES)]
    Format {
        /// What it is instead.
        found: &'static str,
    },
    /// The decoder reports an error.
    #[error("the {format} picture is damaged, or of a kind that is not read: {reason}")]
    Decode {
        /// By its first bytes.
        format: Format,
        /// The decoder's message.
        reason: String,
    },
    /// Too many pixels for a network input.
    #[error(
        "the picture has {width} x {height} pixels; at most {limit} in all are read: scale it down first"
    )]
    TooLarge {
        /// Pixels in a row.
        width: usize,
        /// Rows.
        height: usize,
        /// Most pixels.
        limit: usize,
    },
    /// The input does not have a picture's shape.
    #[error(
        "an input of shape {shape:?} cannot take a picture: it must be [1, C, H, W] with C = 1 or 3; give a .npy file{}",
        if matches!(shape[..], [1, _, _, 1 | 3]) { ", or say with --nhwc that channels are last" } else { "" }
    )]
    Shape {
        /// ONNX shape of the input.
        shape: Vec<u64>,
    },
    /// The crop is larger than the resized picture.
    #[error(
        "after resizing the picture has {found_w} x {found_h} pixels, fewer than the input's {want_w} x {want_h}: raise resize"
    )]
    Crop {
        /// Width after resizing.
        found_w: usize,
        /// Height after resizing.
        found_h: usize,
        /// Width of the input.
        want_w: usize,
        /// Height of the input.
        want_h: usize,
    },
}

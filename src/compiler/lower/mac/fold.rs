//! Kernel columns as part of the reduction.
//!
//! The array sums over the channels of one tap at a time, so a camera's three channels use three of its
//! lanes. In a row of the scratchpad, though, the pixels under one kernel row lie side by side: as *one*
//! pixel with all their channels, they fill the lanes, and the kernel has one column. For this, rows must
//! have the padding columns that a kernel reaches into; weights of padding lanes are zero.

use super::super::tiling::{Fold, MacShape};
use crate::compiler::storage::next_multiple;
use crate::graph::Weights;
use crate::isa::WindowDesc;

/// The same layer with kernel columns folded into the reduction; `None` if that needs no fewer steps of an
/// array with `lanes` lanes for the reduction.
pub(super) fn folded(
    shape: &MacShape,
    channels: i64,
    lanes: i64,
    left: i64,
    local: bool,
) -> Option<MacShape> {
    let [kh, kw] = shape.kernel;
    if shape.groups > 1 || kw == 1 || shape.dilation[1] > 1 || left >= kw {
        return None;
    }
    let up = |n: i64| (n + lanes - 1) / lanes;
    let pixel = next_multiple(channels, shape.in_lanes);
    if up(kw * pixel) >= kw * up(channels) {
        return None;
    }
    let stride = shape.stride[1];
    let width = (shape.out_width - 1) * stride + kw;
    let fold = Fold { pixel, channels, left, columns: shape.width.min(width - left), width, stride, local };
    Some(MacShape {
        fold: Some(fold),
        ic: kw * pixel,
        kernel: [kh, 1],
        stride: [shape.stride[0], 1],
        dilation: [shape.dilation[0], 1],
        width: shape.out_width,
        resident: [false, shape.resident[1]],
        ..shape.clone()
    })
}

/// Weights `[OC, IC, KH, KW]` as `[OC, KW·pixel, KH, 1]`.
pub(super) fn folded_weights(weights: &Weights, pixel: usize) -> Weights {
    let [oc, ic, kh, kw] = weights.shape;
    let size = weights.dtype.bytes();
    let zero = &weights.zero_point.to_le_bytes()[..size];
    let mut data = Vec::with_capacity(oc * kw * pixel * kh * size);
    for o in 0..oc {
        for x in 0..kw {
            for i in 0..pixel {
                for y in 0..kh {
                    let at = (((o * ic + i) * kh + y) * kw + x) * size;
                    data.extend_from_slice(if i < ic { &weights.data[at..at + size] } else { zero });
                }
            }
        }
    }
    Weights { shape: [oc, kw * pixel, kh, 1], data: data.into(), ..weights.clone() }
}

/// The window of the folded kernel.
pub(super) fn folded_window(window: &WindowDesc) -> WindowDesc {
    let [top, _, bottom, _] = window.pads;
    WindowDesc {
        kernel: [window.kernel[0], 1],
        stride: [window.stride[0], 1],
        dilation: [window.dilation[0], 1],
        pads: [top, 0, bottom, 0],
    }
}

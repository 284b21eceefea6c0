//! The bytes that an operand touches.

use super::{Expr, TileOp, View};

/// Offsets from the operand's base of the lowest byte that an operation touches and of one past the highest;
/// the innermost extent is rounded up to `lanes`. `value` evaluates expressions in one trip. For an image
/// under a window, only the taps inside the image count. `None` for packed weights, whose bytes are not those
/// of a box, and if there is no such operand.
#[must_use]
pub fn reach(op: &TileOp, operand: usize, lanes: i64, value: &impl Fn(&Expr) -> i64) -> Option<(i64, i64)> {
    let view = op.views.get(operand)?;
    let mut dims = view.dims.each_ref().map(value);
    let mut offset = 0;
    if let (Some(window), Some(output), 1) = (op.window, op.views.first(), operand) {
        for axis in 0..2 {
            let (stride, dilation) = (i64::from(window.stride[axis]), i64::from(window.dilation[axis]));
            let first = value(&op.origin[axis]) * stride - i64::from(window.pads[axis]);
            let tile = value(&output.dims[axis + 1]);
            let last = first + (tile - 1) * stride + i64::from(window.kernel[axis] - 1) * dilation;
            let end = (dims[axis + 1] - 1).max(0);
            let (first, last) = (first.clamp(0, end), last.clamp(0, end));
            offset += first * view.strides[axis + 1];
            dims[axis + 1] = last - first + 1;
        }
    }
    boxed(view, dims, lanes).map(|(lo, hi)| (lo + offset, hi + offset))
}

fn boxed(view: &View, dims: [i64; 4], lanes: i64) -> Option<(i64, i64)> {
    if view.strides == [0; 4] && dims.iter().product::<i64>() != 1 {
        return None;
    }
    let inner = (dims[3] + lanes - 1) / lanes * lanes;
    let (mut lo, mut hi) = (0, view.etype.bytes() as i64);
    for (n, stride) in [dims[0], dims[1], dims[2], inner].into_iter().zip(view.strides) {
        let reach = (n - 1).max(0) * stride;
        lo += reach.min(0);
        hi += reach.max(0);
    }
    Some((lo, hi))
}

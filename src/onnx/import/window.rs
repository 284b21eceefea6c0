//! Kernel, stride, dilation and padding attributes of convolutions and pools.

use super::node::OnnxNode;
use super::value::{Refusal, unsupported};
use crate::graph::Window;
use crate::isa::limits::MAX_EXTENT;

/// A window over an image, and the extents of the result.
pub(super) struct Placed {
    pub(super) window: Window,
    pub(super) out: [usize; 2],
}

/// The attribute `pads`: top, left, bottom, right.
fn explicit_pads(n: &OnnxNode) -> Result<[usize; 4], Refusal> {
    let given = match n.ints("pads") {
        None => return Ok([0; 4]),
        Some([a, b, c, d]) => [*a, *b, *c, *d],
        Some([begin, end]) => [0, *begin, 0, *end],
        Some(other) => return Err(Refusal::Malformed(format!("pads has {} numbers", other.len()))),
    };
    let mut pads = [0; 4];
    for (to, from) in pads.iter_mut().zip(given) {
        match usize::try_from(from) {
            Ok(p) if p < 1 << 20 => *to = p,
            _ => return unsupported(format!("a pad of {from} is not implemented")),
        }
    }
    Ok(pads)
}

/// Geometry of a transposed convolution, and the extents of its result. The pads are removed from the output.
pub(super) fn transposed(
    n: &OnnxNode,
    kernel: [usize; 2],
    image: [usize; 2],
) -> Result<(Window, [usize; 2]), Refusal> {
    let pair = |name: &str, default: usize| -> Result<[usize; 2], Refusal> {
        let legal = |v: i64| usize::try_from(v).ok().filter(|v| *v < 1 << 20);
        match n.ints(name) {
            None => Ok([default, default]),
            Some([a, b]) if legal(*a).is_some() && legal(*b).is_some() => Ok([*a as usize, *b as usize]),
            Some([b]) if legal(*b).is_some() => Ok([default, *b as usize]),
            Some(other) => unsupported(format!("{name} is {other:?}")),
        }
    };
    let signal = image[0] == 1 && n.ints("strides").is_some_and(|s| s.len() == 1);
    let mut stride = pair("strides", 1)?;
    let mut dilation = pair("dilations", 1)?;
    let mut extra = pair("output_padding", 0)?;
    if signal {
        (stride[0], dilation[0], extra[0]) = (1, 1, 0);
    }
    if stride.contains(&0) || dilation.contains(&0) {
        return Err(Refusal::Malformed("strides and dilations are at least 1".into()));
    }
    let mut pads = explicit_pads(n)?;
    let mut full = [0, 1].map(|a| (image[a] - 1) * stride[a] + (kernel[a] - 1) * dilation[a] + 1 + extra[a]);
    let auto = n.string("auto_pad").unwrap_or_default();
    let same = matches!(auto.as_str(), "SAME_UPPER" | "SAME_LOWER");
    if same || n.has("output_shape") {
        let out = match n.ints("output_shape") {
            Some(list) if list.iter().any(|d| *d < 1 || *d > MAX_EXTENT.into()) => {
                return Err(Refusal::Malformed(format!("output_shape is {list:?}")));
            }
            Some([.., h, w]) => [*h as usize, *w as usize],
            Some([w]) => [1, *w as usize],
            _ => [0, 1].map(|a| image[a] * stride[a]),
        };
        for axis in 0..2 {
            // Elements that output_shape requests beyond the products are bias alone.
            if n.has("output_shape") {
                full[axis] = full[axis].max(out[axis]);
            }
            let total = full[axis].saturating_sub(out[axis]);
            let begin = if auto == "SAME_UPPER" { total / 2 } else { total - total / 2 };
            (pads[axis], pads[axis + 2]) = (begin, total - begin);
        }
    }
    let out = [0, 1].map(|a| full[a].checked_sub(pads[a] + pads[a + 2]).filter(|n| *n > 0));
    let ([Some(h), Some(w)], window) = (out, Window { kernel, stride, dilation, pads }) else {
        return Err(Refusal::Malformed("its pads leave nothing".into()));
    };
    Ok((window, [h, w]))
}

/// Resolves the attributes for an image of `[height, width]`. For convolutions, `kernel` is that of the
/// weights.
pub(super) fn place(n: &OnnxNode, kernel: Option<[usize; 2]>, image: [usize; 2]) -> Result<Placed, Refusal> {
    let pair = |name: &str| -> Result<Option<[usize; 2]>, Refusal> {
        let Some(values) = n.ints(name) else { return Ok(None) };
        match values {
            [a, b] if *a > 0 && *b > 0 && *a < 1 << 20 && *b < 1 << 20 => {
                Ok(Some([*a as usize, *b as usize]))
            }
            // A signal is an image of one row.
            [a] if *a > 0 && *a < 1 << 20 => Ok(Some([1, *a as usize])),
            [_, _] | [_] => Err(Refusal::Malformed(format!("{name} is {values:?}"))),
            _ => unsupported(format!(
                "{name} of {} numbers: only images of two axes are implemented",
                values.len()
            )),
        }
    };
    let declared = pair("kernel_shape")?;
    let pool = kernel.is_none();
    let Some(kernel) = kernel.or(declared) else {
        return Err(Refusal::Malformed("kernel_shape is missing".into()));
    };
    if declared.is_some_and(|d| d != kernel) {
        return Err(Refusal::Malformed(format!("kernel_shape is {declared:?}, the weights say {kernel:?}")));
    }
    let stride = pair("strides")?.unwrap_or([1, 1]);
    let dilation = pair("dilations")?.unwrap_or([1, 1]);
    let mut pads = explicit_pads(n)?;
    let auto = n.string("auto_pad").unwrap_or_default();
    match auto.as_str() {
        "" | "NOTSET" => {}
        "VALID" => pads = [0; 4],
        "SAME_UPPER" | "SAME_LOWER" => {
            for axis in 0..2 {
                let out = image[axis].div_ceil(stride[axis]);
                // ONNX Runtime pads for a pool as if it had no dilation.
                let spread = if pool { 1 } else { dilation[axis] };
                let span = (kernel[axis] - 1) * spread + 1;
                let total = ((out - 1) * stride[axis] + span).saturating_sub(image[axis]);
                let small = total / 2;
                let begin = if auto == "SAME_UPPER" { small } else { total - small };
                pads[axis] = begin;
                pads[axis + 2] = total - begin;
            }
        }
        other => return Err(Refusal::Malformed(format!("auto_pad is \"{other}\""))),
    }
    let mut window = Window { kernel, stride, dilation, pads };
    if n.flag("ceil_mode", false) {
        ceil(&mut window, image);
    }
    let extent = |axis: usize| {
        window.out_extent(axis, image[axis]).ok_or_else(|| {
            Refusal::Malformed(format!(
                "a window of {kernel:?} does not fit an image of {image:?} with pads {pads:?}"
            ))
        })
    };
    let out = [extent(0)?, extent(1)?];
    Ok(Placed { out, window })
}

/// Extends the end pads so that the floor form gives the extents of `ceil_mode`. A window that would begin in
/// the end padding is left out (ONNX since opset 22, and every runtime before).
fn ceil(window: &mut Window, image: [usize; 2]) {
    for (axis, extent) in image.into_iter().enumerate() {
        let span = (window.kernel[axis] - 1) * window.dilation[axis] + 1;
        let padded = extent + window.pads[axis] + window.pads[axis + 2];
        let Some(room) = padded.checked_sub(span) else { continue };
        let mut out = room.div_ceil(window.stride[axis]) + 1;
        if (out - 1) * window.stride[axis] >= extent + window.pads[axis] {
            out -= 1;
        }
        let needed = (out - 1) * window.stride[axis] + span;
        window.pads[axis + 2] += needed.saturating_sub(padded);
    }
}

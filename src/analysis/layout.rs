//! Reference tensors in ONNX's order of axes.

/// The order of axes of a reference in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RefLayout {
    /// Detected from the shape. If both orders fit, the caller decides by the [`Axes`] of other tensors; else
    /// ONNX order is assumed.
    #[default]
    Auto,
    /// Channels second, as in ONNX and PyTorch.
    Nchw,
    /// Channels last, as in TensorFlow.
    Nhwc,
}

/// Brings `values` of shape `found` to the shape `wanted`, channels second. Extents of 1 may be missing.
///
/// # Errors
/// The shapes do not fit.
pub fn arrange(
    values: &[f32],
    found: &[usize],
    wanted: &[usize],
    layout: RefLayout,
) -> Result<Vec<f32>, String> {
    let same = squeezed(found) == squeezed(wanted);
    let last = channels_last(wanted);
    // Without an axis between batch and channels, both orders are the same.
    let turned = last.as_ref().is_some_and(|last| squeezed(found) == squeezed(last));
    match layout {
        RefLayout::Auto | RefLayout::Nchw if same => Ok(values.to_vec()),
        RefLayout::Auto | RefLayout::Nhwc if turned => Ok(channels_second(values, wanted)),
        // A flattened tensor or a single row has no channel axis to move.
        RefLayout::Nhwc if same && last.is_none() => Ok(values.to_vec()),
        _ => Err(format!("the reference has shape {found:?}, the tensor {wanted:?}")),
    }
}

/// What a shape tells about the order of axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axes {
    /// Channels second: only this order fits.
    Second,
    /// Channels last: only this order fits.
    Last,
    /// Both orders fit, and the values differ.
    Either,
    /// Nothing: both orders fit and give the same values, or neither fits.
    Unsaid,
}

/// What the shape of an array tells; it may hold several inputs along its first axis.
#[must_use]
pub fn axes(found: &[usize], wanted: &[usize]) -> Axes {
    let [_, channels, space @ ..] = wanted else { return Axes::Unsaid };
    let Some(last) = channels_last(wanted) else { return Axes::Unsaid };
    if *channels == 1 || space.iter().all(|d| *d == 1) {
        return Axes::Unsaid;
    }
    // An additional first axis is the batch, or several of them.
    let rest = if found.len() == wanted.len() { 1 } else { 0 };
    let fits = |wanted: &[usize]| squeezed(&found[rest..]) == squeezed(&wanted[rest..]);
    match (fits(wanted), fits(&last)) {
        (true, true) => Axes::Either,
        (true, false) => Axes::Second,
        (false, true) => Axes::Last,
        (false, false) => Axes::Unsaid,
    }
}

fn squeezed(shape: &[usize]) -> Vec<usize> {
    shape.iter().copied().filter(|d| *d != 1).collect()
}

/// The shape with channels last; `None` if there is no channel axis to move.
fn channels_last(shape: &[usize]) -> Option<Vec<usize>> {
    let [batch, channels, space @ ..] = shape else { return None };
    if space.is_empty() {
        return None;
    }
    Some([&[*batch], space, &[*channels]].concat())
}

fn channels_second(values: &[f32], wanted: &[usize]) -> Vec<f32> {
    let (batch, channels) = (wanted[0], wanted[1]);
    let space: usize = wanted[2..].iter().product();
    let mut out = Vec::with_capacity(values.len());
    for n in 0..batch {
        for c in 0..channels {
            out.extend((0..space).map(|at| values[(n * space + at) * channels + c]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_last_is_told_by_the_shape() {
        // [1, 2, 1, 3] channels second: 0 1 2 | 3 4 5.
        let last = [0.0, 3.0, 1.0, 4.0, 2.0, 5.0];
        let wanted = [1, 2, 1, 3];
        let turned = arrange(&last, &[1, 1, 3, 2], &wanted, RefLayout::Auto).unwrap();
        assert_eq!(turned, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(arrange(&turned, &[2, 1, 3], &wanted, RefLayout::Auto).unwrap(), turned);
        assert!(arrange(&last, &[1, 3, 1, 2], &[1, 2, 2, 2], RefLayout::Auto).is_err());
        assert!(arrange(&last, &[1, 1, 3, 2], &wanted, RefLayout::Nchw).is_err());
    }

    #[test]
    fn a_shape_says_the_order_where_channels_differ_from_the_image() {
        let axes = |found: &[usize]| axes(found, &[1, 3, 16, 16]);
        assert_eq!((axes(&[1, 3, 16, 16]), axes(&[1, 16, 16, 3])), (Axes::Second, Axes::Last));
        assert_eq!((axes(&[5, 16, 16, 3]), axes(&[16, 16, 3])), (Axes::Last, Axes::Last), "stacked, or one");
        assert_eq!(axes(&[1, 3, 8, 8]), Axes::Unsaid);
        assert_eq!(super::axes(&[1, 16, 16, 16], &[1, 16, 16, 16]), Axes::Either);
        assert_eq!(
            super::axes(&[1, 1, 16, 16], &[1, 1, 16, 16]),
            Axes::Unsaid,
            "one channel is alike both ways"
        );
        assert_eq!(super::axes(&[1, 10], &[1, 10]), Axes::Unsaid);
    }

    #[test]
    fn where_both_fit_it_must_be_told() {
        let values = [0.0, 1.0, 2.0, 3.0];
        let wanted = [1, 2, 2, 1];
        assert_eq!(arrange(&values, &wanted, &wanted, RefLayout::Auto).unwrap(), values);
        let turned = arrange(&values, &[1, 2, 1, 2], &wanted, RefLayout::Nhwc).unwrap();
        assert_eq!(turned, [0.0, 2.0, 1.0, 3.0]);
        assert_eq!(arrange(&[1.0, 2.0], &[1, 2], &[1, 2], RefLayout::Nhwc).unwrap(), [1.0, 2.0]);
    }
}

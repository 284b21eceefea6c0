//! Source coordinates of a resized axis (ONNX Resize and Upsample), and linear interpolation.

use super::lane::canonical;

/// How an output coordinate becomes an input coordinate (`coordinate_transformation_mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coordinates {
    /// `(x + 0.5) / scale − 0.5`.
    HalfPixel,
    /// As `HalfPixel`, but the only element of an axis of one comes from 0.
    PytorchHalfPixel,
    /// `x · (in − 1) / (out − 1)`.
    AlignCorners,
    /// `x / scale`.
    Asymmetric,
    /// `(x + 0.5) / scale`.
    TfHalfPixelForNearest,
    /// Half pixels relative to the middle of the axis, where `scale · in` is not a whole number.
    HalfPixelSymmetric,
}

impl Coordinates {
    /// The input coordinate of output element `x`; f32 in the written order.
    #[must_use]
    pub fn original(self, x: usize, scale: f32, input: usize, output: usize) -> f32 {
        let x = x as f32;
        match self {
            Coordinates::HalfPixel => (x + 0.5) / scale - 0.5,
            Coordinates::PytorchHalfPixel if output <= 1 => 0.0,
            Coordinates::PytorchHalfPixel => (x + 0.5) / scale - 0.5,
            Coordinates::AlignCorners if output <= 1 => 0.0,
            Coordinates::AlignCorners => x * (input - 1) as f32 / (output - 1) as f32,
            Coordinates::Asymmetric => x / scale,
            Coordinates::TfHalfPixelForNearest => (x + 0.5) / scale,
            Coordinates::HalfPixelSymmetric => {
                let adjustment = output as f32 / (scale * input as f32);
                let center = input as f32 / 2.0;
                let offset = center * (1.0 - adjustment);
                // The only mode that ONNX Runtime computes in f64 at this point.
                (f64::from(offset) + (f64::from(x) + 0.5) / f64::from(scale) - 0.5) as f32
            }
        }
    }
}

/// `nearest_mode`: the input element of every output element.
///
/// `mode` is one of `round_prefer_floor`, `round_prefer_ceil`, `floor`, `ceil`, and `simple` (Upsample and
/// Resize before opset 11: floor when enlarging, ceil when shrinking); `None` for any other.
#[must_use]
pub fn nearest(
    coordinates: Coordinates,
    mode: &str,
    scale: f32,
    input: usize,
    output: usize,
) -> Option<Vec<usize>> {
    let pick: fn(f32, f32) -> f32 = match mode {
        "round_prefer_floor" => |x, _| if halfway(x) { x.floor() } else { x.round() },
        "round_prefer_ceil" => |x, _| if halfway(x) { x.floor() + 1.0 } else { x.round() },
        "floor" => |x, _| x.floor(),
        "ceil" => |x, _| x.ceil(),
        "simple" => |x, scale| if scale < 1.0 { x.ceil() } else { x.trunc() },
        _ => return None,
    };
    let element = |x| {
        // An axis that is not scaled is copied, whatever the mode.
        let at = if scale == 1.0 { x as f32 } else { coordinates.original(x, scale, input, output) };
        (pick(at, scale).max(0.0) as usize).min(input - 1)
    };
    Some((0..output).map(element).collect())
}

/// Whether a coordinate lies halfway between two elements: ONNX Runtime 1.32 accepts a distance of 10⁻⁶,
/// since coordinates come from a division.
fn halfway(x: f32) -> bool {
    ((x - x.floor()) - 0.5).abs() < 1e-6
}

/// Two input elements and their weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Linear {
    /// Indices of the elements.
    pub at: [usize; 2],
    /// Their weights.
    pub weight: [f32; 2],
}

/// Linear interpolation along one axis: the neighbours of every output element.
#[must_use]
pub fn linear(coordinates: Coordinates, scale: f32, input: usize, output: usize) -> Vec<Linear> {
    let last = (input - 1) as f32;
    let element = |x| {
        let at = if scale == 1.0 { x as f32 } else { coordinates.original(x, scale, input, output) };
        let at = at.min(last).max(0.0);
        let first = (at as usize).min(input - 1);
        let second = (first + 1).min(input - 1);
        let weight = if first == second {
            [0.5, 0.5]
        } else {
            [(at - second as f32).abs(), (at - first as f32).abs()]
        };
        Linear { at: [first, second], weight }
    };
    (0..output).map(element).collect()
}

/// `u1·v1·a + u2·v1·b + u1·v2·c + u2·v2·d`, where `a b` are the neighbours in the first row and `c d` those
/// in the second. Every NaN has the same bits: which one a CPU would return depends on the order of operands,
/// which the compiler may change.
#[inline]
#[must_use]
pub fn interpolate([u1, u2]: [f32; 2], [v1, v2]: [f32; 2], [a, b, c, d]: [f32; 4]) -> f32 {
    canonical(u1 * v1 * a + u2 * v1 * b + u1 * v2 * c + u2 * v2 * d)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubling_takes_every_element_twice() {
        for (c, mode) in [
            (Coordinates::HalfPixel, "round_prefer_floor"),
            (Coordinates::Asymmetric, "floor"),
            (Coordinates::HalfPixel, "round_prefer_ceil"),
        ] {
            assert_eq!(nearest(c, mode, 2.0, 3, 6).unwrap(), [0, 0, 1, 1, 2, 2], "{c:?} {mode}");
        }
        assert!(nearest(Coordinates::HalfPixel, "cubic", 2.0, 3, 6).is_none());
    }

    #[test]
    fn a_coordinate_just_below_the_middle_is_a_tie() {
        // 2 ÷ (4/7) is 3.4999998.
        let of = |mode| nearest(Coordinates::Asymmetric, mode, 4.0 / 7.0, 7, 4).unwrap();
        assert_eq!((of("round_prefer_ceil"), of("round_prefer_floor")), (vec![0, 2, 4, 5], vec![0, 2, 3, 5]));
    }

    #[test]
    fn weights_sum_to_one() {
        for c in [Coordinates::HalfPixel, Coordinates::AlignCorners, Coordinates::Asymmetric] {
            for l in linear(c, 1.7, 10, 17) {
                assert!((l.weight[0] + l.weight[1] - 1.0).abs() < 1e-6 && l.at[1] < 10, "{c:?} {l:?}");
            }
        }
    }
}

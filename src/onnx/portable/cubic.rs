//! Cubic interpolation, which the library does not have: along each axis it is a product with a matrix, whose
//! rows hold the weights of the four neighbours of a result. Neighbours beyond a border are the border
//! itself.
//!
//! Weights are those of R. Keys, "Cubic Convolution Interpolation for Digital Image Processing", 1981,
//! equation 15, with `a` as the standard's `cubic_coeff_a`. The matrix is computed when the network runs, so
//! that extents need not be known here.

use super::attributes::{attribute, int, ints};
use super::known::Known;
use super::rewrite::{Writer, Written, whole};
use crate::onnx::Data;
use crate::onnx::names::Names;
use crate::onnx::proto::NodeProto;
use crate::onnx::proto::tensor_proto::DataType;

/// Where a result lies among the elements that are interpolated.
#[derive(Clone, Copy)]
enum Origin {
    HalfPixel,
    /// The first element where there is one result only.
    HalfPixelOfSeveral,
    Asymmetric,
    AlignCorners,
}

/// Writes a cubic Resize of the last two of four axes as two products. Nothing for any other node.
pub(super) fn rewritten(node: &NodeProto, opset: i64, known: &Known, names: &mut Names) -> Option<Written> {
    let text = |name: &str| attribute(node, name).map(|a| a.s());
    if node.op_type() != "Resize" || text("mode") != Some(b"cubic") || opset < 11 {
        return None;
    }
    let origin = match text("coordinate_transformation_mode") {
        None | Some(b"half_pixel") => Origin::HalfPixel,
        Some(b"pytorch_half_pixel") => Origin::HalfPixelOfSeveral,
        Some(b"asymmetric") => Origin::Asymmetric,
        Some(b"align_corners") => Origin::AlignCorners,
        Some(_) => return None,
    };
    let plain = int(node, "antialias", 0) == 0
        && int(node, "exclude_outside", 0) == 0
        && matches!(text("keep_aspect_ratio_policy"), None | Some(b"stretch"))
        && attribute(node, "axes").is_none()
        && known.rank(node.input.first()).is_none_or(|r| r == 4);
    let given = |at: usize| node.input.get(at).map(String::as_str).filter(|i| !i.is_empty());
    let (true, Some(x), Some(y)) = (plain, given(0), node.output.first()) else { return None };
    let (scales, sizes) = (given(2).filter(|_| given(3).is_none()), given(3));
    scales.or(sizes)?;
    let a = attribute(node, "cubic_coeff_a").map_or(-0.75, |a| a.f());
    let mut by = Writer::of(node, names);
    let shape = by.value("Shape", &[x]);
    let [rows, columns] = [2, 3].map(|axis| {
        let axis = by.constant(vec![], Data::S64(vec![axis]));
        let extent = by.value("Gather", &[&shape, &axis]);
        let length = by.real(&extent);
        let (results, scale) = match (sizes, scales) {
            (Some(sizes), _) => {
                let results = by.value("Gather", &[sizes, &axis]);
                let wide = by.real(&results);
                (results, by.value("Div", &[&wide, &length]))
            }
            (None, scales) => {
                let scale = by.value("Gather", &[scales.unwrap_or_default(), &axis]);
                let wide = by.value("Mul", &[&length, &scale]);
                let wide = by.value("Floor", &[&wide]);
                (by.value_with("Cast", &[&wide], vec![whole("to", DataType::Int64 as i64)]), scale)
            }
        };
        by.matrix(&Axis { extent, length, results, scale }, origin, a)
    });
    let turned = by.value_with("Transpose", &[&columns], vec![ints("perm", vec![1, 0])]);
    let tall = by.value("MatMul", &[&rows, x]);
    by.put("MatMul", &[&tall, &turned], y, vec![]);
    Some(by.into())
}

/// Values that say how an axis is resized.
struct Axis {
    /// Its elements, as an integer and as a float.
    extent: String,
    length: String,
    /// Its results, an integer.
    results: String,
    /// Results for each element, a float.
    scale: String,
}

impl Writer<'_> {
    fn real(&mut self, integer: &str) -> String {
        self.value_with("Cast", &[integer], vec![whole("to", DataType::Float as i64)])
    }

    /// `0, 1, …` as floats.
    fn counted(&mut self, count: &str) -> String {
        let [zero, one] = [0, 1].map(|v| self.constant(vec![], Data::S64(vec![v])));
        let range = self.value("Range", &[&zero, count, &one]);
        self.real(&range)
    }

    /// The weights `[results, elements]` of an axis.
    fn matrix(&mut self, axis: &Axis, origin: Origin, a: f32) -> String {
        let at = self.counted(&axis.results);
        let at = match origin {
            Origin::Asymmetric => self.value("Div", &[&at, &axis.scale]),
            Origin::AlignCorners => {
                let one = self.number(1.0);
                let results = self.real(&axis.results);
                let [elements, results] =
                    [&axis.length, &results].map(|n| self.value("Sub", &[n.as_str(), one.as_str()]));
                let results = self.value("Max", &[&results, &one]);
                let at = self.value("Mul", &[&at, &elements]);
                self.value("Div", &[&at, &results])
            }
            Origin::HalfPixel | Origin::HalfPixelOfSeveral => {
                let half = self.number(0.5);
                let at = self.value("Add", &[&at, &half]);
                let at = self.value("Div", &[&at, &axis.scale]);
                let at = self.value("Sub", &[&at, &half]);
                if let Origin::HalfPixel = origin {
                    at
                } else {
                    let one = self.number(1.0);
                    let results = self.real(&axis.results);
                    let several = self.value("Less", &[&one, &results]);
                    let several = self.real(&several);
                    self.value("Mul", &[&at, &several])
                }
            }
        };
        let column = self.constant(vec![2], Data::S64(vec![-1, 1]));
        let at = self.value("Reshape", &[&at, &column]);
        let first = self.value("Floor", &[&at]);
        let beyond = self.value("Sub", &[&at, &first]);
        let places = self.counted(&axis.extent);
        let [zero, one] = [0.0, 1.0].map(|v| self.number(v));
        let last = self.value("Sub", &[&axis.length, &one]);
        let mut sum: Option<String> = None;
        for neighbour in [-1.0, 0.0, 1.0, 2.0] {
            let by = self.number(neighbour);
            let distance = self.value("Sub", &[&beyond, &by]);
            let distance = self.value("Abs", &[&distance]);
            // Within one: (a + 2)d³ − (a + 3)d² + 1; beyond: ad³ − 5ad² + 8ad − 4a.
            let factors = if neighbour == 0.0 || neighbour == 1.0 {
                [a + 2.0, -(a + 3.0), 0.0, 1.0]
            } else {
                [a, -5.0 * a, 8.0 * a, -4.0 * a]
            };
            let weight = self.polynomial(&distance, factors);
            let place = self.value("Add", &[&first, &by]);
            let place = self.value("Max", &[&place, &zero]);
            let place = self.value("Min", &[&place, &last]);
            let here = self.value("Equal", &[&place, &places]);
            let here = self.real(&here);
            let part = self.value("Mul", &[&weight, &here]);
            sum = Some(match sum {
                None => part,
                Some(sum) => self.value("Add", &[&sum, &part]),
            });
        }
        sum.unwrap_or_default()
    }

    /// Factors of the cube, the square, the number itself and one.
    fn polynomial(&mut self, x: &str, [first, rest @ ..]: [f32; 4]) -> String {
        let mut value = self.number(first);
        for factor in rest {
            value = self.value("Mul", &[&value, x]);
            let factor = self.number(factor);
            value = self.value("Add", &[&value, &factor]);
        }
        value
    }
}

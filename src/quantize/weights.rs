//! Weights and biases as integers.

use super::network::Floats;
use super::parameters::WeightFormat;
use super::places::Places;
use crate::graph::DType;
use crate::numeric;
use crate::onnx::proto::ModelProto;
use crate::onnx::{Constant, Data, Names};

/// Integer weights.
pub(super) struct Quantized {
    pub(super) constant: Constant,
    /// One, or one for each channel.
    pub(super) scale: Vec<f32>,
    /// Axis of the channels, if there are several scales.
    axis: Option<usize>,
}

impl Quantized {
    /// The integers and their zero points as they are written beside activations of a type. Those of 8 bits
    /// are u8 with the zero point 128 beside u8, and s8 beside s8, as ONNX Runtime's integer kernels want
    /// them. On x86 without VNNI its kernel of u8 and s8 adds pairs of products in 16 bits, which saturate;
    /// that of u8 and u8 is exact everywhere.
    pub(super) fn beside(&self, activations: DType) -> (Constant, Data) {
        let n = self.scale.len();
        let constant = self.constant.clone();
        match &self.constant.data {
            Data::S8(values) if activations == DType::U8 => {
                let data = Data::U8(values.iter().map(|w| *w as u8 ^ 0x80).collect());
                (Constant { data, ..constant }, Data::U8(vec![128; n]))
            }
            Data::S8(_) => (constant, Data::S8(vec![0; n])),
            _ => (constant, Data::S16(vec![0; n])),
        }
    }

    /// The real values of the integers.
    pub(super) fn dequantized(&self) -> Option<Vec<f32>> {
        let integers = self.constant.integers()?;
        let inner =
            self.axis.map_or(integers.len(), |a| self.constant.shape[a + 1..].iter().product()).max(1);
        let value = |(i, q): (usize, &i64)| *q as f32 * self.scale[i / inner % self.scale.len()];
        Some(integers.iter().enumerate().map(value).collect())
    }
}

/// Largest quotient of a bias and its scale: the 32 bits of an accumulator must also hold the sum.
const MAX_BIAS: f64 = (1_u32 << 30) as f64;

/// Quantizes weights symmetrically, `scale = max |w| / (2^(bits−1) − 1)`. `axis` is that of the output
/// channels. A scale is larger where the 32-bit bias, whose scale is `input_scale · scale`, would not fit
/// otherwise.
pub(super) fn quantize(
    weights: &Floats,
    format: WeightFormat,
    axis: Option<usize>,
    bias: Option<(&[f32], f32)>,
) -> Quantized {
    let axis = axis.filter(|_| format.per_channel);
    let channels = axis.map_or(1, |a| weights.shape[a]);
    let inner: usize = axis.map_or(weights.values.len(), |a| weights.shape[a + 1..].iter().product());
    // Runs of weights of one channel, with the channels in turn.
    let runs = || weights.values.chunks(inner.max(1)).zip((0..channels.max(1)).cycle());
    let mut reach = vec![0.0_f32; channels];
    for (run, channel) in runs() {
        reach[channel] = run.iter().fold(reach[channel], |r, w| r.max(w.abs()));
    }
    let most = if format.bits > 8 { 32767 } else { 127 };
    let mut scale: Vec<f64> = reach.iter().map(|r| f64::from(*r) / f64::from(most)).collect();
    if let Some((bias, input_scale)) = bias {
        for (at, b) in bias.iter().enumerate() {
            let s = &mut scale[if channels == 1 { 0 } else { at.min(channels - 1) }];
            *s = s.max(f64::from(b.abs()) / f64::from(input_scale) / MAX_BIAS);
        }
    }
    // Channels without weights may have any scale.
    let scale: Vec<f32> =
        scale.iter().map(|s| if (*s as f32).is_normal() { *s as f32 } else { 1.0 }).collect();
    let runs = runs().map(|(run, channel)| (run, scale[channel]));
    let data = if format.bits > 8 {
        Data::S16(integers(runs, most, |v| v as i16))
    } else {
        Data::S8(integers(runs, most, |v| v as i8))
    };
    let axis = axis.filter(|_| scale.len() > 1);
    Quantized { constant: Constant { name: String::new(), shape: weights.shape.clone(), data }, scale, axis }
}

/// Runs of weights, each with its scale, as integers of a type that holds `most`.
fn integers<'w, T>(
    runs: impl Iterator<Item = (&'w [f32], f32)>,
    most: i32,
    narrow: impl Fn(i32) -> T,
) -> Vec<T> {
    let mut made = Vec::new();
    for (run, scale) in runs {
        made.extend(run.iter().map(|w| narrow(numeric::quantize(*w, scale, 0, [-most, most]))));
    }
    made
}

/// A bias in 32 bits with the scale of the accumulator, `input_scale · weight scale`.
pub(super) fn bias(bias: &Floats, input_scale: f32, scale: &[f32]) -> Quantized {
    let scale: Vec<f32> = scale.iter().map(|s| input_scale * s).collect();
    let of = |at: usize| scale[if scale.len() == 1 { 0 } else { at.min(scale.len() - 1) }];
    let q = |(at, b): (usize, &f32)| numeric::quantize_bias(f64::from(*b), of(at), false) as i32;
    let data = Data::S32(bias.values.iter().enumerate().map(q).collect());
    let axis = None;
    Quantized { constant: Constant { name: String::new(), shape: bias.shape.clone(), data }, scale, axis }
}

/// A constant operand of an element-wise operator, with parameters that cover its values.
pub(super) fn operand(values: &Floats, a: super::Activation) -> Constant {
    let (lo, hi) = a.dtype.int_range().unwrap_or((0, 255));
    let q = |v: &f32| numeric::quantize(*v, a.scale, a.zero_point, [lo as i32, hi as i32]);
    let q = values.values.iter().map(q);
    let data = match a.dtype {
        DType::S8 => Data::S8(q.map(|v| v as i8).collect()),
        DType::U16 => Data::U16(q.map(|v| v as u16).collect()),
        DType::S16 => Data::S16(q.map(|v| v as i16).collect()),
        _ => Data::U8(q.map(|v| v as u8).collect()),
    };
    Constant { name: String::new(), shape: values.shape.clone(), data }
}

/// A [cleaned](super::clean) network in which the weights of one node are rounded to what integers of this
/// format can express. Everything stays float.
#[must_use]
pub fn rounded_weights(model: &ModelProto, places: &Places, node: &str, format: WeightFormat) -> ModelProto {
    let mut model = model.clone();
    let Some(place) = places.weights.iter().find(|w| w.node == node) else { return model };
    let Some(graph) = &mut model.graph else { return model };
    let Some(at) = graph.initializer.iter().position(|t| t.name() == place.weights) else { return model };
    let Some(mut values) = Floats::read(&graph.initializer[at]) else { return model };
    let rounded = quantize(&values, format, place.axis, None).dequantized();
    let Some(rounded) = rounded else { return model };
    values.values = rounded;
    // Other nodes may read the same initializer.
    let name = Names::of(graph).own(&format!("{}.rounded", place.weights));
    graph.initializer.push(values.to_proto(&name));
    for n in graph.node.iter_mut().filter(|n| n.name() == node) {
        n.input[1].clone_from(&name);
    }
    model
}

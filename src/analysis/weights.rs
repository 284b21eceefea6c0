//! The float network's weights, matched with the quantized ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::matching::float_name;
use crate::graph::{DType, Op, Weights};
use crate::onnx::Constant;
use crate::onnx::proto::GraphProto;

/// Below this cosine, two weight tensors are not the same one rounded: the network was changed before it was
/// quantized.
const SAME: f64 = 0.7;

/// Float weights by initializer name; several for a name if the network is known in several forms.
#[derive(Debug, Default)]
pub struct FloatWeights(BTreeMap<String, Vec<Constant>>);

impl FloatWeights {
    /// The weights of a float network in several forms: as it is, and with its constants computed and factors
    /// folded into its weights, as a quantizer may have done first.
    #[must_use]
    pub fn of(forms: &[&GraphProto]) -> FloatWeights {
        let matrices = forms.iter().flat_map(|g| &g.initializer).filter(|t| t.dims.len() > 1);
        let mut weights: BTreeMap<String, Vec<Constant>> = BTreeMap::new();
        for read in matrices.filter_map(|t| Constant::read(t).ok()).filter(|c| c.floats().is_some()) {
            weights.entry(read.name.clone()).or_default().push(read);
        }
        FloatWeights(weights)
    }

    /// The float values of an operator's weights in the operator's order; `None` if not known.
    pub(super) fn values(&self, op: &Op) -> Option<Vec<f32>> {
        let ours = weights(op)?;
        let quantized = real(ours);
        let forms = self.0.get(float_name(&ours.name))?.iter();
        let candidates = forms.filter_map(|c| Some((c.floats()?, &c.shape))).flat_map(|(float, shape)| {
            [Some(float.to_vec()), turned(op, ours, shape, float)].into_iter().flatten()
        });
        let alike = candidates.filter(|c| c.len() == quantized.len());
        let best = alike.map(|c| (cosine(&c, &quantized), c)).max_by(|a, b| a.0.total_cmp(&b.0))?;
        (best.0 >= SAME).then_some(best.1)
    }

    /// The float values in the operator's present bits and scales, or in 16 bits.
    pub(super) fn requantized(&self, op: &Op, sixteen: bool) -> Option<Weights> {
        let ours = weights(op)?;
        let values = self.values(op)?;
        let dtype = if sixteen || ours.dtype.bytes() == 2 { DType::S16 } else { DType::S8 };
        let channels = if sixteen { ours.shape[0] } else { ours.scale.len() };
        let size = values.len() / channels.max(1);
        let top = if dtype == DType::S16 { 32767.0 } else { 127.0 };
        let (mut scale, mut data) = (Vec::new(), Vec::new());
        for channel in values.chunks(size.max(1)) {
            let greatest = channel.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
            let step = (greatest / top).max(f32::MIN_POSITIVE);
            scale.push(step);
            for v in channel {
                let q = (v / step).round_ties_even().clamp(-top, top) as i32;
                if dtype == DType::S16 {
                    data.extend((q as i16).to_le_bytes());
                } else {
                    data.push(q as u8);
                }
            }
        }
        Some(Weights {
            name: ours.name.clone(),
            shape: ours.shape,
            dtype,
            data: Arc::from(data),
            scale,
            zero_point: 0,
        })
    }

    /// Share of the weights that are zero although the float network's exceed half a step.
    pub(super) fn pruned(&self, op: &Op) -> Option<f64> {
        let ours = weights(op)?;
        let values = self.values(op)?;
        let size = values.len() / ours.scale.len().max(1);
        let zeroed = real(ours).into_iter().zip(&values).enumerate().filter(|(i, (q, v))| {
            let scale = ours.scale[(i / size.max(1)).min(ours.scale.len() - 1)];
            *q == 0.0 && v.abs() > scale * 0.51
        });
        Some(zeroed.count() as f64 / values.len().max(1) as f64)
    }
}

fn weights(op: &Op) -> Option<&Weights> {
    match op {
        Op::Conv { weights, .. } | Op::Gemm { weights, .. } | Op::ConvTranspose { weights, .. } => {
            Some(weights)
        }
        _ => None,
    }
}

/// Least and greatest weight of each output channel, if all channels share one scale; `None` if each has its
/// own.
pub(super) fn shared_scale(op: &Op) -> Option<Vec<[f32; 2]>> {
    let ours = weights(op).filter(|w| w.scale.len() == 1 && w.shape[0] > 1)?;
    let real = real(ours);
    let extremes = |c: &[f32]| c.iter().fold([0.0_f32; 2], |[lo, hi], v| [lo.min(*v), hi.max(*v)]);
    Some(real.chunks((real.len() / ours.shape[0]).max(1)).map(extremes).collect())
}

/// Real values of quantized weights.
fn real(w: &Weights) -> Vec<f32> {
    let integers: Vec<i32> = match w.dtype {
        DType::U8 => w.data.iter().map(|b| i32::from(*b)).collect(),
        DType::S8 => w.data.iter().map(|b| i32::from(b.cast_signed())).collect(),
        DType::U16 => w.data.as_chunks().0.iter().map(|b| i32::from(u16::from_le_bytes(*b))).collect(),
        _ => w.data.as_chunks().0.iter().map(|b| i32::from(i16::from_le_bytes(*b))).collect(),
    };
    let size = integers.len() / w.scale.len().max(1);
    let scale = |i: usize| w.scale[(i / size.max(1)).min(w.scale.len() - 1)];
    integers.into_iter().enumerate().map(|(i, q)| (q - w.zero_point) as f32 * scale(i)).collect()
}

/// The same values with the first two axes exchanged: MatMul's `[K, N]`, and within groups ConvTranspose's.
fn turned(op: &Op, ours: &Weights, shape: &[usize], float: &[f32]) -> Option<Vec<f32>> {
    let groups = if let Op::ConvTranspose { groups, .. } = op { *groups } else { 1 };
    let [rows, cols, space @ ..] = shape else { return None };
    let inner: usize = space.iter().product();
    let (rows, cols) = (rows / groups.max(1), *cols);
    if rows * cols * inner * groups != float.len() || ours.shape.iter().product::<usize>() != float.len() {
        return None;
    }
    let mut out = Vec::with_capacity(float.len());
    for part in float.chunks(rows * cols * inner) {
        for c in 0..cols {
            for r in 0..rows {
                out.extend_from_slice(&part[(r * cols + c) * inner..][..inner]);
            }
        }
    }
    Some(out)
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(p, q)| f64::from(*p) * f64::from(*q)).sum::<f64>();
    let norm = (dot(a, a) * dot(b, b)).sqrt();
    if norm > 0.0 { dot(a, b) / norm } else { 0.0 }
}

//! One layer, executed alone by the simulator with other formats or weights than its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::format::Format;
use crate::compiler::{self, CompileOptions};
use crate::dump;
use crate::graph::reformat::{alone, reformat, reweigh};
use crate::graph::{Graph, Op, Weights};
use crate::host::FloatHost;
use crate::machine::Machine;
use crate::numeric;
use crate::program::{Role, TensorEntry};
use crate::sim::{EngineKind, Limits, Loaded, Session};
use crate::tensor_file::Element;

/// A layer with a change, compiled.
pub(super) struct Trial {
    loaded: Loaded,
}

impl Trial {
    /// Compiles a node alone, with other formats of its tensors, and with other weights if given.
    ///
    /// # Errors
    /// The operator does not support them.
    pub(super) fn new(
        graph: &Graph,
        node: usize,
        formats: &BTreeMap<String, Format>,
        weights: Option<&Weights>,
        machine: &Machine,
    ) -> Result<Trial, String> {
        let mut one = alone(graph, node);
        if matches!(one.nodes.first().map(|n| &n.op), Some(Op::Host(_)) | None) {
            return Err("it runs on the host".into());
        }
        if matches!(one.nodes.first().map(|n| &n.op), Some(Op::Gather)) {
            return Err("it copies rows of a table".into());
        }
        reformat(&mut one, &formats.iter().map(|(n, f)| (n.clone(), f.reformat())).collect())?;
        if let Some(weights) = weights {
            reweigh(&mut one, weights.clone())?;
        }
        let compiled =
            compiler::compile(&one, machine, &CompileOptions::default()).map_err(|e| e.to_string())?;
        let loaded =
            Loaded::new(Arc::new(compiled.program), machine, Limits::default()).map_err(|e| e.to_string())?;
        Ok(Trial { loaded })
    }

    /// The real values of the output for real inputs, by tensor, which are first quantized.
    ///
    /// # Errors
    /// An input is not among them, or the layer faults.
    pub(super) fn run(&self, values: &BTreeMap<&str, &[f32]>) -> Result<Vec<f32>, String> {
        let meta = &self.loaded.program().meta;
        let mut inputs = Vec::new();
        for t in meta.tensors.iter().filter(|t| t.role == Role::Input) {
            let real =
                values.get(t.name.as_str()).ok_or_else(|| format!("\"{}\" has no reference", t.name))?;
            let bytes = match Format::of(t) {
                Some(format) => format.bytes(real),
                None => real.iter().flat_map(|v| v.to_le_bytes()).collect(),
            };
            inputs.push((t.name.as_str(), bytes));
        }
        let given: Vec<(&str, &[u8])> = inputs.iter().map(|(n, b)| (*n, b.as_slice())).collect();
        let mut session = Session::new(&self.loaded, EngineKind::Fast);
        session.run(&given, &mut FloatHost::new(), &mut ()).map_err(|e| e.to_string())?;
        let output = meta.tensors.iter().find(|t| t.role == Role::Output).ok_or("it has no output")?;
        real(output, &session.tensor(output)).ok_or_else(|| "its output has no real values".into())
    }
}

/// Real values of a tensor's bytes; `None` for types without real values.
pub(super) fn real(tensor: &TensorEntry, bytes: &[u8]) -> Option<Vec<f32>> {
    let floats = || bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let element = Element::from(tensor.dtype);
    dump::reals(element, bytes, tensor).or_else(|| (element == Element::F32).then(floats))
}

/// Intervals of the argument in which a [`Curve`] keeps one point.
const POINTS: usize = 1 << 16;

/// A function of one variable, known at the pairs of a layer's reference input and output: for tables, whose
/// function is known at the codes of one format only.
pub(super) struct Curve(Vec<(f32, f32)>);

impl Curve {
    /// The mean point of each of 65,536 intervals between least and greatest argument: exact where the
    /// function is straight.
    pub(super) fn of(x: &[f32], y: &[f32]) -> Curve {
        let known = || {
            let pairs = x.iter().copied().zip(y.iter().copied());
            pairs.filter(|(a, b)| a.is_finite() && b.is_finite())
        };
        let (lo, hi) =
            known().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), (a, _)| (l.min(a), h.max(a)));
        let per = POINTS as f64 / f64::from((hi - lo).max(f32::MIN_POSITIVE));
        let mut sums = vec![(0.0_f64, 0.0_f64, 0_u32); POINTS];
        for (a, b) in known() {
            // A cast saturates: the greatest argument falls into the last interval.
            let sum = &mut sums[((f64::from(a - lo) * per) as usize).min(POINTS - 1)];
            *sum = (sum.0 + f64::from(a), sum.1 + f64::from(b), sum.2 + 1);
        }
        let points = sums.into_iter().filter(|s| s.2 > 0);
        Curve(points.map(|(a, b, n)| ((a / f64::from(n)) as f32, (b / f64::from(n)) as f32)).collect())
    }

    /// Its values at the codes of a format, from the least.
    pub(super) fn table(&self, format: &Format) -> Vec<f32> {
        let [lo, hi] = format.codes;
        (lo..=hi).map(|q| self.at(numeric::dequantize(q, format.scale, format.zero_point))).collect()
    }

    /// Its value, by linear interpolation; constant outside.
    fn at(&self, x: f32) -> f32 {
        let after = self.0.partition_point(|p| p.0 < x);
        match (after.checked_sub(1).and_then(|i| self.0.get(i)), self.0.get(after)) {
            (Some(a), Some(b)) if b.0 > a.0 => a.1 + (b.1 - a.1) * ((x - a.0) / (b.0 - a.0)),
            (_, Some(b)) => b.1,
            (Some(a), None) => a.1,
            (None, None) => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_goes_through_its_points() {
        let curve = Curve::of(&[2.0, 0.0, 1.0, 1.0], &[4.0, 0.0, 1.0, 1.0]);
        assert_eq!([-1.0, 0.0, 0.5, 1.5, 3.0].map(|x| curve.at(x)), [0.0, 0.0, 0.5, 2.5, 4.0]);
    }
}

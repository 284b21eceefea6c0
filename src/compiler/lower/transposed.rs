//! Transposed convolutions as ordinary ones.
//!
//! Output rows whose indices are congruent modulo the stride use the same taps. So each residue (in both
//! directions) is a convolution of stride 1 with some of the taps, mirrored, whose result is every stride-th
//! row and column of the output. No zeros are inserted, and no product is wasted.

use super::super::CompileError;
use super::super::storage::Storage;
use super::super::tile::Stmt;
use super::Lowering;
use crate::graph::{MacEpilogue, Node, Weights, Window};

/// The taps of one axis that contribute to one residue modulo the stride.
struct Phase {
    /// Taps in the order of the mirrored kernel: the largest first. Empty if no tap contributes.
    taps: Vec<usize>,
    dilation: usize,
    /// Padding rows before the input that the first output needs; if negative, input rows that it skips.
    pad: i64,
}

impl Phase {
    /// `out[p + stride·t] = Σ in[t + (p + pad − k·dilation)/stride] · w[k]` over the taps `k` that divide.
    fn new(rest: usize, kernel: usize, stride: usize, dilation: usize, pad: usize) -> Phase {
        let offset = |k: usize| rest as i64 + pad as i64 - (k * dilation) as i64;
        let taps: Vec<usize> = (0..kernel).rev().filter(|k| offset(*k) % stride as i64 == 0).collect();
        let shared = gcd(stride, dilation);
        let first = taps.first().map_or(0, |k| offset(*k) / stride as i64);
        Phase { taps, dilation: dilation / shared, pad: -first }
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl Lowering<'_> {
    pub(super) fn conv_transpose(
        &mut self,
        node: &Node,
        window: &Window,
        groups: usize,
        weights: &Weights,
        epilogue: &MacEpilogue,
    ) -> Result<Vec<Stmt>, CompileError> {
        let (src, dst) = (self.input(node, 0)?.clone(), self.output(node)?.clone());
        let mut body = Vec::new();
        for py in 0..window.stride[0].min(dst.dims[1] as usize) {
            for px in 0..window.stride[1].min(dst.dims[2] as usize) {
                let phase = |axis: usize, rest| {
                    let (kernel, stride) = (window.kernel[axis], window.stride[axis]);
                    let phase = Phase::new(rest, kernel, stride, window.dilation[axis], window.pads[axis]);
                    // Nothing contributes beyond the end of the input.
                    let beyond = -phase.pad >= src.dims[axis + 1];
                    if beyond { Phase { taps: Vec::new(), dilation: 1, pad: 0 } } else { phase }
                };
                let (y, x) = (phase(0, py), phase(1, px));
                let part = subset(weights, &y.taps, &x.taps);
                let geometry = Window {
                    kernel: [part.shape[2], part.shape[3]],
                    stride: [1, 1],
                    dilation: [y.dilation, x.dilation],
                    pads: [0; 4],
                };
                let to = every(&dst, [py, px], window.stride);
                let pads = [y.pad, x.pad];
                body.extend(self.mac_padded(
                    node,
                    &geometry,
                    pads,
                    groups,
                    &part,
                    epilogue,
                    src.clone(),
                    to,
                    false,
                )?);
            }
        }
        Ok(body)
    }
}

/// Every `stride`-th row and column of a tensor.
fn every(s: &Storage, first: [usize; 2], stride: [usize; 2]) -> Storage {
    let mut out = s.clone();
    for axis in 0..2 {
        let (first, stride) = (first[axis] as i64, stride[axis] as i64);
        out.address += first * s.strides[axis + 1];
        out.bytes -= first * s.strides[axis + 1];
        out.dims[axis + 1] = (s.dims[axis + 1] - first + stride - 1) / stride;
        out.strides[axis + 1] *= stride;
    }
    out
}

/// The weights of some taps; one tap of zeros if there are none.
fn subset(weights: &Weights, rows: &[usize], cols: &[usize]) -> Weights {
    let [oc, ic, kh, kw] = weights.shape;
    let size = weights.dtype.bytes();
    let mut part = weights.clone();
    if rows.is_empty() || cols.is_empty() {
        let zero = &weights.zero_point.to_le_bytes()[..size];
        part.shape = [oc, ic, 1, 1];
        part.data = (0..oc * ic).flat_map(|_| zero.iter().copied()).collect();
        return part;
    }
    part.shape = [oc, ic, rows.len(), cols.len()];
    let mut data = Vec::with_capacity(oc * ic * rows.len() * cols.len() * size);
    for channel in 0..oc * ic {
        for y in rows {
            for x in cols {
                let at = ((channel * kh + y) * kw + x) * size;
                data.extend_from_slice(&weights.data[at..at + size]);
            }
        }
    }
    part.data = data.into();
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_reach_the_same_elements_as_the_definition() {
        for (kernel, stride, dilation, pad) in
            [(3, 2, 1, 1), (2, 2, 1, 0), (4, 2, 1, 1), (3, 3, 2, 2), (2, 4, 1, 0), (5, 2, 3, 0), (3, 1, 1, 2)]
        {
            for out in 0..20 {
                let p = Phase::new(out % stride, kernel, stride, dilation, pad);
                let mut found: Vec<(i64, usize)> = p
                    .taps
                    .iter()
                    .enumerate()
                    .map(|(j, k)| ((out / stride) as i64 - p.pad + (j * p.dilation) as i64, *k))
                    .collect();
                // out = in·stride − pad + k·dilation
                let mut wanted: Vec<(i64, usize)> = (0..kernel)
                    .map(|k| (out as i64 + pad as i64 - (k * dilation) as i64, k))
                    .filter(|(n, _)| n % stride as i64 == 0)
                    .map(|(n, k)| (n / stride as i64, k))
                    .collect();
                found.sort_unstable();
                wanted.sort_unstable();
                assert_eq!(found, wanted, "kernel {kernel} stride {stride} dilation {dilation} pad {pad}");
            }
        }
    }
}

//! Dense products on any CPU: a few pixels times sixteen channels, or one activation times a row of weights.

use crate::kernels::multiversion::kernel;

/// Output channels that one call of [`dot`] computes.
pub(crate) const OC: usize = 16;
/// Pixels that one call of [`dot`] computes.
pub(crate) const PIXELS: usize = 4;

kernel! {
    /// `sum[p][o] = Σ(tap, i) activations[offsets[tap][p] + i] · weights[tap][i][o]`, `k` values of `i`. The
    /// sums fit 32 bits, so they are added in any order.
    pub(crate) fn dot(
        activations: &[i16],
        offsets: &[[usize; PIXELS]],
        k: usize,
        weights: &[i16],
    ) -> [[i32; OC]; PIXELS] {
        let mut sums = [[0_i32; OC]; PIXELS];
        for (at, tap) in offsets.iter().zip(weights.chunks_exact(k * OC)) {
            let rows = at.map(|o| &activations[o..o + k]);
            for (i, w) in tap.as_chunks::<OC>().0.iter().enumerate() {
                for p in 0..PIXELS {
                    let a = i32::from(rows[p][i]);
                    for o in 0..OC {
                        sums[p][o] = sums[p][o].wrapping_add(a * i32::from(w[o]));
                    }
                }
            }
        }
        sums
    }
}

kernel! {
    /// `sums[o] += a · w[o]`.
    pub(crate) fn scale_add_wide(sums: &mut [i64], a: i32, w: &[i32]) -> () {
        for (s, w) in sums.iter_mut().zip(w) {
            *s = s.wrapping_add(i64::from(a) * i64::from(*w));
        }
    }
}

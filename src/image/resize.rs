//! Resizing.

use std::ops::{AddAssign, Mul};

use super::Image;

/// Resizes by a triangle filter (bilinear when enlarging, antialiased when shrinking), first along rows, then
/// along columns, each pass rounded to 8 bits, half up.
///
/// Along an axis of `n` samples resized to `m`, with `s = 2·max(n, m)`, output `i` is the mean of all inputs
/// `j` with the integer weights `max(0, s − |(2j + 1)·m − (2i + 1)·n|)`: pixel centres are at half-integers,
/// and only the last division rounds.
#[must_use]
pub fn resize(image: &Image, width: usize, height: usize) -> Image {
    let wide = if width == image.width { image.clone() } else { along_rows(image, width) };
    if height == wide.height { wide } else { along_columns(&wide, height) }
}

/// First input and the weights of one output.
struct Taps {
    first: usize,
    /// Whole numbers, at most 2^17.
    weights: Vec<f32>,
    sum: u64,
}

fn taps(from: usize, to: usize) -> Vec<Taps> {
    let (n, m) = (from as i64, to as i64);
    let reach = 2 * n.max(m);
    let one = |i: i64| {
        let centre = (2 * i + 1) * n;
        // Inputs whose centre is within reach; clipped at the border, where the weights still add up.
        let low = ((centre - reach) / (2 * m)).clamp(0, n - 1);
        let high = ((centre + reach) / (2 * m) + 1).clamp(low + 1, n);
        // At most `reach`, which two sides of 2^15 at most make small.
        let weight = |j: i64| (reach - ((2 * j + 1) * m - centre).abs()).max(0) as u32;
        let sum = (low..high).map(|j| u64::from(weight(j))).sum();
        let weights = (low..high).map(|j| weight(j) as f32).collect();
        Taps { first: low.unsigned_abs() as usize, weights, sum }
    };
    (0..m).map(one).collect()
}

/// A number that holds weighted sums of bytes exactly.
trait Number: Copy + Default + From<u8> + From<f32> + Mul<Output = Self> + AddAssign {
    /// Largest sum of weights.
    const MOST: u64;

    /// `sum / 2` in integers, plus a half; and `1 / sum`.
    fn divisor(sum: u64) -> [Self; 2];

    /// The mean of bytes whose weighted sum is `total`, half up: `(total + sum / 2) / sum` in integers. With
    /// another half added, every quotient lies at least `0.5 / sum` from a whole number, which is more than
    /// the rounding errors here: the product with the reciprocal gives the same, and is faster than a
    /// division. Adding a number whose unit in the last place is one rounds to whole numbers, which are then
    /// in the lowest bits.
    fn mean(total: Self, divisor: [Self; 2]) -> u8;
}

impl Number for f32 {
    // Rounding errors are 2^-14 in all, and a quotient is 2^-13 from whole numbers.
    const MOST: u64 = 1 << 12;

    fn divisor(sum: u64) -> [f32; 2] {
        [(sum / 2) as f32 + 0.5, 1.0 / sum.max(1) as f32]
    }

    #[inline]
    fn mean(total: f32, [half, reciprocal]: [f32; 2]) -> u8 {
        const ROUND: f32 = 12_582_912.0;
        ((total + half) * reciprocal - 0.5 + ROUND).to_bits() as u8
    }
}

impl Number for f64 {
    // Rounding errors are 2^-44 in all, and a quotient is 2^-33 from whole numbers. Sides of 2^15 need no
    // more.
    const MOST: u64 = 1 << 32;

    fn divisor(sum: u64) -> [f64; 2] {
        [(sum / 2) as f64 + 0.5, 1.0 / sum.max(1) as f64]
    }

    #[inline]
    fn mean(total: f64, [half, reciprocal]: [f64; 2]) -> u8 {
        const ROUND: f64 = 6_755_399_441_055_744.0;
        ((total + half) * reciprocal - 0.5 + ROUND).to_bits() as u8
    }
}

fn along_rows(image: &Image, width: usize) -> Image {
    let taps = taps(image.width, width);
    let small = taps.iter().all(|t| t.sum <= f32::MOST);
    match (image.channels, small) {
        (1, true) => rows::<1, 1, f32>(image, &taps),
        (1, false) => rows::<1, 1, f64>(image, &taps),
        (_, true) => rows::<3, 4, f32>(image, &taps),
        (_, false) => rows::<3, 4, f64>(image, &taps),
    }
}

/// Rows of pixels of `C` channels, in vectors of `W`.
fn rows<const C: usize, const W: usize, N: Number>(image: &Image, taps: &[Taps]) -> Image {
    let taps: Vec<(&Taps, [N; 2])> = taps.iter().map(|t| (t, N::divisor(t.sum))).collect();
    let mut data = Vec::with_capacity(taps.len() * image.height * C);
    let (pixels, _) = image.data.as_chunks::<C>();
    let mut wide = vec![[N::default(); W]; image.width];
    for row in pixels.chunks_exact(image.width.max(1)) {
        for (wide, pixel) in wide.iter_mut().zip(row) {
            for (v, byte) in wide.iter_mut().zip(pixel) {
                *v = N::from(*byte);
            }
        }
        for (tap, divisor) in &taps {
            let mut total = [N::default(); W];
            for (pixel, weight) in wide[tap.first..].iter().zip(&tap.weights) {
                for (sum, v) in total.iter_mut().zip(pixel) {
                    *sum += *v * N::from(*weight);
                }
            }
            let means = total.map(|t| N::mean(t, *divisor));
            data.extend_from_slice(&means[..C]);
        }
    }
    Image { width: taps.len(), height: image.height, channels: C, data }
}

fn along_columns(image: &Image, height: usize) -> Image {
    let taps = taps(image.height, height);
    if taps.iter().all(|t| t.sum <= f32::MOST) {
        columns::<f32>(image, &taps)
    } else {
        columns::<f64>(image, &taps)
    }
}

fn columns<N: Number>(image: &Image, taps: &[Taps]) -> Image {
    let row = image.width * image.channels;
    let mut data = Vec::with_capacity(row * taps.len());
    let mut total = vec![N::default(); row];
    for tap in taps {
        total.fill(N::default());
        for (line, weight) in image.data[tap.first * row..].chunks_exact(row.max(1)).zip(&tap.weights) {
            for (sum, v) in total.iter_mut().zip(line) {
                *sum += N::from(*v) * N::from(*weight);
            }
        }
        let divisor = N::divisor(tap.sum);
        data.extend(total.iter().map(|t| N::mean(*t, divisor)));
    }
    Image { width: image.width, height: taps.len(), channels: image.channels, data }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transpose(image: &Image) -> Image {
        let c = image.channels;
        let mut data = Vec::with_capacity(image.data.len());
        for x in 0..image.width {
            for y in 0..image.height {
                let at = (y * image.width + x) * c;
                data.extend_from_slice(&image.data[at..at + c]);
            }
        }
        Image { width: image.height, height: image.width, channels: c, data }
    }

    /// Sums at which the mean of bytes changes.
    fn edges(sum: u64) -> impl Iterator<Item = u64> {
        let edges = (0..255).flat_map(move |k| [k * sum + sum / 2, k * sum + sum - sum / 2]);
        edges.flat_map(|t| [t.saturating_sub(1), t, t + 1]).filter(move |t| *t <= 255 * sum)
    }

    #[test]
    fn means_are_rounded_as_integers_are() {
        for sum in [1_u64, 2, 3, 7, 448, 1_000_003, (1 << 31) - 1, 1 << 31, f64::MOST] {
            for total in edges(sum) {
                let mean = f64::mean(total as f64, f64::divisor(sum));
                assert_eq!(u64::from(mean), (total + sum / 2) / sum, "{total} / {sum}");
            }
        }
        for sum in 1..=f32::MOST {
            for total in edges(sum) {
                let mean = f32::mean(total as f32, f32::divisor(sum));
                assert_eq!(u64::from(mean), (total + sum / 2) / sum, "{total} / {sum}");
            }
        }
    }

    #[test]
    fn both_numbers_give_the_same_picture() {
        let data = (0..61 * 47 * 3_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let image = Image { width: 61, height: 47, channels: 3, data };
        for to in [5, 23, 61, 80] {
            let taps = taps(61, to);
            assert_eq!(rows::<3, 4, f32>(&image, &taps), rows::<3, 4, f64>(&image, &taps));
        }
        let taps = taps(47, 20);
        assert_eq!(columns::<f32>(&image, &taps), columns::<f64>(&image, &taps));
    }

    fn line(data: &[u8]) -> Image {
        Image { width: data.len(), height: 1, channels: 1, data: data.to_vec() }
    }

    #[test]
    fn enlarging_is_bilinear_with_half_pixel_centres() {
        assert_eq!(resize(&line(&[0, 100]), 4, 1).data, [0, 25, 75, 100]);
    }

    #[test]
    fn shrinking_sees_every_pixel() {
        assert_eq!(resize(&line(&[0, 255, 0, 255, 0, 255, 0, 255]), 2, 1).data.len(), 2);
        let grey = resize(&line(&[0, 255].repeat(64)), 4, 1).data;
        assert!(grey.iter().all(|v| (125..=130).contains(v)), "{grey:?}");
    }

    #[test]
    fn a_constant_stays_and_the_axes_agree() {
        for (from, to) in [(1, 7), (7, 1), (5, 5), (320, 224), (13, 31)] {
            assert!(resize(&line(&vec![93; from]), to, 3).data.iter().all(|v| *v == 93));
        }
        let image = Image { width: 9, height: 5, channels: 3, data: (0..135).collect() };
        let turned = transpose(&resize(&transpose(&image), 4, 6));
        assert_eq!(turned.width, 6);
        assert_eq!(transpose(&transpose(&image)), image);
    }
}

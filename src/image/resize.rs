//! Resizing.

use super::Image;

/// Resizes by a triangle filter (bilinear when enlarging, antialiased when shrinking), first along rows, then along
/// columns, each pass rounded to 8 bits, half up.
///
/// Along an axis of `n` samples resized to `m`, with `s = 2·max(n, m)`, output `i` is the mean of all inputs `j` with
/// the integer weights `max(0, s − |(2j + 1)·m − (2i + 1)·n|)`: pixel centres at half-integers, no arithmetic that
/// rounds but the last division.
#[must_use]
pub fn resize(image: &Image, width: usize, height: usize) -> Image {
    let wide = if width == image.width { image.clone() } else { along_rows(image, width) };
    if height == wide.height { wide } else { along_columns(&wide, height) }
}

/// First input and the weights of one output.
struct Taps {
    first: usize,
    weights: Vec<u32>,
    sum: u64,
}

fn taps(from: usize, to: usize) -> Vec<Taps> {
    let (n, m) = (from as i64, to as i64);
    let reach = 2 * n.max(m);
    let one = |i: i64| {
        let centre = (2 * i + 1) * n;
        // Inputs whose centre is nearer than the reach; clipped at the border, where the weights still add up.
        let low = ((centre - reach) / (2 * m)).clamp(0, n - 1);
        let high = ((centre + reach) / (2 * m) + 1).clamp(low + 1, n);
        // At most `reach`, which two sides of 2^15 at most make small.
        let weight = |j: i64| (reach - ((2 * j + 1) * m - centre).abs()).max(0) as u32;
        let weights: Vec<u32> = (low..high).map(weight).collect();
        let sum = weights.iter().map(|w| u64::from(*w)).sum();
        Taps { first: low.unsigned_abs() as usize, weights, sum }
    };
    (0..m).map(one).collect()
}

impl Taps {
    /// The mean of bytes whose weighted sum is `total`, half up: `(total + sum / 2) / sum` in integers. With the half added,
    /// every quotient lies further from a whole number (at least 2^-33) than f64 rounds here (2^-44): a product with the
    /// reciprocal gives the same, and is quicker than a division.
    fn mean(&self, total: u64, reciprocal: f64) -> u8 {
        // At most 255: it is a mean of bytes.
        (((total + self.sum / 2) as f64 + 0.5) * reciprocal) as u8
    }

    fn reciprocal(&self) -> f64 {
        // The sum is positive: the nearest input lies within the reach.
        1.0 / self.sum.max(1) as f64
    }
}

fn along_rows(image: &Image, width: usize) -> Image {
    if image.channels == 1 { rows::<1>(image, width) } else { rows::<3>(image, width) }
}

/// Rows of pixels of `C` channels.
fn rows<const C: usize>(image: &Image, width: usize) -> Image {
    let taps: Vec<(Taps, f64)> = taps(image.width, width)
        .into_iter()
        .map(|t| {
            let r = t.reciprocal();
            (t, r)
        })
        .collect();
    let mut data = Vec::with_capacity(width * image.height * C);
    let (pixels, _) = image.data.as_chunks::<C>();
    for row in pixels.chunks_exact(image.width.max(1)) {
        for (tap, reciprocal) in &taps {
            let mut total = [0_u64; C];
            for (pixel, weight) in row[tap.first..].iter().zip(&tap.weights) {
                for channel in 0..C {
                    total[channel] += u64::from(pixel[channel]) * u64::from(*weight);
                }
            }
            data.extend(total.map(|t| tap.mean(t, *reciprocal)));
        }
    }
    Image { width, height: image.height, channels: C, data }
}

fn along_columns(image: &Image, height: usize) -> Image {
    let row = image.width * image.channels;
    let mut data = Vec::with_capacity(row * height);
    let mut total = vec![0_u64; row];
    for tap in taps(image.height, height) {
        total.fill(0);
        for (line, weight) in image.data[tap.first * row..].chunks_exact(row.max(1)).zip(&tap.weights) {
            for (sum, v) in total.iter_mut().zip(line) {
                *sum += u64::from(*v) * u64::from(*weight);
            }
        }
        let reciprocal = tap.reciprocal();
        data.extend(total.iter().map(|t| tap.mean(*t, reciprocal)));
    }
    Image { width: image.width, height, channels: image.channels, data }
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

    #[test]
    fn means_are_rounded_as_integers_are() {
        for sum in [1_u64, 2, 3, 7, 448, 1_000_003, (1 << 31) - 1, 1 << 31] {
            let tap = Taps { first: 0, weights: Vec::new(), sum };
            let edges = (0..255).flat_map(|k| [k * sum + sum / 2, k * sum + sum - sum / 2]);
            let totals = edges.flat_map(|t| [t.saturating_sub(1), t, t + 1]);
            for total in totals.filter(|t| *t <= 255 * sum) {
                let expected = (total + sum / 2) / sum;
                assert_eq!(u64::from(tap.mean(total, tap.reciprocal())), expected, "{total} / {sum}");
            }
        }
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

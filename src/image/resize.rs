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
    let wide = if width == image.width { image.clone() } else { rows(image, width) };
    if height == wide.height {
        return wide;
    }
    transpose(&rows(&transpose(&wide), height))
}

/// First input and the weights of one output.
struct Taps {
    first: usize,
    weights: Vec<u64>,
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
        let weight = |j: i64| (reach - ((2 * j + 1) * m - centre).abs()).max(0).unsigned_abs();
        let weights: Vec<u64> = (low..high).map(weight).collect();
        let sum = weights.iter().sum();
        Taps { first: low.unsigned_abs() as usize, weights, sum }
    };
    (0..m).map(one).collect()
}

fn rows(image: &Image, width: usize) -> Image {
    let channels = image.channels;
    let taps = taps(image.width, width);
    let mut data = Vec::with_capacity(width * image.height * channels);
    for row in image.data.chunks_exact((image.width * channels).max(1)) {
        for tap in &taps {
            for channel in 0..channels {
                let samples = row.iter().skip(tap.first * channels + channel).step_by(channels);
                let total: u64 = samples.zip(&tap.weights).map(|(v, w)| u64::from(*v) * w).sum();
                // A mean of bytes: at most 255. The sum is positive: the nearest input lies within the reach.
                data.push(((total + tap.sum / 2) / tap.sum.max(1)) as u8);
            }
        }
    }
    Image { width, height: image.height, channels, data }
}

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

#[cfg(test)]
mod tests {
    use super::*;

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

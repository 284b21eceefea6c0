//! Data for the plots of a report: pairs of values, the worst elements, histograms.

/// Pairs kept for scatter plots and curves.
const PAIRS: usize = 1024;
/// Worst elements kept.
const WORST: usize = 8;
/// Bins of a histogram.
pub const BINS: usize = 64;

/// One element with its values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Element {
    /// Number of the input.
    pub input: usize,
    /// Row-major position in the tensor.
    pub index: usize,
    /// Float reference.
    pub reference: f32,
    /// Dequantized value of the full run.
    pub value: f32,
    /// Dequantized value of the layer on the reference's inputs.
    pub isolated: f32,
}

/// A histogram with equal bins; values outside count in the outermost bins.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// Lower bound of the first bin and upper bound of the last.
    pub bounds: [f32; 2],
    /// Number of reference values in each bin.
    pub reference: Vec<u64>,
    /// Number of dequantized values in each bin.
    pub value: Vec<u64>,
}

/// Data for the plots of a tensor.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Picture {
    /// Elements of the first input at equal distances, in row-major order. The distance is coprime to the
    /// number of elements, so that it does not fall on the same columns or channels repeatedly.
    pub elements: Vec<Element>,
    /// The elements with the greatest errors over all inputs, worst first.
    pub worst: Vec<Element>,
    /// Distribution over all inputs.
    pub histogram: Option<Histogram>,
}

impl Picture {
    /// The data of one input. `bounds` are those of the histogram.
    #[must_use]
    pub fn of(input: usize, reference: &[f32], value: &[f32], isolated: &[f32], bounds: [f32; 2]) -> Picture {
        let element = |index: usize| Element {
            input,
            index,
            reference: reference[index],
            value: value[index],
            isolated: isolated.get(index).copied().unwrap_or(value[index]),
        };
        let count = reference.len().min(value.len());
        let least = count.div_ceil(PAIRS).max(1);
        let step = (least..).find(|step| coprime(*step, count)).unwrap_or(least);
        let elements = if input == 0 { (0..count).step_by(step).map(element).collect() } else { Vec::new() };
        let mut worst: Vec<Element> = Vec::new();
        let mut least = f32::NEG_INFINITY;
        for index in 0..count {
            if (value[index] - reference[index]).abs() > least {
                keep_worst(&mut worst, element(index));
                if worst.len() == WORST {
                    least = worst.last().map_or(least, error);
                }
            }
        }
        let mut histogram = Histogram { bounds, reference: vec![0; BINS], value: vec![0; BINS] };
        let width = (bounds[1] - bounds[0]) / BINS as f32;
        // The cast saturates: values outside fall into the outermost bins.
        let bin = |v: f32| (((v - bounds[0]) / width) as usize).min(BINS - 1);
        for index in 0..count {
            // NaN is in no bin.
            histogram.reference[bin(reference[index])] += u64::from(!reference[index].is_nan());
            histogram.value[bin(value[index])] += u64::from(!value[index].is_nan());
        }
        Picture { elements, worst, histogram: Some(histogram) }
    }

    /// Adds the extract of another input, with the same bounds.
    pub fn merge(&mut self, other: Picture) {
        if self.elements.is_empty() {
            self.elements = other.elements;
        }
        other.worst.into_iter().for_each(|e| keep_worst(&mut self.worst, e));
        match (&mut self.histogram, other.histogram) {
            (Some(a), Some(b)) => {
                a.reference.iter_mut().zip(&b.reference).for_each(|(a, b)| *a += b);
                a.value.iter_mut().zip(&b.value).for_each(|(a, b)| *a += b);
            }
            (none, other) => *none = other,
        }
    }
}

fn coprime(mut a: usize, mut b: usize) -> bool {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a <= 1
}

fn error(e: &Element) -> f32 {
    (e.value - e.reference).abs()
}

/// Inserts by error; of equal errors the earlier element stays first.
fn keep_worst(worst: &mut Vec<Element>, new: Element) {
    if error(&new).is_nan() {
        return;
    }
    let at = worst.partition_point(|e| error(e) >= error(&new));
    worst.insert(at, new);
    worst.truncate(WORST);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_come_from_all_columns() {
        let reference = vec![0.0; 32 * 112 * 112];
        let p = Picture::of(0, &reference, &reference, &reference, [0.0, 1.0]);
        let columns: std::collections::BTreeSet<usize> = p.elements.iter().map(|e| e.index % 112).collect();
        assert_eq!((columns.len(), p.elements[1].index), (112, 393));
        assert!((1000..=PAIRS).contains(&p.elements.len()), "{}", p.elements.len());
    }

    #[test]
    fn the_worst_elements_come_first() {
        let reference = [0.0, 1.0, 2.0, 3.0];
        let value = [0.5, 1.0, 0.0, 2.0];
        let mut p = Picture::of(0, &reference, &value, &value, [0.0, 4.0]);
        let order: Vec<usize> = p.worst.iter().map(|e| e.index).collect();
        assert_eq!(order, [2, 3, 0, 1]);
        p.merge(Picture::of(1, &[9.0], &[0.0], &[0.0], [0.0, 4.0]));
        assert_eq!((p.worst[0].input, p.worst[0].reference), (1, 9.0));
        let h = p.histogram.unwrap();
        assert_eq!((h.reference[BINS - 1], h.reference[16], h.value[0]), (1, 1, 2));
        assert_eq!(p.elements.len(), 4);
    }
}

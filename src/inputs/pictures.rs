//! Preprocessing of pictures given by a caller.

use crate::program::Preprocess;

/// How pictures become inputs, as far as a caller defines it; the rest comes from the program, or from the
/// sidecar of a model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pictures {
    /// Subtracted from pixels of 0 to 255: one number, or one for each channel; empty if not given.
    pub mean: Vec<f32>,
    /// Divides the difference: one number, or one for each channel; empty if not given.
    pub std: Vec<f32>,
    /// Length of the short side, in pixels, before the centre is cropped.
    pub resize: Option<u32>,
    /// Whether channels are in the order blue, green, red.
    pub bgr: bool,
    /// Whether inputs are `[1, H, W, C]`.
    pub nhwc: bool,
}

impl Pictures {
    /// The preprocessing of an input, where the caller's values override the known ones.
    #[must_use]
    pub fn preprocess(&self, known: Option<&Preprocess>) -> Option<Preprocess> {
        if self.mean.is_empty() && self.std.is_empty() {
            let mut how = known.cloned()?;
            how.resize = self.resize.or(how.resize);
            how.bgr |= self.bgr;
            return Some(how);
        }
        let list =
            |given: &[f32], default: f32| if given.is_empty() { vec![default] } else { given.to_vec() };
        Some(Preprocess {
            resize: self.resize.or(known.and_then(|k| k.resize)),
            mean: list(&self.mean, 0.0),
            std: list(&self.std, 1.0),
            bgr: self.bgr || known.is_some_and(|k| k.bgr),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_caller_says_counts_more_than_what_is_known() {
        let known = Preprocess { resize: Some(256), mean: vec![1.0], std: vec![2.0], bgr: true };
        let said = Pictures { mean: vec![5.0], ..Pictures::default() };
        let how = said.preprocess(Some(&known)).unwrap();
        assert_eq!(how, Preprocess { resize: Some(256), mean: vec![5.0], std: vec![1.0], bgr: true });
        let nothing = Pictures::default();
        assert_eq!(nothing.preprocess(Some(&known)), Some(known));
        assert_eq!(nothing.preprocess(None), None);
    }
}

//! What a caller says about pictures.

use crate::program::Preprocess;

/// How pictures become inputs, as far as a caller says it: what is left open is as the program, or the
/// sidecar of a model, says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pictures {
    /// Subtracted from pixels of 0 to 255: one number, or one for each channel; empty if it is not said.
    pub mean: Vec<f32>,
    /// Divides what is left: one number, or one for each channel; empty if it is not said.
    pub std: Vec<f32>,
    /// Short side before the centre is cut out.
    pub resize: Option<u32>,
    /// Channels are blue, green, red.
    pub bgr: bool,
    /// The inputs are `[1, H, W, C]`.
    pub nhwc: bool,
}

impl Pictures {
    /// How pictures become an input of which this is known: what the caller says counts more.
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

//! From a picture's file to the bytes of an input.

use std::num::NonZero;
use std::path::Path;

use super::args::PictureArgs;
use super::{given, sidecar};
use crate::dtype::DType;
use crate::explain::Failure;
use crate::image;
use crate::program::{Preprocess, TensorEntry};
use crate::tensor_file::Element;

/// What is said about pictures beside what a program or model says itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pictures<'a> {
    /// Options.
    pub(super) typed: &'a PictureArgs,
    /// The model or program file, beside which a sidecar may lie.
    pub(super) model: &'a Path,
}

impl Pictures<'_> {
    /// How pictures become an input of which this is known: what was typed counts more.
    pub(super) fn preprocess(&self, known: Option<&Preprocess>) -> Option<Preprocess> {
        let args = self.typed;
        if args.mean.is_empty() && args.std.is_empty() {
            let mut how = known.cloned()?;
            how.resize = args.resize.map(NonZero::get).or(how.resize);
            how.bgr |= args.bgr;
            return Some(how);
        }
        let list =
            |given: &[f32], default: f32| if given.is_empty() { vec![default] } else { given.to_vec() };
        Some(Preprocess {
            resize: args.resize.map(NonZero::get).or(known.and_then(|k| k.resize)),
            mean: list(&args.mean, 0.0),
            std: list(&args.std, 1.0),
            bgr: args.bgr || known.is_some_and(|k| k.bgr),
        })
    }

    /// The values of a picture for an input whose `preprocess` is settled.
    pub(super) fn values(&self, tensor: &TensorEntry, path: &Path, bytes: &[u8]) -> Result<Vec<u8>, Failure> {
        let refused = |e: image::ImageError| Failure::image(path, &e);
        let image::Picture { image, format, orientation } = image::decode(bytes).map_err(refused)?;
        let (width, height) = (image.width, image.height);
        tracing::info!(file = %path.display(), %format, width, height, "picture");
        if orientation != 1 {
            tracing::info!(file = %path.display(), "turned, as its EXIF orientation {orientation} says");
        }
        let shape = self.planes(&tensor.shape);
        let size = self.size(tensor, path)?;
        let values = match &tensor.preprocess {
            Some(how) if size == 4 => {
                let values = image::to_input(image, &shape, how).map_err(refused)?;
                values.into_iter().map(f32::to_le_bytes).collect::<Vec<_>>().into_flattened()
            }
            how => {
                let plain = Preprocess {
                    resize: self.typed.resize.map(NonZero::get).or(how.as_ref().and_then(|h| h.resize)),
                    bgr: self.typed.bgr || how.as_ref().is_some_and(|h| h.bgr),
                    ..Preprocess::default()
                };
                image::to_input_u8(image, &shape, &plain).map_err(refused)?
            }
        };
        Ok(if self.typed.nhwc { channels_last(&values, &shape, size) } else { values })
    }

    /// Refuses a picture for an input that takes none, or of which nothing says how it is normalized; bytes of an element.
    pub(super) fn size(&self, tensor: &TensorEntry, path: &Path) -> Result<usize, Failure> {
        match (tensor.dtype, &tensor.preprocess) {
            (DType::U8, _) => Ok(1),
            (DType::F32, None) => Err(self.unknown(tensor, path)),
            (DType::F32, Some(how)) => self.check(tensor, how).map(|()| 4),
            (other, _) => {
                let numpy = Element::from(other).numpy_name();
                let why = format!("a picture cannot become input '{}' of type {numpy}", tensor.name);
                Err(Failure::file(path, &why).help("give a .npy file"))
            }
        }
    }

    /// Pixels in the input's order → values, as for a picture.
    pub(super) fn normalize(
        &self,
        tensor: &TensorEntry,
        pixels: &[u8],
        how: &Preprocess,
    ) -> Result<Vec<u8>, Failure> {
        self.check(tensor, how)?;
        let channels = self.channels(tensor);
        let plane =
            if self.typed.nhwc { 1 } else { tensor.shape.iter().skip(2).product::<u64>().max(1) as usize };
        let value = |(at, v): (usize, &u8)| {
            let (mean, std) = of_channel(how, at / plane % channels);
            ((f32::from(*v) - mean) / std).to_le_bytes()
        };
        Ok(pixels.iter().enumerate().flat_map(value).collect())
    }

    fn channels(&self, tensor: &TensorEntry) -> usize {
        let axis = if self.typed.nhwc { tensor.shape.len().saturating_sub(1) } else { 1 };
        tensor.shape.get(axis).map_or(1, |c| usize::try_from(*c).unwrap_or(1)).max(1)
    }

    /// The input's shape with channels second.
    fn planes(&self, shape: &[u64]) -> Vec<u64> {
        match *shape {
            [n, h, w, c] if self.typed.nhwc => vec![n, c, h, w],
            _ => shape.to_vec(),
        }
    }

    /// One number or one for each channel, and every pixel becomes a number.
    fn check(&self, tensor: &TensorEntry, how: &Preprocess) -> Result<(), Failure> {
        let channels = self.channels(tensor);
        let typed = [!self.typed.mean.is_empty(), !self.typed.std.is_empty()];
        for (what, values, typed) in [("mean", &how.mean, typed[0]), ("std", &how.std, typed[1])] {
            let what = if typed { format!("--{what}") } else { format!("{what} of input '{}'", tensor.name) };
            if values.len() != 1 && values.len() != channels {
                let s = if channels == 1 { "" } else { "s" };
                let why =
                    format!("{} values, but input '{}' has {channels} channel{s}", values.len(), tensor.name);
                return Err(Failure::usage(what).why(&why).help("give one number, or one for each channel"));
            }
            if let Some(odd) = values.iter().find(|v| !v.is_finite()) {
                return Err(Failure::usage(what).why(&format!("{odd} is no number to compute with")));
            }
        }
        for channel in 0..channels {
            let (mean, std) = of_channel(how, channel);
            if std <= 0.0 || [0.0, 255.0].into_iter().any(|pixel| !((pixel - mean) / std).is_finite()) {
                let what = if typed[1] { "--std".into() } else { format!("std of input '{}'", tensor.name) };
                let why = if std > 0.0 {
                    format!("with {std:?} pixels become values beyond single precision")
                } else {
                    format!("pixels are divided by it: it must be above 0, not {std}")
                };
                return Err(Failure::usage(what).why(&why));
            }
        }
        Ok(())
    }

    /// Nobody says how pixels become values; perhaps because the sidecar cannot be used.
    fn unknown(&self, tensor: &TensorEntry, path: &Path) -> Failure {
        let beside = self.model.with_extension("toml");
        let help = if given::is_stdin(self.model) {
            "give --mean and --std".into()
        } else {
            format!(
                "give --mean and --std, or write them into {} beside the model, under [input.{}]",
                beside.file_name().unwrap_or_default().to_string_lossy(),
                sidecar::key(&tensor.name)
            )
        };
        let why = match sidecar::read_beside(self.model) {
            Err(failure) => {
                format!(
                    "a picture, but how input '{}' is normalized cannot be told: {}",
                    tensor.name,
                    failure.text()
                )
            }
            Ok(side) if side.preprocess.contains_key(&tensor.name) => {
                let file = side.path.as_deref().unwrap_or(self.model).display();
                format!("a picture, but the program was compiled without what {file} says: compile it again")
            }
            Ok(side) if !side.preprocess.is_empty() => {
                let names: Vec<String> = side.preprocess.keys().map(|n| format!("'{n}'")).collect();
                format!(
                    "a picture, but {} describes input {}, not '{}'",
                    side.path.as_deref().unwrap_or(self.model).display(),
                    names.join(", "),
                    tensor.name
                )
            }
            Ok(_) => {
                format!("a picture, but the model does not say how input '{}' is normalized", tensor.name)
            }
        };
        Failure::file(path, &why).help(help)
    }
}

/// What is subtracted from a channel, and what divides the rest.
fn of_channel(how: &Preprocess, channel: usize) -> (f32, f32) {
    let of = |values: &[f32], default| values.get(channel).or(values.first()).copied().unwrap_or(default);
    (of(&how.mean, 0.0), of(&how.std, 1.0))
}

/// Values of `size` bytes from channels second, `[1, C, H, W]`, to channels last.
fn channels_last(values: &[u8], shape: &[u64], size: usize) -> Vec<u8> {
    let [_, channels, height, width] = *shape else { return values.to_vec() };
    let (channels, plane) = (channels as usize, (height * width) as usize);
    let at =
        |i: usize| values.chunks_exact(size).nth(i % channels * plane + i / channels).unwrap_or_default();
    (0..plane * channels).flat_map(at).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::Role;

    fn args(mean: &[f32], std: &[f32], nhwc: bool) -> PictureArgs {
        PictureArgs { mean: mean.to_vec(), std: std.to_vec(), resize: None, bgr: false, nhwc }
    }

    fn entry(dtype: DType, shape: &[u64]) -> TensorEntry {
        TensorEntry {
            name: "x".into(),
            role: Role::Input,
            dtype,
            shape: shape.to_vec(),
            ..TensorEntry::default()
        }
    }

    #[test]
    fn what_is_typed_counts_more_than_what_is_known() {
        let known = Preprocess { resize: Some(256), mean: vec![1.0], std: vec![2.0], bgr: true };
        let typed = args(&[5.0], &[], false);
        let pictures = Pictures { typed: &typed, model: Path::new("m.onnx") };
        let how = pictures.preprocess(Some(&known)).unwrap();
        assert_eq!(how, Preprocess { resize: Some(256), mean: vec![5.0], std: vec![1.0], bgr: true });
        let none = args(&[], &[], false);
        let pictures = Pictures { typed: &none, model: Path::new("m.onnx") };
        assert_eq!(pictures.preprocess(Some(&known)), Some(known));
        assert_eq!(pictures.preprocess(None), None);
    }

    #[test]
    fn pixels_are_normalized_in_either_order() {
        for (nhwc, shape, pixels) in [(false, [1, 2, 1, 2], [3, 5, 4, 8]), (true, [1, 1, 2, 2], [3, 4, 5, 8])]
        {
            let typed = args(&[1.0, 2.0], &[2.0], nhwc);
            let pictures = Pictures { typed: &typed, model: Path::new("m.onnx") };
            let how = pictures.preprocess(None).unwrap();
            let values = pictures.normalize(&entry(DType::F32, &shape), &pixels, &how).unwrap();
            let wanted = if nhwc { [1.0_f32, 1.0, 2.0, 3.0] } else { [1.0, 2.0, 1.0, 3.0] };
            assert_eq!(values, wanted.map(f32::to_le_bytes).concat());
        }
        assert_eq!(channels_last(&[1, 2, 3, 4, 5, 6], &[1, 3, 1, 2], 1), [1, 3, 5, 2, 4, 6]);
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        let shape = [1, 3, 1, 1];
        for (mean, std, says) in [
            (&[1.0, 2.0][..], &[1.0][..], "2 values, but input 'x' has 3 channels"),
            (&[1.0], &[0.0], "above 0"),
            (&[1.0], &[-2.0], "above 0"),
            (&[1.0], &[1e-40], "beyond single precision"),
            (&[f32::NAN], &[1.0], "no number"),
        ] {
            let typed = args(mean, std, false);
            let pictures = Pictures { typed: &typed, model: Path::new("m.onnx") };
            let how = pictures.preprocess(None).unwrap();
            let error = pictures.normalize(&entry(DType::F32, &shape), &[0; 3], &how).unwrap_err().render();
            assert!(error.contains(says), "{error}");
        }
    }
}

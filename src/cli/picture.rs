//! From a picture's file to the bytes of an input.

use std::num::NonZero;
use std::path::Path;

use super::args::PictureArgs;
use super::failure::Failure;
use super::{effect, given, sidecar};
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
        let size = match tensor.dtype.as_str() {
            "f32" => 4,
            "u8" => 1,
            other => {
                let numpy = Element::from_name(other).map(Element::numpy_name).unwrap_or(other);
                let why = format!("a picture cannot become input '{}' of type {numpy}", tensor.name);
                return Err(Failure::file(path, &why).help("give a .npy file"));
            }
        };
        if size == 1 && (!self.typed.mean.is_empty() || !self.typed.std.is_empty()) {
            let what = format!("--mean and --std: input '{}' takes pixels as they are", tensor.name);
            return Err(Failure::usage(what).why(&"its type is uint8"));
        }
        let values = match &tensor.preprocess {
            Some(how) if size == 4 => {
                self.check(tensor, how)?;
                let values = image::to_input(image, &shape, how).map_err(refused)?;
                values.into_iter().map(f32::to_le_bytes).collect::<Vec<_>>().into_flattened()
            }
            None if size == 4 => return Err(self.unknown(tensor, path)),
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
            let channel = at / plane % channels;
            let mean = how.mean.get(channel).or(how.mean.first()).copied().unwrap_or(0.0);
            let std = how.std.get(channel).or(how.std.first()).copied().unwrap_or(1.0);
            ((f32::from(*v) - mean) / std).to_le_bytes()
        };
        Ok(pixels.iter().enumerate().flat_map(value).collect())
    }

    /// Refuses options that had nothing to work on.
    pub(super) fn unused(&self) -> Result<(), Failure> {
        let typed = effect::pictures_typed(self.typed).into_iter().find(|(typed, _)| *typed);
        typed.map_or(Ok(()), |(_, option)| {
            Err(effect::none(option, &"it is for pictures and pixels, and no input is either"))
        })
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

    /// One number or one for each channel, and none to divide by that gives nothing.
    fn check(&self, tensor: &TensorEntry, how: &Preprocess) -> Result<(), Failure> {
        let channels = self.channels(tensor);
        for (what, values) in [("mean", &how.mean), ("std", &how.std)] {
            if values.len() != 1 && values.len() != channels {
                let why = format!("it has {} numbers, the input {channels} channels", values.len());
                return Err(Failure::usage(format!("{what} of input '{}'", tensor.name))
                    .why(&why)
                    .help("one number, or one for each channel"));
            }
        }
        if let Some(odd) = how.mean.iter().chain(&how.std).find(|v| !v.is_finite()) {
            return Err(Failure::usage(format!("mean and std of input '{}'", tensor.name))
                .why(&format!("{odd} is no number to compute with")));
        }
        if how.std.contains(&0.0) {
            return Err(
                Failure::usage(format!("std of input '{}'", tensor.name)).why(&"0 is nothing to divide by")
            );
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

    fn entry(dtype: &str, shape: &[u64]) -> TensorEntry {
        TensorEntry {
            name: "x".into(),
            role: Role::Input,
            dtype: dtype.into(),
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
            let values = pictures.normalize(&entry("f32", &shape), &pixels, &how).unwrap();
            let wanted = if nhwc { [1.0_f32, 1.0, 2.0, 3.0] } else { [1.0, 2.0, 1.0, 3.0] };
            assert_eq!(values, wanted.map(f32::to_le_bytes).concat());
        }
        assert_eq!(channels_last(&[1, 2, 3, 4, 5, 6], &[1, 3, 1, 2], 1), [1, 3, 5, 2, 4, 6]);
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        let shape = [1, 3, 1, 1];
        for (mean, std, says) in [
            (&[1.0, 2.0][..], &[1.0][..], "2 numbers, the input 3 channels"),
            (&[1.0], &[0.0], "nothing to divide by"),
            (&[f32::NAN], &[1.0], "no number"),
        ] {
            let typed = args(mean, std, false);
            let pictures = Pictures { typed: &typed, model: Path::new("m.onnx") };
            let how = pictures.preprocess(None).unwrap();
            let error = pictures.normalize(&entry("f32", &shape), &[0; 3], &how).unwrap_err().render();
            assert!(error.contains(says), "{error}");
        }
    }
}

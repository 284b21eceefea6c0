//! Conversion of a picture's file to the bytes of an input.

use std::path::Path;

use super::error::{FileFault, InputError, NormalizationFault, Statistic};
use super::ports::Port;
use super::sidecar::Sidecar;
use crate::dtype::DType;
use crate::files::{self, Reader};
use crate::image;
use crate::program::Preprocess;
use crate::tensor_file::Element;

impl Port {
    /// The values of a picture.
    pub(super) fn values(&self, path: &Path, bytes: &[u8], reader: &Reader) -> Result<Vec<u8>, InputError> {
        let refused = |e: image::ImageError| InputError::of(path, FileFault::Picture(e));
        let image::Picture { image, format, orientation } = image::decode(bytes).map_err(refused)?;
        let (width, height) = (image.width, image.height);
        tracing::info!(file = %path.display(), %format, width, height, "picture");
        if orientation != 1 {
            tracing::info!(file = %path.display(), "turned, as its EXIF orientation {orientation} says");
        }
        let shape = self.planes();
        let size = self.takes_picture(path, reader)?;
        let values = match &self.tensor.preprocess {
            Some(how) if size == 4 => {
                let values = image::to_input(image, &shape, how).map_err(refused)?;
                values.into_iter().map(f32::to_le_bytes).collect::<Vec<_>>().into_flattened()
            }
            how => {
                let plain = Preprocess {
                    resize: self.pictures.resize.or(how.as_ref().and_then(|h| h.resize)),
                    bgr: self.pictures.bgr || how.as_ref().is_some_and(|h| h.bgr),
                    ..Preprocess::default()
                };
                image::to_input_u8(image, &shape, &plain).map_err(refused)?
            }
        };
        Ok(if self.pictures.nhwc { channels_last(&values, &shape, size) } else { values })
    }

    /// Refuses a picture if the input takes none, or if its normalization is unknown; returns the bytes of an
    /// element.
    pub(super) fn takes_picture(&self, path: &Path, reader: &Reader) -> Result<usize, InputError> {
        match (self.tensor.dtype, &self.tensor.preprocess) {
            (DType::U8, _) => Ok(1),
            (DType::F32, None) => Err(self.unknown(path, reader)),
            (DType::F32, Some(how)) => self.check(how).map(|()| 4),
            (other, _) => {
                let (input, element) = (self.tensor.name.clone(), Element::from(other));
                Err(InputError::of(path, FileFault::NoPicture { input, element }))
            }
        }
    }

    /// Normalizes pixels, which are in the input's order.
    pub(super) fn normalize(&self, pixels: &[u8], how: &Preprocess) -> Result<Vec<u8>, InputError> {
        self.check(how)?;
        let channels = self.channels();
        let plane = if self.pictures.nhwc {
            1
        } else {
            self.tensor.shape.iter().skip(2).product::<u64>().max(1) as usize
        };
        let value = |(at, v): (usize, &u8)| {
            let (mean, std) = of_channel(how, at / plane % channels);
            ((f32::from(*v) - mean) / std).to_le_bytes()
        };
        Ok(pixels.iter().enumerate().flat_map(value).collect())
    }

    fn channels(&self) -> usize {
        let shape = &self.tensor.shape;
        let axis = if self.pictures.nhwc { shape.len().saturating_sub(1) } else { 1 };
        shape.get(axis).map_or(1, |c| usize::try_from(*c).unwrap_or(1)).max(1)
    }

    /// The input's shape with channels second.
    fn planes(&self) -> Vec<u64> {
        match self.tensor.shape[..] {
            [n, h, w, c] if self.pictures.nhwc => vec![n, c, h, w],
            _ => self.tensor.shape.clone(),
        }
    }

    /// Checks that there is one value or one for each channel, and that every pixel becomes a finite number.
    fn check(&self, how: &Preprocess) -> Result<(), InputError> {
        let channels = self.channels();
        let input = &self.tensor.name;
        let wrong = |of: Statistic, fault| {
            let said = match of {
                Statistic::Mean => !self.pictures.mean.is_empty(),
                Statistic::Std => !self.pictures.std.is_empty(),
            };
            Err(InputError::Normalization { of, said, input: input.clone(), fault })
        };
        for (of, values) in [(Statistic::Mean, &how.mean), (Statistic::Std, &how.std)] {
            if values.len() != 1 && values.len() != channels {
                let (count, input) = (values.len(), input.clone());
                return wrong(of, NormalizationFault::Count { count, input, channels });
            }
            if let Some(value) = values.iter().copied().find(|v| !v.is_finite()) {
                return wrong(of, NormalizationFault::Number { value });
            }
        }
        for channel in 0..channels {
            let (mean, std) = of_channel(how, channel);
            if std <= 0.0 {
                return wrong(Statistic::Std, NormalizationFault::Sign { value: std });
            }
            if [0.0, 255.0].into_iter().any(|pixel| !((pixel - mean) / std).is_finite()) {
                return wrong(Statistic::Std, NormalizationFault::Range { value: std });
            }
        }
        Ok(())
    }

    /// The error for unknown preprocessing, with the reason if the sidecar cannot be used.
    fn unknown(&self, path: &Path, reader: &Reader) -> InputError {
        let input = &self.tensor.name;
        let model = self.model.as_deref().filter(|model| !files::is_stdin(model));
        let side = model.map(|model| Sidecar::beside(model, reader));
        let file =
            |side: &Sidecar| side.path.as_deref().or(model).unwrap_or(Path::new("")).display().to_string();
        let why = match side {
            Some(Err(error)) => format!("how input '{input}' is normalized cannot be told: {error}"),
            Some(Ok(side)) if side.preprocess.contains_key(input) => {
                format!("the program was compiled without what {} says: compile it again", file(&side))
            }
            Some(Ok(side)) if !side.preprocess.is_empty() => {
                let names: Vec<String> = side.preprocess.keys().map(|n| format!("'{n}'")).collect();
                format!("{} describes input {}, not '{input}'", file(&side), names.join(", "))
            }
            Some(Ok(_)) | None => format!("the model does not say how input '{input}' is normalized"),
        };
        let sidecar = model.map(|model| {
            model.with_extension("toml").file_name().unwrap_or_default().to_string_lossy().into_owned()
        });
        InputError::of(path, FileFault::Unnormalized { input: input.clone(), why, sidecar })
    }
}

/// Mean and divisor of a channel.
fn of_channel(how: &Preprocess, channel: usize) -> (f32, f32) {
    let of = |values: &[f32], default| values.get(channel).or(values.first()).copied().unwrap_or(default);
    (of(&how.mean, 0.0), of(&how.std, 1.0))
}

/// Reorders values of `size` bytes from channels second, `[1, C, H, W]`, to channels last.
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
    use crate::inputs::Pictures;
    use crate::program::TensorEntry;

    fn port(shape: &[u64], mean: &[f32], std: &[f32], nhwc: bool) -> Port {
        let tensor = TensorEntry {
            name: "x".into(),
            dtype: DType::F32,
            shape: shape.to_vec(),
            ..TensorEntry::default()
        };
        let pictures = Pictures { mean: mean.to_vec(), std: std.to_vec(), nhwc, ..Pictures::default() };
        Port { tensor, pictures, model: None }
    }

    #[test]
    fn pixels_are_normalized_in_either_order() {
        for (nhwc, shape, pixels) in [(false, [1, 2, 1, 2], [3, 5, 4, 8]), (true, [1, 1, 2, 2], [3, 4, 5, 8])]
        {
            let port = port(&shape, &[1.0, 2.0], &[2.0], nhwc);
            let how = port.pictures.preprocess(None).unwrap();
            let wanted = if nhwc { [1.0_f32, 1.0, 2.0, 3.0] } else { [1.0, 2.0, 1.0, 3.0] };
            assert_eq!(port.normalize(&pixels, &how).unwrap(), wanted.map(f32::to_le_bytes).concat());
        }
        assert_eq!(channels_last(&[1, 2, 3, 4, 5, 6], &[1, 3, 1, 2], 1), [1, 3, 5, 2, 4, 6]);
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        for (mean, std, says) in [
            (&[1.0, 2.0][..], &[1.0][..], "2 values, but input 'x' has 3 channels"),
            (&[1.0], &[0.0], "above 0"),
            (&[1.0], &[-2.0], "above 0"),
            (&[1.0], &[1e-40], "beyond single precision"),
            (&[f32::NAN], &[1.0], "no number"),
        ] {
            let port = port(&[1, 3, 1, 1], mean, std, false);
            let how = port.pictures.preprocess(None).unwrap();
            let error = port.normalize(&[0; 3], &how).unwrap_err();
            assert!(matches!(error, InputError::Normalization { said: true, .. }));
            assert!(error.to_string().contains(says), "{error}");
        }
    }
}

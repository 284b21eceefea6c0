//! Pictures: decoded to as many samples as the extents say, and fitted to a network's input.

use rcar_iss::internals::image::{decode, to_input, to_input_u8};
use rcar_iss::internals::program::Preprocess;
use xxhash_rust::xxh3::xxh3_64;

use super::super::random::Random;
use super::super::{Proof, Reached};
use super::said;

pub(crate) fn prove(bytes: &[u8]) -> Proof {
    let picture = match decode(bytes) {
        Ok(picture) => picture,
        Err(e) => return said(&e.to_string()).map(|()| Reached::Refused),
    };
    let image = picture.image;
    let samples = image.width * image.height * image.channels;
    if image.data.len() != samples || samples == 0 {
        return Err(format!(
            "{} bytes for {} x {} x {}",
            image.data.len(),
            image.width,
            image.height,
            image.channels
        ));
    }
    if image.width * image.height > 1 << 20 {
        return Ok(Reached::Read);
    }
    let mut random = Random::new(xxh3_64(bytes));
    let channels = random.pick(&[1, 3]);
    let how = Preprocess {
        resize: random.pick(&[None, Some(1), Some(9), Some(32)]),
        mean: vec![33.0],
        std: vec![77.0],
        bgr: random.one_in(2),
    };
    let shape = [1, channels, 1 + random.below(9) as u64, 1 + random.below(9) as u64];
    let elements = shape.iter().product::<u64>() as usize;
    let real = to_input(image.clone(), &shape, &how).map(|v| v.len());
    let bytes = to_input_u8(image, &shape, &how).map(|v| v.len());
    for result in [real, bytes] {
        match result {
            Ok(n) if n == elements => {}
            Ok(n) => return Err(format!("{n} values for {shape:?}")),
            Err(e) => said(&e.to_string())?,
        }
    }
    Ok(Reached::Ran)
}

//! Quantizes a float network, compares it with the original, and writes it.
//!
//! `cargo run --example quantize -- programs/digit_cnn/float.onnx CALIBRATION_FOLDER out.onnx`

#![allow(clippy::print_stdout, reason = "an example prints")]

use rcar_iss::accuracy::{Settings, compare};
use rcar_iss::data::Pictures;
use rcar_iss::options::{Compile, Import, Limits};
use rcar_iss::{Machine, Model};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [model, folder, output] = args.as_slice() else {
        return Err("usage: quantize MODEL CALIBRATION_FOLDER OUTPUT".into());
    };
    let float = Model::open(model)?;
    let samples = float.samples(&[folder], &Pictures::default(), &Import::new())?;
    let settings = Settings { method: "mse".into(), ..Settings::default() };
    let quantized = float.quantizer(settings)?.threads(2).calibrate_on(&samples)?.quantized()?;
    quantized.save(output)?;

    let graph = quantized.model.import(&Import::new().keep_all())?;
    let loaded = graph.compile(&Machine::named("rcn-m")?, &Compile::new())?.load(Limits::default())?;
    let comparison = compare(&loaded, &float, &samples, 2)?;
    for layer in &comparison.layers {
        println!("{:<40} {:>8.2} dB", layer.tensor, layer.accumulated.sqnr_db);
    }
    Ok(())
}

//! Writes the output of one layer of a network as `.npy`.
//!
//! `cargo run --example dump_layer -- programs/digit_cnn/model.onnx input.npy TENSOR out.npy`

#![allow(clippy::print_stdout, reason = "an example prints")]

use std::path::Path;

use rcar_iss::options::{Compile, Import, Limits};
use rcar_iss::{Machine, Model, data};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [model, input, tensor, output] = args.as_slice() else {
        return Err("usage: dump_layer MODEL INPUT TENSOR OUTPUT".into());
    };
    // `keep` prevents fusion from removing the tensor.
    let graph = Model::open(model)?.import(&Import::new().keep(tensor))?;
    let program = graph.compile(&Machine::named("rcn-m")?, &Compile::new())?;
    let loaded = program.load(Limits::default())?;

    let port = loaded.inputs().into_iter().next().ok_or("it has no input")?;
    let input = data::read(Path::new(input))?;
    let outputs = loaded.session().run_for(&[tensor], &[(&port.name, &input)])?;
    data::write(Path::new(output), &outputs[tensor])?;
    println!("{output}: {} {:?}", outputs[tensor].element.numpy_name(), outputs[tensor].shape);
    Ok(())
}

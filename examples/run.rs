//! Compiles a quantized network, runs it on one picture of zeros, and prints its outputs.
//!
//! `cargo run --example run -- programs/digit_cnn/model.onnx`

#![allow(clippy::print_stdout, reason = "an example prints")]

use rcar_iss::options::{Compile, Import, Limits};
use rcar_iss::{Machine, Model, Tensor};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("which model?")?;
    let graph = Model::open(path)?.import(&Import::new())?;
    let program = graph.compile(&Machine::named("rcn-m")?, &Compile::new())?;
    let loaded = program.load(Limits::default())?;
    println!("{}: {} layers, {} cycles", loaded.name(), loaded.layers().len(), loaded.cycles());

    let port = loaded.inputs().into_iter().next().ok_or("it has no input")?;
    let zeros = vec![0; port.shape.iter().product::<usize>() * port.element.bytes()];
    let input = Tensor { element: port.element, shape: port.shape, bytes: zeros };
    let outputs = loaded.session().run(&[(&port.name, &input)])?;
    for (name, tensor) in outputs.iter() {
        println!("{name}: {} {:?} {:?}", tensor.element.name(), tensor.shape, tensor.values::<f32>());
    }
    Ok(())
}

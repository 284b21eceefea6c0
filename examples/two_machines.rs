//! Counts the cycles of a network on two machines, layer by layer.
//!
//! `cargo run --example two_machines -- programs/digit_cnn/model.onnx rcn-s rcn-l`

#![allow(clippy::print_stdout, reason = "an example prints")]

use rcar_iss::options::{Compile, Import, Limits};
use rcar_iss::{Machine, Model};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [model, first, second] = args.as_slice() else {
        return Err("usage: two_machines MODEL MACHINE MACHINE".into());
    };
    let graph = Model::open(model)?.import(&Import::new())?;
    let mut loaded = Vec::new();
    for name in [first, second] {
        loaded.push(graph.compile(&Machine::named(name)?, &Compile::new())?.load(Limits::default())?);
    }
    println!("{:<32} {first:>12} {second:>12}", "layer");
    for (a, b) in loaded[0].layers().iter().zip(loaded[1].layers()) {
        println!("{:<32} {:>12} {:>12}", a.name, a.cycles, b.cycles);
    }
    println!("{:<32} {:>12} {:>12}", "all", loaded[0].cycles(), loaded[1].cycles());
    Ok(())
}

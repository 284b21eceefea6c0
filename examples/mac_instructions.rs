//! Prints every instruction of the MAC array while a network runs.
//!
//! `cargo run --example mac_instructions -- programs/digit_cnn/model.onnx`

#![allow(clippy::print_stdout, reason = "an example prints")]

use rcar_iss::observe::{Memory, Observer, Queue, QueueOp, Sees};
use rcar_iss::options::{Compile, Import, Limits};
use rcar_iss::{Loaded, Machine, Model, Tensor};

struct MacInstructions(Loaded);

impl Observer for MacInstructions {
    fn sees(&self) -> Sees {
        Sees::Operations
    }

    fn op(&mut self, op: &QueueOp, _: &Memory) {
        if op.queue == Queue::Mac {
            println!("{:>6}  {}", op.pc, self.0.instruction(op.pc).unwrap_or_default());
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("which model?")?;
    let graph = Model::open(path)?.import(&Import::new())?;
    let loaded = graph.compile(&Machine::named("rcn-s")?, &Compile::new())?.load(Limits::default())?;
    let port = loaded.inputs().into_iter().next().ok_or("it has no input")?;
    let zeros = vec![0; port.shape.iter().product::<usize>() * port.element.bytes()];
    let input = Tensor { element: port.element, shape: port.shape, bytes: zeros };
    let mut observer = MacInstructions(loaded.clone());
    loaded.session().run_observed(&[(&port.name, &input)], &mut observer)?;
    Ok(())
}

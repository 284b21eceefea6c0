//! Mixed precision on the digit network.

use std::collections::BTreeSet;

use rcar_iss::internals::compiler::CompileOptions;
use rcar_iss::internals::float::Engine;
use rcar_iss::internals::machine::Machine;
use rcar_iss::internals::onnx::ImportOptions;
use rcar_iss::internals::quantize::{self, Choice, Method, Places};
use rcar_iss::internals::tune::{self, Goal, Reporter, State, Task};

use crate::quantize::{float_model, inputs};

/// Keeps the last state.
#[derive(Default)]
struct Keep(std::sync::Mutex<(State, usize)>);

impl Reporter for Keep {
    fn begin(&self, _: &'static str, _: usize) {}

    fn step(&self, state: &State) {
        let mut kept = self.0.lock().unwrap();
        kept.1 += usize::from(kept.0 != *state);
        kept.0 = state.clone();
    }
}

#[test]
fn the_least_in_16_bits_reaches_the_target_and_what_was_measured_is_not_measured_again() {
    let clean = quantize::clean(&float_model()).unwrap();
    let places = Places::of(clean.model.graph.as_ref().unwrap(), &BTreeSet::new());
    let tensors = places.own().map(str::to_string).collect();
    let inputs = inputs(6);
    let seen = quantize::calibrate(&clean.model, &tensors, &inputs, &Engine::Rten, 2, &|| ()).unwrap();
    let choice = Choice::default();
    let machine = Machine::named("rcn-m").unwrap();
    let mut task = Task {
        key: "one".into(),
        clean: &clean.model,
        places: &places,
        seen: &seen,
        choice: &choice,
        methods: vec![Method::MinMax, Method::Mse],
        inputs: &inputs[..4],
        labels: None,
        engine: Engine::Rten,
        machine: &machine,
        import: ImportOptions::default(),
        compile: CompileOptions::default(),
        goal: Goal::Default,
        max_cycles: None,
        threads: 2,
    };
    let keep = Keep::default();
    let tuned = tune::tune(&task, State::default(), &keep).unwrap();
    assert!(tuned.reached && tuned.best.value >= tuned.target);
    assert!(tuned.plain.value + 10.0 < tuned.best.value);
    let (state, _) = keep.0.into_inner().unwrap();

    let again = Keep::default();
    assert_eq!(tune::tune(&task, state.clone(), &again).unwrap(), tuned);
    assert_eq!(again.0.into_inner().unwrap().1, 1, "only the first step shows a state that is new");

    // A lower target needs less.
    task.goal = Goal::Sqnr(tuned.plain.value + 3.0);
    let modest = tune::tune(&task, state.clone(), &()).unwrap();
    assert!(modest.reached && modest.best.point.raised.len() < modest.order.len(), "{:?}", modest.best);
    assert!(modest.best.point.cycles < modest.wide.point.cycles);

    // Another key: nothing of it counts.
    task.key = "another".into();
    task.goal = Goal::Sqnr(1000.0);
    let none = tune::tune(&task, state, &()).unwrap();
    assert!(!none.reached);
    // A few cycles more only: what fits is chosen, and the answer is no.
    task.max_cycles = Some(0.01);
    let little = tune::tune(&task, State::default(), &()).unwrap();
    assert!(!little.reached);
    assert!(little.best.point.cycles as f64 <= little.plain.point.cycles as f64 * 1.01);
    assert!(little.best.value >= little.plain.value - 0.5);
}

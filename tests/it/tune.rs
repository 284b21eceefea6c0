//! Mixed precision on the digit network.

use rcar_iss::internals::machine::Machine;
use rcar_iss::internals::quantize::{
    CalibrationSet, Method, Pipeline, PipelineError, Pruning, Settings, Stage,
};
use rcar_iss::internals::tune::{Costs, Goal, Reporter, Search, State, TuneError, admits};

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
    let inputs = inputs(6);
    let pipeline = Pipeline::new(&float_model(), Settings::default()).unwrap().threads(2);
    let calibrated = pipeline.calibrate(Some(&CalibrationSet::of(&inputs))).unwrap();
    let machine = Machine::named("rcn-m").unwrap();
    let search = Search::new(&calibrated, &inputs[..4], &machine).unwrap().methods(&[Method::Mse]);
    let keep = Keep::default();
    let tuned = search.run(State::default(), &keep).unwrap();
    assert!(tuned.reached && tuned.best.value >= tuned.target);
    assert!(tuned.plain.value + 10.0 < tuned.best.value);
    let (state, _) = keep.0.into_inner().unwrap();
    assert_eq!(state.key, search.key());

    let again = Keep::default();
    assert_eq!(search.run(state.clone(), &again).unwrap(), tuned);
    assert_eq!(again.0.into_inner().unwrap().1, 1, "only the first step shows a state that is new");

    // The recipe gives the chosen model again, without a search.
    let product = search.write(&tuned).unwrap();
    assert_eq!(product.candidate.cycles(), tuned.best.point.cycles);
    let recipe = Settings::from_toml(&product.recipe.to_toml().unwrap()).unwrap();
    let reused = Pipeline::new(&float_model(), recipe).unwrap().reuse(product.quantized.record).unwrap();
    assert_eq!(reused.calibrate(None).unwrap().write().unwrap().model, product.quantized.model);

    // A lower target needs less.
    let lower = search.clone().goal(Goal::Sqnr(tuned.plain.value + 3.0));
    let modest = lower.run(state.clone(), &()).unwrap();
    assert!(modest.reached && modest.best.point.raised.len() < modest.order.len(), "{:?}", modest.best);
    assert!(modest.best.point.cycles < modest.wide.point.cycles);

    // Another key: no measurement is reused.
    let impossible = Search::new(&calibrated, &inputs[1..5], &machine).unwrap().goal(Goal::Sqnr(1000.0));
    assert_ne!(impossible.key(), search.key());
    let none = impossible.run(state, &()).unwrap();
    assert!(!none.reached);
    // A few cycles more only: a model that fits is chosen, and the goal is missed.
    let little = impossible.max_cycles(Some(0.01)).run(State::default(), &()).unwrap();
    assert!(!little.reached);
    assert!(little.best.point.cycles as f64 <= little.plain.point.cycles as f64 * 1.01);
    assert!(little.best.value >= little.plain.value - 0.5);
}

#[test]
fn a_search_refuses_what_it_cannot_use() {
    let inputs = inputs(2);
    let calibrated = |settings| {
        let pipeline = Pipeline::new(&float_model(), settings).unwrap();
        pipeline.calibrate(Some(&CalibrationSet::of(&inputs))).unwrap()
    };
    let machine = Machine::named("rcn-m").unwrap();
    assert_eq!(admits(&Settings { bits: 16, ..Settings::default() }), Err(TuneError::Widths("bits")));
    let corrected = calibrated(Settings { bias_correction: true, ..Settings::default() });
    assert!(corrected.done.corrected > 0);
    assert_eq!(Search::new(&corrected, &inputs, &machine).unwrap_err(), TuneError::BiasCorrection);
    let plain = calibrated(Settings::default());
    let search = Search::new(&plain, &inputs, &machine).unwrap();
    let refused = |search: Search<'_>| search.run(State::default(), &()).unwrap_err();
    assert!(matches!(refused(search.clone().goal(Goal::Top1(0.5))), TuneError::Label(_)));
    assert!(matches!(refused(search.clone().labels(Some(&[1]))), TuneError::Label(_)));
    assert!(matches!(refused(search.labels(Some(&[1, 10]))), TuneError::Label(_)));
    assert!(matches!(refused(Search::new(&plain, &[], &machine).unwrap()), TuneError::Run(_)));
}

#[test]
fn a_pipeline_tells_every_step_and_what_pruning_and_quantization_cost() {
    let inputs: Vec<rcar_iss::internals::inputs::Sample> = inputs(5);
    let told = std::sync::Mutex::new(Vec::new());
    let watch = |stage: Stage, done, all| told.lock().unwrap().push((stage, done, all));
    let settings = Settings { bias_correction: true, equalize: true, ..Settings::default() };
    let pruning = Pruning { share: 0.25, ..Pruning::default() };
    let new = || Pipeline::new(&float_model(), settings.clone()).unwrap();
    let pipeline = new().prune(pruning).watch(&watch);
    let calibrated = pipeline.calibrate(Some(&CalibrationSet::of(&inputs))).unwrap();
    for (stage, all) in [(Stage::Prune, 10), (Stage::Calibrate, 5), (Stage::CorrectBiases, 5)] {
        let steps: Vec<_> = told.lock().unwrap().iter().filter(|t| t.0 == stage).copied().collect();
        assert_eq!(steps, (0..=all).map(|done| (stage, done, all)).collect::<Vec<_>>());
    }
    let written = calibrated.write().unwrap();
    assert_eq!(written.record.inputs, ["0", "1", "2", "3", "4"]);
    let machine = Machine::named("rcn-s").unwrap();
    let costs = Costs::measure(&calibrated, &written.model, &inputs, &machine, &Default::default());
    let costs = costs.unwrap().unwrap();
    let [own, both] = costs.quantization.unwrap();
    assert!(costs.inputs == 5 && own > 15.0 && both < own && both < costs.pruning + 1.0, "{costs:?}");

    // What must be measured is not guessed.
    assert!(matches!(new().calibrate(None), Err(PipelineError::NoInputs)));
    assert!(matches!(new().prune(pruning).calibrate(None), Err(PipelineError::PruningNeedsInputs)));
    let record = || written.record.clone();
    assert!(matches!(
        new().reuse(record()).unwrap().calibrate(None),
        Err(PipelineError::CorrectionNeedsInputs)
    ));
    let other = Pipeline::new(&float_model(), Settings::default()).unwrap().reuse(record());
    assert!(matches!(other, Err(PipelineError::Equalized { earlier: true })));
    let wrong = Settings { skip: ["nothing".to_string()].into(), ..Settings::default() };
    assert!(matches!(Pipeline::new(&float_model(), wrong), Err(PipelineError::NoSuchNode { .. })));
}

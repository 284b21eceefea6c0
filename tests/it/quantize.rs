//! From a float network to integers: against the float network, through the compiler and the simulator.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use prost::Message;
use rcar_iss::internals::compiler::{self, CompileOptions};
use rcar_iss::internals::float::{Engine, FloatRunner};
use rcar_iss::internals::inputs::Sample;
use rcar_iss::internals::machine::Machine;
use rcar_iss::internals::onnx::proto::ModelProto;
use rcar_iss::internals::onnx::{self, ImportOptions, LoadedModel};
use rcar_iss::internals::quantize::{self, Choice, Cleaned, Method, Places, Width, surgery};
use rcar_iss::internals::sim::{EngineKind, Limits, Loaded, Session};
use rcar_iss::internals::tensor_file::{Element, TensorData};

pub(crate) fn float_model() -> ModelProto {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/digit_cnn/float.onnx");
    LoadedModel::from_file(&path).unwrap().model
}

/// Strokes on black, normalized as the network wants them.
fn drawing(seed: usize) -> TensorData {
    let pixel = |i: usize| -> f32 {
        let (y, x) = ((i / 28) as f32 - 14.0, (i % 28) as f32 - 14.0);
        let a = seed as f32 * 0.7;
        let (u, v) = (x * a.cos() + y * a.sin(), y * a.cos() - x * a.sin());
        let ring = ((u * u + v * v * (1.0 + (seed % 3) as f32)).sqrt() - 7.0).abs() < 1.5;
        let bar = u.abs() < 1.2 && v.abs() < 9.0;
        let on = if seed.is_multiple_of(2) { ring } else { bar };
        (if on { 1.0 } else { 0.0 } - 0.1307) / 0.3081
    };
    let bytes = (0..28 * 28).flat_map(|i| pixel(i).to_le_bytes()).collect();
    TensorData { element: Element::F32, shape: vec![1, 1, 28, 28], bytes }
}

pub(crate) fn inputs(n: usize) -> Vec<Sample> {
    (0..n).map(|i| vec![("input".to_string(), drawing(i))]).collect()
}

fn quantized(choice: &Choice, n: usize) -> (Cleaned, Places, ModelProto) {
    let clean = quantize::clean(&float_model()).unwrap();
    let graph = clean.model.graph.as_ref().unwrap();
    let places = Places::of(graph, &BTreeSet::new());
    let tensors: BTreeSet<String> = places.own().map(str::to_string).collect();
    let seen = quantize::calibrate(&clean.model, &tensors, &inputs(n), &Engine::Rten, 2, &|| ()).unwrap();
    let parameters = quantize::choose(graph, &places, &seen, choice).unwrap();
    let model = quantize::write(&clean.model, &places, &parameters).unwrap();
    (clean, places, model)
}

/// Outputs on the simulator, as floats.
fn simulated(model: &ModelProto, inputs: &[Sample]) -> Vec<f32> {
    let loaded = LoadedModel { model: model.clone(), data: Vec::new() };
    let graph =
        onnx::import(&loaded, &ImportOptions { host: false, ..ImportOptions::default() }).unwrap().graph;
    let machine = Machine::named("rcn-m").unwrap();
    let program = compiler::compile(&graph, &machine, &CompileOptions::default()).unwrap().program;
    let loaded = Loaded::new(Arc::new(program), &machine, Limits::default()).unwrap();
    let mut session = Session::new(&loaded, EngineKind::Fast);
    let mut all = Vec::new();
    for input in inputs {
        session.run(&[("input", &input[0].1.bytes)], &mut (), &mut ()).unwrap();
        let output = loaded.program().meta.tensors.iter().find(|t| t.name == "output").unwrap();
        all.extend(session.tensor(output).as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)));
    }
    all
}

fn reference(inputs: &[Sample]) -> Vec<f32> {
    let bytes = float_model().encode_to_vec();
    let mut runner = FloatRunner::new();
    let mut all = Vec::new();
    for input in inputs {
        let out = runner.run(&bytes, &[("input", input[0].1.clone())], &["output"]).unwrap();
        all.extend(out[0].bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)));
    }
    all
}

fn sqnr(reference: &[f32], found: &[f32]) -> f64 {
    assert_eq!(reference.len(), found.len());
    let power: f64 = reference.iter().map(|v| f64::from(*v).powi(2)).sum();
    let error: f64 = reference.iter().zip(found).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    10.0 * (power / error).log10()
}

#[test]
fn a_float_network_becomes_integers_that_compute_nearly_the_same() {
    let truth = reference(&inputs(6));
    let db = |choice: &Choice| sqnr(&truth, &simulated(&quantized(choice, 12).2, &inputs(6)));
    let per_channel = db(&Choice::default());
    let mut choice = Choice::default();
    choice.weights.per_channel = false;
    let per_tensor = db(&choice);
    assert!(per_channel > 28.0 && per_tensor > 24.0, "{per_channel} {per_tensor}");
    for method in [Method::Percentile(99.99), Method::Mse] {
        let found = db(&Choice { method, ..Choice::default() });
        assert!(found > 20.0, "{method:?}: {found}");
    }
    let mut signed = Choice::default();
    (signed.format.signed, signed.format.symmetric) = (true, true);
    assert!(db(&signed) > 24.0);
    let mut wide = Choice::default();
    (wide.format.bits, wide.weights.bits) = (16, 16);
    let found = db(&wide);
    assert!(found > 70.0, "{found}");
}

#[test]
fn the_number_of_threads_does_not_change_a_byte() {
    let clean = quantize::clean(&float_model()).unwrap();
    let places = Places::of(clean.model.graph.as_ref().unwrap(), &BTreeSet::new());
    let tensors: BTreeSet<String> = places.own().map(str::to_string).collect();
    let one = quantize::calibrate(&clean.model, &tensors, &inputs(7), &Engine::Rten, 1, &|| ()).unwrap();
    let three = quantize::calibrate(&clean.model, &tensors, &inputs(7), &Engine::Rten, 3, &|| ()).unwrap();
    assert_eq!(one, three);
}

#[test]
fn a_layer_in_16_bits_gets_it_for_all_that_it_reads_and_writes() {
    let layers = BTreeMap::from([("conv1".to_string(), Width::A16w16)]);
    let (_, places, model) = quantized(&Choice { layers, ..Choice::default() }, 3);
    let conv = places.weights.iter().find(|w| w.node == "conv1").expect("it has a node of this name");
    let found = surgery::activations(&model);
    let wide: Vec<&String> = found.iter().filter(|(_, a)| a.dtype.bytes() == 2).map(|(n, _)| n).collect();
    assert!(wide.contains(&&format!("{}_QuantizeLinear_Output", conv.input)), "{wide:?}");
    assert!(wide.len() >= 2 && wide.len() < found.len(), "{wide:?}");
    simulated(&model, &inputs(1));
    let layers = BTreeMap::from([("no_such".to_string(), Width::A16w8)]);
    let clean = quantize::clean(&float_model()).unwrap();
    let choice = Choice { layers, ..Choice::default() };
    let error = quantize::choose(clean.model.graph.as_ref().unwrap(), &places, &BTreeMap::new(), &choice);
    assert!(error.unwrap_err().to_string().contains("no_such"));
}

#[test]
fn surgery_gives_the_model_that_other_parameters_would_have_given() {
    let (_, _, narrow) = quantized(&Choice::default(), 6);
    let mut wide = Choice::default();
    wide.format.bits = 16;
    let (_, _, expected) = quantized(&wide, 6);
    let changed = surgery::set_activations(&narrow, &surgery::activations(&expected)).unwrap();
    assert_eq!(surgery::activations(&changed), surgery::activations(&expected));
    let truth = simulated(&expected, &inputs(4));
    // Biases went through 32 bits once.
    let found = sqnr(&truth, &simulated(&changed, &inputs(4)));
    assert!(found > 60.0, "{found}");
    // Back again.
    let back = surgery::set_activations(&changed, &surgery::activations(&narrow)).unwrap();
    let found = sqnr(&simulated(&narrow, &inputs(4)), &simulated(&back, &inputs(4)));
    assert!(found > 60.0, "{found}");
    let missing = BTreeMap::from([(
        "no_such".to_string(),
        surgery::activations(&narrow).into_values().next().unwrap(),
    )]);
    assert!(surgery::set_activations(&narrow, &missing).unwrap_err().to_string().contains("no_such"));
}

#[test]
fn an_input_without_an_element_type_is_refused_by_name() {
    let mut model = float_model();
    let input = &mut model.graph.as_mut().unwrap().input[0];
    let name = input.name().to_string();
    input.r#type = None;
    let refused = quantize::clean(&model).unwrap_err().to_string();
    assert!(refused.contains(&name) && refused.contains("element type"), "{refused}");
}

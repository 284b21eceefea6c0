//! Changes of weights and biases before quantization.

use std::collections::{BTreeMap, BTreeSet};

use rcar_iss::internals::float::{Collected, Engine, Stream, Threads};
use rcar_iss::internals::inputs::Sample;
use rcar_iss::internals::onnx;
use rcar_iss::internals::onnx::proto::{GraphProto, ModelProto};
use rcar_iss::internals::quantize::{self, Calibration, Choice, Parameters, Places, WeightFormat};

use crate::quantize::{float_model, inputs};

/// Values of some tensors for each of some inputs.
fn computed(model: &ModelProto, names: &[&str], count: usize) -> Vec<BTreeMap<String, Vec<f32>>> {
    let network = onnx::float_network(model);
    let wanted: BTreeSet<String> = names.iter().map(|n| (*n).to_string()).collect();
    let stream = Stream::load(&Engine::Rten, network, &wanted).unwrap();
    let one = |input: &Sample| {
        let given = [(input[0].0.as_str(), &input[0].1)];
        let seen = stream.run(&Threads::new(1), &given, Collected::default()).unwrap();
        seen.tensors.into_iter().map(|t| (t.name, t.values)).collect()
    };
    inputs(count).iter().map(one).collect()
}

fn clean() -> ModelProto {
    quantize::clean(&float_model()).unwrap().model
}

fn places(model: &ModelProto) -> Places {
    Places::of(model.graph.as_ref().unwrap(), &BTreeSet::new())
}

/// Largest magnitude of each output channel of a convolution's weights, and of each input channel.
fn ranges(graph: &GraphProto, node: &str) -> [Vec<f32>; 2] {
    let name = &graph.node.iter().find(|n| n.name() == node).unwrap().input[1];
    let tensor = graph.initializer.iter().find(|t| t.name() == name).unwrap();
    let [out, inn, kh, kw] = [0, 1, 2, 3].map(|i| tensor.dims[i] as usize);
    let raw = tensor.raw_data.as_ref().unwrap();
    let values: Vec<f32> = raw.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let mut found = [vec![0.0_f32; out], vec![0.0_f32; inn]];
    for (at, v) in values.iter().enumerate() {
        for (axis, channel) in [at / (inn * kh * kw), at / (kh * kw) % inn].into_iter().enumerate() {
            found[axis][channel] = found[axis][channel].max(v.abs());
        }
    }
    found
}

#[test]
fn equalized_channels_have_equal_ranges_and_the_network_stays_the_same() {
    let clean = clean();
    let (equal, pairs) = quantize::equalize(&clean);
    assert_eq!(pairs, 2, "conv0 - conv1 and conv1 - conv2, through Relu and MaxPool");
    let graph = equal.graph.as_ref().unwrap();
    for (first, second) in [("conv0", "conv1"), ("conv1", "conv2")] {
        let ([before, _], [_, behind]) = (ranges(graph, first), ranges(graph, second));
        for (a, b) in before.iter().zip(&behind) {
            assert!((a / b - 1.0).abs() < 0.01, "{first} {a} {second} {b}");
        }
    }
    for (a, b) in computed(&clean, &["output"], 4).iter().zip(&computed(&equal, &["output"], 4)) {
        for (x, y) in a["output"].iter().zip(&b["output"]) {
            assert!((x - y).abs() <= 1e-4 * x.abs().max(1.0), "{x} {y}");
        }
    }
}

#[test]
fn a_bounded_activation_is_not_scaled() {
    let mut model = clean();
    let graph = model.graph.as_mut().unwrap();
    // ReLU6 between the first two convolutions: six times a channel is not the channel of six times.
    let relu = graph.node.iter_mut().find(|n| n.name() == "relu_2").unwrap();
    relu.op_type = Some("Clip".into());
    relu.input.extend(["zero".to_string(), "six".to_string()]);
    for (name, value) in [("zero", 0.0_f32), ("six", 6.0)] {
        graph.initializer.push(onnx::proto::TensorProto {
            name: Some(name.into()),
            data_type: Some(onnx::proto::tensor_proto::DataType::Float as i32),
            float_data: vec![value],
            ..Default::default()
        });
    }
    assert_eq!(quantize::equalize(&model).1, 1);
}

/// Mean of each channel of `conv0_o` over inputs.
fn means(model: &ModelProto) -> Vec<f64> {
    let all = computed(model, &["conv0_o"], 5);
    let channels = 32;
    let inner = all[0]["conv0_o"].len() / channels;
    let mean = |c: usize| {
        let sum: f64 =
            all.iter().flat_map(|v| &v["conv0_o"][c * inner..][..inner]).map(|v| f64::from(*v)).sum();
        sum / (inner * all.len()) as f64
    };
    (0..channels).map(mean).collect()
}

#[test]
fn corrected_biases_take_the_mean_error_of_rounded_weights_back() {
    let clean = clean();
    let places = places(&clean);
    let tensors: BTreeSet<String> = places.own().map(str::to_string).collect();
    let inputs = inputs(5);
    let seen: Calibration = quantize::calibrate(&clean, &tensors, &inputs, &Engine::Rten, 2, &|| ()).unwrap();
    let format = WeightFormat { bits: 8, per_channel: false };
    let choice = Choice { weights: format, ..Choice::default() };
    let parameters: Parameters =
        quantize::choose(clean.graph.as_ref().unwrap(), &places, &seen, &choice).unwrap();
    let corrected = |threads| {
        let what = (&places, &parameters);
        quantize::correct_biases(&clean, what, &inputs, &Engine::Rten, threads, &|| ()).unwrap()
    };
    let (model, nodes) = corrected(1);
    assert_eq!(nodes, 5);
    assert_eq!(model, corrected(3).0, "threads change nothing");
    // The first layer has the same input in all networks: only its own weights cause errors.
    let truth = means(&clean);
    let off = |model: &ModelProto| -> f64 {
        let again = self::places(model);
        let rounded = quantize::rounded_weights(model, &again, "conv0", format);
        means(&rounded).iter().zip(&truth).map(|(a, b)| (a - b).abs()).sum()
    };
    let (before, after) = (off(&clean), off(&model));
    assert!(before > 1e-3 && after < before / 100.0, "{before} {after}");
}

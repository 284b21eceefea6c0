//! The float executor that shows every tensor, against runs that ask for one tensor each.

use std::collections::BTreeSet;
use std::path::Path;

use prost::Message;
use rcar_iss::float::{FloatRunner, Stream, Threads};
use rcar_iss::onnx::{self, LoadedModel};
use rcar_iss::tensor_file::{Element, TensorData};

fn digit() -> TensorData {
    let pixel = |i: usize| ((i * 37 % 101) as f32 - 50.0) / 25.0;
    let bytes = (0..28 * 28).flat_map(|i| pixel(i).to_le_bytes()).collect();
    TensorData { element: Element::F32, shape: vec![1, 1, 28, 28], bytes }
}

#[test]
fn every_tensor_is_shown_once_in_order_with_the_values_of_a_run_of_its_own() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/digit_cnn/float.onnx");
    let model = LoadedModel::from_file(&path).unwrap();
    let bytes = model.model.encode_to_vec();
    let steps = onnx::steps(model.graph());
    let inputs = onnx::given_inputs(model.graph());
    let mut wanted: BTreeSet<String> = steps.iter().flat_map(|s| s.outputs.clone()).collect();
    wanted.insert(inputs[0].clone());
    let stream = Stream::load(&bytes, &inputs, &steps, &wanted).unwrap();
    let mut shown: Vec<(String, Vec<usize>, Vec<f32>)> = Vec::new();
    let mut show = |t: rcar_iss::float::Shown<'_>| {
        shown.push((t.name.to_string(), t.shape.to_vec(), t.values.to_vec()));
    };
    stream.run(&Threads::new(1), &[(&inputs[0], &digit())], &mut show).unwrap();
    let order: Vec<&String> = shown.iter().map(|s| &s.0).collect();
    let expected: Vec<&String> = inputs.iter().chain(steps.iter().flat_map(|s| &s.outputs)).collect();
    assert_eq!(order, expected);
    let mut runner = FloatRunner::new();
    for (name, shape, values) in shown.iter().skip(1) {
        let alone = runner.run(&bytes, &[(&inputs[0], digit())], &[name]).unwrap();
        assert_eq!(alone[0].shape, *shape);
        let bits: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let largest = values.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        // Packed weights may be summed in another order.
        let near = alone[0].bytes.chunks(4).zip(bits.chunks(4)).all(|(a, b)| {
            let [a, b] = [a, b].map(|v| f32::from_le_bytes(v.try_into().unwrap()));
            (a - b).abs() <= largest * 1e-5
        });
        assert!(near, "{name}");
    }
}

#[test]
fn a_tensor_that_nothing_computes_is_refused() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/digit_cnn/float.onnx");
    let model = LoadedModel::from_file(&path).unwrap();
    let (steps, inputs) = (onnx::steps(model.graph()), onnx::given_inputs(model.graph()));
    let bytes = model.model.encode_to_vec();
    let wanted = BTreeSet::from(["no_such".to_string()]);
    assert!(Stream::load(&bytes, &inputs, &steps, &wanted).unwrap_err().contains("no_such"));
    let wanted = BTreeSet::from([steps[0].outputs[0].clone()]);
    let stream = Stream::load(&bytes, &inputs, &steps, &wanted).unwrap();
    assert!(stream.run(&Threads::new(1), &[], &mut |_| ()).unwrap_err().contains(&inputs[0]));
}

//! Forms in which exporters write normalizations, norms and what only trains.

use rcar_iss::internals::onnx::proto::tensor_proto::DataType;
use rcar_iss::internals::quantize::{self, Choice};
use rcar_iss::internals::tensor_file::TensorData;

use crate::small_networks::{Small, fidelity, list, noise, quantized, simulated, sqnr, tensor, whole};

/// PyTorch standardizes weights by a BatchNormalization that trains, and drops nothing by a Dropout that
/// does.
#[test]
fn what_trains_on_constants_or_drops_nothing_is_gone() {
    for (opset, outputs, flag) in [
        (13, &["n", "mean", "variance", "saved_mean", "saved_variance"][..], None),
        (15, &["n", "mean", "variance"][..], Some(whole("training_mode", 1))),
    ] {
        let small = Small::new(opset, &[1, 3, 4, 4], &[])
            .floats("w", &[1, 3, 12], &noise(20, 36))
            .floats("s", &[3], &[1.0, 2.0, 3.0])
            .floats("b", &[3], &[0.0; 3])
            .floats("m", &[3], &[9.0; 3])
            .floats("v", &[3], &[4.0; 3])
            .integers("shape", &[4], &[3, 3, 2, 2])
            .floats("ratio", &[], &[0.0])
            .typed("training", DataType::Bool, &[], vec![1])
            .node("BatchNormalization", &["w", "s", "b", "m", "v"], outputs, flag.into_iter().collect())
            .node("Reshape", &["n", "shape"], &["k"], vec![])
            .node("Conv", &["x", "k"], &["c"], vec![])
            .node("Dropout", &["c", "ratio", "training"], &["d", "mask"], vec![])
            .node("Relu", &["d"], &["y"], vec![]);
        let clean = quantize::clean(&small.model()).unwrap();
        let left: Vec<&str> = clean.model.graph.as_ref().unwrap().node.iter().map(|n| n.op_type()).collect();
        assert_eq!(left, ["Conv", "Relu"], "opset {opset}");
        let x = tensor(&[1, 3, 4, 4], &noise(21, 48));
        let db = fidelity(&small, &x, None);
        assert!(db > 25.0, "opset {opset}: {db}");
    }
}

/// Exporters write sums with zero and products with one (a branch that a network does not have, a scale that
/// is not used). What would add an axis, and what computes an output, stays.
#[test]
fn neutral_numbers_are_gone_unless_they_change_the_shape() {
    let small = Small::new(13, &[1, 3, 4, 4], &[])
        .floats("k", &[3, 3, 1, 1], &noise(22, 9))
        .floats("none", &[], &[0.0])
        .floats("whole", &[1], &[1.0])
        .floats("axis", &[1, 1, 1, 1, 1], &[1.0])
        .node("Conv", &["x", "k"], &["a"], vec![])
        .node("Conv", &["x", "k"], &["b"], vec![])
        .node("Add", &["a", "b"], &["sum"], vec![])
        .node("Add", &["none", "sum"], &["s0"], vec![])
        .node("Sub", &["s0", "none"], &["s1"], vec![])
        .node("Relu", &["s1"], &["r"], vec![])
        .node("Pow", &["r", "none"], &["ones"], vec![])
        .node("Sub", &["none", "r"], &["negative"], vec![])
        .node("Mul", &["negative", "ones"], &["product"], vec![])
        .node("Mul", &["product", "axis"], &["m"], vec![])
        .node("Div", &["m", "whole"], &["y"], vec![]);
    let clean = quantize::clean(&small.model()).unwrap();
    let left: Vec<&str> = clean.model.graph.as_ref().unwrap().node.iter().map(|n| n.op_type()).collect();
    assert_eq!(left, ["Conv", "Conv", "Add", "Relu", "Pow", "Sub", "Mul", "Mul", "Div"]);
    let gone: Vec<&str> = clean.removed.iter().map(|(node, _)| node.as_str()).collect();
    assert_eq!(gone, ["Add_3", "Sub_4"]);
}

/// Rows of which some are twenty times as large as others, each divided by its deviation, or multiplied with
/// the inverse.
fn normalized(inverse: bool) -> (Small, TensorData) {
    let row = |i: usize| if (i / 16).is_multiple_of(2) { 1.0 } else { 0.05 };
    let x: Vec<f32> = noise(30, 96).iter().enumerate().map(|(i, v)| v * row(i)).collect();
    let axes = || vec![list("axes", &[-1])];
    let small = Small::new(13, &[1, 6, 16], &[])
        .floats("two", &[], &[2.0])
        .floats("one", &[], &[1.0])
        .floats("epsilon", &[], &[1e-6])
        .node("ReduceMean", &["x"], &["mean"], axes())
        .node("Sub", &["x", "mean"], &["deviation"], vec![])
        .node("Pow", &["deviation", "two"], &["square"], vec![])
        .node("ReduceMean", &["square"], &["variance"], axes())
        .node("Add", &["variance", "epsilon"], &["more"], vec![])
        .node("Sqrt", &["more"], &["root"], vec![]);
    let small = if inverse {
        let inverted = small.node("Div", &["one", "root"], &["factor"], vec![]);
        inverted.node("Mul", &["deviation", "factor"], &["y"], vec![])
    } else {
        small.node("Div", &["deviation", "root"], &["y"], vec![])
    };
    (small, tensor(&[1, 6, 16], &x))
}

#[test]
fn what_something_is_divided_by_is_precise_where_it_is_small() {
    for inverse in [false, true] {
        let (small, x) = normalized(inverse);
        let (model, places) = quantized(&small.model(), &x, &Choice::default()).unwrap();
        let db = sqnr(&small.computed(&x).unwrap(), &simulated(&model, &x));
        assert!(db > 18.0, "{db}");
        // In 8 bits it is not, if the choice says so.
        let bits = places.own().map(|t| (t.to_string(), 8)).collect();
        let (model, _) = quantized(&small.model(), &x, &Choice { bits, ..Choice::default() }).unwrap();
        assert!(sqnr(&small.computed(&x).unwrap(), &simulated(&model, &x)) < db - 6.0);
    }
}

#[test]
fn norms_and_joined_constants_are_computed_by_the_accelerator() {
    let x = tensor(&[1, 4, 6], &noise(31, 24));
    for (opset, op) in [(17, "ReduceL2"), (18, "ReduceL2"), (13, "ReduceL1"), (13, "ReduceSumSquare")] {
        let mut small = Small::new(opset, &[1, 4, 6], &[]).floats("token", &[1, 1, 6], &noise(32, 6));
        let (mut operands, mut axes) = (vec!["t"], vec![list("axes", &[-1])]);
        if opset >= 18 {
            small = small.integers("axes", &[1], &[-1]);
            (operands, axes) = (vec!["t", "axes"], vec![]);
        }
        let small = small
            .node("Concat", &["token", "x"], &["t"], vec![whole("axis", 1)])
            .node(op, &operands, &["size"], axes)
            .node("Div", &["t", "size"], &["y"], vec![]);
        let (model, _) = quantized(&small.model(), &x, &Choice::default()).unwrap();
        let db = sqnr(&small.computed(&x).unwrap(), &simulated(&model, &x));
        assert!(db > 28.0, "{op} of opset {opset}: {db}");
    }
}

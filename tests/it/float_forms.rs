//! Operators that the float library would compute incorrectly without rewriting.

use crate::small_networks::{Small, list, noise, real, tensor, whole};

/// One operator on `x`.
fn one(
    opset: i64,
    op: &str,
    x: &[usize],
    attribute: Vec<rcar_iss::internals::onnx::proto::AttributeProto>,
) -> Small {
    Small::new(opset, x, &[]).node(op, &["x"], &["y"], attribute)
}

fn near(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    assert!(found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-4), "{found:?} {expected:?}");
}

#[test]
fn attributes_of_windows_may_be_left_out() {
    let x = noise(1, 2 * 5 * 5);
    let w = noise(2, 3 * 2 * 2 * 2);
    let full = |rank: usize| {
        vec![
            list("strides", &vec![1; rank]),
            list("dilations", &vec![1; rank]),
            list("pads", &vec![0; 2 * rank]),
        ]
    };
    for op in ["Conv", "ConvTranspose"] {
        let weights: [usize; 4] = if op == "Conv" { [3, 2, 2, 2] } else { [2, 3, 2, 2] };
        let conv = |attribute| {
            Small::new(17, &[1, 2, 5, 5], &[])
                .floats("w", &weights, &w)
                .node(op, &["x", "w"], &["y"], attribute)
                .computed(&tensor(&[1, 2, 5, 5], &x))
                .unwrap()
        };
        let whole = conv(full(2));
        assert_eq!(conv(vec![]), whole, "{op}");
        assert_eq!(conv(vec![list("strides", &[1, 1])]), whole, "{op}");
        assert_eq!(conv(vec![list("dilations", &[1, 1]), list("strides", &[])]), whole, "{op}");
    }
    // Along one axis, with weights that are computed.
    let conv = |attribute| {
        Small::new(17, &[1, 2, 25], &[])
            .floats("v", &[3, 2, 4], &w)
            .node("Abs", &["v"], &["w"], vec![])
            .node("Conv", &["x", "w"], &["y"], attribute)
            .computed(&tensor(&[1, 2, 25], &x))
            .unwrap()
    };
    assert_eq!(conv(vec![]), conv(full(1)));
    for op in ["MaxPool", "AveragePool"] {
        let pool =
            |attribute| one(17, op, &[1, 2, 5, 5], attribute).computed(&tensor(&[1, 2, 5, 5], &x)).unwrap();
        let kernel = || list("kernel_shape", &[2, 2]);
        assert_eq!(pool(vec![kernel()]), pool(vec![kernel(), list("strides", &[1, 1])]), "{op}");
    }
}

#[test]
fn the_odd_row_of_padding_is_where_it_belongs() {
    let mut same = whole("auto_pad", 0);
    (same.i, same.s) = (None, Some(b"SAME_LOWER".to_vec()));
    same.r#type = Some(rcar_iss::internals::onnx::proto::attribute_proto::AttributeType::String as i32);
    let x = tensor(&[1, 1, 1, 3], &[1.0, 2.0, 4.0]);
    let pool = |strides| {
        let attribute = vec![list("kernel_shape", &[1, 2]), list("strides", strides), same.clone()];
        one(17, "MaxPool", &[1, 1, 1, 3], attribute).computed(&x)
    };
    near(&pool(&[1, 1]).unwrap(), &[1.0, 2.0, 4.0]);
    assert!(pool(&[1, 2]).unwrap_err().contains("MaxPool_0"));
}

#[test]
fn flags_beyond_one_are_as_onnx_runtime_has_them() {
    let x = tensor(&[1, 1, 3, 3], &noise(3, 9));
    let sizes = |op: &str, name: &str, more: Vec<_>| {
        let of = |value| {
            let attribute = [more.clone(), vec![whole(name, value)]].concat();
            one(17, op, &[1, 1, 3, 3], attribute)
                .node("Shape", &["y"], &["s"], vec![])
                .node("Cast", &["s"], &["f"], vec![whole("to", 1)])
                .graph
        };
        [0, 1, 2].map(|value| {
            let mut graph = of(value);
            graph.node.iter_mut().flat_map(|n| n.input.iter_mut().chain(&mut n.output)).for_each(|name| {
                *name = match name.as_str() {
                    "y" => "inner".into(),
                    "f" => "y".into(),
                    other => other.into(),
                }
            });
            let mut small = Small::new(17, &[1, 1, 3, 3], &[]);
            small.graph = graph;
            small.computed(&x).unwrap()
        })
    };
    for (op, name, more) in [
        ("ReduceMean", "keepdims", vec![list("axes", &[3])]),
        ("MaxPool", "ceil_mode", vec![list("kernel_shape", &[2, 2]), list("strides", &[2, 2])]),
    ] {
        let [no, yes, two] = sizes(op, name, more);
        assert!(no != yes && two == no, "{op}: {no:?} {yes:?} {two:?}");
    }
}

#[test]
fn functions_are_those_of_the_standard() {
    let x = [-2.0, 0.0, 0.5, 3.0];
    let found = |small: Small| small.computed(&tensor(&[2, 2], &x)).unwrap();
    near(&found(one(17, "Sign", &[2, 2], vec![])), &[-1.0, 0.0, 1.0, 1.0]);
    let cast = Small::new(17, &[2, 2], &[]).node("Cast", &["x"], &["b"], vec![whole("to", 9)]).node(
        "Cast",
        &["b"],
        &["y"],
        vec![whole("to", 1)],
    );
    near(&found(cast), &[1.0, 0.0, 1.0, 1.0]);
    let selu = |v: f32| 1.050_701 * if v > 0.0 { v } else { 1.673_263_2 * v.exp_m1() };
    near(&found(one(17, "Selu", &[2, 2], vec![])), &x.map(selu));
    let celu = |v: f32| if v > 0.0 { v } else { 2.0 * (v / 2.0).exp_m1() };
    near(&found(one(17, "Celu", &[2, 2], vec![real("alpha", 2.0)])), &x.map(celu));
}

#[test]
fn an_old_softmax_takes_all_axes_from_its_own_on() {
    let x = noise(5, 12);
    let sum: f32 = x.iter().map(|v| v.exp()).sum();
    let all: Vec<f32> = x.iter().map(|v| v.exp() / sum).collect();
    let found = |opset, attribute| {
        one(opset, "Softmax", &[1, 3, 4], attribute).computed(&tensor(&[1, 3, 4], &x)).unwrap()
    };
    near(&found(11, vec![]), &all);
    assert_eq!(found(11, vec![whole("axis", 2)]), found(13, vec![]));
}

#[test]
fn batch_normalization_in_training_measures_what_it_reads() {
    let x = noise(7, 2 * 3 * 4);
    // Before opset 14 it has no flag: it trains if it has more outputs, of which exporters write all five.
    let form = |opset: i64, names: &[&str]| {
        let flag = (opset >= 14).then(|| whole("training_mode", 1));
        Small::new(opset, &[2, 3, 4], &[])
            .floats("scale", &[3], &[1.0, 2.0, 3.0])
            .floats("bias", &[3], &[0.5, 0.0, -0.5])
            .floats("m", &[3], &[9.0, 8.0, 7.0])
            .floats("v", &[3], &[6.0, 5.0, 4.0])
            .node(
                "BatchNormalization",
                &["x", "scale", "bias", "m", "v"],
                names,
                flag.into_iter().chain([real("momentum", 0.25)]).collect(),
            )
            .computed(&tensor(&[2, 3, 4], &x))
            .unwrap()
    };
    let small = |output: &str| {
        let named = |n| if n == output { "y" } else { if n == "y" { "z" } else { n } };
        form(17, &["y", "mean", "variance"].map(named))
    };
    let of = |c: usize| (0..8).map(move |i| (i / 4 * 3 + c) * 4 + i % 4);
    let mean = [0, 1, 2].map(|c| of(c).map(|i| x[i]).sum::<f32>() / 8.0);
    let variance = [0, 1, 2].map(|c| of(c).map(|i| (x[i] - mean[c]).powi(2)).sum::<f32>() / 8.0);
    let (scale, bias) = ([1.0, 2.0, 3.0], [0.5, 0.0, -0.5]);
    let normal = |i: usize| {
        let c = i / 4 % 3;
        (x[i] - mean[c]) / (variance[c] + 1e-5).sqrt() * scale[c] + bias[c]
    };
    near(&small("y"), &(0..24).map(normal).collect::<Vec<_>>());
    assert_eq!(form(13, &["y", "mean", "variance", "saved_mean", "saved_variance"]), small("y"));
    assert_eq!(form(9, &["z", "y"]), small("mean"));
    near(&small("mean"), &[0, 1, 2].map(|c| 0.25 * [9.0, 8.0, 7.0][c] + 0.75 * mean[c]));
    near(&small("variance"), &[0, 1, 2].map(|c| 0.25 * [6.0, 5.0, 4.0][c] + 0.75 * variance[c]));
}

#[test]
fn outputs_that_nobody_reads_need_no_implementation() {
    let x = noise(9, 12);
    let given = tensor(&[1, 12], &x);
    let mask = Small::new(16, &[1, 12], &[]).floats("r", &[], &[0.0]);
    assert_eq!(mask.node("Dropout", &["x", "r"], &["y", "mask"], vec![]).computed(&given).unwrap(), x);
    let parts = ["a", "b", "c", "d", "y", "f"];
    let split = Small::new(13, &[1, 12], &[]).node("Split", &["x"], &parts, vec![whole("axis", 1)]);
    assert_eq!(split.computed(&given).unwrap(), x[8..10]);
}

#[test]
fn what_would_be_wrong_is_refused_by_name() {
    let mut mode = whole("mode", 0);
    (mode.i, mode.s) = (None, Some(b"cubic".to_vec()));
    mode.r#type = Some(rcar_iss::internals::onnx::proto::attribute_proto::AttributeType::String as i32);
    let resize = Small::new(18, &[1, 1, 4, 4], &[]).floats("s", &[4], &[1.0, 1.0, 2.0, 2.0]).node(
        "Resize",
        &["x", "", "s"],
        &["y"],
        vec![mode, whole("antialias", 1)],
    );
    let why = resize.computed(&tensor(&[1, 1, 4, 4], &noise(1, 16))).unwrap_err();
    assert!(why.contains("Resize_0") && why.contains("cubic"), "{why}");
    // The library panics on some invalid models: that is an error too.
    let nothing = Small::new(17, &[0], &[]).node("LayerNormalization", &["x", "x"], &["y"], vec![]);
    let _ = nothing.computed(&tensor(&[0], &[]));
}

//! Quantized networks compute what the float ones do, in all forms of these.

use std::collections::BTreeMap;

use rcar_iss::internals::graph::DType;
use rcar_iss::internals::onnx::proto::tensor_proto::DataType;
use rcar_iss::internals::onnx::proto::{AttributeProto, ModelProto, TensorProto, ValueInfoProto};
use rcar_iss::internals::onnx::{self, ImportOptions, LoadedModel};
use rcar_iss::internals::quantize::{self, Activation, Choice, Method, surgery};

use crate::small_networks::{
    Small, definitions, fidelity, floats, list, noise, quantized, real, tensor, whole,
};

/// `x · w`, plus a bias of a given shape, by loops.
fn product(x: &[f32], w: &[f32], [m, k, n]: [usize; 3], bias: &dyn Fn(usize, usize) -> f32) -> Vec<f32> {
    let one = |i: usize| {
        let (row, column) = (i / n, i % n);
        (0..k).map(|j| x[row * k + j] * w[j * n + column]).sum::<f32>() + bias(row, column)
    };
    (0..m * n).map(one).collect()
}

#[test]
fn a_gemm_has_the_bias_that_its_shape_says() {
    let (k, n) = (6, 4);
    for m in [4, 3] {
        let (x, w) = (noise(1, m * k), noise(2, k * n));
        let shapes: [&[usize]; 7] = [&[], &[1], &[1, 1], &[n], &[1, n], &[m, 1], &[m, n]];
        for shape in shapes {
            for (alpha, beta) in [(1.0, 1.0), (0.5, 2.0)] {
                let values: Vec<f32> = noise(3, shape.iter().product()).iter().map(|v| v * 4.0).collect();
                let small = Small::new(17, &[m, k], &[m, n])
                    .floats("w", &[k, n], &w)
                    .floats("c", shape, &values)
                    .node("Gemm", &["x", "w", "c"], &["y"], vec![real("alpha", alpha), real("beta", beta)]);
                let bias = |row: usize, column: usize| {
                    let at = match shape {
                        [rows, columns] => row.min(rows - 1) * columns + column.min(columns - 1),
                        [columns] => column.min(columns - 1),
                        _ => 0,
                    };
                    values[at] * beta / alpha
                };
                let expected = product(&x, &w, [m, k, n], &bias).iter().map(|v| v * alpha).collect();
                let db = fidelity(&small, &tensor(&[m, k], &x), Some(expected));
                assert!(db > 30.0, "{shape:?}, {m} rows: {db}");
                let (model, _) = quantized(&small.model(), &tensor(&[m, k], &x), &Choice::default()).unwrap();
                let defined = definitions(&model);
                assert!(!defined.is_empty() && defined.values().all(|count| *count == 1), "{defined:?}");
            }
        }
    }
}

/// The initializer of a model.
fn stored<'m>(model: &'m ModelProto, name: &str) -> &'m TensorProto {
    model.graph.as_ref().unwrap().initializer.iter().find(|t| t.name() == name).unwrap()
}

#[test]
fn weights_have_the_type_that_exact_kernels_want() {
    let small = Small::new(17, &[1, 3, 6, 6], &[]).floats("w", &[4, 3, 3, 3], &noise(20, 108)).node(
        "Conv",
        &["x", "w"],
        &["y"],
        vec![],
    );
    let x = tensor(&[1, 3, 6, 6], &noise(21, 108));
    let mut signed = Choice::default();
    signed.format.signed = true;
    let mut wide = Choice::default();
    wide.format.bits = 16;
    let kinds = [
        (Choice::default(), DataType::Uint8, vec![128; 4]),
        (signed, DataType::Int8, vec![0; 4]),
        (wide, DataType::Int8, vec![0; 4]),
    ];
    for (choice, kind, zeros) in kinds {
        let (model, _) = quantized(&small.model(), &x, &choice).unwrap();
        assert_eq!(stored(&model, "w_quantized").data_type(), kind as i32);
        assert_eq!(stored(&model, "w_zero_point").raw_data.as_ref().unwrap(), &zeros);
    }
    assert!(fidelity(&small, &x, None) > 35.0);
}

/// `x · w + b` with as many axes as `shape`.
fn linear(shape: &[usize], bias: &[usize], first: bool) -> Small {
    let operands: &[&str] = if first { &["b", "m"] } else { &["m", "b"] };
    Small::new(17, shape, &[])
        .floats("w", &[8, 6], &noise(22, 48))
        .floats("b", bias, &noise(23, bias.iter().product()))
        .node("MatMul", &["x", "w"], &["m"], vec![])
        .node("Add", operands, &["a"], vec![])
}

#[test]
fn a_product_and_the_sum_with_its_bias_are_one_layer() {
    for shape in [&[5, 8][..], &[2, 5, 8], &[2, 2, 5, 8], &[1, 2, 2, 5, 8]] {
        for (bias, first) in [(&[6][..], false), (&[6], true), (&[1, 6], false)] {
            for relu in [false, true] {
                let last = if relu { "Relu" } else { "Identity" };
                let small = linear(shape, bias, first).node(last, &["a"], &["y"], vec![]);
                let x = tensor(shape, &noise(24, shape.iter().product()));
                let (model, places) = quantized(&small.model(), &x, &Choice::default()).unwrap();
                let names: Vec<&str> = places.tensors.iter().map(|t| t.0.as_str()).collect();
                assert!(!names.contains(&"m"), "{names:?}");
                let bias = stored(&model, "b_quantized");
                assert_eq!(bias.data_type(), DataType::Int32 as i32);
                let loaded = LoadedModel { model, data: Vec::new() };
                let graph = onnx::import(&loaded, &ImportOptions::default()).unwrap().graph;
                let kinds: Vec<&str> = graph.nodes.iter().map(|n| n.op.kind()).collect();
                let sums = kinds.iter().filter(|k| matches!(**k, "gemm" | "add" | "lane")).count();
                assert_eq!(sums, 1, "{kinds:?}");
                let db = fidelity(&small, &x, None);
                assert!(db > 36.0, "{shape:?}: {db}");
            }
        }
    }
}

#[test]
fn a_product_that_is_read_elsewhere_keeps_its_own_quantizer() {
    let small = linear(&[5, 8], &[6], false).node("Mul", &["m", "a"], &["y"], vec![]);
    let x = tensor(&[5, 8], &noise(24, 40));
    let (_, places) = quantized(&small.model(), &x, &Choice::default()).unwrap();
    let names: Vec<&str> = places.tensors.iter().map(|t| t.0.as_str()).collect();
    assert_eq!(names, ["x", "m", "a", "y"]);
    // Another shape of constant is a tensor of its own.
    let small = Small::new(17, &[6, 6], &[])
        .floats("w", &[6, 6], &noise(22, 36))
        .floats("b", &[6, 1], &noise(23, 6))
        .node("MatMul", &["x", "w"], &["m"], vec![])
        .node("Add", &["m", "b"], &["y"], vec![]);
    let x = tensor(&[6, 6], &noise(24, 36));
    assert!(fidelity(&small, &x, None) > 30.0);
}

#[test]
fn a_bias_that_is_added_follows_its_product() {
    let small = linear(&[5, 8], &[6], false).node("Relu", &["a"], &["y"], vec![]);
    let x = tensor(&[5, 8], &noise(24, 40));
    let (model, _) = quantized(&small.model(), &x, &Choice::default()).unwrap();
    let coarse = Activation { dtype: DType::U8, scale: 0.5, zero_point: 128 };
    let changes = BTreeMap::from([("x_QuantizeLinear_Output".to_string(), coarse)]);
    let changed = surgery::set_activations(&model, &changes).unwrap();
    let graph = changed.graph.as_ref().unwrap();
    let add = graph.node.iter().find(|n| n.op_type() == "Add").unwrap();
    let product = graph.node.iter().find(|n| n.op_type() == "MatMul").unwrap();
    let bias = add.input.iter().find(|i| *i != &product.output[0]).unwrap();
    let dequantizer = graph.node.iter().find(|n| n.output.first() == Some(bias)).unwrap();
    let numbers = |name: &str| {
        let bytes = stored(&changed, name).raw_data.clone().unwrap();
        bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect::<Vec<f32>>()
    };
    let expected: Vec<f32> = numbers("w_scale").iter().map(|s| s * 0.5).collect();
    assert_eq!(numbers(&dequantizer.input[1]), expected);
}

#[test]
fn exponents_of_integers_are_numbers() {
    for exponent in [2, 3] {
        let small = Small::new(17, &[4, 5], &[])
            .integers("e", &[], &[exponent])
            .floats("half", &[], &[0.5])
            .node("Pow", &["x", "e"], &["p"], vec![])
            .node("Add", &["p", "half"], &["y"], vec![]);
        let x = tensor(&[4, 5], &noise(25, 20));
        let (_, places) = quantized(&small.model(), &x, &Choice::default()).unwrap();
        let names: Vec<&str> = places.tensors.iter().map(|t| t.0.as_str()).collect();
        assert_eq!(names, ["x", "y"]);
        let expected = floats(&x).iter().map(|v| v.powi(exponent as i32) + 0.5).collect();
        assert!(fidelity(&small, &x, Some(expected)) > 35.0);
    }
}

/// Half of the width of `x`, in float, used as a shape.
fn halved() -> Small {
    Small::new(17, &[1, 2, 3, 10], &[])
        .floats("w", &[2, 2, 1, 1], &[1.0, 0.5, -0.5, 1.0])
        .integers("three", &[], &[3])
        .integers("zero", &[1], &[0])
        .integers("front", &[3], &[1, 2, 3])
        .floats("two", &[], &[2.0])
        .floats("tiny", &[], &[0.01])
        .node("Conv", &["x", "w"], &["c"], vec![])
        .node("Shape", &["c"], &["shape"], vec![])
        .node("Gather", &["shape", "three"], &["width"], vec![])
        .node("Cast", &["width"], &["f"], vec![whole("to", 1)])
        .node("Div", &["f", "two"], &["half"], vec![])
        .node("Sub", &["half", "tiny"], &["less"], vec![])
        .node("Ceil", &["less"], &["up"], vec![])
        .node("Cast", &["up"], &["n"], vec![whole("to", 7)])
        .node("Unsqueeze", &["n", "zero"], &["n1"], vec![])
        .node("Concat", &["front", "n1"], &["ends"], vec![whole("axis", 0)])
        .integers("starts", &[4], &[0, 0, 0, 0])
        .node("Slice", &["c", "starts", "ends"], &["y"], vec![])
}

#[test]
fn extents_stay_what_they_are() {
    let x = tensor(&[1, 2, 3, 10], &noise(4, 60));
    let small = halved();
    let (_, places) = quantized(&small.model(), &x, &Choice::default()).unwrap();
    let names: Vec<&str> = places.tensors.iter().map(|t| t.0.as_str()).collect();
    assert_eq!(names, ["x", "c", "y"]);
    assert!(fidelity(&small, &x, None) > 30.0);
    // Where they join what flows, they are quantized once, and those before them are not.
    let joined = Small::new(17, &[1, 2, 3, 10], &[])
        .integers("three", &[], &[3])
        .floats("seventh", &[], &[0.142_857])
        .node("Shape", &["x"], &["shape"], vec![])
        .node("Gather", &["shape", "three"], &["width"], vec![])
        .node("Cast", &["width"], &["f"], vec![whole("to", 1)])
        .node("Mul", &["f", "seventh"], &["g"], vec![])
        .node("Sqrt", &["g"], &["h"], vec![])
        .node("Mul", &["x", "h"], &["y"], vec![]);
    let (_, places) = quantized(&joined.model(), &x, &Choice::default()).unwrap();
    let names: Vec<&str> = places.tensors.iter().map(|t| t.0.as_str()).collect();
    assert_eq!(names, ["x", "h", "y"]);
    assert!(fidelity(&joined, &x, None) > 30.0);
}

#[test]
fn numbers_of_the_data_that_become_extents_stay_what_they_are() {
    // As many columns as the largest value says.
    let small = Small::new(17, &[1, 8], &[])
        .floats("w", &[8, 8], &noise(5, 64))
        .floats("many", &[], &[3.1])
        .integers("zero", &[1], &[0])
        .integers("one", &[1], &[1])
        .node("MatMul", &["x", "w"], &["m"], vec![])
        .node("ReduceMax", &["x"], &["largest"], vec![whole("keepdims", 0)])
        .node("Mul", &["largest", "many"], &["scaled"], vec![])
        .node("Floor", &["scaled"], &["f"], vec![])
        .node("Cast", &["f"], &["n"], vec![whole("to", 7)])
        .node("Unsqueeze", &["n", "zero"], &["end"], vec![])
        .node("Slice", &["m", "zero", "end", "one"], &["y"], vec![]);
    let x = tensor(&[1, 8], &[0.1, -0.4, 1.0, 0.3, -1.0, 0.2, 0.6, 0.5]);
    let (_, places) = quantized(&small.model(), &x, &Choice::default()).unwrap();
    assert!(!places.tensors.is_empty());
    for name in ["largest", "scaled", "f"] {
        assert!(places.tensors.iter().all(|t| t.0 != name), "{name}");
    }
    assert!(fidelity(&small, &x, None) > 30.0);
}

#[test]
fn constants_keep_their_types() {
    let double: Vec<u8> = [0.5_f64, 1.5].iter().flat_map(|v| v.to_le_bytes()).collect();
    let small: Vec<u8> = [7_i32, 9].iter().flat_map(|v| v.to_le_bytes()).collect();
    let long = [1_i64 << 40, -(1 << 40)];
    let network = Small::new(17, &[1, 2], &[])
        .typed("d", DataType::Double, &[2], double)
        .typed("i", DataType::Int32, &[2], small)
        .integers("l", &[2], &long)
        .integers("zero", &[1], &[0])
        .node("Unsqueeze", &["d", "zero"], &["d1"], vec![])
        .node("Unsqueeze", &["i", "zero"], &["i1"], vec![])
        .node("Neg", &["l"], &["l1"], vec![])
        .node("Cast", &["x"], &["xd"], vec![whole("to", 11)])
        .node("Cast", &["x"], &["xi"], vec![whole("to", 6)])
        .node("Cast", &["x"], &["xl"], vec![whole("to", 7)])
        .node("Add", &["xd", "d1"], &["a"], vec![])
        .node("Add", &["xi", "i1"], &["b"], vec![])
        .node("Add", &["xl", "l1"], &["c"], vec![])
        .node("Cast", &["a"], &["af"], vec![whole("to", 1)])
        .node("Cast", &["b"], &["bf"], vec![whole("to", 1)])
        .node("Cast", &["c"], &["cf"], vec![whole("to", 1)])
        .node("Sum", &["af", "bf", "cf"], &["y"], vec![]);
    let clean = quantize::clean(&network.model()).unwrap();
    let graph = clean.model.graph.unwrap();
    let kind = |name: &str| graph.initializer.iter().find(|t| t.name() == name).map(|t| t.data_type());
    // A double is left in the model, and so is what does not fit the library's integers.
    assert_eq!(["d1", "i1", "l1"].map(kind), [None, Some(DataType::Int32 as i32), None]);
}

#[test]
fn new_names_are_nobodys() {
    let small = Small::new(17, &[1, 4], &[])
        .floats("x_scale", &[4, 4], &noise(6, 16))
        .floats("x_zero_point", &[4, 4], &noise(7, 16))
        .node("MatMul", &["x", "x_scale"], &["x_QuantizeLinear_Output"], vec![])
        .node("Relu", &["x_QuantizeLinear_Output"], &["x_DequantizeLinear_Output"], vec![])
        .node("MatMul", &["x_DequantizeLinear_Output", "x_zero_point"], &["y"], vec![]);
    let mut small = small;
    small.graph.node[0].name = Some("x_QuantizeLinear".into());
    let x = tensor(&[1, 4], &[0.5, -0.5, 1.0, 0.25]);
    let (model, _) = quantized(&small.model(), &x, &Choice::default()).unwrap();
    let twice: Vec<_> = definitions(&model).into_iter().filter(|(_, count)| *count > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let nodes = &model.graph.as_ref().unwrap().node;
    let names: std::collections::BTreeSet<&str> = nodes.iter().map(|n| n.name()).collect();
    assert_eq!(names.len(), nodes.len());
    assert!(fidelity(&small, &x, None) > 25.0);
}

#[test]
fn what_is_an_output_only_is_kept() {
    let mut small = Small::new(17, &[1, 4], &[])
        .floats("w", &[4, 4], &noise(8, 16))
        .floats("anchors", &[2], &[1.0, 2.0])
        .node("MatMul", &["x", "w"], &["y"], vec![]);
    let output = ValueInfoProto { name: Some("anchors".into()), ..small.graph.output[0].clone() };
    small.graph.output.push(output);
    let (model, _) = quantized(&small.model(), &tensor(&[1, 4], &noise(9, 4)), &Choice::default()).unwrap();
    assert_eq!(definitions(&model)["anchors"], 1);
    // One that nothing computes is refused, before a library meets it.
    small.graph.initializer.retain(|t| t.name() != "anchors");
    let why = quantize::clean(&small.model()).unwrap_err().to_string();
    assert!(why.contains("anchors"), "{why}");
}

#[test]
fn normalization_by_what_is_measured_is_not_folded() {
    measured(17, &["y", "", ""], vec![whole("training_mode", 1)]);
    measured(13, &["y", "mean", "variance", "saved_mean", "saved_variance"], vec![]);
}

fn measured(opset: i64, outputs: &[&str], flag: Vec<AttributeProto>) {
    let small = Small::new(opset, &[2, 3, 4, 4], &[])
        .floats("w", &[3, 3, 1, 1], &noise(10, 9))
        .floats("s", &[3], &[1.0, 2.0, 3.0])
        .floats("b", &[3], &[0.5, 0.0, -0.5])
        .floats("m", &[3], &[3.0, 2.0, 1.0])
        .floats("v", &[3], &[4.0, 0.1, 9.0])
        .node("Conv", &["x", "w"], &["c"], vec![])
        .node("BatchNormalization", &["c", "s", "b", "m", "v"], outputs, flag);
    let x = tensor(&[2, 3, 4, 4], &noise(11, 96));
    let clean = quantize::clean(&small.model()).unwrap();
    assert_eq!(clean.model.graph.as_ref().unwrap().node.len(), 2);
    let (model, _) = quantized(&small.model(), &x, &Choice::default()).unwrap();
    let expected = small.computed(&x).unwrap();
    let db = crate::small_networks::sqnr(&expected, &crate::small_networks::computed(&model, &x).unwrap());
    assert!(db > 25.0, "{db}");
}

/// Attention over five positions, each with itself and those before.
fn attention(lowest: f32, how: &str) -> Small {
    let causal =
        |on: f32, off: f32| (0..25).map(|i| if i % 5 > i / 5 { on } else { off }).collect::<Vec<f32>>();
    let small = Small::new(17, &[1, 5, 8], &[])
        .floats("w", &[8, 8], &noise(12, 64))
        .node("MatMul", &["x", "w"], &["k"], vec![])
        .node("Transpose", &["k"], &["kt"], vec![list("perm", &[0, 2, 1])])
        .node("MatMul", &["x", "kt"], &["s"], vec![]);
    let small = match how {
        "add" => {
            small.floats("mask", &[5, 5], &causal(lowest, 0.0)).node("Add", &["s", "mask"], &["sm"], vec![])
        }
        "subtract" => {
            small.floats("mask", &[5, 5], &causal(-lowest, 0.0)).node("Sub", &["s", "mask"], &["sm"], vec![])
        }
        // As some exporters scale the scores, and keep −∞ from them.
        "behind" => small
            .floats("mask", &[5, 5], &causal(lowest, 0.0))
            .floats("low", &[], &[f32::MIN])
            .floats("root", &[], &[2.0])
            .node("Add", &["s", "mask"], &["sum"], vec![])
            .node("Max", &["sum", "low"], &["bounded"], vec![])
            .node("Div", &["bounded", "root"], &["sm"], vec![]),
        // LLaMA's exports find tokens that are given beside the causal mask by a comparison of their sum.
        "compared" => small
            .floats("mask", &[5, 5], &causal(lowest, 0.0))
            .floats("low", &[], &[lowest])
            .floats("bound", &[], &[-1e3])
            .floats("zero", &[], &[0.0])
            .node("ReduceMax", &["x"], &["most"], vec![list("axes", &[2]), whole("keepdims", 0)])
            .node("Greater", &["most", "bound"], &["given"], vec![])
            .node("Cast", &["given"], &["ones"], vec![whole("to", DataType::Float as i64)])
            .node("Add", &["mask", "ones"], &["both"], vec![])
            .node("Equal", &["both", "zero"], &["absent"], vec![])
            .node("Where", &["absent", "low", "mask"], &["all"], vec![])
            .node("Add", &["s", "all"], &["sm"], vec![]),
        _ => {
            let flags = causal(1.0, 0.0).iter().map(|v| *v as u8).collect();
            small.typed("flags", DataType::Bool, &[5, 5], flags).floats("low", &[], &[lowest]).node(
                "Where",
                &["flags", "low", "s"],
                &["sm"],
                vec![],
            )
        }
    };
    small.node("Softmax", &["sm"], &["p"], vec![]).node("MatMul", &["p", "x"], &["y"], vec![])
}

#[test]
fn masks_leave_the_scores_their_resolution() {
    let x = tensor(&[1, 5, 8], &noise(13, 40));
    for how in ["add", "subtract", "behind", "compared", "where"] {
        for lowest in [-100.0, -10_000.0, -1e9, f32::MIN, f32::NEG_INFINITY] {
            // The standard has no ∞ to subtract that would not be taken for a range.
            if how == "subtract" && lowest.is_infinite() {
                continue;
            }
            let small = attention(lowest, how);
            let db = fidelity(&small, &x, None);
            assert!(db > 30.0, "{how} {lowest}: {db}");
            for method in [Method::Mse, Method::Entropy, Method::Percentile(99.9)] {
                quantized(&small.model(), &x, &Choice { method, ..Choice::default() }).unwrap();
            }
        }
    }
}

/// Networks that embed text take the maximum over tokens that are given.
#[test]
fn masks_leave_maxima_their_resolution() {
    let x = tensor(&[1, 5, 8], &noise(14, 40));
    let given: Vec<u8> = (0..5).map(|token| u8::from(token < 3)).collect();
    for moved in [false, true] {
        for lowest in [-10_000.0, -1e9, f32::MIN, f32::NEG_INFINITY] {
            let small = Small::new(17, &[1, 5, 8], &[])
                .floats("w", &[8, 8], &noise(15, 64))
                .typed("given", DataType::Bool, &[5, 1], given.clone())
                .floats("low", &[], &[lowest])
                .node("MatMul", &["x", "w"], &["k"], vec![])
                .node("Where", &["given", "k", "low"], &["m"], vec![]);
            let small = if moved {
                small.node("Transpose", &["m"], &["t"], vec![list("perm", &[0, 2, 1])]).node(
                    "ReduceMax",
                    &["t"],
                    &["y"],
                    vec![list("axes", &[-1])],
                )
            } else {
                small.node("ReduceMax", &["m"], &["y"], vec![list("axes", &[1])])
            };
            let db = fidelity(&small, &x, None);
            assert!(db > 30.0, "{moved} {lowest}: {db}");
        }
    }
}

#[test]
fn ranges_of_extreme_values_are_ranges() {
    for values in [[f32::MIN, f32::MAX], [0.0, f32::MAX], [1e-45, 0.0], [5.0, 5.0]] {
        let small = Small::new(17, &[2], &[]).node("Relu", &["x"], &["y"], vec![]);
        for method in [Method::MinMax, Method::Mse, Method::Entropy, Method::Percentile(99.9)] {
            let (model, _) =
                quantized(&small.model(), &tensor(&[2], &values), &Choice { method, ..Choice::default() })
                    .unwrap();
            let graph = model.graph.unwrap();
            let scale = graph.initializer.iter().find(|t| t.name() == "y_scale").unwrap();
            let scale = f32::from_le_bytes(scale.raw_data.as_ref().unwrap()[..4].try_into().unwrap());
            assert!(scale.is_normal(), "{values:?}: {scale}");
        }
    }
    // An empty input, and NaN.
    let small = Small::new(17, &[0], &[]).node("Relu", &["x"], &["y"], vec![]);
    assert!(quantized(&small.model(), &tensor(&[0], &[]), &Choice::default()).is_ok());
    let odd = tensor(&[1], &[f32::NAN]);
    assert!(quantized(&small.model(), &odd, &Choice::default()).is_err());
    assert_eq!(floats(&odd).len(), 1);
}

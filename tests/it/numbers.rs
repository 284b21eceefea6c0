//! `src/numeric` against ONNX Runtime, case by case: `tests/golden/numeric.py` wrote the cases.

use rcar_iss::numeric::{self, AddCoefficients, Average, MulCoefficients};
use serde_json::Value;

const U8: [i32; 2] = [0, 255];

fn cases() -> Value {
    serde_json::from_str(include_str!("../golden/numeric.json")).unwrap()
}

fn ints(v: &Value) -> Vec<i32> {
    v.as_array().unwrap().iter().map(|v| v.as_i64().unwrap() as i32).collect()
}

fn floats(v: &Value) -> Vec<f32> {
    v.as_array().unwrap().iter().map(|v| f32::from_bits(v.as_u64().unwrap() as u32)).collect()
}

fn rows<'a>(cases: &'a Value, name: &str) -> &'a [Value] {
    cases[name].as_array().unwrap()
}

#[track_caller]
fn same(what: &str, found: &[i32], want: &[i32]) {
    assert_eq!(found.len(), want.len(), "{what}");
    let differ: Vec<String> = (0..want.len())
        .filter(|i| found[*i] != want[*i])
        .map(|i| format!("case {i}: {} instead of {}", found[i], want[i]))
        .collect();
    assert!(differ.is_empty(), "{what}: {} of {} differ: {}", differ.len(), want.len(), differ.join(", "));
}

#[test]
fn requantize() {
    let all = cases();
    let c = &all["requantize"];
    let zero = c["zero_point"].as_i64().unwrap() as i32;
    let pairs = ints(&c["acc"]).into_iter().zip(floats(&c["m"]));
    let found: Vec<i32> = pairs.map(|(acc, m)| numeric::requantize(acc, m, zero, U8)).collect();
    same("requantize", &found, &ints(&c["y"]));
}

#[test]
fn add_and_mul() {
    let all = cases();
    for c in rows(&all, "add") {
        let (s, z) = (floats(&c["scales"]), ints(&c["zero_points"]));
        let k = AddCoefficients::new(s[0], z[0], s[1], z[1], s[2], z[2]);
        let pairs = ints(&c["a"]).into_iter().zip(ints(&c["b"]));
        let found: Vec<i32> = pairs.map(|(a, b)| numeric::add(a, b, k.ra, k.rb, k.c, U8)).collect();
        same("add", &found, &ints(&c["y"]));
    }
    for c in rows(&all, "mul") {
        let (s, z) = (floats(&c["scales"]), ints(&c["zero_points"]));
        let m = MulCoefficients::new(s[0], s[1], s[2]).m;
        let pairs = ints(&c["a"]).into_iter().zip(ints(&c["b"]));
        let found: Vec<i32> =
            pairs.map(|(a, b)| numeric::mul(i64::from((a - z[0]) * (b - z[1])), m, z[2], U8)).collect();
        same("mul", &found, &ints(&c["y"]));
    }
}

#[test]
fn quantize_and_back() {
    let all = cases();
    for c in rows(&all, "quantize") {
        let scale = f32::from_bits(c["scale"].as_u64().unwrap() as u32);
        let zero = c["zero_point"].as_i64().unwrap() as i32;
        let found: Vec<i32> =
            floats(&c["x"]).into_iter().map(|x| numeric::quantize(x, scale, zero, U8)).collect();
        same("quantize", &found, &ints(&c["y"]));
        let back: Vec<i32> =
            found.iter().map(|q| numeric::dequantize(*q, scale, zero).to_bits() as i32).collect();
        let want: Vec<i32> = floats(&c["back"]).into_iter().map(|x| x.to_bits() as i32).collect();
        same("dequantize", &back, &want);
    }
}

#[test]
fn averages() {
    let all = cases();
    for c in rows(&all, "average") {
        let (s, z) = (floats(&c["scales"]), ints(&c["zero_points"]));
        let (mut global, mut average) = (Vec::new(), Vec::new());
        for channel in c["x"].as_array().unwrap() {
            let pixels: Vec<i32> = channel.as_array().unwrap().iter().flat_map(ints).collect();
            let m = numeric::gap_multiplier(s[0], s[1], pixels.len() as u64);
            let sum = pixels.iter().map(|q| q - z[0]).sum();
            global.push(numeric::requantize(sum, m, z[1], U8));
            let mut a = Average::default();
            pixels.iter().for_each(|q| a.take(numeric::dequantize(*q, s[0], z[0])));
            average.push(a.finish(pixels.len() as u32, s[1], z[1], U8));
        }
        same("global average", &global, &ints(&c["global"]));
        same("average", &average, &ints(&c["average"]));
    }
}

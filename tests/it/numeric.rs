//! `src/numeric` against ONNX Runtime, case by case: `tools/golden/numeric.py` wrote the cases.

use rcar_iss::internals::numeric::{self, AddCoefficients, Average, MulCoefficients, Rescale};
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

/// The generator of `tools/golden/rescale.py`.
fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[test]
fn rescale() {
    let stored: Value = serde_json::from_str(include_str!("../golden/rescale.json")).unwrap();
    for (name, double) in [("single", false), ("double", true)] {
        let ties = rows(&stored, "ties");
        let found: Vec<i32> = ties
            .iter()
            .map(|t| {
                let by = Rescale {
                    multiplier: t[1].as_i64().unwrap() as i32,
                    shift: t[2].as_u64().unwrap() as u8,
                };
                by.apply(t[0].as_i64().unwrap().into(), double) as i32
            })
            .collect();
        same(&format!("ties, {name} rounding"), &found, &ints(&stored[name]["ties"]));

        let mut state = 31;
        let mut bytes = Vec::new();
        for _ in 0..stored["count"].as_u64().unwrap() {
            let shift = 2 + (splitmix(&mut state) % 61) as u8;
            let multiplier = (splitmix(&mut state) % (1 << 31)) as i32;
            let limit = 1_u64 << (shift - 1).min(31);
            let value = (splitmix(&mut state) % (2 * limit)) as i64 - limit as i64;
            let y = Rescale { multiplier, shift }.apply(value.into(), double);
            bytes.extend(i32::try_from(y).unwrap().to_le_bytes());
        }
        let digest = format!("{:016x}", xxhash_rust::xxh3::xxh3_64(&bytes));
        assert_eq!(stored[name]["digest"], digest, "a million random values, {name} rounding");
    }
}

#[test]
fn factors_become_multipliers_and_shifts() {
    for (factor, multiplier, shift) in [
        (1.0, 1 << 30, 30),
        (0.5, 1 << 30, 31),
        (0.75, 3 << 29, 31),
        (2.0_f64.powi(-40), 1 << 22, 62),
        (1.0 - 2.0_f64.powi(-40), 1 << 30, 30),
        (0.0, 0, 31),
        (2.0_f64.powi(28) * 1.5, 3 << 29, 2),
    ] {
        assert_eq!(Rescale::of(factor), Some(Rescale { multiplier, shift }), "{factor}");
    }
    for factor in [-1.0, f64::NAN, f64::INFINITY, 2.0_f64.powi(30)] {
        assert_eq!(Rescale::of(factor), None, "{factor}");
    }
}

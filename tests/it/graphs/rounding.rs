//! How the plain loops round, by numeric profile: the q31 ones in 128-bit integers, from TOSA's text.

use std::cell::Cell;

use rcar_iss::internals::graph::Quant;
use rcar_iss::internals::isa::Profile;
use rcar_iss::internals::numeric::{self, AddCoefficients, AddRescales, MulCoefficients, Rescale};

thread_local! {
    static PROFILE: Cell<Profile> = const { Cell::new(Profile::Onnx) };
}

/// Sets the profile of this thread's loops.
pub(super) fn set(profile: Profile) {
    PROFILE.set(profile);
}

/// `apply_scale_32`, for any value.
fn rescale(value: i128, by: Rescale) -> i128 {
    let shift = u32::from(by.shift);
    let mut round = 1_i128 << (shift - 1);
    if PROFILE.get() == Profile::Q31double && shift > 31 {
        round += if value >= 0 { 1 << 30 } else { -(1 << 30) };
    }
    (value * i128::from(by.multiplier) + round).div_euclid(1 << shift)
}

fn finish(value: i128, zero_point: i32, clamp: [i32; 2]) -> i64 {
    (value + i128::from(zero_point)).clamp(clamp[0].into(), clamp[1].into()) as i64
}

/// A sum as an element of a tensor of 8 or 16 bits; `exact`: one of them has more than 8 or 32 bits.
pub(super) fn requantized(sum: i64, m: f32, zero_point: i32, clamp: [i32; 2], exact: bool) -> i64 {
    if PROFILE.get() != Profile::Onnx {
        return finish(rescale(sum.into(), Rescale::of(m.into()).unwrap()), zero_point, clamp);
    }
    if exact {
        numeric::requantize_wide(sum, m, zero_point, clamp).into()
    } else {
        numeric::requantize(sum as i32, m, zero_point, clamp).into()
    }
}

/// A quantized sum of two elements.
pub(super) fn sum([p, q]: [i32; 2], [a, b, y]: [Quant; 3], wide: bool, clamp: [i32; 2]) -> i32 {
    let k = AddCoefficients::new(a.scale, a.zero_point, b.scale, b.zero_point, y.scale, y.zero_point);
    if PROFILE.get() == Profile::Onnx {
        return numeric::add(p, q, k.ra, k.rb, k.c, clamp);
    }
    let [x, z, both] = AddRescales::of(k.ra, k.rb, wide).unwrap().by;
    let unit = if wide { 1 << 15 } else { 1 << 20 };
    let common =
        rescale(i128::from(p - a.zero_point) * unit, x) + rescale(i128::from(q - b.zero_point) * unit, z);
    finish(rescale(common, both), y.zero_point, clamp) as i32
}

/// A quantized product of two elements.
pub(super) fn product([p, q]: [i32; 2], [a, b, y]: [Quant; 3], clamp: [i32; 2]) -> i32 {
    let m = MulCoefficients::new(a.scale, b.scale, y.scale).m;
    let product = i64::from(p - a.zero_point) * i64::from(q - b.zero_point);
    if PROFILE.get() == Profile::Onnx {
        return numeric::mul(product, m, y.zero_point, clamp);
    }
    finish(rescale(product.into(), Rescale::of(m.into()).unwrap()), y.zero_point, clamp) as i32
}

//! Conversion of floats to integers.

/// Clamps to `[lo, hi]`.
#[inline]
#[must_use]
pub fn saturate(value: f32, clamp: [i32; 2]) -> i32 {
    // A float cast saturates and maps NaN to 0, so the order of `max` and `min` matters: NaN becomes the
    // lower bound.
    value.max(clamp[0] as f32).min(clamp[1] as f32) as i32
}

/// Rounds half to even and clamps to `[lo, hi]`, which must be between −2^22 and 2^22; NaN becomes the lower
/// bound.
#[inline]
#[must_use]
pub fn round(value: f32, clamp: [i32; 2]) -> i32 {
    // Clamping to whole numbers before rounding gives the same as clamping afterwards. The sum with 1.5·2^23
    // has a unit in the last place of one: the addition rounds, and leaves the integer in the low bits.
    // Unlike a saturating cast, that is one instruction for a whole vector.
    const SHIFT: f32 = 12_582_912.0;
    let [lo, hi] = [clamp[0] as f32, clamp[1] as f32];
    let low = if value > lo { value } else { lo };
    let both = if low < hi { low } else { hi };
    (both + SHIFT).to_bits().wrapping_sub(SHIFT.to_bits()) as i32
}

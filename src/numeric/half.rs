//! Half precision: a sign, five bits of exponent, ten of fraction.

/// The value of the bits; every half is exact as a single.
#[must_use]
pub fn single(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    sign * match exponent {
        0 => fraction / 16_777_216.0,
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        e => (1024.0 + fraction) * 2_f32.powi(e - 25),
    }
}

/// The half nearest to a single, ties to even; values that are too large become infinite.
#[must_use]
pub fn of_single(x: f32) -> u16 {
    let (sign, size) = ((x.to_bits() >> 16) as u16 & 0x8000, x.abs());
    let bits = size.to_bits();
    sign | match size {
        _ if size.is_nan() => 0x7e00,
        _ if size >= 65_520.0 => 0x7c00,
        // Below 2^-14 the step is 2^-24. A fraction that rounds up to 1024 is the next larger number.
        _ if size < 6.103_515_6e-5 => (size * 16_777_216.0).round_ties_even() as u16,
        _ => (((bits + 0xfff + (bits >> 13 & 1)) >> 13) - (112 << 10)) as u16,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_is_a_single_and_comes_back() {
        for bits in (0..=u16::MAX).filter(|b| !single(*b).is_nan()) {
            assert_eq!(of_single(single(bits)), bits);
        }
        assert!(single(of_single(f32::NAN)).is_nan());
    }

    #[test]
    fn what_lies_between_goes_to_the_nearer_one_and_the_even_one() {
        for bits in 0..0x7bff_u16 {
            let (a, b) = (single(bits), single(bits + 1));
            let middle = (a + b) / 2.0;
            let even = if bits.is_multiple_of(2) { bits } else { bits + 1 };
            assert_eq!(
                [a, middle.next_down(), middle, middle.next_up()].map(of_single),
                [bits, bits, even, bits + 1]
            );
        }
        assert_eq!([65_519.0, 65_520.0, f32::MAX].map(of_single), [0x7bff, 0x7c00, 0x7c00]);
    }
}

//! Layout and width conversions.

use crate::isa::EType;
use crate::kernels::multiversion::kernel;

kernel! {
    /// Widens integers of 8 or 16 bits.
    pub(crate) fn widen(bytes: &[u8], etype: EType, to: &mut [i32]) -> () {
        let words = bytes.as_chunks().0;
        match etype {
            EType::U8 => to.iter_mut().zip(bytes).for_each(|(t, b)| *t = i32::from(*b)),
            EType::S8 => to.iter_mut().zip(bytes).for_each(|(t, b)| *t = i32::from(*b as i8)),
            EType::U16 => to.iter_mut().zip(words).for_each(|(t, b)| *t = i32::from(u16::from_le_bytes(*b))),
            _ => to.iter_mut().zip(words).for_each(|(t, b)| *t = i32::from(i16::from_le_bytes(*b))),
        }
    }
}

kernel! {
    /// Narrows integers that fit 8 or 16 bits to `size` bytes each.
    pub(crate) fn narrow(bytes: &mut [u8], size: usize, values: &[i32]) -> () {
        if size == 1 {
            bytes.iter_mut().zip(values).for_each(|(b, v)| *b = *v as u8);
        } else {
            let words = bytes.as_chunks_mut().0;
            words.iter_mut().zip(values).for_each(|(b, v)| *b = (*v as u16).to_le_bytes());
        }
    }
}

kernel! {
    /// Splits words into their low and high bytes; `flip` is XORed into the high ones.
    pub(crate) fn split(words: &[u8], low: &mut [u8], high: &mut [u8], flip: u8) -> () {
        for ((l, h), w) in low.iter_mut().zip(high).zip(words.as_chunks::<2>().0) {
            let w = u16::from_le_bytes(*w);
            *l = w as u8;
            *h = (w >> 8) as u8 ^ flip;
        }
    }
}

kernel! {
    /// Interleaves four rows of elements of one or two bytes: the first of each, then the second of each, and
    /// so on.
    pub(crate) fn interleave(rows: [&[u8]; 4], size: usize, to: &mut [u8]) -> () {
        let [a, b, c, d] = rows;
        if size == 1 {
            let rows = a.iter().zip(b).zip(c).zip(d);
            for (t, (((a, b), c), d)) in to.as_chunks_mut::<4>().0.iter_mut().zip(rows) {
                *t = [*a, *b, *c, *d];
            }
        } else {
            let [a, b, c, d] = [a, b, c, d].map(|p| p.as_chunks::<2>().0);
            let rows = a.iter().zip(b).zip(c).zip(d);
            for (t, (((a, b), c), d)) in to.as_chunks_mut::<8>().0.iter_mut().zip(rows) {
                *t = [a[0], a[1], b[0], b[1], c[0], c[1], d[0], d[1]];
            }
        }
    }
}

kernel! {
    /// The sum of unsigned bytes.
    pub(crate) fn byte_sum(bytes: &[u8]) -> i32 {
        bytes.iter().map(|b| i32::from(*b)).fold(0, i32::wrapping_add)
    }
}

kernel! {
    /// Adds up signed packed weights, rows of `sums.len()` quads, for each channel.
    pub(crate) fn sum_quads(rows: &[u8], sums: &mut [i32]) -> () {
        for row in rows.chunks_exact(sums.len() * 4) {
            for (sum, w) in sums.iter_mut().zip(row.as_chunks::<4>().0) {
                *sum += w.iter().map(|w| i32::from(*w as i8)).sum::<i32>();
            }
        }
    }
}

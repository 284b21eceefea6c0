//! Bounds of what a kernel accesses.

/// One past the last byte of runs of `len` bytes, the first of which begins at `first`; each of `steps` is
/// the number of runs along an extent, and the bytes from one to the next. `None` if an extent is empty, or
/// on overflow.
#[must_use]
pub fn end(first: usize, steps: &[(usize, usize)], len: usize) -> Option<usize> {
    steps.iter().try_fold(first.checked_add(len)?, |end, (n, step)| {
        end.checked_add(n.checked_sub(1)?.checked_mul(*step)?).filter(|end| *end <= isize::MAX as usize)
    })
}

/// Whether that end is inside `bytes` bytes.
#[must_use]
pub fn fits(first: usize, steps: &[(usize, usize)], len: usize, bytes: usize) -> bool {
    end(first, steps, len).is_some_and(|end| end <= bytes)
}

/// Whether there are no more pixels than bytes: lists or buffers with an entry for each pixel are then no
/// larger than memory, and loops end. With a step of 0, an extent could be arbitrarily large.
#[must_use]
pub fn few(extent: [usize; 2], bytes: usize) -> bool {
    extent[0].checked_mul(extent[1]).is_some_and(|n| n <= bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_exact_and_never_wrap() {
        assert_eq!(end(5, &[(3, 100), (2, 10)], 4), Some(5 + 200 + 10 + 4));
        assert_eq!(end(5, &[], 4), Some(9));
        assert!(fits(0, &[(4, 8)], 8, 32) && !fits(1, &[(4, 8)], 8, 32) && !fits(0, &[(0, 8)], 8, 32));
        for steps in [[(3, usize::MAX / 2), (1, 0)], [(2, usize::MAX), (2, 1)], [(usize::MAX, 2), (1, 1)]] {
            assert_eq!(end(1, &steps, 1), None, "{steps:?}");
        }
        assert_eq!(end(usize::MAX, &[(1, 1)], 1), None);
    }
}

//! Copying of runs of bytes.

#![expect(unsafe_code, reason = "source and target may be parts of one memory")]

use super::view::{View, ViewMut};

/// Where runs begin: offset of the first one, and the step from one to the next.
pub type Runs = (i64, i64);

/// Copies `n` runs of `len` bytes, one after the other; does nothing if one of them lies outside. Source and
/// destination may be one memory; each run is copied as if its bytes went through a buffer.
pub fn copy_runs(from: View<'_>, mut to: ViewMut<'_>, [read, write]: [Runs; 2], n: usize, len: usize) {
    let inside = |(first, step): Runs, bytes: usize| {
        let last = i64::try_from(n.max(1) - 1)
            .ok()
            .and_then(|n| step.checked_mul(n))
            .and_then(|o| first.checked_add(o));
        let fits = |at: i64| {
            usize::try_from(at).ok().and_then(|at| at.checked_add(len)).is_some_and(|end| end <= bytes)
        };
        fits(first) && last.is_some_and(fits)
    };
    if n == 0 || !inside(read, from.len()) || !inside(write, to.len()) {
        return;
    }
    let (source, target) =
        (from.as_ptr().wrapping_offset(read.0 as isize), to.as_mut_ptr().wrapping_offset(write.0 as isize));
    // SAFETY: the first and the last run of both sides lie inside, and so do those between them.
    unsafe {
        // With a length known at compile time, a short run is moved by one instruction instead of by a call.
        match len {
            1 => each(source, target, read.1, write.1, n, 1),
            2 => each(source, target, read.1, write.1, n, 2),
            4 => each(source, target, read.1, write.1, n, 4),
            _ => each(source, target, read.1, write.1, n, len),
        }
    }
}

/// # Safety
/// `len` bytes can be read and written for each run.
#[inline(always)]
unsafe fn each(source: *const u8, target: *mut u8, read: i64, write: i64, n: usize, len: usize) {
    for i in 0..n as isize {
        // SAFETY: as the function says.
        unsafe { std::ptr::copy(source.offset(i * read as isize), target.offset(i * write as isize), len) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_go_forwards_backwards_and_nowhere_if_one_is_outside() {
        let bytes: Vec<u8> = (0..24).collect();
        for len in [1, 2, 3, 4] {
            let copied = |read, write| {
                let mut to = vec![99; 24];
                copy_runs(View::from(&bytes[..]), ViewMut::from(&mut to[..]), [read, write], 4, len);
                to
            };
            for (read, write) in [((0, 5), (1, 5)), ((15, -5), (0, 4)), ((3, 0), (0, 6))] {
                let mut expected = vec![99; 24];
                for i in 0..4 {
                    for b in 0..len as i64 {
                        expected[(write.0 + i * write.1 + b) as usize] =
                            bytes[(read.0 + i * read.1 + b) as usize];
                    }
                }
                assert_eq!(copied(read, write), expected, "{len} bytes, {read:?} to {write:?}");
            }
            for (read, write) in
                [((9, 5), (0, 4)), ((0, 4), (22, 1)), ((2, -1), (0, 1)), ((i64::MAX, 1), (0, 1))]
            {
                assert_eq!(copied(read, write), [99; 24], "{len} bytes, {read:?} to {write:?}");
            }
        }
    }
}

//! Guards calls of third-party decoders: if one panics on damaged bytes, the file is refused.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// The result of `decode`; an error if it panics. It must own or only read its data.
///
/// # Errors
/// The decoder panicked, or returned an error.
pub fn guarded<T, E: From<Panicked>>(decode: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(|| quiet(decode))).unwrap_or_else(|_| Err(Panicked.into()))
}

/// The result of a call whose panics are caught by a caller: a panic is not printed.
pub fn quiet<T>(call: impl FnOnce() -> T) -> T {
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            GUARDED.set(self.0);
        }
    }
    let _before = Before(GUARDED.replace(true));
    call()
}

/// Whether this thread is inside [`guarded`], so that a panic becomes an error and must not be printed.
#[must_use]
pub fn is_guarded() -> bool {
    GUARDED.get()
}

/// A decoder panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the decoder failed on it: the file is damaged")]
pub struct Panicked;

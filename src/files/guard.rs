//! Decoders of other people's formats, written by others: where one panics on damaged bytes, the file is
//! refused.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// What `decode` gives; an error if it panics. It must own or only read what it works on.
///
/// # Errors
/// The decoder panicked, or returned one.
pub fn guarded<T, E: From<Panicked>>(decode: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(|| quiet(decode))).unwrap_or_else(|_| Err(Panicked.into()))
}

/// What a call gives that somebody around it guards: should it panic, nothing is printed.
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

/// Whether this thread is inside [`guarded`]: then a panic becomes an error, and there is nothing to print
/// about it.
#[must_use]
pub fn is_guarded() -> bool {
    GUARDED.get()
}

/// A decoder gave up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the decoder failed on it: the file is damaged")]
pub struct Panicked;

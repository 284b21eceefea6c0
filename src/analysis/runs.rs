//! The same work on every input, on several threads.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Calls `work` for every number on up to `threads` threads, and returns the results in the order of the
/// numbers, so that sums of floats over them do not depend on the threads.
///
/// # Errors
/// The first failure; work not yet begun is then skipped.
pub(super) fn each_run<T: Send, E: Send>(
    threads: usize,
    runs: Range<usize>,
    work: impl Fn(usize) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let results: Mutex<BTreeMap<usize, Result<T, E>>> = Mutex::default();
    let next = AtomicUsize::new(runs.start);
    let worker = || {
        loop {
            let run = next.fetch_add(1, Ordering::Relaxed);
            if run >= runs.end {
                return;
            }
            let result = work(run);
            if result.is_err() {
                next.store(runs.end, Ordering::Relaxed);
            }
            // A poisoned lock means that another worker panicked; that panic is propagated to the caller.
            if let Ok(mut results) = results.lock() {
                results.insert(run, result);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(runs.len()) {
            scope.spawn(worker);
        }
        worker();
    });
    results.into_inner().unwrap_or_default().into_values().collect()
}

//! The same work on every input, on several threads.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Calls `work` for every number on up to `threads` threads, and returns the results in the order of the
/// numbers, so that sums of floats over them do not depend on the threads. Each thread makes a `tool`, which
/// it passes to every call.
///
/// # Errors
/// The first failure; work not yet begun is then skipped.
pub(super) fn each_run<S, T: Send, E: Send>(
    threads: usize,
    runs: Range<usize>,
    tool: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let results: Mutex<BTreeMap<usize, Result<T, E>>> = Mutex::default();
    let next = AtomicUsize::new(runs.start);
    let worker = || {
        let mut tool = tool();
        loop {
            let run = next.fetch_add(1, Ordering::Relaxed);
            if run >= runs.end {
                return;
            }
            let result = work(&mut tool, run);
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

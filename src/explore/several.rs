//! The same question about several machines, on all threads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Answers for all items, in their order.
pub(super) fn each<T: Sync, R: Send>(items: &[T], answer: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(items.len());
    let next = AtomicUsize::new(0);
    let answers = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((at, item)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, items.get(at)?)))
                {
                    let found = answer(item);
                    if let Ok(mut all) = answers.lock() {
                        all.push((at, found));
                    }
                }
            });
        }
    });
    let mut all = answers.into_inner().unwrap_or_default();
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, found)| found).collect()
}

//! Topological order (Kahn, "Topological sorting of large networks", 1962).

use std::collections::BTreeSet;

/// A topological order of items, in which items that can come early stay early. Items on a cycle are left
/// out.
pub(super) fn topological(count: usize, needs: impl Fn(usize) -> Vec<usize>) -> Vec<usize> {
    let mut waiting = vec![0_usize; count];
    let mut readers = vec![Vec::new(); count];
    for (i, waits) in waiting.iter_mut().enumerate() {
        for needed in needs(i) {
            readers[needed].push(i);
            *waits += 1;
        }
    }
    let mut ready: BTreeSet<usize> = (0..count).filter(|i| waiting[*i] == 0).collect();
    let mut order = Vec::with_capacity(count);
    while let Some(i) = ready.pop_first() {
        order.push(i);
        for &r in &readers[i] {
            waiting[r] -= 1;
            if waiting[r] == 0 {
                ready.insert(r);
            }
        }
    }
    order
}

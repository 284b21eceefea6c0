//! Energy as text.

use crate::profile::{Energy, Microjoules};
use crate::readable;

/// Layers that are listed at most, those with the most energy.
const LISTED: usize = 12;

/// The layers with the most energy, and the sums.
pub(super) fn text(energy: &Energy) -> String {
    let row = |name: &str, e: &Microjoules| {
        let share = 100.0 * e.total / energy.microjoules.total.max(f64::MIN_POSITIVE);
        let mut row = vec![name.to_string()];
        row.extend([e.total, e.array, e.vector, e.spm, e.acc, e.dram].map(|uj| format!("{uj:.2}")));
        row.insert(2, format!("{share:.1}%"));
        row
    };
    let mut layers: Vec<_> = energy.layers.iter().collect();
    layers.sort_by(|a, b| b.microjoules.total.total_cmp(&a.microjoules.total));
    let mut rows: Vec<Vec<String>> =
        layers.iter().take(LISTED).map(|l| row(&l.layer, &l.microjoules)).collect();
    rows.push(row("all", &energy.microjoules));
    let header = ["microjoules of", "sum", "of all", "MAC", "VEC", "SPM", "ACC", "DRAM"];
    let table = readable::table(&header, &[1, 2, 3, 4, 5, 6, 7], rows);
    let note = format!(
        "energy with the numbers of \"{}\", without leakage, clock, control core and host: {:.3} mJ an inference\n",
        energy.picojoules.name,
        energy.microjoules.total / 1e3
    );
    format!("\n{table}{}", readable::prose(&note))
}

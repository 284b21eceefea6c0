//! Advice as text.

use std::fmt::Write;

use crate::explore::{Advice, Change};
use crate::readable;

/// The changes of the machine, then the layers.
pub(super) fn text(advice: &Advice, cycles: u64) -> String {
    let percent = |saves: i64| format!("{:.1}%", 100.0 * saves as f64 / cycles.max(1) as f64);
    let options = |c: &Change| c.settings.iter().map(|s| format!("--set {s}")).collect::<Vec<_>>().join(" ");
    let rows = advice.machine.iter().map(|c| {
        let [now, saves, share] = match (c.cycles, c.saves) {
            (Some(now), Some(saves)) => [readable::grouped(now), signed(saves), percent(saves)],
            _ => ["not legal".to_string(), String::new(), String::new()],
        };
        vec![c.what.clone(), now, saves, share, options(c)]
    });
    let mut text = String::from("\nwith twice of, by the clock of that machine:\n");
    text.push_str(&readable::table(
        &["resource", "cycles", "saves", "of all", "the same with"],
        &[1, 2, 3],
        rows.collect(),
    ));
    text.push_str("\nthe longest layers:\n");
    for layer in &advice.layers {
        let _ = writeln!(text, "{:5.1}%  {}: {}", 100.0 * layer.share, layer.layer, layer.limit);
        for s in &layer.savings {
            let _ = writeln!(
                text,
                "        {} saves {} cycles, {} of all: {}",
                s.what,
                readable::grouped(s.saves.unsigned_abs()),
                percent(s.saves),
                s.command
            );
        }
    }
    text
}

fn signed(n: i64) -> String {
    format!("{}{}", if n < 0 { "-" } else { "" }, readable::grouped(n.unsigned_abs()))
}

//! Numbers and tables as text.

use comfy_table::{CellAlignment, Table, presets};

/// 1234567 → `1,234,567`.
pub(super) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// 1234567 → `1.23 M`.
pub(super) fn short(n: u64) -> String {
    let value = n as f64;
    match n {
        0..10_000 => n.to_string(),
        10_000..1_000_000 => format!("{:.1} k", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.2} M", value / 1e6),
        _ => format!("{:.2} G", value / 1e9),
    }
}

/// 1536 → `1.5 KiB`.
pub(super) fn bytes(n: u64) -> String {
    let value = n as f64;
    match n {
        0..1024 => format!("{n} B"),
        1024..1_048_576 => format!("{:.1} KiB", value / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", value / 1_048_576.0),
        _ => format!("{:.1} GiB", value / 1_073_741_824.0),
    }
}

/// Duration of `cycles` at `clock_mhz`.
pub(super) fn time(cycles: u64, clock_mhz: u32) -> String {
    let us = cycles as f64 / f64::from(clock_mhz.max(1));
    if us < 1000.0 { format!("{us:.2} us") } else { format!("{:.3} ms", us / 1000.0) }
}

/// `1x3x224x224`; `scalar` for rank 0.
pub(super) fn shape(dims: &[u64]) -> String {
    if dims.is_empty() {
        return "scalar".into();
    }
    dims.iter().map(ToString::to_string).collect::<Vec<_>>().join("x")
}

/// A table with a header line; columns whose index is in `right` are right-aligned.
pub(super) fn table(header: &[&str], right: &[usize], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header.iter().map(ToString::to_string));
    table.add_rows(rows);
    for column in right {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(short(385_000_000), "385.00 M");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(time(1_500_000, 1000), "1.500 ms");
        assert_eq!(shape(&[1, 3]), "1x3");
    }
}

//! Numbers and tables as text.

use comfy_table::{CellAlignment, Table, presets};

/// 1234567 → `1,234,567`.
pub fn grouped(n: u64) -> String {
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
pub fn short(n: u64) -> String {
    let value = n as f64;
    match n {
        0..10_000 => n.to_string(),
        10_000..1_000_000 => format!("{:.1} k", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.2} M", value / 1e6),
        _ => format!("{:.2} G", value / 1e9),
    }
}

/// 1536 → `1.5 KiB`.
pub fn bytes(n: u64) -> String {
    let value = n as f64;
    match n {
        0..1024 => format!("{n} B"),
        1024..1_048_576 => format!("{:.1} KiB", value / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", value / 1_048_576.0),
        _ => format!("{:.1} GiB", value / 1_073_741_824.0),
    }
}

/// Duration of `cycles` at `clock_mhz`.
pub fn time(cycles: u64, clock_mhz: u32) -> String {
    seconds(cycles as f64 / f64::from(clock_mhz.max(1)) / 1e6)
}

/// `12.34 us`, `1.234 ms`.
#[must_use]
pub fn seconds(seconds: f64) -> String {
    let us = seconds * 1e6;
    if us < 1000.0 { format!("{us:.2} us") } else { format!("{:.3} ms", us / 1000.0) }
}

/// `3 are NaN and 1 is infinite`.
#[must_use]
pub fn not_finite(nan: u64, infinite: u64) -> String {
    let is = |n: u64| if n == 1 { "is" } else { "are" };
    let parts = [(nan, "NaN"), (infinite, "infinite")].into_iter().filter(|(n, _)| *n > 0);
    parts.map(|(n, what)| format!("{n} {} {what}", is(n))).collect::<Vec<_>>().join(" and ")
}

/// `1x3x224x224`; `scalar` for rank 0.
pub fn shape(dims: &[u64]) -> String {
    if dims.is_empty() {
        return "scalar".into();
    }
    dims.iter().map(ToString::to_string).collect::<Vec<_>>().join("x")
}

/// `label` in its own column, followed by the value, which is wrapped where lines are short.
pub fn entry(label: &str, value: &str) -> String {
    const INDENT: usize = 12;
    let room = width().map_or(usize::MAX, |w| w.saturating_sub(INDENT).max(20));
    let folded = wrapped(value, room).replace('\n', &format!("\n{}", " ".repeat(INDENT)));
    format!("{label:<11} {folded}")
}

/// Sentences, wrapped where lines are short; continuation lines are indented.
pub fn prose(text: &str) -> String {
    width().map_or_else(|| text.into(), |width| filled(text, width))
}

fn filled(text: &str, width: usize) -> String {
    let mut filled = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        let indent = line.chars().take_while(|c| *c == ' ').count();
        let mut column = 0;
        for (at, word) in line.split(' ').enumerate() {
            let length = word.chars().count();
            if length > 0 && column > indent && column + 1 + length > width {
                filled.truncate(filled.trim_end_matches(' ').len());
                filled.push('\n');
                filled.push_str(&" ".repeat(indent + GAP));
                column = indent + GAP;
            } else if at > 0 {
                filled.push(' ');
                column += 1;
            }
            filled.push_str(word);
            column += length;
        }
        filled.push_str(end);
    }
    filled
}

/// Columns of the terminal that the report goes to; `None` for a file or pipe. `COLUMNS` overrides it.
fn width() -> Option<usize> {
    let said = std::env::var("COLUMNS").ok().and_then(|c| c.trim().parse().ok()).filter(|c| *c > 0);
    said.or_else(|| terminal_size::terminal_size_of(std::io::stdout()).map(|(w, _)| usize::from(w.0)))
}

/// A table with a header line; columns whose index is in `right` are right-aligned. It is folded where lines
/// are short.
pub fn table(header: &[&str], right: &[usize], rows: Vec<Vec<String>>) -> String {
    let mut all = vec![header.iter().map(ToString::to_string).collect::<Vec<String>>()];
    all.extend(rows);
    match width() {
        Some(width) => folded(&all, right, width),
        None => plain(&all, right),
    }
}

/// The first row is the header.
fn plain(rows: &[Vec<String>], right: &[usize]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let Some((header, rows)) = rows.split_first() else { return String::new() };
    table.set_header(header);
    table.add_rows(rows);
    for column in right {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt() + "\n"
}

/// Spaces between columns.
const GAP: usize = 2;
/// Text is not wrapped into columns narrower than this.
const NARROW: usize = 8;
/// Words longer than this may be broken.
const LONG: usize = 18;

/// A table in lines of `width`: long texts are wrapped; if that is not enough, columns that do not fit follow
/// below, preceded again by the first columns, which identify the row.
fn folded(rows: &[Vec<String>], right: &[usize], width: usize) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let natural: Vec<usize> = (0..columns)
        .map(|c| rows.iter().filter_map(|r| r.get(c)).map(|t| t.chars().count()).max().unwrap_or(0))
        .collect();
    let is_text = |c: &usize| !right.contains(c);
    let line = |chosen: &[usize], widths: &[usize]| chosen.iter().map(|c| widths[*c] + GAP).sum::<usize>();
    // Words stay whole, unless they are too long.
    let least: Vec<usize> = (0..columns)
        .map(|c| {
            let words = rows.iter().filter_map(|r| r.get(c)).map(|t| longest_word(t)).max().unwrap_or(0);
            words.clamp(NARROW, LONG).min(natural[c])
        })
        .collect();
    // Narrows the longest text column until all fit, or none can be narrowed.
    let shrunk = |chosen: &[usize]| {
        let mut widths = natural.clone();
        while line(chosen, &widths) > width {
            let shrinkable = chosen.iter().copied().filter(|c| is_text(c) && widths[*c] > least[*c]);
            let Some(longest) = shrinkable.max_by_key(|c| widths[*c]) else { break };
            widths[longest] -= 1;
        }
        widths
    };
    let part = |chosen: &[usize]| {
        let widths = shrunk(chosen);
        let cells = |r: &Vec<String>| -> Vec<String> {
            chosen.iter().map(|c| wrapped(r.get(*c).map_or("", String::as_str), widths[*c])).collect()
        };
        let aligned: Vec<usize> =
            chosen.iter().enumerate().filter(|(_, c)| !is_text(c)).map(|(i, _)| i).collect();
        plain(&rows.iter().map(cells).collect::<Vec<_>>(), &aligned)
    };
    let all: Vec<usize> = (0..columns).collect();
    if line(&all, &shrunk(&all)) <= width {
        return part(&all);
    }
    // Up to the first text: the number and the name of a row.
    let key: Vec<usize> =
        all.iter().copied().take(all.iter().position(is_text).map_or(1, |p| p + 1)).collect();
    let mut parts = Vec::new();
    let mut chosen = key.clone();
    for column in all.into_iter().skip(key.len()) {
        let wider = [&chosen[..], &[column]].concat();
        if chosen.len() > key.len() && line(&wider, &shrunk(&wider)) > width {
            parts.push(part(&chosen));
            chosen = [&key[..], &[column]].concat();
        } else {
            chosen = wider;
        }
    }
    parts.push(part(&chosen));
    parts.join("\n")
}

/// Whether text may be broken behind a character.
fn separates(c: char) -> bool {
    matches!(c, ' ' | '/' | '_')
}

fn longest_word(text: &str) -> usize {
    text.split_inclusive(separates).map(|word| word.trim_end().chars().count()).max().unwrap_or(0)
}

/// Text in lines of at most `width` characters, broken at separators of names and lists if possible.
fn wrapped(text: &str, width: usize) -> String {
    let mut lines = Vec::new();
    let mut rest: Vec<char> = text.chars().collect();
    while rest.len() > width.max(1) {
        let room = &rest[..width.max(1)];
        // A space at the end of a line takes no column.
        let fits = rest.get(room.len()) == Some(&' ');
        let behind =
            if fits { Some(room.len()) } else { room.iter().rposition(|c| separates(*c)).map(|p| p + 1) };
        let at = behind.unwrap_or(room.len());
        let tail = rest.split_off(at);
        lines.push(rest.iter().collect::<String>().trim_end().to_string());
        rest = if tail.first() == Some(&' ') { tail[1..].to_vec() } else { tail };
    }
    lines.push(rest.iter().collect());
    lines.join("\n")
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

    fn rows(columns: usize) -> Vec<Vec<String>> {
        let mut header: Vec<String> = vec!["#".into(), "layer".into()];
        header.extend((0..columns).map(|c| format!("number {c}")));
        let mut row: Vec<String> = vec!["12".into(), "/features/conv_2/Conv_output_0_quantized".into()];
        row.extend((0..columns).map(|c| format!("{c},000,000")));
        vec![header, row]
    }

    #[test]
    fn tables_fit_into_lines_of_any_width() {
        for columns in [0, 1, 3, 6, 14] {
            let rows = rows(columns);
            let right: Vec<usize> = std::iter::once(0).chain(2..columns + 2).collect();
            for width in [40, 60, 80, 100, 400] {
                let text = folded(&rows, &right, width);
                assert!(text.lines().all(|l| l.chars().count() <= width), "{width}:\n{text}");
                for c in 0..columns {
                    assert!(text.contains(&format!("{c},000,000")), "{width}:\n{text}");
                }
                let together: String = text.split_whitespace().collect();
                assert!(together.contains("number0") || columns == 0);
            }
            assert_eq!(folded(&rows, &right, 400), plain(&rows, &right));
        }
        // The name precedes every part.
        let text = folded(&rows(14), &[0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], 80);
        assert!(text.matches("layer").count() >= 2, "{text}");
    }

    #[test]
    fn sentences_break_between_words() {
        let text = "one two three four\n  five  six seven eight\n\nshort\n";
        assert_eq!(
            filled(text, 10),
            "one two\n  three\n  four\n  five\n    six\n    seven\n    eight\n\nshort\n"
        );
        assert_eq!(filled(text, 80), text);
        assert_eq!(filled("a/path/that/is/long and more", 10), "a/path/that/is/long\n  and more");
        assert_eq!(filled("", 10), "");
    }

    #[test]
    fn long_texts_break_behind_separators() {
        assert_eq!(wrapped("/features/conv_2/Conv_output", 16), "/features/conv_\n2/Conv_output");
        assert_eq!(wrapped("abcdefgh", 3), "abc\ndef\ngh");
        assert_eq!(wrapped("", 3), "");
    }
}

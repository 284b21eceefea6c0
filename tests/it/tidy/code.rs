//! Rust source without comments and literals, with every character at its position.

/// The code with spaces for comments, strings and characters; lines and columns stay.
pub(super) fn bare(text: &str) -> String {
    let b = text.as_bytes();
    let mut out = b.to_vec();
    let mut at = 0;
    while at < b.len() {
        let end = match b[at] {
            b'/' if b.get(at + 1) == Some(&b'/') => find(b, at, b"\n").unwrap_or(b.len()),
            b'/' if b.get(at + 1) == Some(&b'*') => comment(b, at),
            b'"' => string(b, at),
            b'r' if !word(b, at) => raw(b, at).unwrap_or(at),
            b'\'' => character(b, at).unwrap_or(at),
            _ => at,
        };
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    // What was blanked was blanked whole.
    String::from_utf8(out).unwrap()
}

/// Whether the byte goes on with a word.
fn word(b: &[u8], at: usize) -> bool {
    at > 0 && (b[at - 1].is_ascii_alphanumeric() || b[at - 1] == b'_')
}

fn find(b: &[u8], from: usize, what: &[u8]) -> Option<usize> {
    b[from..].windows(what.len()).position(|w| w == what).map(|n| from + n)
}

/// Behind a block comment; they nest.
fn comment(b: &[u8], at: usize) -> usize {
    let (mut depth, mut at) = (1, at + 2);
    while depth > 0 && at < b.len() {
        match &b[at..b.len().min(at + 2)] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    at
}

fn string(b: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while at < b.len() && b[at] != b'"' {
        at += if b[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(b.len())
}

/// Behind `r"…"` or `r#"…"#`.
fn raw(b: &[u8], at: usize) -> Option<usize> {
    let hashes = b[at + 1..].iter().take_while(|c| **c == b'#').count();
    (b.get(at + 1 + hashes) == Some(&b'"')).then_some(())?;
    let close = [b"\"".as_slice(), &b[at + 1..=at + hashes]].concat();
    find(b, at + 2 + hashes, &close).map(|n| n + close.len())
}

/// Behind a character literal; a lifetime is not one.
fn character(b: &[u8], at: usize) -> Option<usize> {
    let text = std::str::from_utf8(&b[at + 1..]).ok()?;
    let mut letters = text.char_indices();
    let (_, first) = letters.next()?;
    let from = if first == '\\' { letters.next()?.0 + 1 } else { 0 };
    let close = text[from..].find('\'')? + from;
    let one = first == '\\' || text[..close].chars().count() == 1;
    one.then_some(at + 1 + close + 1)
}

/// The place of the bracket that closes the one at `open`.
pub(super) fn closing(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in code[open..].char_indices() {
        depth += i32::from(matches!(c, '(' | '[' | '{')) - i32::from(matches!(c, ')' | ']' | '}'));
        if depth == 0 {
            return Some(open + at);
        }
    }
    None
}

/// Positions of a word in the code.
pub(super) fn words<'c>(code: &'c str, word: &'c str) -> impl Iterator<Item = usize> + 'c {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        !code[..*at].chars().next_back().is_some_and(part)
            && !code[at + word.len()..].chars().next().is_some_and(part)
    })
}

/// The number of the line.
pub(super) fn line(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

#[test]
fn comments_and_literals_are_blanked() {
    let code = "let a = \"x // \\\" }\"; // }\nlet b = '}'; let c: &'static str = r#\"}\"#; /* } /* } */ } */ f('\\'')";
    let bare = bare(code);
    assert_eq!(bare.len(), code.len());
    assert!(!bare.contains('}') && bare.contains("&'static str") && bare.trim_end().ends_with(')'));
}

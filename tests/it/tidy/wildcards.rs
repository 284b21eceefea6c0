//! A match over instructions or operations names all of them, so that the build fails wherever a new one is
//! missing.

use super::code::{bare, closing, line, words};

/// Types of instructions in a pattern.
const NAMES: &[&str] =
    &["Insn::", "OpKind::", "control_insn!", "queue_insn!", "dma_op!", "mac_op!", "vec_op!"];

/// Patterns of the arms of a match without guards, with their positions; `body` is the text inside its
/// braces.
fn arms(body: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(arrow) = outside(body, at, "=>") {
        let pattern = &body[at..arrow];
        let guard = words(pattern, "if").next().unwrap_or(pattern.len());
        let start = at + (pattern.len() - pattern.trim_start().len());
        found.push((start, pattern[..guard].trim()));
        let rest = &body[arrow + 2..];
        let value = arrow + 2 + (rest.len() - rest.trim_start().len());
        at = if body[value..].starts_with('{') {
            let end = closing(body, value).unwrap() + 1;
            let comma = body[end..].trim_start().starts_with(',');
            if comma { end + body[end..].find(',').unwrap() + 1 } else { end }
        } else {
            outside(body, value, ",").map_or(body.len(), |comma| comma + 1)
        };
    }
    found
}

/// The next place of a sign outside of all brackets.
fn outside(code: &str, from: usize, sign: &str) -> Option<usize> {
    let mut at = from;
    while at < code.len() {
        let rest = &code[at..];
        if rest.starts_with(sign) {
            return Some(at);
        }
        let c = rest.chars().next()?;
        at = if matches!(c, '(' | '[' | '{') { closing(code, at)? + 1 } else { at + c.len_utf8() };
    }
    None
}

/// How many matches over instructions there are, and the lines of arms that take whatever instruction there
/// is.
fn wild(text: &str) -> (usize, Vec<usize>) {
    let code = bare(text);
    let (mut matches, mut found) = (0, Vec::new());
    for at in words(&code, "match") {
        let Some(open) = outside(&code, at, "{") else { continue };
        let body = &code[open + 1..closing(&code, open).unwrap()];
        let arms = arms(body);
        let named = |pattern: &str| NAMES.iter().any(|n| pattern.contains(n));
        if !arms.iter().any(|(_, pattern)| named(pattern)) {
            continue;
        }
        matches += 1;
        // No instruction at all is no wildcard; inside an `impl` they are `Self::…`.
        let none = |pattern: &str| pattern == "None" || pattern.starts_with("Err(");
        let full = |pattern: &str| named(pattern) || pattern.contains("Self::") || none(pattern);
        let wild = arms.iter().filter(|(_, pattern)| !full(pattern));
        found.extend(wild.map(|(start, _)| line(&code, open + 1 + start)));
    }
    (matches, found)
}

#[test]
fn matches_over_instructions_have_no_wildcard() {
    let (mut matches, mut wrong) = (0, Vec::new());
    for (path, text) in super::files("src", ".rs") {
        let (count, lines) = wild(&text);
        matches += count;
        wrong.extend(lines.into_iter().map(|line| format!("{path}:{line}")));
    }
    assert!(matches > 10, "only {matches} matches over instructions are found");
    super::none("a new instruction would slip through here", &wrong);
}

#[test]
fn a_wildcard_is_found() {
    let of = |arms: &str| wild(&format!("fn f() {{\n match *insn {{\n{arms}\n}}\n}}")).1;
    assert_eq!(of("Insn::Nop => 1,\n_ => 2,"), [4]);
    assert_eq!(of("Insn::Nop if x => { 1 }\nother if y => 2,\nInsn::Li { .. } => 3"), [4]);
    assert_eq!(of("(OpKind::Nop, _) => g(|a, b| { _ => 1 }),\n(kind, Queue::Vec) => 2,"), [4]);
    for whole in [
        "Some(Insn::Nop) => match x { 0 => 1, _ => 2 },\nNone => 2,",
        "Insn::Nop => \"_ => \", // _ =>\nqueue_insn!() => 2,",
        "1 => Insn::Nop,\n_ => Insn::Halt,",
    ] {
        assert!(of(whole).is_empty(), "{whole}");
    }
}

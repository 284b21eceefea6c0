//! The tutorial is replayed: every command in its `console` blocks is run as it stands, and must end and print as it says.
//!
//! A block is a shell session. Lines with `$` are commands; `# ends with status N` at their end is what it says. The lines
//! after a command must occur in its output in this order; `…` stands for lines left out. Numbers with a fraction, or of four
//! digits and more, may differ by 5 %, since float libraries sum in another order on other CPUs.

use std::fs;
use std::path::Path;
use std::process::Command;

const RCAR: &str = env!("CARGO_BIN_EXE_rcar-iss");

struct Step {
    line: usize,
    words: Vec<String>,
    status: i32,
    printed: Vec<String>,
}

fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for (number, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if inside && let Some(command) = line.strip_prefix("$ ") {
            let (command, remark) = command.split_once(" # ").unwrap_or((command, ""));
            let status = remark.strip_prefix("ends with status ").map_or(0, |s| s.trim().parse().unwrap());
            let words = command.split_whitespace().map(str::to_string).collect();
            steps.push(Step { line: number + 1, words, status, printed: Vec::new() });
        } else if inside {
            let step = steps.last_mut().expect("a block begins with a command");
            step.printed.push(line.to_string());
        }
    }
    steps
}

/// Text and numbers of a line, alternately; spaces are one, lines of a table none.
fn pieces(line: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut digits = false;
    for c in line.split_whitespace().collect::<Vec<_>>().join(" ").chars() {
        let goes_on = c.is_ascii_digit() || (digits && (c == '.' || c == ','));
        if goes_on != digits {
            pieces.push(String::new());
            digits = goes_on;
        }
        if let Some(last) = pieces.last_mut() {
            last.push(c);
        }
    }
    pieces
}

fn same_number(said: &str, is: &str) -> bool {
    let exact = |s: &str| !s.contains('.') && s.len() < 4;
    let value = |s: &str| s.trim_end_matches(['.', ',']).replace(',', "").parse::<f64>().ok();
    match (value(said), value(is)) {
        (Some(a), Some(b)) if !exact(said) => (a - b).abs() <= 0.05 * a.abs().max(b.abs()) + 0.06,
        _ => said == is,
    }
}

fn same(said: &str, is: &str) -> bool {
    let (a, b) = (pieces(said), pieces(is));
    let equal =
        |(i, (x, y)): (usize, (&String, &String))| if i % 2 == 1 { same_number(x, y) } else { x == y };
    a.len() == b.len() && a.iter().zip(&b).enumerate().all(equal)
}

#[test]
fn numbers_may_differ_a_little_and_text_not() {
    assert!(same("output \"x\": 4.3 dB, 358,281 cycles", "output  \"x\":  4.2 dB,  359,000 cycles"));
    assert!(!same("output \"x\": 4.3 dB", "output \"x\": 5.3 dB"));
    assert!(!same("282 tiger cat", "285 tiger cat") && !same("tiger cat", "tabby"));
}

#[test]
fn the_tutorial_does_what_it_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/tutorial.md")).unwrap();
    let dir = crate::scratch("tutorial");
    std::os::unix::fs::symlink(root.join("programs"), dir.join("programs")).unwrap();
    let steps = steps(&text);
    assert!(steps.len() > 10, "the tutorial has lost its commands");
    for step in steps {
        let at = format!("docs/tutorial.md:{}: {}", step.line, step.words.join(" "));
        let program = if step.words[0] == "rcar-iss" { RCAR } else { step.words[0].as_str() };
        let mut command = Command::new(program);
        command.env_remove("COLUMNS");
        // The float engine is the one that everybody has.
        command.args(&step.words[1..]).current_dir(&dir).env_remove("ORT_DYLIB_PATH");
        let out = command.output().unwrap();
        let printed = String::from_utf8_lossy(&out.stdout);
        let complaint = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(step.status), "{at}\n{printed}{complaint}");
        let mut lines = printed.lines();
        for said in step.printed.iter().filter(|l| l.trim() != "…" && !l.trim().is_empty()) {
            assert!(
                lines.any(|l| same(said, l)),
                "{at}\nthe tutorial says:\n{said}\nwhich is not, or not there, in:\n{printed}"
            );
        }
    }
}

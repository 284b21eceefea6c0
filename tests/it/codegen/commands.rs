//! Writes `docs/book/src/reference/commands.md`: the help of every command, as the program prints it.

use std::fmt::Write;
use std::process::Command;

/// What `rcar-iss help` prints, on lines of 100 columns.
fn help(command: Option<&str>) -> String {
    let mut program = Command::new(env!("CARGO_BIN_EXE_rcar-iss"));
    let out = program.env("COLUMNS", "100").arg("help").args(command).output().unwrap();
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    text.trim_end().lines().map(|line| line.trim_end().to_string() + "\n").collect()
}

/// The commands that a help lists, in its order.
fn listed(help: &str) -> Vec<&str> {
    let list = help.lines().skip_while(|l| *l != "Commands:").skip(1).take_while(|l| !l.is_empty());
    list.filter(|l| !l.starts_with("   "))
        .filter_map(|l| l.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect()
}

pub(super) fn generate() -> String {
    let all = help(None);
    let mut out = format!(
        "# Commands\n\n\
         Written from the help of the program by `RCN_BLESS=1 cargo test --test it generated`; `rcar-iss COMMAND --help` prints it,\n\
         `rcar-iss man COMMAND` as a manual page. The statuses are told apart in [Exit statuses](exit-statuses.md).\n\n\
         ```text\n{all}```\n"
    );
    let commands = listed(&all);
    assert!(commands.len() > 10, "{all}");
    for command in commands {
        let _ = write!(out, "\n## {command}\n\n```text\n{}```\n", help(Some(command)));
    }
    out
}

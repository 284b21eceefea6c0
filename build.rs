//! Sets the commit that the program is built from, for `--version`. It is omitted outside of git, or where
//! git is missing; packagers can set it in `RCAR_ISS_COMMIT`.

#![allow(clippy::print_stdout, reason = "that is how a build script speaks to cargo")]

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=RCAR_ISS_COMMIT");
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("RCAR_ISS_COMMIT").is_some() {
        return;
    }
    let Some(top) = git(&["rev-parse", "--show-toplevel"]) else { return };
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    // A copy inside another project's repository has no commit of its own.
    if real(Path::new(&top)) != real(Path::new(env!("CARGO_MANIFEST_DIR"))) {
        return;
    }
    for name in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", name]).filter(|p| Path::new(p).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    if let Some(commit) = git(&["rev-parse", "--short=10", "HEAD"]) {
        println!("cargo::rustc-env=RCAR_ISS_COMMIT={commit}");
    }
}

/// The output of a git command, if it succeeds.
fn git(args: &[&str]) -> Option<String> {
    let out = Command::new("git").current_dir(env!("CARGO_MANIFEST_DIR")).args(args).output().ok()?;
    let text = String::from_utf8(out.stdout).ok()?;
    Some(text.trim().to_string()).filter(|t| out.status.success() && !t.is_empty())
}

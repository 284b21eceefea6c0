//! What tests need beside Rust and a POSIX system. Where it is missing, what needs it is skipped, which is
//! told past the harness; `RCN_REQUIRE`, a list of names with commas between, makes that an error.

use std::collections::BTreeSet;
use std::io::Write;

use rcar_iss::internals::kernels::cpu::Level;

/// What tests of this crate ask for by name, but for the levels of kernels.
const TOOLS: [&str; 3] = ["browser", "onnxruntime", "readelf"];

/// What only `.ci/run` asks for. It reads the same list.
const STEPS: [&str; 4] = ["arm", "mdbook", "miri", "python"];

/// The names of a list; those that nothing has are an error.
fn names(list: &str) -> Result<BTreeSet<&str>, String> {
    let known: Vec<&str> = TOOLS.into_iter().chain(Level::NAMES).chain(STEPS).collect();
    let names: BTreeSet<&str> = list.split(',').map(str::trim).filter(|n| !n.is_empty()).collect();
    match names.iter().find(|n| !known.contains(n)) {
        Some(name) => Err(format!("RCN_REQUIRE has \"{name}\"; it may have {}", known.join(", "))),
        None => Ok(names),
    }
}

/// The line that tells of a skip, or why there may be none.
fn verdict(list: &str, name: &str, test: &str, why: &str) -> Result<String, String> {
    assert!(TOOLS.contains(&name) || Level::NAMES.contains(&name), "{name} has no name in RCN_REQUIRE");
    if names(list)?.contains(name) {
        return Err(format!("RCN_REQUIRE has \"{name}\": {why}"));
    }
    Ok(format!("skipped: {test}: {why} (an error with RCN_REQUIRE={name})\n"))
}

fn list() -> String {
    std::env::var("RCN_REQUIRE").unwrap_or_default()
}

/// Says that a test, or a part of it, is skipped since something is missing.
///
/// # Panics
/// `RCN_REQUIRE` has its name.
#[track_caller]
pub(crate) fn missing(name: &str, why: &str) {
    let thread = std::thread::current();
    match verdict(&list(), name, thread.name().unwrap_or("a test"), why) {
        Ok(line) => told(&line),
        Err(error) => panic!("{error}"),
    }
}

/// Says something past the harness, which shows what a test prints only if it fails.
pub(crate) fn told(line: &str) {
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

#[test]
fn every_required_name_is_known() {
    names(&list()).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_skip_is_told_and_an_error_where_it_is_required() {
    let told = verdict("", "browser", "a::test", "no chromium");
    assert_eq!(told.unwrap(), "skipped: a::test: no chromium (an error with RCN_REQUIRE=browser)\n");
    assert!(verdict("onnxruntime, python", "browser", "t", "w").is_ok());
    let required = verdict("python,browser", "browser", "t", "no chromium");
    assert_eq!(required.unwrap_err(), "RCN_REQUIRE has \"browser\": no chromium");
    let unknown = verdict("browsers", "browser", "t", "w").unwrap_err();
    assert!(unknown.contains("\"browsers\"") && unknown.contains("onnxruntime"), "{unknown}");
}

/// `.ci/run` asks for names that this list has, and for all of those that are left to it.
#[test]
fn steps_of_the_integration_are_known_by_name() {
    let script = std::fs::read_to_string(crate::repository::root().join(".ci/run")).unwrap();
    let asked = script.lines().filter_map(|l| l.trim().strip_prefix("skip "));
    let asked: BTreeSet<&str> = asked.map(|l| l.split(' ').next().unwrap()).collect();
    assert_eq!(asked, BTreeSet::from(STEPS));
}

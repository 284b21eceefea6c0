//! Lists of refused cases, kept beside the cases, so that neither acceptance nor refusal changes unnoticed.

use std::collections::BTreeSet;
use std::path::Path;

/// Fails if the list at `path`, below `tests/golden`, differs from the cases refused `now`; lines that begin
/// with `#` are reasons and not compared. With `RCN_BLESS=1` it is written instead. `test` is the name of the
/// test that writes it.
#[track_caller]
pub(crate) fn stay(path: &str, test: &str, now: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(path);
    if std::env::var_os("RCN_BLESS").is_some() {
        std::fs::write(&file, now).unwrap();
        return;
    }
    let listed = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("tests/golden/{path}: {e}"));
    let names = |text: &str| -> BTreeSet<String> {
        text.lines().filter(|l| !l.is_empty() && !l.starts_with('#')).map(str::to_string).collect()
    };
    let (before, after) = (names(&listed), names(now));
    let lines = |of: Vec<&String>| of.into_iter().take(100).map(|n| format!("  {n}\n")).collect::<String>();
    let (accepted, refused) =
        (lines(before.difference(&after).collect()), lines(after.difference(&before).collect()));
    assert!(
        accepted.is_empty() && refused.is_empty(),
        "tests/golden/{path} is stale.\nAccepted now:\n{accepted}Refused now:\n{refused}\
         If that is right, run `RCN_BLESS=1 cargo test --test it {test}` and commit it"
    );
}

//! What variables of the environment ask of tests: how much is tried, and which cases.

use std::fmt::Debug;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

/// The number that a variable has; none if it is not set.
///
/// # Panics
/// It is set to something else.
pub(crate) fn number(name: &str) -> Option<u64> {
    let text = std::env::var_os(name)?;
    let parsed = text.to_str().and_then(|t| t.parse().ok());
    Some(parsed.unwrap_or_else(|| panic!("{name}={} is no number", text.display())))
}

/// The text that names of cases must have, if only some are chosen.
pub(crate) fn chosen() -> Option<String> {
    std::env::var("RCN_COMBINATION").ok()
}

/// Whether all cases run, so that something can be said of all. It is told if not.
pub(crate) fn all_cases(what: &str) -> bool {
    let all = chosen().is_none();
    if !all {
        crate::required::told(&format!("skipped: {what}: RCN_COMBINATION chooses some of the cases\n"));
    }
    all
}

/// What random cases are made from.
pub(crate) fn seed() -> u64 {
    number("RCN_CASE_SEED").unwrap_or(2026)
}

/// So many random cases, made from the [`seed`].
pub(crate) fn cases(cases: u32) -> Config {
    let rng_seed = RngSeed::Fixed(seed());
    Config { cases, failure_persistence: None, rng_seed, ..Config::default() }
}

/// Tries random cases, the same ones for the same [`seed`].
///
/// # Panics
/// A case fails; the smallest one that does is shown, with the seed.
#[track_caller]
pub(crate) fn try_cases<S: Strategy>(
    count: u32,
    strategy: &S,
    test: impl Fn(S::Value) -> Result<(), TestCaseError>,
) where
    S::Value: Debug,
{
    let result = TestRunner::new(cases(count)).run(strategy, test);
    result.unwrap_or_else(|e| panic!("{e}\nit fails again with RCN_CASE_SEED={}", seed()));
}

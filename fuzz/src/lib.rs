//! Targets for cargo-fuzz. Seeds, mutators and what is proved are those of `tests/fuzz/targets/`; a file in
//! `fuzz_targets/` is one of them as a program for libFuzzer.
//!
//! ```sh
//! cargo +nightly fuzz run onnx fuzz/corpus/onnx tests/fuzz/corpus/onnx -- -max_len=1000000 -max_total_time=600
//! ```

#[path = "../../tests/fuzz/targets/mod.rs"]
#[allow(dead_code, reason = "the other harness counts and names what it finds")]
mod targets;

use std::sync::OnceLock;

use rcar_iss::internals::files;
use targets::{Random, TARGETS, Target};

fn target(name: &str) -> &'static Target {
    TARGETS.iter().find(|t| t.name == name).expect("a target of this name")
}

/// Proves what must hold of an input; panics if it does not.
pub fn prove(name: &str, input: &[u8]) {
    static HOOK: OnceLock<()> = OnceLock::new();
    // libFuzzer's own would end the process where the tool guards a decoder that others wrote.
    HOOK.get_or_init(|| {
        std::panic::set_hook(Box::new(|info| {
            if !files::is_guarded() {
                eprintln!("{info}");
                std::process::abort();
            }
        }));
    });
    if let Err(why) = (target(name).prove)(input) {
        panic!("{why}");
    }
}

/// Makes a mutant in place: of the input in the first `size` bytes of `data`, by us or by libFuzzer, which
/// has seen what the code compares it with; or of a seed.
pub fn mutate(name: &str, data: &mut [u8], size: usize, most: usize, seed: u32) -> usize {
    static SEEDS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let target = target(name);
    let seeds = SEEDS.get_or_init(|| (target.seeds)());
    let mut random = Random::new(u64::from(seed));
    let chosen = random.below(seeds.len());
    if size > 1 && random.one_in(4) {
        return libfuzzer_sys::fuzzer_mutate(data, size, most);
    }
    let mutant = match data.get(..size) {
        Some(input) if size > 1 && !random.one_in(16) => (target.mutate)(&mut random, input),
        _ => seeds[chosen].clone(),
    };
    let size = mutant.len().min(most).min(data.len());
    data[..size].copy_from_slice(&mutant[..size]);
    size
}

/// The program of a target.
#[macro_export]
macro_rules! target {
    ($name:literal) => {
        libfuzzer_sys::fuzz_target!(|input: &[u8]| $crate::prove($name, input));
        libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, most: usize, seed: u32| {
            $crate::mutate($name, data, size, most, seed)
        });
    };
}

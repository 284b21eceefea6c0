//! What is fuzzed: for each kind of file that the tool reads, seeds, a mutator, and what must hold of
//! whatever it makes.
//!
//! The harness (`tests/fuzz/main.rs`) and the targets for cargo-fuzz (`fuzz/`) share this folder.

mod mutate;
mod prove;
mod random;
mod seeds;

pub(crate) use random::Random;

/// How far an input came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reached {
    /// It is refused with a typed error.
    Refused,
    /// It is read, and what was read survives a trip through the other forms.
    Read,
    /// It is executed, and the engines agree.
    Ran,
}

/// What was found out about an input; the error says what does not hold.
pub(crate) type Proof = Result<Reached, String>;

/// A kind of file.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// The ending of its files.
    pub(crate) ending: &'static str,
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
    pub(crate) mutate: fn(&mut Random, &[u8]) -> Vec<u8>,
    pub(crate) prove: fn(&[u8]) -> Proof,
}

pub(crate) const TARGETS: &[Target] = &[
    Target {
        name: "onnx",
        ending: "onnx",
        seeds: seeds::models,
        mutate: mutate::onnx::change,
        prove: prove::onnx::prove,
    },
    Target {
        name: "program",
        ending: "rcn",
        seeds: seeds::programs,
        mutate: mutate::program::content,
        prove: prove::program::runs,
    },
    Target {
        name: "elf",
        ending: "rcn",
        seeds: seeds::programs,
        mutate: mutate::program::container,
        prove: prove::program::reads,
    },
    Target {
        name: "asm",
        ending: "s",
        seeds: seeds::sources,
        mutate: |random, text| mutate::text::change(random, text, mutate::text::ASSEMBLY),
        prove: prove::program::assembles,
    },
    Target {
        name: "machine",
        ending: "toml",
        seeds: seeds::machines,
        mutate: |random, text| mutate::text::change(random, text, mutate::text::TOML),
        prove: prove::machine::prove,
    },
    Target {
        name: "trace",
        ending: "trace",
        seeds: seeds::traces,
        mutate: mutate::trace::change,
        prove: prove::trace::prove,
    },
    Target {
        name: "array",
        ending: "npy",
        seeds: seeds::arrays,
        mutate: mutate::array::change,
        prove: prove::array::prove,
    },
    Target {
        name: "picture",
        ending: "img",
        seeds: seeds::pictures,
        mutate: mutate::picture::change,
        prove: prove::picture::prove,
    },
];

/// Mutant number `number` of a target, from a seed: the same everywhere.
pub(crate) fn mutant(target: &Target, seeds: &[Vec<u8>], seed: u64, number: u64) -> Vec<u8> {
    let mut random = Random::new(seed ^ number.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let chosen = &seeds[random.below(seeds.len())];
    (target.mutate)(&mut random, chosen)
}

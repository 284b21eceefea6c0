//! Why a graph cannot be compiled.

use super::verify::Broken;

/// Why a graph cannot be compiled for a machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// The operator or this form of it has no lowering.
    #[error("{node}: {reason}")]
    Unsupported {
        /// Layer.
        node: String,
        /// What is not supported.
        reason: String,
    },
    /// Not even the smallest tile fits.
    #[error(
        "{node}: its smallest tile needs {need} bytes of {what}, the machine has {have}; choose a larger machine"
    )]
    DoesNotFit {
        /// Layer.
        node: String,
        /// Which memory.
        what: String,
        /// Bytes needed.
        need: u64,
        /// Bytes available.
        have: u64,
    },
    /// The machine does not have this rounding profile.
    #[error("machine {machine} does not have the numeric profile {profile}; it has {known}")]
    Profile {
        /// The profile that was asked for.
        profile: &'static str,
        /// Machine.
        machine: String,
        /// Its profiles.
        known: String,
    },
    /// The graph breaks its own rules; the verifier finds this first.
    #[error("{node}: {reason}")]
    Malformed {
        /// Layer.
        node: String,
        /// Which rule.
        reason: String,
    },
    /// A limit of the encoding is exceeded.
    #[error("the program needs more {what} than an instruction can hold")]
    TooBig {
        /// Which limit.
        what: &'static str,
    },
    /// The network needs more DRAM than the machine has.
    #[error("the network needs {need} bytes of DRAM, the machine has {have}; choose a larger machine")]
    Dram {
        /// Bytes needed.
        need: u64,
        /// Bytes available.
        have: u64,
    },
    /// A defect of the compiler, found by the verifier between passes in debug builds.
    #[error("compiler defect: {0}; please report it with the model")]
    Broken(#[from] Broken),
    /// A defect of the compiler.
    #[error("compiler defect: {what}; please report it with the model")]
    Internal {
        /// What is wrong.
        what: &'static str,
    },
}

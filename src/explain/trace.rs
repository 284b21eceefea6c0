//! Messages on queries of a trace.

use super::Failure;
use crate::isa::Queue;
use crate::trace::{Ranged, WantedError};

/// The option of a condition.
fn option(of: Ranged) -> &'static str {
    match of {
        Ranged::Pc => "--pc",
        Ranged::Cycles => "--cycles",
    }
}

impl From<WantedError> for Failure {
    fn from(error: WantedError) -> Failure {
        match &error {
            WantedError::Layer { name, known } | WantedError::Node { name, known } => {
                Failure::usage(error.to_string())
                    .help("`rcar-iss info P.rcn --provenance` lists layers and nodes")
                    .nearest(name, known.iter().map(String::as_str))
            }
            WantedError::Unit { name } => Failure::usage(error.to_string())
                .help("units are control, dmain, dmaout, mac and vec")
                .nearest(name, Queue::ALL.into_iter().map(Queue::name).chain(["control"])),
            WantedError::ControlWrites => {
                Failure::usage("--writes with --unit control").why(&error).help("leave one of the two out")
            }
            WantedError::NoRange { of, .. } => Failure::usage(format!("{} {error}", option(*of)))
                .help("write it like 100..200, or 100..: numbers from 0"),
            WantedError::EmptyRange { of, text, .. } => Failure::usage(format!("{} {text}", option(*of)))
                .why(&error)
                .help("write it like 100..200, or 100.."),
            WantedError::Beyond { of, text, .. } => {
                Failure::usage(format!("{} {text}", option(*of))).why(&error)
            }
            WantedError::NoAddress { .. } => Failure::usage(format!("--writes {error}"))
                .help("write it like spm:0x400, dram:8192 or acc:0"),
            WantedError::Outside { text, .. } => Failure::usage(format!("--writes {text}")).why(&error),
        }
    }
}

//! The integration tests, one binary: linking once is cheaper than twenty times.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod book;
mod chains;
mod channel;
mod cli;
mod clock;
mod codegen;
mod combinations;
mod compare;
mod conformance;
mod damage;
mod diagnose;
mod dump;
mod elf;
mod explore;
mod face;
mod files;
mod float_engines;
mod float_forms;
mod graphs;
mod host_engine;
mod host_operators;
mod inputs_cli;
mod isa;
mod isa_table;
mod kernel_calls;
mod kernels;
mod messages_cli;
mod nan;
mod numeric;
mod outputs;
mod peers;
mod pruned;
mod quantize;
mod quantize_cli;
mod quantize_forms;
mod quantize_values;
mod quantize_weights;
mod races;
mod random;
mod refused;
mod removal;
mod report;
mod repository;
mod required;
mod schemas;
mod settings;
mod small_networks;
mod stepped;
mod text_cli;
mod threads;
mod tidy;
mod tiles;
mod time_cli;
mod trace;
mod tune;
mod usage;

/// A fresh empty folder for one test.
fn scratch(name: &str) -> std::path::PathBuf {
    let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

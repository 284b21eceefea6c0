//! Generates `src/isa/kinds.rs`, `src/isa/generated.rs`, `src/sim/op/kind.rs` and `isa/MANUAL.md` from
//! `isa/rcn.toml`, the book's pages of operators, from the importer's table, and of commands, from the
//! program's help, and checks that the committed files are fresh.
//! `RCN_BLESS=1 cargo test --test it generated` rewrites them.

mod commands;
mod manual;
mod operation;
mod operators;
mod rust;
mod table;

use crate::repository::root;

/// Compares a generated file with the committed one, or rewrites it.
fn ensure(path: &str, wanted: &str) {
    let file = root().join(path);
    let present = std::fs::read_to_string(&file).unwrap_or_default();
    if present == wanted {
        return;
    }
    if std::env::var_os("RCN_BLESS").is_some() {
        std::fs::write(&file, wanted).unwrap();
        return;
    }
    let at = present.lines().zip(wanted.lines()).position(|(a, b)| a != b).unwrap_or(0) + 1;
    panic!(
        "{path} is stale from line {at} on; run `RCN_BLESS=1 cargo test --test it generated` and commit it"
    );
}

#[test]
fn generated_rust_is_fresh() {
    let table = table::load();
    ensure("src/isa/kinds.rs", &rust::kinds(&table));
    ensure("src/isa/generated.rs", &rust::generate(&table));
    ensure("src/sim/op/kind.rs", &operation::generate(&table));
}

#[test]
fn generated_list_of_operators_is_fresh() {
    ensure("docs/book/src/reference/operators.md", &operators::generate());
    let guide = "docs/book/src/guide/your-model.md";
    let page = std::fs::read_to_string(root().join(guide)).unwrap();
    assert_eq!(operators::unknown_in(&page), Vec::<String>::new(), "{guide} names what is not understood");
}

#[test]
fn generated_page_of_commands_is_fresh() {
    ensure("docs/book/src/reference/commands.md", &commands::generate());
}

#[test]
fn generated_manual_is_fresh() {
    let table = table::load();
    ensure("isa/MANUAL.md", &manual::generate(&table));
}

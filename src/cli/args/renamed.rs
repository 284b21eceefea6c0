//! Renamed options: using an old name is an error that gives the new one.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::explain::Failure;

/// Command, old name and new name.
const RENAMED: &[(&str, &str, &str)] = &[
    ("quantize", "--calibration", "--statistics"),
    ("quantize", "--limit", "--calib-limit"),
    ("run", "--labels", "--classes"),
    ("tune", "--calibration", "--statistics"),
    ("tune", "--inputs", "--input"),
    ("tune", "--limit", "--calib-limit"),
    ("tune", "--samples", "--input-limit"),
];

/// The failure for an unknown option that is an old name.
pub(in crate::cli) fn renamed(error: &clap::Error) -> Option<Failure> {
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidArg) else { return None };
    // The first word that is a command is the command.
    let command =
        std::env::args().skip(1).find(|word| RENAMED.iter().any(|(command, _, _)| command == word))?;
    new_name(&command, typed)
        .map(|new| Failure::usage(format!("{command} {typed}")).why(&format!("the option is called {new}")))
}

fn new_name(command: &str, typed: &str) -> Option<&'static str> {
    RENAMED.iter().find(|(of, old, _)| (*of, *old) == (command, typed)).map(|(_, _, new)| *new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_names_are_options_and_old_ones_are_none() {
        let whole = crate::cli::args::command();
        for (command, old, new) in RENAMED {
            let command = whole.find_subcommand(command).unwrap();
            let has = |name: &str| command.get_arguments().any(|a| a.get_long() == Some(&name[2..]));
            assert!(has(new) && !has(old), "{old} → {new}");
        }
        assert_eq!(new_name("run", "--labels"), Some("--classes"));
        assert_eq!(new_name("tune", "--labels"), None);
    }
}

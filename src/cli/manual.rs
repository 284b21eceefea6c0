//! Completions and manual pages.

use std::path::Path;

use super::args::{CompletionsArgs, ManArgs, command};
use super::{Report, places};
use crate::explain::Failure;

pub(super) fn completions(args: &CompletionsArgs) -> Result<Report, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command(), "rcar-iss", &mut script);
    hand_out(script, args.output.as_deref())
}

pub(super) fn man(args: &ManArgs) -> Result<Report, Failure> {
    let mut all = command();
    all.build();
    let wanted = match &args.command {
        None => all,
        Some(name) => match all.get_subcommands().find(|c| c.get_name() == name) {
            // The page of a command is named after its command line.
            Some(found) => {
                found.clone().bin_name(format!("rcar-iss {name}")).display_name(format!("rcar-iss-{name}"))
            }
            None => {
                let known: Vec<&str> = all.get_subcommands().map(clap::Command::get_name).collect();
                return Err(Failure::usage(format!("there is no command '{name}'"))
                    .help(format!("there are {}", known.join(", ")))
                    .nearest(name, known));
            }
        },
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(wanted)
        .source(format!("rcar-iss {}", env!("CARGO_PKG_VERSION")))
        .manual("rcar-iss")
        .render(&mut page)
        .map_err(|e| Failure::new(crate::explain::NO, format!("the manual page: {e}")))?;
    hand_out(page, args.output.as_deref())
}

fn hand_out(text: Vec<u8>, output: Option<&Path>) -> Result<Report, Failure> {
    match output {
        Some(path) => {
            places::writes("--output", path)?;
            places::write(path, &text)?;
            Ok(Report::fine(String::new()))
        }
        None => Ok(Report::fine(String::from_utf8_lossy(&text).into_owned())),
    }
}

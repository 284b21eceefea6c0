//! The command line, on top of all other modules.
//!
//! A command has three steps: the options (`args`), a plan once files are read (in the command's own module),
//! and the report. Commands return their report as text; only this module prints it, and only `failure`
//! determines the form of errors and their exit status:
//!
//! | status | meaning |
//! |---|---|
//! | 0 | fine |
//! | 1 | the answer is "no" |
//! | 2 | wrong usage |
//! | 3 | bad input file |
//! | 4 | unsupported model |
//! | 5 | the program did something illegal |

mod args;
mod asm;
mod bench;
mod check;
mod compare;
mod compile;
mod dequantize;
mod diagnose;
mod diff;
mod disasm;
mod effect;
mod engine;
mod estimate;
mod given;
mod info;
mod inputs;
mod kernels;
mod machines;
mod manual;
mod model;
mod outcome;
mod places;
mod progress;
mod quantize;
mod reference;
mod run;
mod source;
mod tiles;
mod trace;
mod tune;
mod version;
mod widths;

use std::io::Write;
use std::process::ExitCode;

use clap::FromArgMatches;

use crate::explain::Failure;
use crate::files::operation::{self, Kind};
use args::{Cli, Command};
use outcome::{Outcome, Report};

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // Panics of a decoder on damaged bytes, and of the float library on its own threads, become errors.
        let library = std::thread::current().name().is_some_and(|name| name.starts_with("rten"));
        if !crate::files::is_guarded() && !library {
            print(panic);
        }
    }));
    let cli = match args::command().try_get_matches().and_then(|typed| Cli::from_arg_matches(&typed)) {
        Ok(cli) => cli,
        // Help, the version, or a usage error.
        Err(text) => {
            if let Some(failure) = args::renamed(&text) {
                return ended(Err(failure));
            }
            let shown = text.print().and_then(|()| std::io::stdout().flush());
            let status = u8::try_from(text.exit_code()).unwrap_or(crate::explain::USAGE);
            return ended(places::written(shown).map(|()| status));
        }
    };
    logging(cli.verbose, cli.quiet);
    if cli.quiet {
        progress::silence();
    }
    let json = cli.command.json();
    let done = injected().and_then(|()| dispatch(cli.command)).and_then(|outcome| match outcome {
        Outcome::Stream(stream) => stream(&mut std::io::stdout().lock()).map(|()| 0),
        Outcome::Report(report) => show(&report, cli.quiet).map(|()| report.status),
    });
    if let Err(failure) = &done
        && json
        && !places::stdout_taken()
    {
        // The failure is also on stderr; an error in writing it to stdout is not reported.
        let _ = places::stdout(crate::document::pretty(&failure.report()).as_bytes());
    }
    ended(done)
}

/// Prints a report, after an output that goes to stdout.
fn show(report: &Report, quiet: bool) -> Result<(), Failure> {
    if places::stdout_taken() {
        if quiet {
            return Ok(());
        }
        let _ = std::io::stderr().write_all(report.text.as_bytes());
        return Ok(());
    }
    places::stdout(report.text.as_bytes())
}

/// The exit status; a failure is shown on stderr.
fn ended(done: Result<u8, Failure>) -> ExitCode {
    if std::env::var_os(INJECTED).is_some() {
        let counts = Kind::ALL.iter().zip(operation::counts());
        let counts: Vec<String> = counts.map(|(kind, count)| format!("{} {count}", kind.name())).collect();
        let _ = writeln!(std::io::stderr(), "file operations: {}", counts.join(", "));
    }
    ExitCode::from(done.unwrap_or_else(|failure| {
        let _ = std::io::stderr().write_all(failure.render().as_bytes());
        failure.status
    }))
}

/// For tests: makes a file operation fail, in the syntax of
/// [`operation::Fault`](crate::files::operation::Fault).
const INJECTED: &str = "RCAR_ISS_FAULT";

fn injected() -> Result<(), Failure> {
    let Ok(text) = std::env::var(INJECTED) else { return Ok(()) };
    let fault = text.parse().map_err(|e: String| Failure::usage(INJECTED).why(&e))?;
    if !operation::arm(fault) {
        return Err(Failure::usage(format!("{INJECTED} is for debug builds")));
    }
    Ok(())
}

fn dispatch(command: Command) -> Result<Outcome, Failure> {
    if command.stdin_files() > 1 {
        return Err(Failure::usage("'-' is given for more than one file")
            .why(&"standard input gives its bytes only once"));
    }
    let report = match command {
        Command::Check(args) => check::run(&args),
        Command::Compile(args) => compile::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Estimate(args) => estimate::run(&args),
        Command::Trace(args) => return trace::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Asm(args) => asm::run(&args),
        Command::Disasm(args) => disasm::run(&args),
        Command::Info(args) => info::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Diagnose(args) => diagnose::run(&args),
        Command::Dequantize(args) => dequantize::run(&args),
        Command::Quantize(args) => quantize::run(&args),
        Command::Tune(args) => tune::run(&args),
        Command::Completions(args) => manual::completions(&args),
        Command::Man(args) => manual::man(&args),
    };
    report.map(Outcome::Report)
}

/// Sets up logging: `-v` shows what is done, `-vv` how; `RUST_LOG` may select more. With `--quiet` there is
/// none.
fn logging(verbose: u8, quiet: bool) {
    use tracing_subscriber::EnvFilter;
    let level = match verbose {
        0 => "warn",
        1 => "rcar_iss=info",
        2 => "rcar_iss=debug",
        _ => "rcar_iss=trace",
    };
    let spoken = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let filter = if quiet { EnvFilter::new("off") } else { spoken };
    let stderr_is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(stderr_is_terminal)
        .without_time()
        .with_target(verbose > 1)
        // A closed stderr is not an error.
        .log_internal_errors(false)
        .init();
}

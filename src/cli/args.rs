//! What can be typed. Nothing is resolved here: paths are not opened, names not looked up.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(
    name = "rcar-iss",
    version,
    about = "Compiles quantized ONNX networks to RCN, a modeled integer accelerator, and simulates them bit-exactly",
    after_help = "Exit status: 0 fine, 1 the answer is \"no\", 2 usage, 3 bad input file, 4 unsupported model, \
                  5 the program did something illegal.",
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(super) struct Cli {
    /// Log to stderr what is done (-v), how (-vv) and everything (-vvv)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(super) verbose: u8,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Assemble text into a program file
    Asm(AsmArgs),
    /// Print a program as assembly text
    Disasm(DisasmArgs),
    /// Show what a program file holds
    Info(InfoArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  rcar-iss asm programs/copy.s -o copy.rcn")]
pub(super) struct AsmArgs {
    /// Assembly text
    pub(super) source: PathBuf,
    /// Program file to write
    #[arg(short, long, value_name = "P.rcn")]
    pub(super) output: PathBuf,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  rcar-iss disasm net.rcn | less\n  rcar-iss disasm net.rcn --layer /conv1/Conv"
)]
pub(super) struct DisasmArgs {
    /// Program file
    pub(super) program: PathBuf,
    /// Write to a file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Only the instructions of this layer
    #[arg(long, value_name = "NAME")]
    pub(super) layer: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  rcar-iss info net.rcn --layers\n  rcar-iss info net.rcn --json")]
pub(super) struct InfoArgs {
    /// Program file
    pub(super) program: PathBuf,
    /// List the layers
    #[arg(long)]
    pub(super) layers: bool,
    /// List the tensors, and those that fusion removed
    #[arg(long)]
    pub(super) tensors: bool,
    /// List ONNX node, layer and instruction range
    #[arg(long)]
    pub(super) provenance: bool,
    /// All tables as JSON
    #[arg(long)]
    pub(super) json: bool,
}

//! The command line's options. Nothing is resolved here: paths are not opened, names not looked up.

mod accuracy;
mod engine;
mod model;
mod quantization;
mod renamed;
mod stdin;

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, ValueParser};
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand};

use crate::kernels::cpu::Level;
pub(super) use accuracy::{CompareArgs, DequantizeArgs, DiagnoseArgs, LayoutArg, ReferenceArgs};
pub(super) use engine::EngineArgs;
pub(super) use model::{GraphArgs, ModelArgs};
pub(super) use quantization::{CalibrationArgs, PictureArgs, QuantizeArgs, ShapeArgs, TuneArgs};
pub(super) use renamed::renamed;

#[derive(Debug, Parser)]
#[command(
    name = "rcar-iss",
    version = super::version::version(),
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
    /// Say nothing on stderr but errors: no progress, no notes, no warnings
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// The command line for parsing, completions and manual pages. Any option accepts a negative number: an
/// invalid one is refused by the option's own check instead of being parsed as another option.
pub(super) fn command() -> clap::Command {
    let reals = [ValueParser::from(clap::value_parser!(f32)), clap::value_parser!(f64).into()];
    let is_real = |arg: &clap::Arg| reals.iter().any(|r| r.type_id() == arg.get_value_parser().type_id());
    let negative = |arg: clap::Arg| {
        let valued = arg.get_action().takes_values() && !arg.is_positional();
        if valued && is_real(&arg) {
            // `-inf` begins with a hyphen and is not a number for clap.
            arg.allow_hyphen_values(true)
        } else if valued && !arg.is_allow_hyphen_values_set() {
            arg.allow_negative_numbers(true)
        } else {
            arg
        }
    };
    Cli::command().mut_subcommands(|command| command.mut_args(negative))
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Report which nodes of a model are supported, and why others are not; or load a program and check it
    Check(CheckArgs),
    /// Compile a quantized ONNX model to a program file
    Compile(CompileArgs),
    /// Execute a program or a model, instruction by instruction
    Run(RunArgs),
    /// Query the trace of a run, or export it in another format
    Trace(TraceArgs),
    /// Compare two programs or two traces: cycles and bytes of every layer, and the first values that differ
    Diff(DiffArgs),
    /// Report the cycles of a program or a model, layer by layer, without executing it
    Estimate(EstimateArgs),
    /// Measure how long a program or a model takes on this computer
    Bench(BenchArgs),
    /// Assemble text into a program file
    Asm(AsmArgs),
    /// Print a program as assembly text
    Disasm(DisasmArgs),
    /// Show the contents of a program file or an ONNX model
    Info(InfoArgs),
    /// Compare every layer with a float network, or with dumps of one
    Compare(CompareArgs),
    /// Find by experiment why layers lose accuracy: calibration, ranges too wide for 8 bits, or weights
    Diagnose(DiagnoseArgs),
    /// Turn dumped integers into real values
    Dequantize(DequantizeArgs),
    /// Quantize a float ONNX model: calibrate it on inputs and write it in QDQ form
    Quantize(QuantizeArgs),
    /// Find the fewest tensors and weights that need 16 bits for a required accuracy
    Tune(TuneArgs),
    /// Write the completions of a shell
    Completions(CompletionsArgs),
    /// Write a manual page, as `man` reads it
    Man(ManArgs),
}

impl Command {
    /// Whether the report, or the failure, is requested as JSON.
    pub(super) fn json(&self) -> bool {
        match self {
            Command::Check(a) => a.json,
            Command::Compile(a) => a.json,
            Command::Run(a) => a.json,
            Command::Info(a) => a.json,
            Command::Estimate(a) => a.json,
            Command::Diff(a) => a.json,
            Command::Compare(a) => a.sides.json,
            Command::Dequantize(a) => a.json,
            Command::Bench(a) => a.json,
            Command::Quantize(a) => a.json,
            Command::Tune(a) => a.json,
            Command::Diagnose(a) => a.sides.json,
            Command::Asm(_)
            | Command::Disasm(_)
            | Command::Trace(_)
            | Command::Completions(_)
            | Command::Man(_) => false,
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  rcar-iss run net.rcn --input x.npy --trace net.trace\n  \
                  rcar-iss trace net.trace --node /conv1/Conv --unit mac\n  \
                  rcar-iss trace net.trace --writes spm:0x400 --cycles 1000..2000\n  \
                  rcar-iss trace net.trace --format perfetto -o net.json")]
pub(super) struct TraceArgs {
    /// Trace that `run --trace` wrote
    pub(super) file: PathBuf,
    /// Only this layer; several times for several
    #[arg(long, value_name = "NAME")]
    pub(super) layer: Vec<String>,
    /// Only the layer that this ONNX node became part of
    #[arg(long, value_name = "NAME")]
    pub(super) node: Vec<String>,
    /// Only this unit: control, dmain, dmaout, mac or vec
    #[arg(long, value_name = "UNIT")]
    pub(super) unit: Vec<String>,
    /// Only instructions at these places of the code, both ends included
    #[arg(long, value_name = "A..B", allow_hyphen_values = true)]
    pub(super) pc: Option<String>,
    /// Only what is issued or active in these cycles
    #[arg(long, value_name = "A..B", allow_hyphen_values = true)]
    pub(super) cycles: Option<String>,
    /// Only what writes this byte (between the lowest and highest byte of its destination)
    #[arg(long, value_name = "[SPACE:]ADDRESS", allow_hyphen_values = true)]
    pub(super) writes: Option<String>,
    /// Form: perfetto opens in ui.perfetto.dev, konata in the Konata viewer; json is one object a line
    #[arg(long, value_enum, default_value_t = TraceFormat::Text)]
    pub(super) format: TraceFormat,
    /// Write to a file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  rcar-iss diff before.rcn after.rcn\n  rcar-iss diff a.onnx b.onnx --machine rcn-s\n  \
                  rcar-iss diff net.onnx net.onnx --machine rcn-s --machine rcn-l\n  \
                  rcar-iss diff one.trace two.trace --json\n\n\
                  Of two programs the layers, their cycles and bytes, and what is executed are compared; of two traces of \
                  one program also the values."
)]
pub(super) struct DiffArgs {
    /// Program, model or trace
    pub(super) a: PathBuf,
    /// The other one; two traces, or none
    pub(super) b: PathBuf,
    /// Machine for models, or machine file of programs: rcn-s, rcn-m, rcn-l or a machine file; given twice,
    /// one for each
    #[arg(long, value_name = "NAME|FILE")]
    pub(super) machine: Vec<String>,
    #[command(flatten)]
    pub(super) graph: GraphArgs,
    /// Exit with status 1 if anything differs
    #[arg(long)]
    pub(super) exit_code: bool,
    /// The report as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// A form of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum TraceFormat {
    /// Aligned columns
    Text,
    /// One JSON object a line
    Json,
    /// Comma-separated values
    Csv,
    /// Trace event format
    Perfetto,
    /// Kanata 0004
    Konata,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  rcar-iss estimate net.onnx\n  rcar-iss estimate net.onnx --machine rcn-s --machine my.toml\n  \
                  rcar-iss estimate net.onnx --machine all --json\n  \
                  rcar-iss estimate net.onnx --plot roofline.svg\n  \
                  rcar-iss estimate net.onnx --set spm.bytes=1MiB --set dram.memory=lpddr5-6400\n  \
                  rcar-iss estimate net.onnx --sweep dram.bytes_per_cycle=8,16,32 --sweep spm.bytes=512KiB,1MiB,2MiB --plot front.svg\n  \
                  rcar-iss estimate net.onnx --advice\n  \
                  rcar-iss estimate net.onnx --energy example --lifetimes spm.svg"
)]
pub(super) struct EstimateArgs {
    /// Program file, ONNX model or assembly text
    pub(super) file: PathBuf,
    /// Pack the constants of an ONNX model, too, and check its program as `run` does: the same cycles, later
    #[arg(long)]
    pub(super) exact: bool,
    /// Write a roofline plot of the layers; with --sweep, of the time by the first swept field
    #[arg(long, value_name = "FILE.svg")]
    pub(super) plot: Option<PathBuf>,
    /// Give a field of the machine another value, in numbers, KiB, MiB or GiB; several times for several
    #[arg(long, value_name = "FIELD=VALUE")]
    pub(super) set: Vec<String>,
    /// Estimate a model on the machines that these values of a field make; with several, on all combinations
    #[arg(long, value_name = "FIELD=VALUE,VALUE", conflicts_with = "advice")]
    pub(super) sweep: Vec<String>,
    /// Write the machines of a sweep as comma-separated values
    #[arg(long, value_name = "FILE.csv", requires = "sweep")]
    pub(super) csv: Option<PathBuf>,
    /// Say what limits each layer, and what twice of each resource, pruned and narrower weights would save
    #[arg(long, conflicts_with = "exact")]
    pub(super) advice: bool,
    /// Add the energy by a table of picojoules: a file like the one that `info --energy` prints, or `example`
    #[arg(long, value_name = "FILE|example", conflicts_with = "sweep")]
    pub(super) energy: Option<String>,
    /// Write a picture of what lies in the scratchpad, where and when
    #[arg(long, value_name = "FILE.svg", conflicts_with = "sweep")]
    pub(super) lifetimes: Option<PathBuf>,
    /// Machine: rcn-s, rcn-m, rcn-l, a fitted one, a machine file, or `all` for the first three; several
    /// stand side by side
    #[arg(long, value_name = "NAME|FILE")]
    pub(super) machine: Vec<String>,
    #[command(flatten)]
    pub(super) graph: GraphArgs,
    /// The report as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// How the fast engine uses this computer. Results are the same whatever is chosen.
#[derive(Debug, Clone, Args)]
pub(super) struct KernelArgs {
    /// Instructions of this CPU that the fast engine may use [default: the best it has]
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(Level::NAMES))]
    pub(super) kernels: Option<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  rcar-iss bench net.rcn --input x.npy\n  rcar-iss bench net.onnx --input x.npy --profile\n  \
                  rcar-iss bench net.onnx --input x.npy --kernels portable --json\n\n\
                  A repetition executes the program on the input, computes its clock anew, and reads the outputs; loading \
                  and compiling are not part of it."
)]
pub(super) struct BenchArgs {
    /// Program file, ONNX model or assembly text
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) model: ModelArgs,
    /// Input: .npy, .npz or a picture
    #[arg(short, long, value_name = "[NAME=]PATH")]
    pub(super) input: Vec<String>,
    #[command(flatten)]
    pub(super) pictures: PictureArgs,
    /// Repetitions, after a first one
    #[arg(long, value_name = "N", default_value = "20")]
    pub(super) repeat: std::num::NonZeroUsize,
    #[command(flatten)]
    pub(super) kernels: KernelArgs,
    /// Threads that work on one input, each on its part of every tile
    #[arg(long, value_name = "N", default_value = "1")]
    pub(super) threads: std::num::NonZeroUsize,
    /// Show the time of each kind of instruction, and the slowest layers
    #[arg(long)]
    pub(super) profile: bool,
    /// Run once for each line on stdin and answer with the milliseconds, for scripts that alternate with
    /// something else
    #[arg(long, conflicts_with_all = ["json", "profile", "repeat"])]
    pub(super) serve: bool,
    /// The report as JSON
    #[arg(long)]
    pub(super) json: bool,
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
#[command(
    after_help = "Examples:\n  rcar-iss info net.rcn --layers\n  rcar-iss info net.rcn --json\n  rcar-iss info net.onnx\n  \
                  rcar-iss info --machine rcn-m > my.toml\n  rcar-iss info --host"
)]
pub(super) struct InfoArgs {
    /// Program file or ONNX model
    #[arg(required_unless_present_any = ["host", "machine", "energy"])]
    pub(super) program: Option<PathBuf>,
    /// Show the CPU features that the fast engine can use
    #[arg(long, conflicts_with_all = ["program", "layers", "tensors", "provenance", "machine", "expect_bits"])]
    pub(super) host: bool,
    /// Print the example of a table of picojoules, for `estimate --energy`
    #[arg(long, conflicts_with_all = ["program", "host", "layers", "tensors", "provenance", "machine", "expect_bits", "json"])]
    pub(super) energy: bool,
    /// List the layers
    #[arg(long)]
    pub(super) layers: bool,
    /// List the tensors, and those that fusion removed
    #[arg(long)]
    pub(super) tensors: bool,
    /// List ONNX node, layer and instruction range
    #[arg(long)]
    pub(super) provenance: bool,
    /// Machine file, for a program of a machine that is not shipped; without a program, print this machine's
    /// file
    #[arg(long, value_name = "NAME|FILE")]
    pub(super) machine: Option<String>,
    #[command(flatten)]
    pub(super) widths: WidthArgs,
    /// All tables as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// The widths that layers are expected to be executed with.
#[derive(Debug, Clone, Args)]
pub(super) struct WidthArgs {
    /// Exit with status 1 unless this layer is executed with these bits, like conv1=16x8 or add3=8
    #[arg(long, value_name = "LAYER=BITS")]
    pub(super) expect_bits: Vec<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  rcar-iss check net.onnx\n  rcar-iss check net.onnx --all --json\n  rcar-iss check net.rcn"
)]
pub(super) struct CheckArgs {
    /// ONNX model, program file or assembly text
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) model: ModelArgs,
    /// List every node, not only those that need attention
    #[arg(long)]
    pub(super) all: bool,
    /// The report as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  rcar-iss compile net.onnx -o net.rcn\n  rcar-iss compile net.onnx -o net.rcn --machine rcn-s --emit-asm net.s\n  \
                  rcar-iss compile net.onnx -o net.rcn --observe all"
)]
pub(super) struct CompileArgs {
    /// Quantized ONNX model (QDQ or QOperator form)
    pub(super) model_file: PathBuf,
    /// Program file to write; needed but for `--emit-tiles after:list`
    #[arg(short, long, value_name = "P.rcn")]
    pub(super) output: Option<PathBuf>,
    #[command(flatten)]
    pub(super) model: ModelArgs,
    /// Also write the program as commented assembly text
    #[arg(long, value_name = "FILE")]
    pub(super) emit_asm: Option<PathBuf>,
    /// Also write the integer graph as text
    #[arg(long, value_name = "FILE")]
    pub(super) emit_graph: Option<PathBuf>,
    /// Also write the tiled operations as text; `after:NAME:FILE` writes them as they are after a pass,
    /// `after:NAME` to standard output, and `after:list` lists the passes and does nothing else
    #[arg(long, value_name = "FILE")]
    pub(super) emit_tiles: Option<PathBuf>,
    /// The report as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  rcar-iss run net.onnx --input photo.jpg\n  rcar-iss run net.rcn --input data=x.npy -o out --dump-layers layers\n  \
                  rcar-iss run net.rcn --input digits.npy --json\n  rcar-iss run programs/copy.s\n\n\
                  A stacked input (its first axis N times the model's) runs N times. Several inputs may come from one .npz \
                  whose arrays, or one folder whose .npy files, are called like them."
)]
pub(super) struct RunArgs {
    /// Program file, ONNX model or assembly text
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) model: ModelArgs,
    /// Input: .npy, .npz, a picture or a folder of them; once for each input, or several times to stack
    #[arg(short, long, value_name = "[NAME=]PATH")]
    pub(super) input: Vec<String>,
    #[command(flatten)]
    pub(super) pictures: PictureArgs,
    /// Write every output as .npy into this folder
    #[arg(short, long, value_name = "DIR")]
    pub(super) output: Option<PathBuf>,
    /// Write every layer's tensors into this folder, with manifest.json
    #[arg(long, value_name = "DIR")]
    pub(super) dump_layers: Option<PathBuf>,
    /// Dump only this layer or tensor (may be repeated)
    #[arg(long, value_name = "NAME", requires = "dump_layers")]
    pub(super) dump_layer: Vec<String>,
    /// Dump real values beside the integers
    #[arg(long, requires = "dump_layers")]
    pub(super) dequantize: bool,
    #[command(flatten)]
    pub(super) widths: WidthArgs,
    /// Write a record of every executed instruction, for `rcar-iss trace`
    #[arg(long, value_name = "FILE")]
    pub(super) trace: Option<PathBuf>,
    /// Show where the cycles went: what bounds each layer, what the units waited for
    #[arg(long)]
    pub(super) profile: bool,
    /// Engine: both give the same bytes
    #[arg(long, value_enum, default_value_t = EngineArg::Fast)]
    pub(super) engine: EngineArg,
    #[command(flatten)]
    pub(super) kernels: KernelArgs,
    /// Threads over which inputs are spread; if given, and inputs are fewer, tiles are cut for the others
    /// [default: all]
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<std::num::NonZeroUsize>,
    /// Class names: a JSON list, or an object from number to name
    #[arg(long, value_name = "FILE")]
    pub(super) classes: Option<PathBuf>,
    /// Stop a program after this many instructions
    #[arg(long, value_name = "N")]
    pub(super) max_instructions: Option<std::num::NonZeroU64>,
    /// Stop a program after this many multiply-accumulates
    #[arg(long, value_name = "N")]
    pub(super) max_macs: Option<u64>,
    /// Stop a program after this many bytes moved
    #[arg(long, value_name = "N")]
    pub(super) max_bytes: Option<u64>,
    /// Refuse a program with more queue instructions that nothing waits for
    #[arg(long, value_name = "N")]
    pub(super) max_unordered: Option<u64>,
    /// Refuse a program that needs more comparisons for races
    #[arg(long, value_name = "N")]
    pub(super) max_comparisons: Option<u64>,
    /// The report as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  rcar-iss completions bash > ~/.local/share/bash-completion/completions/rcar-iss\n  \
                        rcar-iss completions fish -o ~/.config/fish/completions/rcar-iss.fish"
)]
pub(super) struct CompletionsArgs {
    /// Shell
    pub(super) shell: clap_complete::Shell,
    /// Write to a file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  rcar-iss man | man -l -\n  rcar-iss man run -o rcar-iss-run.1")]
pub(super) struct ManArgs {
    /// The page of this command [default: the page of them all]
    pub(super) command: Option<String>,
    /// Write to a file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

/// Which engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum EngineArg {
    /// Plain loops, straight from the manual
    Reference,
    /// The default
    Fast,
}

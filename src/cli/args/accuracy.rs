//! Options of `compare`, `diagnose` and `dequantize`.

use std::path::PathBuf;

use clap::Args;

use super::{ModelArgs, PictureArgs};

/// The float reference of a network.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct ReferenceArgs {
    /// Float ONNX model, or a folder of .npy and .npz files (an .npz) with its tensors, by ONNX tensor or
    /// layer name. Files hold all inputs stacked; or the folder holds one folder for each input
    #[arg(long, value_name = "FLOAT.onnx|DIR")]
    pub(in crate::cli) reference: PathBuf,
    /// TOML file with a table [tensors]: "tensor, layer or ONNX node" = "tensor or node of the reference"
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) map: Option<PathBuf>,
    /// Order of axes in reference files [default: auto]
    #[arg(long, value_enum)]
    pub(in crate::cli) reference_layout: Option<LayoutArg>,
}

/// Order of axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum LayoutArg {
    /// Told by the shapes; where channels, height and width are alike, by the shapes of the other tensors
    Auto,
    /// Channels second: ONNX, PyTorch
    Nchw,
    /// Channels last: TensorFlow
    Nhwc,
}

/// A quantized network and its float reference, on the same inputs.
#[derive(Debug, Args)]
pub(in crate::cli) struct SidesArgs {
    #[command(flatten)]
    pub(in crate::cli) model: ModelArgs,
    #[command(flatten)]
    pub(in crate::cli) reference: ReferenceArgs,
    /// Input: .npy, .npz, a picture or a folder of them; once for each input, or several times to stack
    #[arg(short, long, value_name = "[NAME=]PATH")]
    pub(in crate::cli) input: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) pictures: PictureArgs,
    /// Threads [default: all]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) threads: Option<std::num::NonZeroUsize>,
    /// The report as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  rcar-iss compare q.onnx --reference float.onnx --input photos/ --report q.html\n  \
                  rcar-iss compare net.rcn --reference float.onnx --input x.npy --fail-under 25\n  \
                  rcar-iss compare q.onnx --reference tf_dump/ --map names.toml --reference-layout nhwc --input x.npy\n\n\
                  Of a model every tensor is kept (--observe all); cycles are those of the program without that.\n\
                  accumulated: as the network runs. isolated: each layer alone, on the quantized reference of its inputs."
)]
pub(in crate::cli) struct CompareArgs {
    /// Quantized ONNX model or program file
    pub(in crate::cli) file: PathBuf,
    #[command(flatten)]
    pub(in crate::cli) sides: SidesArgs,
    /// Exit with status 1 if an output of the network has a lower signal-to-noise ratio, in decibels
    #[arg(long, value_name = "DB")]
    pub(in crate::cli) fail_under: Option<f64>,
    /// Also write the table as comma-separated values
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) csv: Option<PathBuf>,
    /// Also write a page with the network as a graph and the pictures of every layer: one HTML file, for any
    /// browser
    #[arg(long, value_name = "FILE.html")]
    pub(in crate::cli) report: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  rcar-iss diagnose q.onnx --reference float.onnx --input photos/\n  \
                  rcar-iss diagnose q.onnx --reference float.onnx --input photos/ --calib calibration/ --json\n\n\
                  Exit status 1: a layer is at fault. Give inputs like those that the network will see; 8 to 32 are enough.")]
pub(in crate::cli) struct DiagnoseArgs {
    /// Quantized ONNX model
    pub(in crate::cli) model_file: PathBuf,
    #[command(flatten)]
    pub(in crate::cli) sides: SidesArgs,
    /// The inputs that the model was calibrated with, to say whether they were enough
    #[arg(long, value_name = "[NAME=]PATH")]
    pub(in crate::cli) calib: Vec<String>,
    /// TOML file with other thresholds of the judgement
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) thresholds: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  rcar-iss dequantize layers -o real\n  rcar-iss dequantize layers -o real.npz\n  \
                  rcar-iss dequantize layers/conv1_quantized.npy -o conv1.csv\n  \
                  rcar-iss dequantize out/output_quantized.npy --program net.rcn -o output.npy\n  \
                  rcar-iss dequantize q.npy --scale 0.05 --zero-point 128 -o real.npy\n\n\
                  A folder of dumps, as stacked inputs give one, becomes a folder of folders."
)]
pub(in crate::cli) struct DequantizeArgs {
    /// Folder that `run --dump-layers` wrote, or a .npy file of integers
    pub(in crate::cli) path: PathBuf,
    /// What to write: a folder, an .npz with all tensors, or for one tensor a .npy or .csv
    #[arg(short, long, value_name = "OUT")]
    pub(in crate::cli) output: PathBuf,
    /// In a folder write .csv instead of .npy: one line for each element, with its indices and its integer
    #[arg(long)]
    pub(in crate::cli) csv: bool,
    /// Only this tensor, or the tensors of this layer (may be repeated)
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) layer: Vec<String>,
    /// Program that knows the tensor of a single file by the file's name
    #[arg(long, value_name = "P.rcn", conflicts_with = "scale")]
    pub(in crate::cli) program: Option<PathBuf>,
    /// Scale of a single file
    #[arg(long, value_name = "S", requires = "zero_point")]
    pub(in crate::cli) scale: Option<f32>,
    /// Zero point of a single file
    #[arg(long, value_name = "Z", requires = "scale")]
    pub(in crate::cli) zero_point: Option<i32>,
    /// The report as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

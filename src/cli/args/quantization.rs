//! Options of `quantize` and `tune`.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use clap::Args;

use super::EngineArgs;
use crate::inputs::Pictures;

/// Extents that a model leaves open.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct ShapeArgs {
    /// Shape of an input that the model leaves open, like data=1x3x224x224
    #[arg(long, value_name = "NAME=SHAPE")]
    pub(in crate::cli) shape: Vec<String>,
    /// Extent that the model gives a name instead of a number, like height=320
    #[arg(long, value_name = "NAME=NUMBER")]
    pub(in crate::cli) dim: Vec<String>,
}

/// How pictures become inputs; without these, as MODEL.toml beside the model says.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct PictureArgs {
    /// Subtracted from pixels of 0 to 255: one number, or one for each channel
    #[arg(
        help_heading = "Pictures",
        long,
        value_name = "N,…",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    pub(in crate::cli) mean: Vec<f32>,
    /// Divides what is left: one number, or one for each channel
    #[arg(
        help_heading = "Pictures",
        long,
        value_name = "N,…",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    pub(in crate::cli) std: Vec<f32>,
    /// Short side before the centre is cut out
    #[arg(help_heading = "Pictures", long, value_name = "PIXELS")]
    pub(in crate::cli) resize: Option<NonZeroU32>,
    /// Channels are blue, green, red
    #[arg(help_heading = "Pictures", long)]
    pub(in crate::cli) bgr: bool,
    /// The model's input is [1, H, W, C]
    #[arg(help_heading = "Pictures", long)]
    pub(in crate::cli) nhwc: bool,
}

impl PictureArgs {
    /// The same as the library's type.
    pub(in crate::cli) fn library(&self) -> Pictures {
        let PictureArgs { mean, std, resize, bgr, nhwc } = self;
        let resize = resize.map(NonZeroU32::get);
        Pictures { mean: mean.clone(), std: std.clone(), resize, bgr: *bgr, nhwc: *nhwc }
    }
}

#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  rcar-iss quantize net.onnx --calib photos -o net_q.onnx --mean 127 --std 128\n  \
                  rcar-iss quantize net.onnx --calib x.npy -o net_q.onnx --method mse --layer /conv1/Conv=a16w8\n  \
                  rcar-iss quantize net.onnx --calib photos -o net_q.onnx --prune 0.5 --prune-block 64x16\n  \
                  rcar-iss quantize net.onnx --calib photos -o net_q.onnx --per-tensor --method mse --equalize --bias-correction\n  \
                  rcar-iss quantize net.onnx --statistics net_q.calibration.json -o other.onnx --method entropy"
)]
pub(in crate::cli) struct QuantizeArgs {
    /// Float ONNX model
    pub(in crate::cli) model_file: PathBuf,
    /// QDQ model to write; OUT.calibration.json comes beside it
    #[arg(short, long, value_name = "OUT.onnx")]
    pub(in crate::cli) output: PathBuf,
    #[command(flatten)]
    pub(in crate::cli) how: CalibrationArgs,
    /// Bits of activations: 8 or 16; divisors have 16 [default: 8]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) bits: Option<u8>,
    /// Bits of all weights: 8 or 16 [default: 8]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) weight_bits: Option<u8>,
    /// Width of one layer, with all tensors that it reads and writes: a16w8 or a16w16
    #[arg(long, value_name = "NODE=WIDTH")]
    pub(in crate::cli) layer: Vec<String>,
    /// Subtract from the biases the mean error that rounded weights cause on the calibration inputs
    #[arg(long)]
    pub(in crate::cli) bias_correction: bool,
    /// Set this share of the weights' blocks to zero first, the least ones, 0 to 1
    #[arg(long, value_name = "SHARE", conflicts_with = "statistics")]
    pub(in crate::cli) prune: Option<f64>,
    /// The same share in every layer, instead of the least blocks of the network
    #[arg(long, requires = "prune")]
    pub(in crate::cli) prune_per_layer: bool,
    /// Output and input channels of a block [default: 16x16]
    #[arg(long, value_name = "OUTxIN", requires = "prune")]
    pub(in crate::cli) prune_block: Option<String>,
    /// The report as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// Calibration inputs, and the choice of ranges and weight formats.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct CalibrationArgs {
    /// Calibration inputs: a folder of pictures, .npy or .npz files, one file, or a stacked array; NAME=
    /// chooses the input
    #[arg(long, value_name = "[NAME=]PATH")]
    pub(in crate::cli) calib: Vec<String>,
    /// Take the statistics of an earlier run instead
    #[arg(long, value_name = "FILE.json")]
    pub(in crate::cli) statistics: Option<PathBuf>,
    /// Only the first N calibration inputs
    #[arg(long, value_name = "N")]
    pub(in crate::cli) calib_limit: Option<NonZeroUsize>,
    /// Ranges of activations: minmax, percentile[:P], entropy or mse [default: minmax]
    #[arg(long, value_name = "METHOD")]
    pub(in crate::cli) method: Option<String>,
    /// One weight scale for each output channel (the default)
    #[arg(long, conflicts_with = "per_tensor")]
    pub(in crate::cli) per_channel: bool,
    /// One weight scale for each layer
    #[arg(long)]
    pub(in crate::cli) per_tensor: bool,
    /// Activations: u8 or s8 [default: u8]
    #[arg(long, value_name = "TYPE")]
    pub(in crate::cli) activations: Option<String>,
    /// Put zero in the middle of the activations' ranges
    #[arg(long)]
    pub(in crate::cli) symmetric: bool,
    /// Scale channels of consecutive convolutions so that one scale for all their weights fits better; the
    /// float network stays the same
    #[arg(long)]
    pub(in crate::cli) equalize: bool,
    /// Leave this node in float
    #[arg(long, value_name = "NODE")]
    pub(in crate::cli) skip: Vec<String>,
    /// Settings from a TOML file; options override them
    #[arg(long, value_name = "FILE.toml")]
    pub(in crate::cli) config: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) pictures: PictureArgs,
    #[command(flatten)]
    pub(in crate::cli) shapes: ShapeArgs,
    #[command(flatten)]
    pub(in crate::cli) engine: EngineArgs,
    /// Threads [default: all]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) threads: Option<NonZeroUsize>,
}

#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  rcar-iss tune net.onnx --calib photos -o net_q.onnx --per-tensor\n  \
                  rcar-iss tune net.onnx --calib photos -o net_q.onnx --target-sqnr 25 --max-cycles +30%\n  \
                  rcar-iss tune net.onnx --calib x.npy --labels y.npy -o net_q.onnx --target-top1 0.98\n\n\
                  OUT.tune.json keeps what was measured: the same command goes on where it was broken off.")]
pub(in crate::cli) struct TuneArgs {
    /// Float ONNX model
    pub(in crate::cli) model_file: PathBuf,
    /// QDQ model to write; beside it come OUT.rcn, OUT.svg, OUT.recipe.toml and OUT.tune.json
    #[arg(short, long, value_name = "OUT.onnx")]
    pub(in crate::cli) output: PathBuf,
    #[command(flatten)]
    pub(in crate::cli) how: CalibrationArgs,
    /// Signal-to-noise ratio that the outputs must have [default: 20 dB more than everything in 8 bits, or 1
    /// dB less than everything in 16, whichever is less]
    #[arg(long, value_name = "DB", conflicts_with = "target_top1", allow_negative_numbers = true)]
    pub(in crate::cli) target_sqnr: Option<f64>,
    /// Share of labelled inputs whose class must be right, 0 to 1
    #[arg(long, value_name = "SHARE", requires = "labels")]
    pub(in crate::cli) target_top1: Option<f64>,
    /// The class of each input: integers in a .npy, or as `y` or `labels` in an .npz
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) labels: Option<PathBuf>,
    /// Inputs on which whole models are measured [default: the calibration inputs]
    #[arg(short, long, value_name = "[NAME=]PATH")]
    pub(in crate::cli) input: Vec<String>,
    /// Measure on the first N of them [default: 16, or all if there are fewer]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) input_limit: Option<NonZeroUsize>,
    /// Cycles above those of 8 bits, like +20%
    #[arg(long, value_name = "+P%", allow_hyphen_values = true)]
    pub(in crate::cli) max_cycles: Option<String>,
    /// Machine: rcn-s, rcn-m, rcn-l or a machine file
    #[arg(long, value_name = "NAME|FILE", default_value = "rcn-m")]
    pub(in crate::cli) machine: String,
    /// Discard the measurements of an earlier run
    #[arg(long)]
    pub(in crate::cli) fresh: bool,
    /// The report as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

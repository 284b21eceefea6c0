//! Messages on quantization.

use std::path::Path;

use super::{Failure, INPUT, UNSUPPORTED};
use crate::quantize::{IdleWidth, PipelineError, QuantizeError, SettingError};

impl From<SettingError> for Failure {
    fn from(error: SettingError) -> Failure {
        Failure::usage(error.to_string()).nearest(error.found(), error.known().iter().copied())
    }
}

impl Failure {
    /// The model at `path` cannot be quantized.
    pub fn quantize(path: &Path, error: &QuantizeError) -> Failure {
        match error {
            QuantizeError::Input { .. } | QuantizeError::NoInputs | QuantizeError::NotFinite { .. } => {
                Failure::new(INPUT, error.to_string())
            }
            QuantizeError::NoSuchNode(name) => no_node(name),
            QuantizeError::NoSuchTensor(_) => Failure::usage(error.to_string()),
            QuantizeError::Model(_) | QuantizeError::Opset { .. } | QuantizeError::Float(_) => {
                Failure::new(UNSUPPORTED, format!("'{}' cannot be quantized", path.display())).why(error)
            }
        }
    }

    /// The model at `path` cannot be quantized with these settings.
    pub fn pipeline(path: &Path, error: PipelineError) -> Failure {
        match error {
            PipelineError::Setting(error) => error.into(),
            PipelineError::Quantize(error) => Failure::quantize(path, &error),
            PipelineError::NoSuchNode { name, known } => {
                no_node(&name).nearest(&name, known.iter().map(String::as_str))
            }
            PipelineError::NoSuchTensor { ref name, ref known } => {
                Failure::usage(error.to_string()).nearest(name, known.iter().map(String::as_str))
            }
            PipelineError::Equalized { .. } => Failure::earlier_calibration(path, &error),
            PipelineError::NoInputs => Failure::usage(error.to_string()).help(
                "give --calib with a folder of pictures or .npy files, or --statistics with a saved calibration.json",
            ),
            PipelineError::Pruning { .. } => Failure::usage(error.to_string()),
            PipelineError::Idle(ref idle) => Failure::idle_width(idle, false),
            PipelineError::PruningNeedsInputs => {
                Failure::usage("--prune needs --calib: the network is calibrated after it")
            }
            PipelineError::CorrectionNeedsInputs => {
                Failure::usage("--bias-correction needs --calib: errors are measured on inputs")
            }
        }
    }

    /// The width of a layer has no effect; it was given as an option (`typed`) or in the settings file.
    pub fn idle_width(idle: &IdleWidth, typed: bool) -> Failure {
        let IdleWidth { node, width, skipped } = idle;
        let what = if typed {
            format!("--layer {node}={width}")
        } else {
            format!("\"{node}\" = \"{width}\" of [layers] in --config")
        };
        let why = if *skipped {
            "--skip, or skip in --config, leaves this node in float"
        } else {
            "all layers have this width"
        };
        Failure::usage(format!("{what} has no effect")).why(&why).help("leave it out")
    }

    /// The earlier calibration record at `path` cannot be used.
    pub fn earlier_calibration(path: &Path, error: &PipelineError) -> Failure {
        let PipelineError::Equalized { earlier } = error else { return Failure::file(path, error) };
        let [was, is] = [*earlier, !earlier].map(|e| if e { "with" } else { "without" });
        Failure::file(path, &format!("it was made {was} --equalize, this run is {is} it"))
            .help("tensors have other ranges then: use the same option, or calibrate again")
    }
}

fn no_node(name: &str) -> Failure {
    Failure::usage(format!("the model has no node '{name}'"))
        .help("nodes without a name are called by type and number, like Conv_12")
}

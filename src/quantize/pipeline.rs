//! The steps from a float network to a quantized one: clean, prune, equalize, calibrate, correct biases,
//! write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::bias::correct_biases;
use super::calibrate::{Calibration, calibrate};
use super::choose::{Choice, choose};
use super::cleanup::{Cleaned, clean};
use super::equalize::equalize;
use super::error::QuantizeError;
use super::fidelity::{Outputs, float_outputs};
use super::parameters::Parameters;
use super::places::Places;
use super::prune::{PrunedLayer, Pruning, prune};
use super::record::Record;
use super::settings::{IdleWidth, SettingError, Settings};
use super::write::write;
use crate::float::Engine;
use crate::inputs::Samples;
use crate::onnx::proto::ModelProto;
use crate::program::Preprocess;

/// Inputs on which the error of pruning is measured.
const PRUNED_ON: usize = 20;

/// A step that runs the float network on many inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Running the original and the pruned network, to compare their outputs.
    Prune,
    /// Recording the ranges of tensors.
    Calibrate,
    /// Measuring the errors that rounded weights cause.
    CorrectBiases,
}

impl Stage {
    /// Its name in progress messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Stage::Prune => "pruning",
            Stage::Calibrate => "calibrating",
            Stage::CorrectBiases => "correcting biases",
        }
    }
}

/// Called for progress: the stage, how many of its steps are done, and how many it has. A stage begins with
/// none done. Calls come from several threads, in no certain order.
pub type Watch<'a> = &'a (dyn Fn(Stage, usize, usize) + Sync);

/// Calibration inputs, with names and preprocessing for the record.
#[derive(Clone)]
pub struct CalibrationSet<'a> {
    /// The inputs.
    pub inputs: &'a dyn Samples,
    /// Names of the inputs, in order.
    pub names: Vec<String>,
    /// How pictures became inputs, by input of the network.
    pub pictures: BTreeMap<String, Preprocess>,
}

impl<'a> CalibrationSet<'a> {
    /// Inputs named by their numbers, without pictures.
    #[must_use]
    pub fn of(inputs: &'a dyn Samples) -> CalibrationSet<'a> {
        let names = (0..inputs.count()).map(|at| at.to_string()).collect();
        CalibrationSet { inputs, names, pictures: BTreeMap::new() }
    }
}

/// Why a [`Pipeline`](Pipeline) fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PipelineError {
    /// An invalid setting.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The settings name a node that the network does not have.
    #[error("the model has no node '{name}'")]
    NoSuchNode {
        /// The name.
        name: String,
        /// Names of all nodes.
        known: Vec<String>,
    },
    /// The settings name a tensor that does not exist, or is not quantized.
    #[error("the model has no quantized tensor \"{name}\"")]
    NoSuchTensor {
        /// The name.
        name: String,
        /// Names of all tensors that are quantized.
        known: Vec<String>,
    },
    /// The earlier calibration was made with another setting of equalization, so its ranges do not fit.
    #[error("it was made {} equalization, this run is {} it", with(*.earlier), with(!*.earlier))]
    Equalized {
        /// Whether it was made on an equalized network.
        earlier: bool,
    },
    /// There are neither inputs nor statistics of an earlier calibration.
    #[error("calibration inputs are missing")]
    NoInputs,
    /// A pruned network must be calibrated on inputs.
    #[error("pruning needs calibration inputs: the network is calibrated after it")]
    PruningNeedsInputs,
    /// An invalid share or block for pruning.
    #[error("pruning by a share of {share} in blocks of {}x{}: a share is 0 to 1, blocks are multiples of 16", block[0], block[1])]
    Pruning {
        /// The share.
        share: String,
        /// The extents of a block.
        block: [usize; 2],
    },
    /// The width of a layer has no effect.
    #[error(transparent)]
    Idle(#[from] IdleWidth),
    /// Bias correction needs inputs.
    #[error("the correction of biases needs calibration inputs: errors are measured on them")]
    CorrectionNeedsInputs,
    /// An error of the network, or of an input.
    #[error(transparent)]
    Quantize(#[from] QuantizeError),
}

fn with(equalization: bool) -> &'static str {
    if equalization { "with" } else { "without" }
}

/// A float network to be quantized: cleaned, with settings checked against it.
///
/// ```no_run
/// # use rcar_iss::internals::{inputs::Sample, onnx::LoadedModel, quantize::{Pipeline, CalibrationSet, Settings}};
/// # fn example(float: &LoadedModel, inputs: Vec<Sample>) -> Result<(), Box<dyn std::error::Error>> {
/// let settings = Settings::from_toml("method = \"mse\"\nbias_correction = true")?;
/// let calibrated = Pipeline::new(&float.model, settings)?.threads(4).calibrate(Some(&CalibrationSet::of(&inputs)))?;
/// let quantized = calibrated.write()?;
/// println!("{} tensors have integers", quantized.parameters.activations.len());
/// # Ok(())
/// # }
/// ```
pub struct Pipeline<'a> {
    clean: Cleaned,
    places: Places,
    settings: Settings,
    choice: Choice,
    pruning: Option<Pruning>,
    earlier: Option<Record>,
    engine: Engine,
    threads: usize,
    watch: Watch<'a>,
}

impl<'a> Pipeline<'a> {
    /// Cleans a float network. By default it is run on one thread in `rten`, without progress.
    ///
    /// # Errors
    /// The model is not a float network, or the settings have an invalid value or name something that the
    /// network does not have.
    pub fn new(float: &ModelProto, settings: Settings) -> Result<Pipeline<'a>, PipelineError> {
        let choice = settings.choice()?;
        settings.check_layers()?;
        let clean = clean(float)?;
        let graph = clean.model.graph.as_ref().ok_or_else(no_graph)?;
        if let Some(name) = settings
            .skip
            .iter()
            .chain(settings.layers.keys())
            .find(|s| graph.node.iter().all(|n| n.name() != *s))
        {
            let known = graph.node.iter().map(|n| n.name().to_string()).collect();
            return Err(PipelineError::NoSuchNode { name: name.clone(), known });
        }
        let places = Places::of(graph, &settings.skip);
        let known = || places.tensors.iter().map(|(known, _)| known);
        if let Some(name) = settings.tensors.keys().find(|t| known().all(|k| k != *t)) {
            return Err(PipelineError::NoSuchTensor {
                name: name.clone(),
                known: known().cloned().collect(),
            });
        }
        Ok(Pipeline {
            clean,
            places,
            settings,
            choice,
            pruning: None,
            earlier: None,
            engine: Engine::Rten,
            threads: 1,
            watch: &|_, _, _| (),
        })
    }

    /// The library that runs the float network.
    #[must_use]
    pub fn engine(self, engine: Engine) -> Pipeline<'a> {
        Pipeline { engine, ..self }
    }

    /// How many inputs are run in parallel. The result does not depend on it.
    #[must_use]
    pub fn threads(self, threads: usize) -> Pipeline<'a> {
        Pipeline { threads, ..self }
    }

    /// The callback for progress.
    #[must_use]
    pub fn watch(self, watch: Watch<'a>) -> Pipeline<'a> {
        Pipeline { watch, ..self }
    }

    /// Sets blocks of weights to zero before calibration.
    #[must_use]
    pub fn prune(self, pruning: Pruning) -> Pipeline<'a> {
        Pipeline { pruning: Some(pruning), ..self }
    }

    /// Uses the statistics of an earlier calibration of this network.
    ///
    /// # Errors
    /// The earlier calibration was made with another setting of equalization.
    pub fn reuse(self, earlier: Record) -> Result<Pipeline<'a>, PipelineError> {
        if earlier.equalized != self.settings.equalize {
            return Err(PipelineError::Equalized { earlier: earlier.equalized });
        }
        Ok(Pipeline { earlier: Some(earlier), ..self })
    }

    /// Prunes, equalizes, calibrates and corrects biases, as the settings ask.
    ///
    /// # Errors
    /// There are no inputs and something must be measured, an input cannot be used, or the network cannot be
    /// run.
    pub fn calibrate(mut self, samples: Option<&CalibrationSet<'_>>) -> Result<Calibrated, PipelineError> {
        let pruned = self.pruned(samples)?;
        let mut equalized = 0;
        if self.settings.equalize {
            (self.clean.model, equalized) = equalize(&self.clean.model);
            self.find_places();
        }
        let pictures = match (samples, &self.earlier) {
            (Some(samples), _) => samples.pictures.clone(),
            (None, Some(record)) => record.preprocess(),
            (None, None) => return Err(PipelineError::NoInputs),
        };
        let reused = self.earlier.is_some();
        let (seen, inputs, seen_by) = match (self.earlier.take(), samples) {
            (Some(record), _) => (record.statistics(), record.inputs, record.float_engine),
            (None, Some(samples)) => {
                (self.seen(samples.inputs)?, samples.names.clone(), self.engine.short_name().to_string())
            }
            (None, None) => return Err(PipelineError::NoInputs),
        };
        let corrected = if self.settings.bias_correction { self.correct(&seen, samples)? } else { 0 };
        let Pipeline { clean, places, settings, choice, engine, threads, .. } = self;
        let done = Done { pruned, equalized, corrected, inputs, reused, seen_by, pictures };
        Ok(Calibrated { clean, places, seen, settings, choice, engine, threads, done })
    }

    /// Prunes, and runs the network before and after.
    fn pruned(&mut self, samples: Option<&CalibrationSet<'_>>) -> Result<Option<Pruned>, PipelineError> {
        let Some(pruning) = self.pruning else { return Ok(None) };
        let block = pruning.block;
        if !(0.0..=1.0).contains(&pruning.share) || block.iter().any(|n| *n == 0 || !n.is_multiple_of(16)) {
            return Err(PipelineError::Pruning { share: pruning.share.to_string(), block });
        }
        // Statistics of the original network do not apply to the pruned one.
        let Some(samples) = samples.filter(|_| self.earlier.is_none()) else {
            return Err(PipelineError::PruningNeedsInputs);
        };
        let (model, layers) = prune(&self.clean.model, &self.places, &pruning);
        let count = samples.inputs.count().min(PRUNED_ON);
        let steps = Steps::begin(self.watch, Stage::Prune, 2 * count);
        let run =
            |m: &ModelProto| float_outputs(m, samples.inputs, count, &self.engine, &|| steps.done_one());
        let (whole, sparse) = (run(&self.clean.model)?, run(&model)?);
        self.clean.model = model;
        Ok(Some(Pruned { layers, whole, sparse }))
    }

    fn seen(&self, inputs: &dyn Samples) -> Result<Calibration, PipelineError> {
        let tensors: BTreeSet<String> = self.places.own().map(str::to_string).collect();
        let steps = Steps::begin(self.watch, Stage::Calibrate, inputs.count());
        let step = || steps.done_one();
        Ok(calibrate(&self.clean.model, &tensors, inputs, &self.engine, self.threads, &step)?)
    }

    /// Corrects the biases of the float network for the weights that will be written.
    fn correct(
        &mut self,
        seen: &Calibration,
        samples: Option<&CalibrationSet<'_>>,
    ) -> Result<usize, PipelineError> {
        let Some(samples) = samples else { return Err(PipelineError::CorrectionNeedsInputs) };
        let graph = self.clean.model.graph.as_ref().ok_or_else(no_graph)?;
        let parameters = choose(graph, &self.places, seen, &self.choice)?;
        let steps = Steps::begin(self.watch, Stage::CorrectBiases, samples.inputs.count());
        let step = || steps.done_one();
        let what = (&self.places, &parameters);
        let (model, corrected) =
            correct_biases(&self.clean.model, what, samples.inputs, &self.engine, self.threads, &step)?;
        self.clean.model = model;
        self.find_places();
        Ok(corrected)
    }

    /// Finds the places again after a change of the network.
    fn find_places(&mut self) {
        if let Some(graph) = &self.clean.model.graph {
            self.places = Places::of(graph, &self.settings.skip);
        }
    }
}

fn no_graph() -> QuantizeError {
    QuantizeError::Model("it has no graph".into())
}

/// Counts the steps of a stage.
struct Steps<'a> {
    watch: Watch<'a>,
    stage: Stage,
    done: AtomicUsize,
    all: usize,
}

impl<'a> Steps<'a> {
    fn begin(watch: Watch<'a>, stage: Stage, all: usize) -> Steps<'a> {
        watch(stage, 0, all);
        Steps { watch, stage, done: AtomicUsize::new(0), all }
    }

    fn done_one(&self) {
        let before = self.done.fetch_add(1, Ordering::Relaxed);
        (self.watch)(self.stage, before + 1, self.all);
    }
}

/// What the pipeline has done.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// What pruning did, if requested.
    pub pruned: Option<Pruned>,
    /// Pairs of convolutions that were equalized.
    pub equalized: usize,
    /// Nodes whose biases were corrected.
    pub corrected: usize,
    /// Names of the inputs of the statistics.
    pub inputs: Vec<String>,
    /// Whether the statistics are those of an earlier calibration.
    pub reused: bool,
    /// The library that ran the float network; for earlier statistics the one in their record.
    pub seen_by: String,
    /// Preprocessing of pictures, now or when the earlier statistics were recorded.
    pub pictures: BTreeMap<String, Preprocess>,
}

/// What pruning did.
#[derive(Debug, Clone, PartialEq)]
pub struct Pruned {
    /// One entry for each layer.
    pub layers: Vec<PrunedLayer>,
    /// Float outputs of the original network on the first inputs.
    pub whole: Outputs,
    /// Float outputs of the pruned network on the same inputs.
    pub sparse: Outputs,
}

/// A calibrated float network, from which quantized models of any widths are written.
#[derive(Debug, Clone)]
pub struct Calibrated {
    /// The network, as it will be written, still in float.
    pub clean: Cleaned,
    /// Where quantizers are needed.
    pub places: Places,
    /// The statistics.
    pub seen: Calibration,
    /// The settings.
    pub settings: Settings,
    /// The choice that the settings make.
    pub choice: Choice,
    /// The library that ran the float network, or would run it.
    pub engine: Engine,
    /// Inputs that are run in parallel.
    pub threads: usize,
    /// What was done.
    pub done: Done,
}

impl Calibrated {
    /// Writes the quantized model for the settings.
    ///
    /// # Errors
    /// The network cannot be quantized in this way.
    pub fn write(&self) -> Result<Written, QuantizeError> {
        self.write_as(&self.choice)
    }

    /// Writes the quantized model of another choice.
    ///
    /// # Errors
    /// The choice names something that the network does not have, or the network cannot be quantized in this
    /// way.
    pub fn write_as(&self, choice: &Choice) -> Result<Written, QuantizeError> {
        let graph = self.clean.model.graph.as_ref().ok_or_else(no_graph)?;
        let parameters = choose(graph, &self.places, &self.seen, choice)?;
        let model = write(&self.clean.model, &self.places, &parameters)?;
        let about = (self.done.seen_by.as_str(), self.settings.equalize);
        let inputs = self.done.inputs.clone();
        let record = Record::of(about, inputs, &self.places, &self.seen, choice, &parameters)
            .with_pictures(&self.done.pictures);
        Ok(Written { model, parameters, record })
    }
}

/// A quantized model, and how it was made.
#[derive(Debug, Clone)]
pub struct Written {
    /// In QDQ form.
    pub model: ModelProto,
    /// Scales, zero points and widths.
    pub parameters: Parameters,
    /// Statistics of the calibration, and the parameters chosen from them: the contents of
    /// `calibration.json`.
    pub record: Record,
}

//! Quantization of a float network, and its accuracy.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::{Compare, Quantize};
use super::{Graph, Import, Loaded, Model};
use crate::analysis::{self, Case, Comparison, Diagnosis, FloatWeights, RefLayout, Reference, Thresholds};
use crate::float::Engine;
use crate::inputs::{Feed, InputError, Sample, Samples};
use crate::machine::Machine;
use crate::quantize::{
    self, Calibrated, CalibrationSet, Pipeline, PipelineError, Pruning, Record, Settings, Watch, Written,
};
use crate::sim::Limits;
use crate::tune::{Goal, Point, Reporter, Search, State, TuneError, Tuned};

/// A float network to be quantized, with settings and the library that runs it.
pub struct Quantizer<'a> {
    pipeline: Pipeline<'a>,
    path: PathBuf,
    classes: Vec<String>,
}

impl Model {
    /// Starts the quantization of a float network.
    ///
    /// # Errors
    /// The model is not a float network, or a setting is invalid or names something that the network does not
    /// have.
    pub fn quantizer(&self, settings: Settings) -> Result<Quantizer<'static>, Quantize> {
        let (path, classes) = (self.path().to_path_buf(), self.classes().to_vec());
        match Pipeline::new(&self.loaded().model, settings) {
            Ok(pipeline) => Ok(Quantizer { pipeline, path, classes }),
            Err(kind) => Err(Quantize::Pipeline { path, kind }),
        }
    }
}

impl<'a> Quantizer<'a> {
    /// The library that runs the float network; `rten` by default.
    #[must_use]
    pub fn float_engine(self, engine: Engine) -> Quantizer<'a> {
        Quantizer { pipeline: self.pipeline.engine(engine), ..self }
    }

    /// How many samples are run in parallel; one by default. The result does not depend on it.
    #[must_use]
    pub fn threads(self, threads: usize) -> Quantizer<'a> {
        Quantizer { pipeline: self.pipeline.threads(threads), ..self }
    }

    /// Callbacks for progress.
    #[must_use]
    pub fn watch<'b>(self, watch: Watch<'b>) -> Quantizer<'b>
    where
        'a: 'b,
    {
        let pipeline: Pipeline<'b> = self.pipeline;
        Quantizer { pipeline: pipeline.watch(watch), path: self.path, classes: self.classes }
    }

    /// Sets blocks of weights to zero before calibration.
    #[must_use]
    pub fn prune(self, pruning: Pruning) -> Quantizer<'a> {
        Quantizer { pipeline: self.pipeline.prune(pruning), ..self }
    }

    /// Runs the float network on samples, and records the ranges of its tensors.
    ///
    /// # Errors
    /// A sample cannot be used, or the network cannot be run.
    pub fn calibrate(self, samples: &dyn Samples) -> Result<CalibratedModel, Quantize> {
        let names = (0..samples.count()).map(|at| samples.name(at)).collect();
        self.seen(Some(&CalibrationSet { inputs: samples, names, pictures: BTreeMap::new() }))
    }

    /// As [`calibrate`](Self::calibrate) on files and folders, so that the record says how pictures became
    /// inputs.
    ///
    /// # Errors
    /// A sample cannot be used, or the network cannot be run.
    pub fn calibrate_on(self, feed: &Feed) -> Result<CalibratedModel, Quantize> {
        let pictures = feed.preprocess().map(|(name, how)| (name.to_string(), how.clone())).collect();
        self.seen(Some(&CalibrationSet { inputs: feed, names: feed.names(), pictures }))
    }

    /// Uses the ranges of an earlier calibration of this network.
    ///
    /// # Errors
    /// It was made with other settings of equalization.
    pub fn reuse(self, earlier: Record) -> Result<CalibratedModel, Quantize> {
        let Quantizer { pipeline, path, classes } = self;
        let pipeline =
            pipeline.reuse(earlier).map_err(|kind| Quantize::Pipeline { path: path.clone(), kind })?;
        Quantizer { pipeline, path, classes }.seen(None)
    }

    fn seen(self, samples: Option<&CalibrationSet<'_>>) -> Result<CalibratedModel, Quantize> {
        let Quantizer { pipeline, path, classes } = self;
        match pipeline.calibrate(samples) {
            Ok(calibrated) => Ok(CalibratedModel { calibrated, path, classes }),
            Err(kind) => Err(Quantize::Pipeline { path, kind }),
        }
    }
}

/// A float network with known ranges, from which quantized models of any widths are made.
pub struct CalibratedModel {
    calibrated: Calibrated,
    path: PathBuf,
    classes: Vec<String>,
}

/// A quantized model, and how it was made.
pub struct QuantizedModel {
    /// The model, in QDQ form.
    pub model: Model,
    /// Statistics of the calibration, and the parameters chosen from them.
    pub record: Record,
    /// Settings that reproduce the model.
    pub recipe: Settings,
}

impl CalibratedModel {
    /// The quantized model for the settings.
    ///
    /// # Errors
    /// The network cannot be quantized in this way.
    pub fn quantized(&self) -> Result<QuantizedModel, Quantize> {
        let written = self
            .calibrated
            .write()
            .map_err(|e| Quantize::Pipeline { path: self.path.clone(), kind: PipelineError::Quantize(e) })?;
        Ok(self.model(written, self.calibrated.settings.clone()))
    }

    /// Searches the fewest tensors that need 16 bits. Models are measured on samples, and by their cycles on
    /// a machine.
    ///
    /// # Errors
    /// The settings name widths, or a model cannot be run.
    pub fn tune(
        &self,
        samples: &[Sample],
        machine: &Machine,
        wanted: &Wanted<'_>,
    ) -> Result<TunedModel, Quantize> {
        let failed = |kind| Quantize::Tune { path: self.path.clone(), kind };
        let search = Search::new(&self.calibrated, samples, machine).map_err(failed)?;
        let search = search.labels(wanted.labels).goal(wanted.goal).max_cycles(wanted.max_cycles);
        let found = search.run(State::default(), wanted.reporter).map_err(failed)?;
        let written = self.calibrated.write_as(&found.choice).map_err(|e| failed(TuneError::Quantize(e)))?;
        let recipe = found.recipe(&self.calibrated.settings);
        Ok(TunedModel { quantized: self.model(written, recipe), found })
    }

    fn model(&self, written: Written, recipe: Settings) -> QuantizedModel {
        let model = Model::of(written.model, &self.path, &self.calibrated.done.pictures, &self.classes);
        QuantizedModel { model, record: written.record, recipe }
    }
}

/// The goal of a search of widths.
pub struct Wanted<'a> {
    /// The required accuracy.
    pub goal: Goal,
    /// The right class of each sample, for a goal in right answers.
    pub labels: Option<&'a [usize]>,
    /// Allowed additional cycles over 8 bits everywhere, as a share: 0.2 is 20 %.
    pub max_cycles: Option<f64>,
    /// Callbacks for progress.
    pub reporter: &'a dyn Reporter,
}

impl Default for Wanted<'_> {
    fn default() -> Self {
        Wanted { goal: Goal::Default, labels: None, max_cycles: None, reporter: &() }
    }
}

/// The result of a search of widths.
pub struct TunedModel {
    /// The model with the least in 16 bits.
    pub quantized: QuantizedModel,
    found: Tuned,
}

impl TunedModel {
    /// Whether the goal was reached.
    #[must_use]
    pub fn reached(&self) -> bool {
        self.found.reached
    }

    /// The chosen model.
    #[must_use]
    pub fn best(&self) -> &Point {
        &self.found.best.point
    }

    /// The models that no other one beats in both accuracy and cycles, in the order of cycles.
    #[must_use]
    pub fn pareto(&self) -> Vec<&Point> {
        self.found.pareto()
    }
}

/// Compares a quantized network with its float original, tensor by tensor, on samples for the quantized one.
/// Tensors inside fused layers have no figures: [`Import::keep_all`] keeps them.
///
/// # Errors
/// The two have no tensor in common, a sample cannot be used, or the float network cannot be run.
pub fn compare(
    loaded: &Loaded,
    float: &Model,
    samples: &dyn Samples,
    threads: usize,
) -> Result<Comparison, Compare> {
    let reference = reference(float);
    let program = loaded.sim().program();
    let bound = reference.bind(&program.meta, &BTreeMap::new(), RefLayout::Auto);
    let bound = bound.map_err(analysis::CompareError::from)?;
    let mut comparison = analysis::compare(loaded.sim(), &bound, samples, threads, &|| {})?;
    comparison.charge(&loaded.profile());
    Ok(comparison)
}

/// Finds which layers of a quantized model lose accuracy, and why: (a) calibration, or (b) a range too wide
/// for 8 bits, with the repair and its cycles on a machine.
///
/// # Errors
/// As [`compare`], or the model cannot be compiled.
pub fn diagnose(
    quantized: &Model,
    float: &Model,
    machine: &Machine,
    samples: &dyn Samples,
    threads: usize,
) -> Result<(Comparison, Diagnosis), Compare> {
    let plain = quantized.import(&Import::new())?;
    let kept: Graph = quantized.import(&Import::new().keep_all())?;
    let compile = super::Compile::new();
    let cycles = plain.compile(machine, &compile)?.load_on(machine, Limits::default())?;
    let loaded = kept.compile(machine, &compile)?.load_on(machine, Limits::default())?;
    let reference = reference(float);
    let meta = &loaded.sim().program().meta;
    let bound =
        reference.bind(meta, &BTreeMap::new(), RefLayout::Auto).map_err(analysis::CompareError::from)?;
    let mut comparison = analysis::compare(loaded.sim(), &bound, samples, threads, &|| {})?;
    comparison.charge(&cycles.profile().told_by(&meta.layers));
    let clean = quantize::clean(&float.loaded().model).ok().and_then(|c| c.model.graph);
    let graphs = [Some(float.loaded().graph()), clean.as_ref()];
    let weights = FloatWeights::of(&graphs.into_iter().flatten().collect::<Vec<_>>());
    let case = Case {
        graph: &kept.graph,
        plain: &plain.graph,
        machine,
        comparison: &comparison,
        reference: &bound,
        meta,
        inputs: samples,
        calibration: None,
        weights: &weights,
        threads,
    };
    let diagnosis = analysis::diagnose(&case, &Thresholds::default(), &|| {})?;
    Ok((comparison, diagnosis))
}

fn reference(float: &Model) -> Reference {
    Reference::Network { model: Box::new(float.loaded().clone()), engine: Engine::default() }
}

impl QuantizedModel {
    /// Writes the model: see [`Model::save`].
    ///
    /// # Errors
    /// As [`Model::save`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), InputError> {
        self.model.save(path)
    }
}
